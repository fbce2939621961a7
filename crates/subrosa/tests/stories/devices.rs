//! Further devices of an account: enrolled by a login, ended by a logout or from another device.

use crate::harness::{PASSWORD, Profile, Server};

/// Alice with a laptop; bob and carol, who have both written with her and are in a group with her.
fn three_friends(server: &Server) -> [Profile; 3] {
    let people = server.people(["alice", "bob", "carol"]);
    let [alice, bob, carol] = &people;
    alice.send("@bob", "before the phone");
    bob.send("@alice", "answered before the phone");
    alice.ok(&["group", "create", "garden", "@bob", "@carol"]);
    for friend in [bob, carol] {
        friend.ok(&["accept", "#garden"]);
    }
    alice.send("#garden", "the group before the phone");
    people
}

/// A title is inside the encryption: a new device is told it by the first member's device that is online.
fn with_titles(teller: &Profile, new: Profile) -> Profile {
    teller.ok(&["reload"]);
    new
}

#[test]
fn a_further_device_is_in_all_chats_at_once_and_both_show_what_either_sends() {
    let server = Server::start();
    let [alice, bob, carol] = three_friends(&server);
    let phone = with_titles(&alice, server.device("alice", "phone").log_in());

    let mut chats: Vec<_> = phone.json(&["chats"]).iter().map(|row| row["chat"].as_str().unwrap().to_owned()).collect();
    chats.sort();
    assert_eq!(chats, ["#garden", "@bob"]);

    bob.send("@alice", "one for both of you");
    carol.send("#garden", "one for all of you");
    alice.send("@bob", "from the laptop");
    phone.send("@bob", "from the phone");
    phone.send("#garden", "to all from the phone");

    let private = ["bob: one for both of you", "alice: from the laptop", "alice: from the phone"];
    let group = ["carol: one for all of you", "alice: to all from the phone"];
    for (device, chat, since) in
        [(&alice, "@bob", &private[..]), (&phone, "@bob", &private), (&bob, "@alice", &private)]
    {
        let history = device.history(chat);
        assert!(history.ends_with(&since.iter().map(ToString::to_string).collect::<Vec<_>>()), "{history:?}");
    }
    for device in [&alice, &phone, &bob, &carol] {
        let history = device.history("#garden");
        assert!(history.ends_with(&group.iter().map(ToString::to_string).collect::<Vec<_>>()), "{history:?}");
    }
    assert_eq!(phone.history("@bob"), private, "what was said before the phone came is not for the phone");
    assert_eq!(alice.members("#garden"), ["alice", "bob", "carol"], "a further device is no further member");
}

#[test]
fn a_title_is_told_to_a_further_device_by_the_others_of_its_account() {
    let server = Server::start();
    let [_alice, bob, _carol] = three_friends(&server);
    let phone = server.device("bob", "phone").log_in();
    bob.ok(&["reload"]);
    phone.send("#garden", "from a phone that knows where it is");
    assert_eq!(bob.history("#garden").last().unwrap(), "bob: from a phone that knows where it is");
}

#[test]
fn both_devices_see_live_what_either_sends() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    let phone = server.device("alice", "phone").log_in();
    let mut on_the_laptop = alice.start(&["read", "--follow", "--json"]);
    let mut on_the_phone = phone.start(&["read", "--follow", "--json"]);
    bob.send("@alice", "do you both hear me?");
    on_the_laptop.expect_text("do you both hear me?");
    on_the_phone.expect_text("do you both hear me?");
    phone.send("@bob", "the phone does");
    on_the_laptop.expect_text("the phone does");
    alice.send("@bob", "the laptop does");
    on_the_phone.expect_text("the laptop does");
}

#[test]
fn chats_that_begin_after_the_phone_came_are_on_both_devices() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    let phone = server.device("alice", "phone").log_in();
    bob.send("@alice", "hello, alice");
    alice.ok(&["group", "create", "garden", "@carol"]);
    carol.ok(&["accept", "#garden"]);
    carol.send("#garden", "hello, garden");
    for device in [&alice, &phone] {
        assert_eq!(device.history("@bob"), ["bob: hello, alice"]);
        assert_eq!(device.history("#garden"), ["carol: hello, garden"]);
    }
    phone.send("@bob", "hello, bob");
    assert_eq!(bob.history("@alice"), ["bob: hello, alice", "alice: hello, bob"]);
    assert_eq!(alice.history("@bob"), ["bob: hello, alice", "alice: hello, bob"]);
}

#[test]
fn a_revoked_device_is_out_and_everybody_else_goes_on() {
    let server = Server::start();
    let [alice, bob, carol] = three_friends(&server);
    let phone = with_titles(&alice, server.device("alice", "phone").log_in());
    phone.send("#garden", "the phone was here");
    let devices = alice.devices();
    assert_eq!(devices.len(), 2);
    assert_eq!(devices.iter().filter(|(_, this)| *this).count(), 1);
    let (lost, _) = devices.iter().find(|(_, this)| !this).unwrap();
    assert_eq!(phone.devices().iter().find(|(_, this)| *this).map(|(id, _)| id), Some(lost));

    alice.ok(&["devices", "revoke", lost]);
    assert_eq!(alice.devices().len(), 1);
    for command in [&["read"][..], &["send", "#garden", "am I still here?"], &["whoami"]] {
        let said = phone.refused(1, command);
        assert!(said.contains("removed from the account") && said.contains("login"), "{said}");
    }

    carol.send("#garden", "is everybody here?");
    bob.send("#garden", "I am");
    alice.send("@bob", "so am I");
    for friend in [&alice, &bob, &carol] {
        let history = friend.history("#garden");
        assert!(history.ends_with(&["carol: is everybody here?".to_owned(), "bob: I am".to_owned()]), "{history:?}");
        assert!(!history.concat().contains("am I still here?"), "{history:?}");
    }
    assert_eq!(bob.history("@alice").last().unwrap(), "alice: so am I");
    assert_eq!(alice.members("#garden"), ["alice", "bob", "carol"]);
}

#[test]
fn a_device_that_is_watching_while_it_is_revoked_is_told() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    let phone = server.device("alice", "phone").log_in();
    let mut watching = phone.start(&["read", "--follow", "--json"]);
    bob.send("@alice", "a sign of life");
    watching.expect_text("a sign of life");
    let (lost, _) = alice.devices().into_iter().find(|(_, this)| !this).unwrap();
    alice.ok(&["devices", "revoke", &lost]);
    let said = watching.finish().refused(1);
    assert!(said.contains("removed from the account") || said.contains("revoked"), "{said}");
}

#[test]
fn a_logout_ends_the_device_everywhere_and_it_can_come_back_as_a_new_one() {
    let server = Server::start();
    let [alice, bob, _carol] = three_friends(&server);
    let phone = server.device("alice", "phone").log_in();
    phone.ok(&["logout"]);
    phone.refused(1, &["whoami"]);
    phone.refused(1, &["read"]);
    assert_eq!(alice.devices().len(), 1);
    bob.send("#garden", "without the phone");
    alice.send("@bob", "without the phone, too");
    assert_eq!(alice.history("#garden").last().unwrap(), "bob: without the phone");

    phone.clone().log_in();
    assert_eq!(alice.devices().len(), 2);
    alice.ok(&["reload"]);
    bob.send("#garden", "with the phone again");
    assert_eq!(phone.history("#garden"), ["bob: with the phone again"]);
}

#[test]
fn the_last_device_can_log_out_and_the_account_come_back() {
    let server = Server::start();
    let [alice, bob, _carol] = three_friends(&server);
    alice.ok(&["logout"]);
    // Without any device there is nobody to encrypt to.
    let said = bob.refused(6, &["send", "@alice", "are you there?"]);
    assert!(said.contains("@alice"), "{said}");
    let again = server.device("alice", "tablet").log_in();
    again.send("@bob", "I am here again");
    assert_eq!(bob.history("@alice").last().unwrap(), "alice: I am here again");
    bob.send("@alice", "welcome back");
    assert_eq!(again.history("@bob").last().unwrap(), "bob: welcome back");
}

#[test]
fn devices_can_be_named_and_are_counted() {
    let server = Server::start();
    server.people(["alice"]);
    let unusable = server.device("alice", "unusable");
    let said = unusable.try_log_in(PASSWORD, &["--device", "pho\u{1b}ne"]).refused(1);
    assert!(said.contains("shown safely"), "{said}");
    let phone = server.device("alice", "phone");
    phone.try_log_in(PASSWORD, &["--device", "Alice's phone"]).succeeded();
    let names: Vec<_> = phone.json(&["devices"]).iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.contains(&"Alice's phone".to_owned()), "{names:?}");
}

#[test]
fn an_account_without_a_vault_stays_on_its_first_device() {
    let server = Server::start();
    let alice = server.profile("alice");
    alice.try_sign_up(&["--no-vault"]).succeeded();
    let said = server.device("alice", "phone").try_log_in(PASSWORD, &[]).refused(1);
    assert!(said.contains("--no-vault"), "{said}");
    alice.ok(&["devices"]);
}

#[test]
fn two_devices_that_come_at_the_same_time_are_both_in() {
    let server = Server::start();
    let [alice, bob, _carol] = three_friends(&server);
    let [phone, tablet] = ["phone", "tablet"].map(|name| server.device("alice", name));
    std::thread::scope(|scope| {
        for device in [&phone, &tablet] {
            scope.spawn(|| device.clone().log_in());
        }
    });
    assert_eq!(alice.devices().len(), 3);
    bob.send("@alice", "how many are you?");
    alice.send("@bob", "three of me");
    for device in [&alice, &phone, &tablet] {
        assert!(
            device.history("@bob").ends_with(&["bob: how many are you?".to_owned(), "alice: three of me".to_owned()])
        );
        assert_eq!(device.devices().len(), 3);
    }
}

#[test]
fn an_account_has_at_most_eight_devices() {
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(settings.path(), "[rates]\nlogin_per_account = { burst = 100, refill_ms = 1 }\n").unwrap();
    let server = Server::with("127.0.0.1:0", &["--config", settings.path().to_str().unwrap()]);
    let [alice] = server.people(["alice"]);
    for number in 2..=8 {
        server.device("alice", &number.to_string()).log_in();
    }
    let ninth = server.device("alice", "9");
    let said = ninth.try_log_in(PASSWORD, &[]).refused(6);
    assert!(said.contains("devices"), "{said}");
    ninth.refused(1, &["whoami"]);
    let (other, _) = alice.devices().into_iter().find(|(_, this)| !this).unwrap();
    alice.ok(&["devices", "revoke", &other]);
    ninth.log_in();
}

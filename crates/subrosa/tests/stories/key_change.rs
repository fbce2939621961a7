//! A changed key: sending stops until a person has looked at it (rows A5, exit code 4).

use crate::harness::{PASSWORD, Profile, Server};

/// Bob loses all devices and starts over with a new account key.
fn starts_over(server: &Server) -> Profile {
    let bob = server.device("bob", "new-laptop");
    bob.try_log_in(PASSWORD, &["--danger-reset-key"]).succeeded();
    bob
}

fn number(profile: &Profile, with: &str) -> String {
    profile.json(&["verify", with])[0]["digits"].as_str().expect("the digits are a text").to_owned()
}

#[test]
fn both_sides_see_the_same_safety_number_and_mark_it_as_compared() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.send("@bob", "hello");
    assert_eq!(number(&alice, "@bob"), number(&bob, "@alice"));
    assert_ne!(number(&alice, "@bob"), number(&alice, "@carol"));
    assert_eq!(number(&alice, "@carol"), number(&carol, "@alice"));
    assert_eq!(number(&alice, "@bob").chars().filter(char::is_ascii_digit).count(), 60);

    assert_eq!(alice.json(&["verify", "@bob"])[0]["verified"], false);
    assert_eq!(alice.json(&["verify", "@bob", "--confirm"])[0]["verified"], true);
    bob.send("@alice", "compared");
    let came = alice.json(&["read", "@bob"]);
    assert_eq!((&came[0]["text"], &came[0]["verified"]), (&"compared".into(), &true.into()));
    assert_eq!(bob.json(&["verify", "@alice"])[0]["verified"], false, "each side compares for itself");
    alice.refused(1, &["verify", "@nobody"]);
    alice.refused(1, &["verify", "@alice"]);
}

#[test]
fn a_changed_key_stops_sending_until_it_is_accepted() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "before the loss");
    bob.send("@alice", "everything is fine");
    let before = number(&alice, "@bob");
    let bob_again = starts_over(&server);
    bob.refused(1, &["read"]);

    let said = alice.refused(4, &["send", "@bob", "is it you?"]);
    assert!(said.contains("@bob") && said.contains("verify") && said.contains("accept"), "{said}");
    alice.refused(4, &["send", "@bob", "is it you?"]);
    let looked = &alice.json(&["verify", "@bob"])[0];
    assert_eq!((&looked["changed"], &looked["verified"]), (&true.into(), &false.into()));
    assert_ne!(looked["digits"].as_str().unwrap(), before);
    assert_eq!(looked["digits"].as_str().unwrap(), number(&bob_again, "@alice"));
    assert!(alice.json(&["chats"])[0]["blocked"].as_str().is_some_and(|why| why.contains("bob")));

    alice.ok(&["accept", "@bob"]);
    alice.send("@bob", "so it is you");
    bob_again.send("@alice", "it is");
    assert_eq!(bob_again.history("@alice"), ["alice: so it is you", "bob: it is"]);
    assert_eq!(
        alice.history("@bob"),
        ["alice: before the loss", "bob: everything is fine", "alice: so it is you", "bob: it is"]
    );
}

#[test]
fn a_changed_key_of_somebody_verified_is_verified_again() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    bob.send("@alice", "hello");
    alice.ok(&["verify", "@bob", "--confirm"]);
    let bob_again = starts_over(&server);
    alice.refused(4, &["send", "@bob", "is it you?"]);
    let confirmed = &alice.json(&["verify", "@bob", "--confirm"])[0];
    assert_eq!((&confirmed["changed"], &confirmed["verified"]), (&false.into(), &true.into()));
    alice.send("@bob", "compared again");
    assert_eq!(bob_again.history("@alice"), ["alice: compared again"]);
}

#[test]
fn a_changed_key_is_told_of_by_single_commands_until_it_is_accepted() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    for friend in [&alice, &carol] {
        bob.send(&format!("@{}", friend.name()), "hello");
    }
    alice.ok(&["verify", "@bob", "--confirm"]);
    carol.ok(&["reload"]);
    let bob_again = starts_over(&server);
    bob_again.run(&["send", "@alice", "it is me really"]).succeeded();

    // Each time, not only when it is news; and a script's output is what it was.
    for command in [&["reload"][..], &["read"], &["reload", "--json"], &["read", "--json"]] {
        let heard = alice.ok(command);
        assert!(heard.stderr.contains("ALARM: @bob's key changed"), "{heard}");
        assert!(heard.stderr.contains("verify @bob") && heard.stderr.contains("accept @bob"), "{heard}");
        assert_eq!(heard.stderr.lines().count(), 1, "{heard}");
        assert!(!heard.stdout.contains("ALARM"), "{heard}");
        // Who compared nothing is told, too, in other words.
        let heard = carol.ok(command);
        assert!(heard.stderr.starts_with("@bob's key changed") && !heard.stderr.contains("ALARM"), "{heard}");
    }
    alice.ok(&["verify", "@bob", "--confirm"]);
    carol.ok(&["accept", "@bob"]);
    for friend in [&alice, &carol] {
        assert_eq!(friend.ok(&["reload"]).stderr, "");
        assert_eq!(friend.ok(&["read"]).stderr, "");
    }
}

#[test]
fn who_started_over_can_be_the_first_to_write() {
    let server = Server::start();
    let [alice, _bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "before the loss");
    let bob_again = starts_over(&server);
    bob_again.run(&["send", "@alice", "I lost everything"]).succeeded();
    alice.refused(4, &["send", "@bob", "is it you?"]);
    alice.ok(&["accept", "@bob"]);
    alice.send("@bob", "I am sorry to hear it");
    assert_eq!(alice.history("@bob").last().unwrap(), "alice: I am sorry to hear it");
    assert_eq!(bob_again.history("@alice").last().unwrap(), "alice: I am sorry to hear it");
    assert!(alice.history("@bob").contains(&"bob: I lost everything".to_owned()), "{:?}", alice.history("@bob"));
}

#[test]
fn a_group_with_a_changed_key_in_it_asks_first_and_then_goes_on() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.ok(&["group", "create", "garden", "@bob", "@carol"]);
    for friend in [&bob, &carol] {
        friend.ok(&["accept", "#garden"]);
    }
    bob.send("#garden", "before the loss");
    assert_eq!(alice.history("#garden"), carol.history("#garden"));
    let bob_again = starts_over(&server);
    // With a new key bob is out of the group: whoever may, adds him again.
    alice.run(&["accept", "@bob"]);
    carol.send("#garden", "has anybody heard of bob?");
    assert!(!bob_again.json(&["read", "--all"]).iter().any(|row| row["from"] == "carol"));
    if alice.members("#garden").contains(&"bob".to_owned()) {
        alice.ok(&["group", "remove", "#garden", "@bob"]);
    }
    alice.ok(&["group", "add", "#garden", "@bob"]);
    bob_again.ok(&["accept", "#garden"]);
    bob_again.send("#garden", "I am back");
    assert_eq!(alice.history("#garden").last().unwrap(), "bob: I am back");
    carol.run(&["accept", "@bob"]);
    assert_eq!(carol.history("#garden").last().unwrap(), "bob: I am back");
}

#[test]
fn what_a_lost_device_did_before_the_account_started_over_counts() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.ok(&["role", "set", "bob", "advanced"]);
    alice.ok(&["group", "create", "garden", "@bob"]);
    bob.ok(&["accept", "#garden"]);
    alice.ok(&["reload"]);
    // Alice is away while bob speaks, adds carol, and loses his laptop.
    bob.send("#garden", "carol is coming, too");
    bob.ok(&["group", "add", "#garden", "@carol"]);
    bob.send("@alice", "and it will be a fine day");
    starts_over(&server);
    carol.ok(&["accept", "#garden"]);
    carol.send("#garden", "here I am");
    assert_eq!(alice.history("#garden"), ["bob: carol is coming, too", "carol: here I am"]);
    assert_eq!(alice.history("@bob"), ["bob: and it will be a fine day"]);
    for friend in [&alice, &carol] {
        assert_eq!(friend.members("#garden"), ["alice", "carol"]);
    }
    alice.send("#garden", "welcome");
    assert_eq!(carol.history("#garden").last().unwrap(), "alice: welcome");
}

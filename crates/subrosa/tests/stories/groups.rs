//! Group chat: certificates, invitations, members, and who is out (rows A6 to A9).

use rustix::process::Signal;

use crate::harness::{Profile, Server};

fn garden(server: &Server) -> [Profile; 3] {
    let people = server.people(["alice", "bob", "carol"]);
    people[0].ok(&["group", "create", "garden", "@bob", "@carol"]);
    for friend in &people[1..] {
        friend.ok(&["accept", "#garden"]);
    }
    people
}

#[test]
fn everybody_in_a_group_hears_everybody() {
    let server = Server::start();
    let [alice, bob, carol] = garden(&server);
    let mut watching = carol.start(&["read", "#garden", "--follow", "--json"]);
    alice.send("#garden", "the tomatoes are ready");
    bob.send("#garden", "I bring bread");
    watching.expect_text("the tomatoes are ready");
    watching.expect_text("I bring bread");
    drop(watching);
    carol.send("#garden", "I bring the wine");
    let expected = ["alice: the tomatoes are ready", "bob: I bring bread", "carol: I bring the wine"];
    for friend in [&alice, &bob, &carol] {
        assert_eq!(friend.history("#garden"), expected);
        assert_eq!(friend.members("#garden"), ["alice", "bob", "carol"]);
    }
}

#[test]
fn who_is_invited_reads_nothing_until_the_invitation_is_accepted() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.ok(&["group", "create", "garden", "@bob"]);
    alice.send("#garden", "bob has not accepted yet");
    let invites = bob.json(&["invites"]);
    assert_eq!(invites.len(), 1);
    assert_eq!(
        [&invites[0]["kind"], &invites[0]["chat"], &invites[0]["from"]],
        [&"group".into(), &"#garden".into(), &serde_json::Value::from("alice")]
    );
    assert_eq!(bob.unread().len(), 0);
    assert_eq!(bob.json(&["chats"]).len(), 0);
    bob.refused(1, &["read", "#garden"]);
    bob.refused(1, &["send", "#garden", "hello?"]);

    bob.ok(&["accept", invites[0]["id"].as_str().unwrap()]);
    assert_eq!(bob.json(&["invites"]).len(), 0);
    assert_eq!(bob.history("#garden"), ["alice: bob has not accepted yet"]);
    bob.send("#garden", "now I have");
    assert_eq!(alice.history("#garden").last().unwrap(), "bob: now I have");
}

#[test]
fn an_invitation_is_accepted_by_the_title_unless_there_are_several_of_it() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    bob.send("@alice", "hello");
    let mut console = bob.start(&["chat"]);
    console.expect_error("you are @bob");
    alice.ok(&["group", "create", "my garden", "@bob"]);
    console.expect_text("/accept #my garden or /decline #my garden");
    drop(console);
    assert!(bob.ok(&["invites"]).stdout.contains("accept '#my garden'"));
    alice.ok(&["group", "create", "my garden", "@bob"]);
    let shown = bob.ok(&["invites"]).stdout;
    assert!(!shown.contains("accept '"), "{shown}");
    for row in bob.json(&["invites"]) {
        let id = row["id"].as_str().unwrap();
        assert!(shown.contains(&format!("accept {id}")), "{shown}");
        bob.ok(&["accept", id]);
    }
    assert_eq!(bob.json(&["invites"]).len(), 0);
}

#[test]
fn who_declines_an_invitation_is_no_member() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.ok(&["group", "create", "garden", "@bob", "@carol"]);
    carol.ok(&["accept", "#garden"]);
    bob.ok(&["decline", "#garden"]);
    assert_eq!(bob.json(&["invites"]).len(), 0);
    alice.send("#garden", "who is here?");
    carol.send("#garden", "only we two");
    assert_eq!(alice.members("#garden"), ["alice", "carol"]);
    assert_eq!(carol.members("#garden"), ["alice", "carol"]);
    assert_eq!(bob.json(&["read", "--all"]).len(), 0);
    bob.refused(1, &["accept", "#garden"]);
    // Nothing is in the way of a second invitation.
    alice.ok(&["group", "add", "#garden", "@bob"]);
    bob.ok(&["accept", "#garden"]);
    alice.send("#garden", "welcome");
    assert_eq!(bob.history("#garden"), ["alice: welcome"]);
}

#[test]
fn who_is_added_later_reads_from_then_on() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.ok(&["group", "create", "garden", "@bob"]);
    bob.ok(&["accept", "#garden"]);
    alice.send("#garden", "before carol");
    alice.ok(&["group", "add", "#garden", "@carol"]);
    alice.send("#garden", "after carol");
    carol.ok(&["accept", "#garden"]);
    assert_eq!(carol.history("#garden"), ["alice: after carol"]);
    carol.send("#garden", "thank you");
    assert_eq!(bob.history("#garden"), ["alice: before carol", "alice: after carol", "carol: thank you"]);
}

#[test]
fn single_commands_tell_of_a_removal_once() {
    let server = Server::start();
    let [alice, bob, carol] = garden(&server);
    alice.ok(&["group", "remove", "#garden", "@bob"]);
    let heard = bob.ok(&["reload", "--json"]);
    assert_eq!(heard.stderr.trim(), "you are no longer a member of #garden");
    assert_eq!(bob.ok(&["reload"]).stderr, "");
    // Others know already, or are told by who is missing; and who leaves needs not to be told.
    assert_eq!(carol.ok(&["reload"]).stderr, "");
    assert_eq!(carol.ok(&["group", "leave", "#garden"]).stderr, "");
}

#[test]
fn a_removed_member_is_refused_and_hears_nothing_more() {
    let server = Server::start();
    let [alice, bob, carol] = garden(&server);
    bob.send("#garden", "while I was here");
    let mut watching = bob.start(&["read", "#garden", "--follow", "--json"]);
    alice.ok(&["group", "remove", "#garden", "@bob"]);
    alice.send("#garden", "not for bob any more");
    carol.send("#garden", "nor this");
    let said = bob.refused(6, &["send", "#garden", "am I still here?"]);
    assert!(said.contains("removed") || said.contains("no longer"), "{said}");
    for command in [
        &["group", "add", "#garden", "@carol"][..],
        &["group", "remove", "#garden", "@carol"],
        &["group", "rename", "#garden", "bobs-garden"],
    ] {
        bob.refused(6, command);
    }
    assert_eq!(bob.history("#garden"), ["bob: while I was here"], "what was read stays, nothing comes behind it");
    for command in [&["group", "members", "#garden"][..], &["read", "#garden"]] {
        let said = bob.refused(6, command);
        assert!(said.contains("removed") || said.contains("no longer"), "{said}");
    }
    watching.kill();
    assert!(!watching.lines().concat().contains("not for bob"));
    assert_eq!(alice.members("#garden"), ["alice", "carol"]);
    assert_eq!(carol.history("#garden"), ["bob: while I was here", "alice: not for bob any more", "carol: nor this"]);
    alice.refused(1, &["group", "remove", "#garden", "@bob"]);

    alice.ok(&["group", "add", "#garden", "@bob"]);
    bob.ok(&["accept", "#garden"]);
    alice.send("#garden", "bob is back");
    assert_eq!(bob.history("#garden").last().unwrap(), "alice: bob is back");
    assert!(!bob.history("#garden").concat().contains("nor this"));
}

#[test]
fn who_leaves_is_out_and_the_others_go_on() {
    let server = Server::start();
    let [alice, bob, carol] = garden(&server);
    bob.ok(&["group", "leave", "#garden"]);
    bob.refused(6, &["send", "#garden", "one last thing"]);
    alice.send("#garden", "bob has left");
    carol.send("#garden", "so it is");
    assert_eq!(carol.history("#garden"), ["alice: bob has left", "carol: so it is"]);
    assert_eq!(alice.members("#garden"), ["alice", "carol"]);
    assert!(!bob.json(&["read", "--all"]).iter().any(|row| row["text"] == "so it is"));
    bob.run(&["group", "leave", "#garden"]).refused(1);
}

#[test]
fn the_creator_can_leave_and_the_group_stays() {
    let server = Server::start();
    let [alice, bob, carol] = garden(&server);
    alice.ok(&["group", "leave", "#garden"]);
    bob.send("#garden", "alice has left");
    carol.send("#garden", "we stay");
    assert_eq!(bob.history("#garden"), ["bob: alice has left", "carol: we stay"]);
    assert_eq!(bob.members("#garden"), ["bob", "carol"]);
    alice.refused(6, &["send", "#garden", "may I come back?"]);
}

#[test]
fn a_group_has_its_title_from_who_may_give_it() {
    let server = Server::start();
    let [alice, bob, carol] = garden(&server);
    alice.ok(&["group", "rename", "#garden", "The orchard by the mill"]);
    for friend in [&alice, &bob, &carol] {
        friend.send("#The orchard by the mill", &format!("{} found it", friend.name()));
        friend.refused(1, &["send", "#garden", "where is it?"]);
    }
    assert_eq!(bob.history("#The orchard by the mill").len(), 3);
    for title in ["", "@alice", "#garden", "two\nlines", "esc\u{1b}[2J", "bidi\u{202e}"] {
        alice.refused(1, &["group", "rename", "#The orchard by the mill", title]);
        alice.refused(1, &["group", "create", title, "@bob"]);
    }
    alice.refused(1, &["group", "create", &"x".repeat(129), "@bob"]);
}

#[test]
fn two_groups_of_one_title_can_be_told_apart() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    for _ in 0..2 {
        alice.ok(&["group", "create", "garden", "@bob"]);
    }
    let said = alice.refused(1, &["send", "#garden", "which one?"]);
    let names: Vec<&str> = said.split('\'').filter(|part| part.starts_with("#garden~")).collect();
    assert_eq!(names.len(), 2, "{said}");
    alice.send(names[0], "this one");
    assert_eq!(alice.history(names[0]), ["alice: this one"]);
    assert_eq!(alice.history(names[1]).len(), 0);
    for invite in bob.json(&["invites"]) {
        bob.ok(&["accept", invite["id"].as_str().unwrap()]);
    }
    assert_eq!(bob.history(names[0]), ["alice: this one"]);
}

#[test]
fn nobody_can_be_added_twice_or_without_an_account() {
    let server = Server::start();
    let [alice, bob, _carol] = garden(&server);
    alice.refused(1, &["group", "add", "#garden", "@bob"]);
    alice.refused(1, &["group", "add", "#garden", "@nobody"]);
    alice.refused(1, &["group", "create", "orchard", "@nobody"]);
    alice.refused(1, &["group", "remove", "#garden", "@alice"]);
    alice.refused(1, &["group", "add", "#nowhere", "@bob"]);
    bob.refused(1, &["group", "members", "#nowhere"]);
    assert_eq!(alice.members("#garden"), ["alice", "bob", "carol"]);
}

#[test]
fn the_list_of_chats_says_what_is_unread() {
    let server = Server::start();
    let [alice, bob, carol] = garden(&server);
    alice.send("#garden", "one");
    alice.send("#garden", "two");
    carol.send("@bob", "privately");
    let chats = || -> Vec<(String, String, u64)> {
        let mut rows: Vec<_> = bob
            .json(&["chats"])
            .iter()
            .map(|row| {
                let word = |field: &str| row[field].as_str().unwrap().to_owned();
                (word("chat"), word("kind"), row["unread"].as_u64().unwrap())
            })
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(chats(), [("#garden".into(), "group".into(), 2), ("@carol".into(), "private".into(), 1)]);
    bob.ok(&["read", "#garden"]);
    assert_eq!(chats(), [("#garden".into(), "group".into(), 0), ("@carol".into(), "private".into(), 1)]);
    bob.send("#garden", "my own words are not news to me");
    assert_eq!(chats()[0].2, 0);
}

#[test]
fn two_who_change_a_group_at_the_same_time_both_succeed() {
    let server = Server::start();
    let [alice, bob, carol, dave, erin] = server.people(["alice", "bob", "carol", "dave", "erin"]);
    alice.ok(&["role", "set", "bob", "advanced"]);
    alice.ok(&["group", "create", "garden", "@bob", "@erin"]);
    for friend in [&bob, &erin] {
        friend.ok(&["accept", "#garden"]);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| alice.ok(&["group", "add", "#garden", "@carol"]));
        scope.spawn(|| bob.ok(&["group", "add", "#garden", "@dave"]));
        scope.spawn(|| erin.send("#garden", "in the middle of it"));
    });
    for friend in [&carol, &dave] {
        friend.ok(&["accept", "#garden"]);
    }
    alice.send("#garden", "all here");
    for friend in [&alice, &bob, &carol, &dave, &erin] {
        assert_eq!(friend.members("#garden"), ["alice", "bob", "carol", "dave", "erin"]);
        assert_eq!(friend.history("#garden").last().unwrap(), "alice: all here");
    }
    assert!(bob.history("#garden").contains(&"erin: in the middle of it".to_owned()));
}

#[test]
fn who_is_removed_is_out_with_all_devices() {
    let server = Server::start();
    let [alice, bob, carol] = garden(&server);
    let phone = server.device("bob", "phone").log_in();
    alice.ok(&["reload"]);
    phone.send("#garden", "bob is here with two devices");
    assert_eq!(bob.history("#garden").len(), 1);
    alice.ok(&["group", "remove", "#garden", "@bob"]);
    alice.send("#garden", "and now with none");
    for device in [&bob, &phone] {
        device.refused(6, &["send", "#garden", "am I still here?"]);
        assert_eq!(device.history("#garden"), ["bob: bob is here with two devices"]);
    }
    assert_eq!(carol.members("#garden"), ["alice", "carol"]);
    // With the next device nothing comes back.
    let tablet = server.device("bob", "tablet").log_in();
    assert!(!tablet.json(&["chats"]).iter().any(|row| row["kind"] == "group"));
}

#[test]
fn an_invitation_can_be_taken_back() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.ok(&["group", "create", "garden", "@bob"]);
    assert_eq!(bob.json(&["invites"]).len(), 1);
    alice.ok(&["group", "remove", "#garden", "@bob"]);
    assert_eq!(bob.json(&["invites"]).len(), 0);
    bob.refused(1, &["accept", "#garden"]);
    bob.run(&["send", "#garden", "may I?"]).refused(6);
}

#[test]
fn a_group_can_begin_with_its_creator_alone() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.ok(&["group", "create", "diary"]);
    alice.send("#diary", "dear diary");
    assert_eq!(alice.history("#diary"), ["alice: dear diary"]);
    alice.ok(&["group", "add", "#diary", "@bob"]);
    bob.ok(&["accept", "#diary"]);
    alice.send("#diary", "dear bob");
    assert_eq!(bob.history("#diary"), ["alice: dear bob"]);
}

#[test]
fn whoever_watches_sees_what_was_said_before_the_invitation_was_accepted() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let mut watching = bob.start(&["read", "--follow"]);
    alice.ok(&["group", "create", "garden", "@bob"]);
    alice.send("#garden", "the gate is open");
    bob.ok(&["reload"]);
    // In another process, which does not read.
    bob.ok(&["accept", "#garden"]);
    watching.expect_text("the gate is open");
    alice.send("#garden", "come in");
    watching.expect_text("come in");
    let shown = watching.lines();
    assert_eq!(shown.iter().filter(|line| line.contains("the gate is open")).count(), 1, "{shown:?}");
    watching.signal(Signal::TERM);
    watching.finish().succeeded();
    assert_eq!(bob.unread().len(), 0);
}

//! Whatever is killed, at whatever moment: it goes on when it is started again, and nothing is lost or doubled.

use std::thread;

use crate::harness::{PASSWORD, Process, Profile, Server};

/// Alice's console for her chat with bob, when it is open.
fn open_console(alice: &Profile) -> Process {
    let mut console = alice.start(&["chat", "@bob", "--json"]);
    console.say("/whoami");
    console.expect_text("super-admin");
    console
}

/// How often `text` was printed as a message.
fn shown(process: &Process, text: &str) -> usize {
    process.lines().iter().filter(|line| line.contains(text)).count()
}

#[test]
fn a_server_that_is_killed_in_a_conversation_is_missed_and_the_conversation_goes_on() {
    let mut server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.ok(&["group", "create", "garden", "@bob", "@carol"]);
    for friend in [&bob, &carol] {
        friend.ok(&["accept", "#garden"]);
    }
    let mut alices = alice.start(&["chat", "#garden", "--json"]);
    let mut bobs = bob.start(&["chat", "#garden", "--json"]);
    let mut watching = carol.start(&["read", "#garden", "--follow", "--json"]);
    alices.say("one: before");
    bobs.expect_text("one: before");
    bobs.say("two: before");
    for process in [&mut alices, &mut watching] {
        process.expect_text("two: before");
    }

    for round in ["first", "second"] {
        server.kill();
        alices.say(&format!("three: in the {round} darkness"));
        bobs.say(&format!("four: in the {round} darkness"));
        server.start_again();
        for (process, text) in [(&mut bobs, "three"), (&mut alices, "four")] {
            process.expect(text, |line| line.contains(text) && line.contains(round));
        }
        alices.say(&format!("five: after the {round}"));
        bobs.expect_text(&format!("five: after the {round}"));
        watching.expect_text(&format!("five: after the {round}"));
    }
    let expected = alice.history("#garden");
    assert_eq!(expected.len(), 8, "{expected:?}");
    assert_eq!(bob.history("#garden"), expected);
    assert_eq!(carol.history("#garden"), expected);
    for text in &expected {
        let (_, text) = text.split_once(": ").unwrap();
        assert_eq!(shown(&watching, text), 1, "{text:?} on carol's screen:\n{}", watching.lines().join("\n"));
    }
}

#[test]
fn what_was_accepted_before_the_server_was_killed_is_there_after_it() {
    let mut server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    for number in 0..5 {
        alice.send("@bob", &format!("number {number}"));
        server.kill();
        server.start_again();
    }
    let expected: Vec<_> = (0..5).map(|number| format!("alice: number {number}")).collect();
    assert_eq!(bob.history("@alice"), expected);
    assert_eq!(alice.history("@bob"), expected);
}

#[test]
fn what_is_written_without_a_server_goes_out_later_in_order() {
    let mut server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "with the server");
    server.kill();
    for number in 1..=2 {
        let sent = alice.run(&["send", "@bob", &format!("without it, {number}"), "--json"]);
        assert_eq!(sent.object()["state"], "queued");
        let said = sent.refused(3);
        assert!(said.contains("kept"), "{said}");
    }
    assert_eq!(alice.history("@bob").len(), 3, "what was written shows at once");
    server.start_again();
    alice.send("@bob", "with it again");
    let expected = ["alice: with the server", "alice: without it, 1", "alice: without it, 2", "alice: with it again"];
    assert_eq!(bob.history("@alice"), expected);
    assert_eq!(alice.history("@bob"), expected);
}

#[test]
fn a_client_that_is_killed_while_it_sends_has_sent_each_line_once_or_not_at_all() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "begin");
    for round in 0..6 {
        let mut console = alice.start(&["chat", "@bob", "--json"]);
        for number in 0..8 {
            console.say(&format!("round {round}, number {number}"));
        }
        // Killed when so much was accepted: somewhere in the middle of the rest.
        let needed = format!("round {round}, number {}", round);
        let mut watching = bob.start(&["read", "@alice", "--follow", "--all", "--json"]);
        watching.expect_text(&needed);
        console.kill();
    }
    alice.send("@bob", "end");
    let came = bob.wait_for("@alice", "alice: end");
    assert_eq!(came, alice.history("@bob"));
    for round in 0..6 {
        let prefix = format!("alice: round {round}, number ");
        let numbers: Vec<usize> =
            came.iter().filter_map(|text| text.strip_prefix(&prefix)).map(|number| number.parse().unwrap()).collect();
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>(), "in order, without holes and repeats: {came:?}");
        assert!(numbers.len() > round, "{came:?}");
    }
}

#[test]
fn a_client_that_is_killed_while_it_receives_shows_everything_once_afterwards() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "begin");
    let mut console = alice.start(&["chat", "@bob"]);
    for number in 0..40 {
        console.say(&format!("number {number} of many"));
    }
    for number in [3, 11, 19, 27] {
        let mut watching = bob.start(&["read", "--follow", "--all", "--json"]);
        watching.expect_text(&format!("number {number} of many"));
        watching.kill();
    }
    let mut expected: Vec<_> = (0..40).map(|number| format!("alice: number {number} of many")).collect();
    expected.insert(0, "alice: begin".to_owned());
    assert_eq!(bob.wait_for("@alice", "alice: number 39 of many"), expected);
}

#[test]
fn commands_work_while_the_console_of_the_same_profile_is_open() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    let mut console = open_console(&alice);
    let mut watching = alice.start(&["read", "--follow", "--all", "--json"]);
    watching.expect_text("hello");
    alice.send("@bob", "from another terminal");
    console.expect_text("from another terminal");
    bob.send("@alice", "for all windows");
    console.expect_text("for all windows");
    watching.expect_text("for all windows");
    console.say("from the console");
    watching.expect_text("from the console");
    thread::scope(|scope| {
        for command in [&["whoami"][..], &["chats"], &["role", "list"], &["read", "@bob", "--all"]] {
            let alice = &alice;
            scope.spawn(move || alice.json(command));
        }
    });
    assert_eq!(bob.history("@alice").len(), 4);
}

#[test]
fn when_the_first_window_is_closed_the_others_go_on() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    // Whoever comes first runs the profile; the others are attached to it.
    let mut first = alice.start(&["read", "--follow", "--all", "--json"]);
    first.expect_text("hello");
    let mut second = alice.start(&["read", "--follow", "--all", "--json"]);
    second.expect_text("hello");
    let mut third = open_console(&alice);
    first.kill();
    bob.send("@alice", "after the first was killed");
    second.expect_text("after the first was killed");
    third.expect_text("after the first was killed");
    drop(second);
    third.say("and after the second was killed");
    assert_eq!(
        bob.wait_for("@alice", "alice: and after the second was killed"),
        ["alice: hello", "bob: after the first was killed", "alice: and after the second was killed"]
    );
    third.say("/quit");
    third.finish().succeeded();
}

#[test]
fn many_commands_of_one_profile_at_once_all_do_their_work() {
    let server = Server::start();
    let [alice, bob]: [Profile; 2] = server.people(["alice", "bob"]);
    thread::scope(|scope| {
        for number in 0..12 {
            let alice = &alice;
            scope.spawn(move || alice.send("@bob", &format!("number {number}")));
        }
    });
    let mut came = bob.history("@alice");
    assert_eq!(came, alice.history("@bob"));
    came.sort();
    let mut expected: Vec<_> = (0..12).map(|number| format!("alice: number {number}")).collect();
    expected.sort();
    assert_eq!(came, expected);
}

/// Starts a sign-up that tells its steps, and goes on to this one.
fn signing_up_until(alice: &Profile, link: &str, step: &str) -> Process {
    let mut signing_up = alice.start(&["signup", "-s", link, "-u", "alice", "--password-stdin", "-v"]);
    signing_up.say(PASSWORD);
    signing_up.expect_error(step);
    signing_up
}

#[test]
fn a_sign_up_that_is_killed_can_be_brought_to_its_end() {
    for step in ["this process runs the profile", "connecting to", "TLS 1.3 is up", "logged in"] {
        let server = Server::start();
        let alice = server.profile("alice");
        signing_up_until(&alice, server.link(), step).kill();
        // Either nothing has happened, or the server has the account and this profile, or another one, can come in.
        let again = alice.try_sign_up(&[]);
        if again.code != Some(0) {
            again.refused(1);
            alice.try_log_in(PASSWORD, &[]).succeeded();
        }
        assert_eq!(alice.json(&["whoami"])[0]["role"], "super-admin", "{step}");
        let bob = server.profile("bob").sign_up();
        bob.send("@alice", "you made it");
        assert_eq!(alice.history("@bob"), ["bob: you made it"]);
    }
}

#[test]
fn a_server_that_is_killed_during_a_sign_up_leaves_nothing_half_done() {
    for step in ["connecting to", "TLS 1.3 is up"] {
        let mut server = Server::start();
        let alice = server.profile("alice");
        let signing_up = signing_up_until(&alice, server.link(), step);
        server.kill();
        let outcome = signing_up.finish();
        server.start_again();
        if outcome.code != Some(0) {
            outcome.refused(3);
            if alice.try_sign_up(&[]).code != Some(0) {
                alice.clone().log_in();
            }
        }
        assert_eq!(alice.json(&["whoami"])[0]["role"], "super-admin", "{step}");
    }
}

//! Private chat: live and later, both ways, once, in order (row A5).

use std::process::Stdio;
use std::thread;

use rustix::process::Signal;

use crate::harness::{Server, objects};

/// Makes a repeat harmless: any id of the form that the program itself prints.
const KEY: &str = "abcdefghijklmnopqrstuvwxya";

#[test]
fn who_is_there_sees_a_message_when_it_is_sent() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let mut watching = bob.start(&["read", "--follow", "--json"]);
    alice.send("@bob", "are you there?");
    let message = &objects(&watching.expect_text("are you there?"))[0];
    assert_eq!(message["chat"], "@alice");
    assert_eq!(message["from"], "alice");
    assert_eq!(message["text"], "are you there?");
    assert_eq!(message["via"], "server");
    assert_eq!(message["verified"], false);
    for field in ["id", "sent_at", "received_at"] {
        assert!(!message[field].is_null(), "{message}");
    }
    alice.send("@bob", "still there?");
    watching.expect_text("still there?");
    let shown = watching.lines();
    assert_eq!(shown.iter().filter(|line| line.contains("there?")).count(), 2, "{shown:?}");
    drop(watching);
    assert_eq!(bob.unread().len(), 0, "what was shown live is read");
}

#[test]
fn whoever_ends_a_watcher_has_read_what_it_showed() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    for signal in [Signal::TERM, Signal::INT] {
        let mut watching = bob.start(&["read", "--follow"]);
        alice.send("@bob", "are you there?");
        watching.expect_text("are you there?");
        // As soon as it is shown, so that whatever is left to do then is left to do now.
        watching.signal(signal);
        watching.finish().succeeded();
        assert_eq!(bob.unread().len(), 0, "{signal:?}");
        alice.send("@bob", "and now?");
        assert_eq!(bob.unread(), ["alice: and now?"]);
    }
}

#[test]
fn who_was_away_gets_everything_once_and_in_order() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    for number in 1..=5 {
        alice.send("@bob", &format!("number {number}"));
    }
    let came = bob.json(&["reload"]);
    assert_eq!((&came[0]["messages"], &came[0]["invites"]), (&5.into(), &1.into()), "{came:?}");
    let unread = |chat: &str| bob.json(&["chats"]).iter().find(|row| row["chat"] == chat).unwrap()["unread"].clone();
    assert_eq!(unread("@alice"), 5);
    let expected: Vec<_> = (1..=5).map(|number| format!("alice: number {number}")).collect();
    assert_eq!(bob.unread(), expected);
    assert_eq!(unread("@alice"), 0);
    assert_eq!(bob.unread().len(), 0);
    assert_eq!(bob.history("@alice"), expected);
    assert_eq!(bob.json(&["reload"])[0]["messages"], 0);
}

#[test]
fn both_sides_write_and_both_see_the_same() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let mut expected = Vec::new();
    for number in 1..=4 {
        alice.send("@bob", &format!("question {number}"));
        bob.send("@alice", &format!("answer {number}"));
        expected.extend([format!("alice: question {number}"), format!("bob: answer {number}")]);
    }
    assert_eq!(alice.history("@bob"), expected);
    assert_eq!(bob.history("@alice"), expected);
}

#[test]
fn two_who_write_first_at_the_same_time_are_in_one_chat() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    thread::scope(|scope| {
        scope.spawn(|| alice.send("@bob", "alice was first"));
        scope.spawn(|| bob.send("@alice", "bob was first"));
    });
    alice.send("@bob", "and now?");
    bob.send("@alice", "now we are");
    let seen = alice.history("@bob");
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert_eq!(seen, bob.history("@alice"));
    assert_eq!(alice.json(&["chats"]).len(), 1);
}

#[test]
fn the_first_message_of_a_stranger_is_a_request_and_readable_at_once() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.send("@bob", "may I?");
    carol.send("@bob", "buy my tulips");
    let invites = bob.json(&["invites"]);
    assert_eq!(invites.len(), 2);
    assert!(invites.iter().all(|row| row["kind"] == "request"), "{invites:?}");
    assert_eq!(bob.history("@alice"), ["alice: may I?"]);

    bob.ok(&["accept", "@alice"]);
    let carols = bob.json(&["invites"]);
    assert_eq!((carols.len(), &carols[0]["from"], &carols[0]["chat"]), (1, &"carol".into(), &"@carol".into()));
    bob.ok(&["decline", carols[0]["id"].as_str().unwrap()]);
    assert_eq!(bob.json(&["invites"]).len(), 0);
    bob.refused(1, &["accept", "@carol"]);

    alice.send("@bob", "thank you");
    bob.send("@alice", "not at all");
    assert_eq!(bob.history("@alice"), ["alice: may I?", "alice: thank you", "bob: not at all"]);
}

#[test]
fn who_was_declined_is_not_heard() {
    let server = Server::start();
    let [bob, carol] = server.people(["bob", "carol"]);
    carol.send("@bob", "buy my tulips");
    bob.ok(&["decline", "@carol"]);
    carol.run(&["send", "@bob", "buy my roses, then"]);
    assert_eq!(bob.unread().iter().filter(|text| text.contains("roses")).count(), 0);
    assert_eq!(bob.json(&["invites"]).len(), 0, "a declined chat does not ask again");
    // It is for bob to open it again.
    bob.send("@carol", "I thought about the tulips");
    assert_eq!(carol.history("@bob").last().unwrap(), "bob: I thought about the tulips");
}

#[test]
fn an_answer_accepts_a_request() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "may I?");
    assert_eq!(bob.json(&["invites"]).len(), 1);
    bob.send("@alice", "of course");
    assert_eq!(bob.json(&["invites"]).len(), 0);
}

#[test]
fn the_same_id_again_is_the_same_message() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    for _ in 0..3 {
        let sent = alice.json(&["send", "@bob", "only once", "--id", KEY]);
        assert_eq!((&sent[0]["id"], &sent[0]["state"]), (&KEY.into(), &"accepted".into()));
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| alice.ok(&["send", "@bob", "only once", "--id", KEY]));
        }
    });
    assert_eq!(bob.history("@alice"), ["alice: only once"]);
    assert_eq!(alice.history("@bob"), ["alice: only once"]);
}

#[test]
fn the_same_id_for_another_message_is_refused() {
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    alice.ok(&["send", "@bob", "only once", "--id", KEY]);
    for other in [["@bob", "and now this"], ["@carol", "only once"]] {
        let said = alice.refused(1, &["send", other[0], other[1], "--id", KEY]);
        assert!(said.contains("another message"), "{said}");
    }
    assert_eq!(bob.history("@alice"), ["alice: only once"]);
    assert_eq!(carol.json(&["invites"]).len(), 0);
    // In one conversation it is taken for the other side, too.
    assert!(bob.refused(1, &["send", "@alice", "my own", "--id", KEY]).contains("another message"));
    assert_eq!(alice.history("@bob"), ["alice: only once"]);
    bob.send("@alice", "then without");
    assert_eq!(alice.history("@bob"), ["alice: only once", "bob: then without"]);
}

#[test]
fn text_of_every_script_and_length_arrives_as_it_was_sent() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let long = "چه شب‌ها که به صبح رسید. ".repeat(1400);
    assert!((60 * 1024..64 * 1024).contains(&long.len()), "{}", long.len());
    let texts = [
        "سلام، می‌خواهم فردا بیایم؛ ساعت ۱۷:۳۰ خوب است؟",
        "👨‍👩‍👧‍👦 🏳️‍🌈 1️⃣ 🇮🇷 ❤️",
        "line one\nline two\n\n  indented",
        "\"quotes\", \\backslashes\\ and 'apostrophes' – $(none) of `them` matter",
        &long,
    ];
    for text in texts {
        alice.run_with(&["send", "@bob", "--stdin"], text).succeeded();
    }
    let expected = texts.map(|text| format!("alice: {}", text.trim_end_matches('\n')));
    let came = bob.history("@alice");
    for (came, expected) in came.iter().zip(&expected) {
        assert_eq!(came.trim_end(), expected.trim_end());
    }
    assert_eq!(came.len(), texts.len());
}

#[test]
fn what_is_too_long_or_nothing_at_all_is_refused_and_nothing_is_sent() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let limit = 64 * 1024;
    let said = alice.run_with(&["send", "@bob", "--stdin"], "x".repeat(limit + 1)).refused(1);
    assert!(said.contains("64 KiB"), "{said}");
    alice.run_with(&["send", "@bob", "--stdin"], "x".repeat(4 * 1024 * 1024)).refused(1);
    alice.run_with(&["send", "@bob", "--stdin"], "").refused(1);
    alice.refused(1, &["send", "@bob", ""]);
    assert_eq!(bob.json(&["chats"]).len(), 0);
    alice.run_with(&["send", "@bob", "--stdin"], "x".repeat(limit)).succeeded();
    assert_eq!(bob.history("@alice").len(), 1);
}

#[test]
fn a_terminal_gets_nothing_to_obey_from_others() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let nasty =
        "red \u{1b}[31m title \u{1b}]0;owned\u{7} c1 \u{9b}2J del \u{7f} rtl \u{202e}gpj.exe\u{2069} cr\rover end";
    alice.run_with(&["send", "@bob", "--stdin"], nasty).succeeded();
    let deceives =
        |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    for command in [&["read", "@alice", "--all"][..], &["read", "@alice", "--all", "--json"], &["chats"], &["invites"]]
    {
        let outcome = bob.ok(command);
        assert!(!outcome.stdout.contains(deceives), "{command:?}: {:?}", outcome.stdout);
        assert!(!outcome.stderr.contains(deceives), "{command:?}: {:?}", outcome.stderr);
    }
    let mut console = bob.start(&["chat", "@alice"]);
    alice.run_with(&["send", "@bob", "--stdin"], format!("again {nasty}")).succeeded();
    let shown = console.expect_text("again") + &console.expect_text("end");
    assert!(!shown.contains(deceives), "{shown:?}");
    // A script gets the text as it was sent.
    assert_eq!(bob.history("@alice"), [format!("alice: {nasty}"), format!("alice: again {nasty}")]);
}

#[test]
fn a_chat_with_nobody_and_with_oneself_is_refused() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let said = alice.refused(1, &["send", "@nobody", "hello?"]);
    assert!(said.contains("@nobody"), "{said}");
    alice.refused(1, &["send", "@alice", "hello, me"]);
    alice.refused(1, &["send", "#nowhere", "hello?"]);
    assert_eq!(alice.json(&["chats"]).len(), 0);
}

#[test]
fn who_wants_to_can_wait_until_it_was_delivered() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    // Whoever has not accepted a chat confirms nothing to a stranger.
    bob.ok(&["accept", "@alice"]);
    let mut watching = bob.start(&["read", "--follow"]);
    watching.expect_text("hello");
    let sent = alice.json(&["send", "@bob", "has it come?", "--wait", "delivered"]);
    assert_eq!(sent[0]["state"], "delivered");
    watching.expect_text("has it come?");
}

#[test]
fn reading_can_be_limited() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    for number in 1..=4 {
        alice.send("@bob", &format!("number {number}"));
    }
    let all = bob.json(&["read", "@alice", "--all"]);
    let texts = |arguments: &[&str]| -> Vec<String> {
        bob.json(arguments).iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&["read", "@alice", "--all", "--limit", "2"]), ["number 3", "number 4"]);
    let second = all[1]["id"].as_str().unwrap();
    assert_eq!(texts(&["read", "@alice", "--all", "--since", second]), ["number 3", "number 4"]);
    bob.refused(1, &["read", "@alice", "--since", KEY]);
}

#[test]
fn what_could_not_be_printed_is_still_unread() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "are you there?");
    alice.send("@bob", "still there?");
    for flags in [&["read"][..], &["read", "--json"], &["read", "@alice", "--follow"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let status = bob.command(flags).stdin(Stdio::null()).stdout(full).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(3), "{flags:?}");
    }
    assert_eq!(bob.unread(), ["alice: are you there?", "alice: still there?"]);
    assert_eq!(bob.unread().len(), 0);
}

#[test]
fn a_chat_that_was_never_begun_is_no_chat_until_somebody_writes() {
    let mut server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    for person in ["@nobody", "@alice", "@bob"] {
        let said = alice.refused(1, &["read", person]);
        assert!(said.contains(person), "{said}");
    }
    // To write first is what a chat is opened for; but not with nobody.
    for person in ["@nobody", "@alice"] {
        let said = alice.refused(1, &["chat", person]);
        assert!(said.contains(person), "{said}");
        alice.refused(1, &["read", person, "--follow"]);
    }
    alice.run_with(&["chat", "@bob"], "hello\n").succeeded();
    assert_eq!(bob.history("@alice"), ["alice: hello"]);
    // Who cannot be asked for is not refused: what is typed waits.
    server.kill();
    alice.run_with(&["chat", "@carol"], "").succeeded();
}

#[test]
fn what_is_no_text_is_refused() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let said = alice.run_with(&["send", "@bob", "--stdin"], b"caf\xe9").refused(1);
    assert!(said.contains("UTF-8"), "{said}");
    alice.run_with(&["chat", "@bob"], b"caf\xe9\nand tea\n").refused(1);
    assert_eq!(bob.history("@alice"), ["alice: and tea"]);
}

#[test]
fn a_long_absence_is_made_up_for() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    // More than may be sent at once, and more than fits into one page of the log.
    let long = "x".repeat(40_000);
    let texts: Vec<_> =
        (0..90).map(|number| if number % 9 == 0 { format!("{number} {long}") } else { number.to_string() }).collect();
    alice.run_with(&["chat", "@bob"], texts.join("\n")).succeeded();
    let expected: Vec<_> = texts.iter().map(|text| format!("alice: {text}")).collect();
    assert_eq!(bob.json(&["reload"])[0]["messages"], 90);
    let starts = |texts: &[String]| texts.iter().map(|text| text.chars().take(12).collect()).collect::<Vec<String>>();
    let came = bob.unread();
    assert_eq!(starts(&came), starts(&expected), "in order, once");
    assert!(came == expected, "whole");
    assert!(bob.history("@alice") == alice.history("@bob"), "the same on both sides");
}

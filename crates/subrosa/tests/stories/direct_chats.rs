//! Private chats over direct links: the road is another one, the conversation is the same.

use crate::harness::{Process, Profile, Server};

fn friends(server: &Server) -> [Profile; 2] {
    let people = server.people(["alice", "bob"]);
    people[0].send("@bob", "hello");
    people[1].ok(&["accept", "@alice"]);
    people
}

fn console(person: &Profile, chat: &str) -> Process {
    person.start(&["chat", chat, "--json"])
}

/// Both talk until a link is up on both sides.
fn linked(server: &Server) -> ([Profile; 2], [Process; 2]) {
    let [alice, bob] = friends(server);
    let mut bobs = console(&bob, "@alice");
    bobs.say("/whoami");
    bobs.expect_text("beginner");
    let mut alices = console(&alice, "@bob");
    alices.say("are you there?");
    for console in [&mut alices, &mut bobs] {
        console.expect_text(r#""event":"direct""#);
    }
    ([alice, bob], [alices, bobs])
}

fn texts(person: &Profile, chat: &str) -> Vec<(String, String)> {
    let rows = person.json(&["read", chat, "--all"]);
    let field = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (field(row, "text"), field(row, "via"))).collect()
}

#[test]
fn two_who_talk_get_a_direct_link_and_each_message_says_its_road() {
    let server = Server::start();
    let ([alice, bob], [mut alices, mut bobs]) = linked(&server);
    alices.say("straight to you");
    let line = bobs.expect_text("straight to you");
    assert!(line.contains(r#""via":"direct""#), "{line}");
    bobs.say("and back");
    assert!(alices.expect_text("and back").contains(r#""via":"direct""#));
    // Another process on the same profile uses the link, too; it is delivered, not only accepted.
    let sent = &alice.json(&["send", "@bob", "from a script"])[0];
    assert_eq!([&sent["state"], &sent["via"]], ["delivered", "direct"], "{sent}");
    bobs.expect_text("from a script");
    for console in [alices, bobs] {
        let mut console = console;
        console.say("EXIT");
        console.finish().succeeded();
    }
    let [of_alice, of_bob] = [texts(&alice, "@bob"), texts(&bob, "@alice")];
    let via = |text: &str| of_bob.iter().find(|(said, _)| said == text).map(|(_, via)| via.as_str());
    assert_eq!(
        [via("hello"), via("straight to you"), via("from a script")],
        [Some("server"), Some("direct"), Some("direct")]
    );
    assert_eq!(of_alice, of_bob);
    let shown = alice.ok(&["read", "@bob", "--all"]).stdout;
    assert!(shown.lines().any(|line| line.contains("@bob (direct): and back")), "{shown}");
    assert!(shown.lines().any(|line| line.contains("@alice: hello")), "{shown}");
}

#[test]
fn a_link_carries_on_while_the_server_is_away_and_nothing_comes_twice() {
    let mut server = Server::start();
    let ([alice, bob], [mut alices, mut bobs]) = linked(&server);
    alices.say("before");
    bobs.expect_text("before");
    server.kill();
    for console in [&mut alices, &mut bobs] {
        console.expect_text(r#""event":"offline""#);
    }
    alices.say("the server is gone");
    assert!(bobs.expect_text("the server is gone").contains(r#""via":"direct""#));
    bobs.say("we are not");
    alices.expect_text("we are not");
    server.start_again();
    for console in [&mut alices, &mut bobs] {
        console.expect_text(r#""event":"online""#);
    }
    alices.say("it is back");
    bobs.expect_text("it is back");
    let expected = ["hello", "are you there?", "before", "the server is gone", "we are not", "it is back"];
    for (person, chat) in [(&alice, "@bob"), (&bob, "@alice")] {
        let all: Vec<String> = texts(person, chat).into_iter().map(|(text, _)| text).collect();
        assert_eq!(all, expected);
    }
}

#[test]
fn when_the_other_side_vanishes_the_server_keeps_what_is_said() {
    let server = Server::start();
    let ([alice, bob], [mut alices, mut bobs]) = linked(&server);
    bobs.kill();
    for number in 0..5 {
        alices.say(&format!("into the dark {number}"));
    }
    alices.say("EXIT");
    alices.finish().succeeded();
    let came: Vec<String> = texts(&bob, "@alice").into_iter().map(|(text, _)| text).collect();
    let expected: Vec<String> = (0..5).map(|number| format!("into the dark {number}")).collect();
    assert_eq!(came[came.len() - 5..], expected);
    assert_eq!(came, texts(&alice, "@bob").into_iter().map(|(text, _)| text).collect::<Vec<_>>());
}

#[test]
fn a_device_that_is_away_keeps_the_conversation_at_the_server() {
    let server = Server::start();
    let [alice, bob] = friends(&server);
    let phone = server.device("bob", "phone").log_in();
    let mut bobs = console(&bob, "@alice");
    bobs.say("/whoami");
    bobs.expect_text("beginner");
    let mut alices = console(&alice, "@bob");
    alices.say("to all your devices");
    for console in [&mut alices, &mut bobs] {
        console.expect_text(r#""event":"direct""#);
    }
    alices.say("also to the one that is off");
    assert!(bobs.expect_text("also to the one that is off").contains(r#""via":"server""#));
    assert_eq!(
        phone.wait_for("@alice", "alice: also to the one that is off").last().unwrap(),
        "alice: also to the one that is off"
    );
}

#[test]
fn who_wants_no_direct_links_has_none() {
    let server = Server::start();
    let [alice, bob] = friends(&server);
    assert_eq!(bob.json(&["direct", "policy"])[0]["policy"], "contacts");
    assert_eq!(bob.json(&["direct", "policy", "never"])[0]["policy"], "never");
    let mut bobs = bob.start(&["-v", "chat", "@alice", "--json"]);
    let mut alices = alice.start(&["-v", "chat", "@bob", "--json"]);
    alices.say("shall we?");
    bobs.expect_text("shall we?");
    alices.expect_error("asking for a direct link");
    for round in 0..3 {
        alices.say(&format!("question {round}"));
        assert!(bobs.expect_text(&format!("question {round}")).contains(r#""via":"server""#));
        bobs.say(&format!("answer {round}"));
        assert!(alices.expect_text(&format!("answer {round}")).contains(r#""via":"server""#));
    }
    let said = bobs.error_lines().join("\n");
    assert!(!said.contains("direct link"), "{said}");
    assert!(!alices.lines().join("\n").contains(r#""event":"direct""#));
}

#[test]
fn a_stranger_learns_no_address() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let mut bobs = bob.start(&["-v", "chat", "--json"]);
    let mut alices = alice.start(&["-v", "chat", "@bob", "--json"]);
    alices.say("you do not know me");
    bobs.expect_text("you do not know me");
    alices.say("nor my friends");
    bobs.expect_text("nor my friends");
    alices.expect_error("asking for a direct link");
    alices.say("EXIT");
    alices.finish().succeeded();
    let said = bobs.error_lines().join("\n");
    assert!(!said.contains("direct link"), "an endpoint was made for a stranger: {said}");
}

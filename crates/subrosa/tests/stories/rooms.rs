//! Rooms: no account, no flag, and nothing that the server could read (rows B1 to B4, D1, D3 to D6).

use std::net::{Ipv4Addr, TcpListener};

use serde_json::Value;

use crate::harness::absence::{Needle, files_under};
use crate::harness::{Process, Profile, SUBROSA, Server, headless, objects};

const HELLO: &str = "the kettle is on, third floor";

/// `subrosa room` with these arguments, on a machine that has never seen a server.
fn room(home: &std::path::Path, arguments: &[&str]) -> Process {
    let mut command = headless(SUBROSA);
    command.arg("--home").arg(home).arg("room").args(arguments);
    Process::start(command)
}

fn guest(server: &Server, name: &str) -> Process {
    server.profile(name).room(&["-u", name])
}

#[test]
fn two_guests_talk_in_the_lobby_and_the_server_keeps_and_shows_nothing_of_it() {
    let mut server = Server::with("127.0.0.1:0", &["-vv"]);
    let mut alice = guest(&server, "alice");
    let mut bob = guest(&server, "bob");
    alice.expect_text("* bob joined");
    bob.say(HELLO);
    let line = alice.expect_text(HELLO);
    // `2026-11-21 10:22 bob: …`
    let (time, rest) = line.split_at(16);
    assert!(time.as_bytes()[4] == b'-' && time.as_bytes()[10] == b' ' && time.as_bytes()[13] == b':', "{line}");
    assert_eq!(rest, format!(" bob: {HELLO}"));
    alice.say("/names");
    alice.expect_text("2 in the room: alice, bob");
    alice.say("and I have cups for everybody");
    bob.expect_text("alice: and I have cups for everybody");
    bob.say("EXIT");
    let bob = bob.finish().succeeded();
    assert!(!bob.stdout.contains(HELLO), "what one says does not come back: {bob}");
    alice.expect_text("* bob left");
    alice.say("/quit");
    alice.finish().succeeded();

    let files = files_under(server.data());
    let outcome = server.terminate().succeeded();
    assert!(
        outcome.stdout.contains(r#""event":"joined""#) && outcome.stdout.contains(r#""event":"left""#),
        "{outcome}"
    );
    assert!(outcome.stdout.contains(r#""event":"exchanged""#), "{outcome}");
    for text in [HELLO, "and I have cups for everybody"] {
        let needle = Needle::new(text);
        needle.must_not_be_in(server.printed().as_bytes(), "the server's output");
        for file in &files {
            needle.must_not_be_in(&std::fs::read(file).unwrap_or_default(), &file.display().to_string());
        }
    }
    assert!(!server.printed().contains("lobby") && !server.printed().contains("alice"), "{}", server.printed());
}

#[test]
fn who_gives_no_name_gets_a_readable_one_and_the_address_is_enough() {
    let server = Server::start();
    let port = server.port().to_string();
    let mut first = room(&server.folder().join("first"), &["-p", &port, "--json"]);
    let entered: Value = serde_json::from_str(&first.expect_text("entered")).unwrap();
    assert_eq!(entered["room"], "lobby");
    let name = entered["name"].as_str().unwrap();
    assert!(name.split('-').count() == 2 && name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
    let mut second = room(&server.folder().join("second"), &["-s", "localhost", "-p", &port]);
    second.expect_error("first time at localhost");
    second.expect_error(&format!("with {name}"));
    first.expect_text("joined");
    first.say("a room of our own");
    second.expect_text(&format!("{name}: a room of our own"));
    // The key is known now.
    second.say("EXIT");
    second.finish().succeeded();
    let mut again = room(&server.folder().join("second"), &["-s", "localhost", "-p", &port]);
    again.expect_error("you are ");
    assert!(!again.error_lines().join("\n").contains("first time"));
    drop((first, again));
}

/// In a network of its own, because the port is the default one. A named pipe holds the guests back until the server has
/// printed its first line.
#[cfg(target_os = "linux")]
#[test]
fn with_no_flag_at_all_server_and_guests_meet_on_this_machine() {
    const SCRIPT: &str = r#"
        ip link set lo up && mkfifo begun && { "$SUBROSA" serve < /dev/null > begun & } && SERVER=$! && read -r line < begun
        echo "$line"
        printf '%s\n' 'first in' /names | "$SUBROSA" room
        kill "$SERVER" && wait "$SERVER"
    "#;
    let folder = tempfile::tempdir().unwrap();
    let mut command = headless("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", SCRIPT]);
    command.env("SUBROSA", SUBROSA).env("HOME", folder.path()).current_dir(folder.path());
    let outcome = Process::start(command).finish().succeeded();
    assert!(outcome.stdout.contains("server link: subrosa://127.0.0.1:5535/"), "{outcome}");
    assert!(outcome.stdout.contains("1 in the room: "), "{outcome}");
    assert!(outcome.stderr.contains(" in the room lobby at 127.0.0.1:5535, nobody else is there"), "{outcome}");
}

#[test]
fn who_vanishes_is_taken_out_and_may_come_back_under_the_same_name() {
    let server = Server::start();
    let mut alice = guest(&server, "alice");
    let mut bob = guest(&server, "bob");
    let mut carol = guest(&server, "carol");
    alice.expect_text("carol joined");
    bob.kill();
    alice.expect_text("* bob left");
    carol.expect_text("* bob left");
    let mut bob = guest(&server, "bob");
    bob.say("my battery");
    alice.expect_text("bob: my battery");
    // Who is here longest goes: another one commits the removal.
    alice.kill();
    carol.expect_text("* alice left");
    carol.say("hello again");
    bob.expect_text("carol: hello again");
}

#[test]
fn rooms_do_not_hear_each_other() {
    let server = Server::start();
    let mut garden = server.profile("alice").room(&["garden", "-u", "alice"]);
    let mut cellar = server.profile("bob").room(&["cellar", "-u", "alice"]);
    let mut other = server.profile("carol").room(&["garden", "-u", "carol"]);
    cellar.say("down here");
    cellar.say("/names");
    cellar.expect_text("1 in the room: alice");
    other.say("roses");
    garden.expect_text("carol: roses");
    assert!(!garden.lines().join("\n").contains("down here"));
}

#[test]
fn everybody_sees_the_same_words_and_they_change_when_somebody_comes() {
    let server = Server::start();
    let words = |process: &mut Process| {
        process.say("/verify");
        let line = process.expect("twelve words", |line| line.split(' ').count() == 12);
        line.to_owned()
    };
    let mut alice = guest(&server, "alice");
    let alone = words(&mut alice);
    let mut bob = guest(&server, "bob");
    alice.expect_text("bob joined");
    let two = words(&mut alice);
    assert_eq!(two, words(&mut bob));
    assert_ne!(two, alone);
}

#[test]
fn the_steps_are_shown_with_v_and_one_status_line_without() {
    let server = Server::start();
    let quiet = guest(&server, "alice");
    assert_eq!(quiet.error_lines().len(), 1, "{:?}", quiet.error_lines());
    let mut loud = server.profile("bob").start(&["room", "-s", server.link(), "-u", "bob", "-v"]);
    for step in [
        "connecting to 127.0.0.1",
        "TLS 1.3 is up, keys agreed by X25519MLKEM768",
        "the server proved its key",
        "asking to be let into the room",
        "joining the group with a commit of our own",
        "the group's key is agreed on with 1 other",
        "you are bob in the room lobby at 127.0.0.1",
    ] {
        loud.expect_error(step);
    }
}

#[test]
fn a_name_that_is_taken_or_looks_like_one_is_refused() {
    let server = Server::start();
    let _alice = guest(&server, "alice");
    for name in ["alice", "ALICE", "a1ice"] {
        let said = server.profile("mallory").refused(1, &["room", "-s", server.link(), "-u", name]);
        assert!(said.contains("taken, or looks too much like one"), "{name}: {said}");
    }
    for (name, why) in [("a b", "spaces"), ("аlice", "alphabets"), ("a\u{202e}b", "cannot be shown")] {
        let said = server.profile("mallory").refused(1, &["room", "-s", server.link(), "-u", name]);
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[test]
fn programs_get_one_object_a_line_and_a_pipe_ends_when_all_is_said() {
    let server = Server::start();
    let mut alice = server.profile("alice").start(&["room", "-s", server.link(), "-u", "alice", "--json"]);
    alice.expect_text("entered");
    let bob = server.profile("bob");
    let said = bob.run_with(&["room", "-s", server.link(), "-u", "bob", "--json"], "one\ntwo\u{1b}[2J\n/verify\n");
    let objects = said.succeeded().objects();
    let events: Vec<_> = objects.iter().filter_map(|object| object["event"].as_str()).collect();
    assert_eq!(events.iter().filter(|event| **event == "sent").count(), 2, "{objects:?}");
    assert_eq!(
        objects.iter().filter(|object| object["guests"] == 2 && object["epoch"].is_u64()).count(),
        1,
        "{objects:?}"
    );
    let line = alice.expect_text("one");
    let message: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&message["v"], &message["event"], &message["from"], &message["text"], &message["via"]),
        (&1.into(), &"message".into(), &"bob".into(), &"one".into(), &"server".into())
    );
    assert!(message["sent_at"].as_str().unwrap().ends_with('Z'));
    let line = alice.expect_text("two");
    assert!(!line.contains('\u{1b}'), "{line:?}");
    alice.expect_text(r#""event":"left","name":"bob""#);
    alice.say("EXIT");
    let all = objects_of(alice);
    assert!(all.iter().any(|object| object["event"] == "joined" && object["name"] == "bob"), "{all:?}");
}

#[test]
fn exit_in_a_pipe_leaves_after_everything_before_it_was_said() {
    let server = Server::start();
    let mut alice = guest(&server, "alice");
    alice.say("/names");
    alice.expect_text("1 in the room: alice");
    let lines: Vec<String> = (0..8).map(|number| format!("line {number} before the end")).collect();
    let input = format!("{}\nEXIT\nbehind it\n", lines.join("\n"));
    server.profile("bob").run_with(&["room", "-s", server.link(), "-u", "bob"], input).succeeded();
    alice.expect_text("* bob left");
    let heard = alice.lines();
    assert!(lines.iter().all(|line| heard.iter().any(|shown| shown.ends_with(line))), "{heard:?}");
    assert!(!heard.iter().any(|shown| shown.contains("behind it")), "{heard:?}");
}

fn objects_of(process: Process) -> Vec<Value> {
    objects(&process.finish().succeeded().stdout)
}

#[test]
fn only_accounts_enter_where_the_operator_wants_it_so_and_nobody_where_rooms_are_off() {
    let server = Server::with("127.0.0.1:0", &["--rooms", "members"]);
    let [alice, bob] = server.people(["alice", "bob"]);
    let said = server.profile("mallory").refused(6, &["room", "-s", server.link(), "-u", "mallory"]);
    assert!(said.contains("only people with an account"), "{said}");
    let said = bob.refused(6, &["room", "-s", server.link(), "-u", "somebody"]);
    assert!(said.contains("only people with an account"), "{said}");
    let mut at_alice = alice.room(&[]);
    let mut at_bob = bob.room(&["-u", "bob"]);
    at_alice.expect_text("* @bob joined");
    at_bob.say("among ourselves");
    at_alice.expect_text("@bob: among ourselves");
    drop((at_alice, at_bob));

    let server = Server::with("127.0.0.1:0", &["--rooms", "off"]);
    let [carol] = server.people(["carol"]);
    for profile in [&carol, &server.profile("mallory")] {
        let said = profile.refused(6, &["room", "-s", server.link()]);
        assert!(said.contains("no rooms"), "{said}");
    }
}

#[test]
fn an_account_enters_an_open_room_under_its_name_and_a_guest_cannot_look_like_it() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let mut at_alice = alice.room(&[]);
    let mut guest = guest_named(&server.profile("mallory"), "alice");
    at_alice.expect_text("* alice joined");
    guest.say("I am the real one");
    at_alice.expect_text(" alice: I am the real one");
    at_alice.say("no");
    guest.expect_text(" @alice: no");
    let said = server.profile("mallory").refused(1, &["room", "-s", server.link(), "-u", "@alice"]);
    assert!(said.contains("taken"), "the @ of an argument is no part of the name: {said}");
}

fn guest_named(profile: &Profile, name: &str) -> Process {
    profile.room(&["-u", name])
}

#[test]
fn another_key_at_a_known_address_is_refused_with_what_to_do() {
    let mut server = Server::start();
    let port = server.port().to_string();
    let home = server.folder().join("alice");
    let mut alice = room(&home, &["-p", &port]);
    alice.expect_error("you are ");
    alice.say("EXIT");
    alice.finish().succeeded();
    server.terminate().succeeded();
    let other = Server::with(&format!("127.0.0.1:{port}"), &[]);
    let said = room(&home, &["-p", &port]).finish().refused(4);
    assert!(said.contains("another key") && said.contains("known-servers"), "{said}");
    // A link is insisted on from the first time.
    let wrong = other.link().replace(&other.link()[other.link().len() - 4..], "aaaa");
    let said = room(&server.folder().join("bob"), &["-s", &wrong]).finish().refused(4);
    assert!(said.contains("another key"), "{said}");
    drop(other);
}

#[test]
fn a_lost_server_is_entered_again_and_what_was_typed_meanwhile_is_said() {
    let mut server = Server::start();
    let mut alice = guest(&server, "alice");
    let mut bob = guest(&server, "bob");
    alice.expect_text("bob joined");
    server.kill();
    for process in [&mut alice, &mut bob] {
        process.expect_error("the connection is lost");
    }
    bob.say("still here");
    server.start_again();
    for process in [&mut alice, &mut bob] {
        process.expect_error("you are ");
    }
    alice.say("/names");
    // Whoever was first; both are back.
    bob.say("again");
    alice.expect_text("bob: again");
}

#[test]
fn terminate_ends_every_room_with_a_reason_and_exits_0() {
    let mut server = Server::start();
    let mut guests: Vec<_> = ["alice", "bob", "carol"].map(|name| guest(&server, name)).into();
    server.process().say("TERMINATE");
    let outcome = server.wait_for_end().succeeded();
    assert!(!outcome.stderr.contains("error"), "{outcome}");
    for guest in &mut guests {
        guest.expect_error("the server was ended by its operator");
        guest.say("EXIT");
    }
    for guest in guests {
        guest.finish().succeeded();
    }
}

#[test]
fn a_server_that_is_not_there_is_exit_code_3_at_once() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let said = room(folder.path(), &["-p", &port]).finish().refused(3);
    assert!(said.contains("nobody answers"), "{said}");
}

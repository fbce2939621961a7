//! The end of a server: by its console, by a signal; clients are told why (row D6). What its console shows (row D5).

use rustix::process::Signal;

use crate::harness::{Outcome, Server};

fn a_conversation_that_ends(reason: &str, end: impl FnOnce(&mut Server) -> Outcome) {
    let mut server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    let mut watching = bob.start(&["read", "--follow"]);
    watching.expect_text("hello");
    let mut console = alice.start(&["chat", "@bob"]);
    console.say("/whoami");
    console.expect_text("super-admin");
    end(&mut server).succeeded();
    console.expect_error(reason);
    watching.expect_error(reason);
    // It goes on when the server is back.
    server.start_again();
    bob.send("@alice", "that was short");
    console.expect_text("that was short");
    watching.expect_text("that was short");
}

#[test]
fn terminate_at_the_servers_console_ends_it_and_clients_are_told() {
    a_conversation_that_ends("ended by its operator", |server| {
        server.process().say("terminate me not");
        server.process().say("TERMINATE");
        server.wait_for_end()
    });
}

#[test]
fn a_sigterm_ends_a_server_and_clients_are_told() {
    a_conversation_that_ends("the server was stopped", Server::terminate);
}

#[test]
fn ctrl_c_ends_a_server_and_clients_are_told() {
    a_conversation_that_ends("the server was stopped", |server| {
        server.process().signal(Signal::INT);
        server.wait_for_end()
    });
}

#[test]
fn a_server_whose_console_is_closed_goes_on() {
    let mut server = Server::start();
    server.process().end_input();
    server.people(["alice"]);
    server.terminate().succeeded();
}

#[test]
fn the_servers_console_shows_that_and_not_what() {
    let mut server = Server::with("127.0.0.1:0", &["-v"]);
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "between you and me");
    assert_eq!(bob.history("@alice"), ["alice: between you and me"]);
    let outcome = server.terminate().succeeded();
    let printed = format!("{outcome}");
    assert!(printed.contains("message"), "{printed}");
    for word in ["between you and me", "alice", "bob"] {
        assert!(!outcome.stderr.contains(word) && !outcome.stdout.contains(word), "{word}: {printed}");
    }
}

#[test]
fn ctrl_c_leaves_a_console() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    for signal in [Signal::INT, Signal::TERM] {
        let mut watching = alice.start(&["read", "--follow", "--all"]);
        watching.expect_text("hello");
        watching.signal(signal);
        watching.finish().succeeded();
        let mut console = alice.start(&["chat", "@bob"]);
        console.expect_error("you are @alice");
        console.say("/whoami");
        console.expect_text("super-admin");
        console.signal(signal);
        console.finish().succeeded();
    }
    assert_eq!(bob.history("@alice"), ["alice: hello"]);
}

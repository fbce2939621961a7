//! Guests with other code than ours: what they can do to themselves, and cannot to others (row B4).

use subrosa_engine::api::FailureCode;
use subrosa_engine::room::RoomEvent;
use subrosa_wire::proto::client_frame::Request;

use crate::harness::{HostileGuest, Process, Server};

fn guest(server: &Server, name: &str) -> Process {
    server.profile(name).room(&["-u", name])
}

fn damage(bytes: &mut [u8]) {
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
}

#[test]
fn a_damaged_message_is_dropped_counted_and_reported_and_the_session_goes_on() {
    let server = Server::start();
    let mut alice = guest(&server, "alice");
    let mut damaged = 0;
    let mut mallory = HostileGuest::enter(server.link(), "mallory", move |request| {
        if let Request::RoomSend(send) = request {
            damaged += 1;
            if damaged != 3 {
                let mut bytes = send.message.to_vec();
                damage(&mut bytes);
                send.message = bytes.into();
            }
        }
    });
    mallory.inside().unwrap();
    alice.expect_text("mallory joined");
    for text in ["first", "second", "third"] {
        mallory.say(text);
        mallory.until(|event| matches!(event, RoomEvent::Sent { .. })).unwrap();
    }
    alice.expect_error("a damaged or forged message was dropped");
    alice.expect_error("2 damaged, forged or missing messages were dropped");
    // The ratchet did not move for what was damaged.
    alice.expect_text("mallory: third");
    let mut bob = guest(&server, "bob");
    bob.say("good morning");
    alice.expect_text("bob: good morning");
}

#[test]
fn a_join_whose_keys_do_not_hold_ends_that_guest_with_a_reason_and_nobody_else() {
    let server = Server::start();
    let mut alice = guest(&server, "alice");
    let changes: [fn(&mut Request); 3] = [
        |request| {
            if let Request::RoomJoin(join) = request {
                damage(&mut join.commit);
            }
        },
        |request| {
            if let Request::RoomJoin(join) = request {
                damage(&mut join.group_info);
            }
        },
        |request| {
            if let Request::RoomJoin(join) = request {
                join.commit = b"no commit at all".to_vec();
            }
        },
    ];
    for change in changes {
        let failure = HostileGuest::enter(server.link(), "mallory", change).inside().unwrap_err();
        assert_eq!((failure.code, failure.kind.as_str()), (FailureCode::Untrusted, "key_exchange"));
        assert!(failure.message.contains("could not be agreed on"), "{failure}");
    }
    let mut bob = guest(&server, "bob");
    alice.expect_text("bob joined");
    bob.say("all quiet");
    alice.expect_text("bob: all quiet");
    assert!(!alice.lines().join("\n").contains("mallory"));
}

#[test]
fn nobody_enters_under_another_name_or_key_than_was_let_in() {
    let server = Server::start();
    let mut alice = guest(&server, "alice");
    // The leaf has the key that the session made; the server was told another one.
    let other_key = |request: &mut Request| {
        if let Request::EnterRoom(enter) = request {
            enter.guest_key = vec![7; 32];
        }
    };
    let failure = HostileGuest::enter(server.link(), "mallory", other_key).inside().unwrap_err();
    assert_eq!(failure.kind, "key_exchange");
    let mut bob = guest(&server, "bob");
    bob.say("/names");
    bob.expect_text("2 in the room: alice, bob");
    alice.expect_text("bob joined");
}

#[test]
fn a_guest_who_does_not_read_is_ended_and_costs_the_others_nothing() {
    let server = Server::start();
    let mut alice = guest(&server, "alice");
    let mut sleepy = HostileGuest::enter(server.link(), "sleepy", |_| {});
    sleepy.inside().unwrap();
    alice.expect_text("sleepy joined");
    let held = sleepy.read_nothing();
    // More than the queue and the buffers of both kernels hold.
    let long = "z".repeat(60_000);
    let mut talkers: Vec<_> = ["bob", "carol", "dave", "erin"].map(|name| guest(&server, name)).into();
    for talker in &mut talkers {
        talker.say_all(format!("{long}\n").repeat(60));
    }
    alice.expect_text("* sleepy left");
    drop(held);
    for talker in talkers {
        talker.finish().succeeded();
    }
}

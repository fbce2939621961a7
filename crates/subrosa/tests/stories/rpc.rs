//! Programs: JSON-RPC on standard input and output, cursors, repeats, rooms and direct chats, bots.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{PASSWORD, Process, Profile, Rpc, SUBROSA, Server, headless};

const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

fn texts(page: &Value) -> Vec<&str> {
    page["rows"].as_array().expect("rows").iter().map(|row| row["text"].as_str().expect("a text")).collect()
}

#[test]
fn a_program_does_the_whole_main_job_from_nothing() {
    let server = Server::start();
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| Rpc::of(&server.profile(name)));
    assert_eq!(alice.ok("hello", json!({}))["profile"], "none");
    assert_eq!(alice.refused("overview", json!({})), "not_logged_in");
    let entry = |name: &str| json!({"server": server.link(), "username": name, "password": PASSWORD});
    assert_eq!(alice.ok("sign_up", entry("alice"))["role"], "super-admin");
    assert_eq!(bob.ok("sign_up", entry("bob"))["role"], "beginner");
    assert_eq!(alice.ok("hello", json!({}))["profile"], "enrolled");
    for rpc in [&mut alice, &mut bob] {
        let overview = rpc.ok("overview", json!({}));
        rpc.ok("subscribe", json!({"cursor": overview["cursor"]}));
    }
    alice.ok("send", json!({"to": "@bob", "text": "hello @bob"}));
    let came = bob.event("message");
    assert_eq!((came["text"].as_str(), came["own"].as_bool()), (Some("hello @bob"), Some(false)));
    let invite = bob.ok("invites", json!({}))[0].take();
    bob.ok("accept", json!({"id": invite["id"]}));
    let overview = bob.ok("overview", json!({}));
    let row = &overview["chats"][0];
    assert_eq!(
        (row["chat"].as_str(), row["unread"].as_u64(), row["mentions"].as_u64()),
        (Some("@alice"), Some(1), Some(1))
    );
    assert_eq!(row["preview"]["text"], "hello @bob");
    bob.ok("mark_read", json!({"messages": [came["id"]]}));
    let sent = bob.ok("send", json!({"to": "@alice", "text": "hello yourself", "wait": "delivered"}));
    assert_eq!(sent["state"], "delivered");
    assert_eq!(bob.event("delivered")["id"], sent["id"]);
    assert_eq!(bob.refused("group_create", json!({"title": "garden", "members": []})), "not_allowed");
    alice.ok("role_set", json!({"name": "bob", "role": "advanced"}));
    assert_eq!(bob.event("role_changed")["role"], "advanced");
    bob.ok("group_create", json!({"title": "garden", "members": ["alice"]}));
    let invite = alice.event("invite");
    alice.ok("accept", json!({"id": invite["id"]}));
    alice.ok("send", json!({"to": "#garden", "text": "what a place"}));
    assert_eq!(
        bob.told("event", |event| event["chat"] == "#garden" && event["event"] == "message")["text"],
        "what a place"
    );
    let members = bob.ok("group_members", json!({"group": "#garden"}));
    assert_eq!(members.as_array().map(Vec::len), Some(2));
    bob.ok("group_leave", json!({"group": "#garden"}));
    alice.finish();
    bob.finish();
}

#[test]
fn a_program_that_was_away_or_killed_misses_nothing_and_sees_nothing_twice() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "one");
    bob.ok(&["accept", "@alice"]);
    let mut program = Rpc::of(&bob);
    program.ok("subscribe", json!({"cursor": 0}));
    let first = program.told("event", |event| event["text"] == "one");
    program.kill();
    for text in ["two", "three"] {
        alice.send("@bob", text);
    }
    // Another face takes them in meanwhile.
    bob.ok(&["reload"]);
    alice.send("@bob", "four");
    let mut program = Rpc::of(&bob);
    let subscribed = program.ok("subscribe", json!({"cursor": first["cursor"]}));
    assert_eq!(subscribed["missed"], false);
    let mut last = first["cursor"].as_u64().expect("a cursor");
    for text in ["two", "three", "four"] {
        let event = program.event("message");
        assert_eq!(event["text"], text);
        let cursor = event["cursor"].as_u64().expect("a cursor");
        assert!(cursor > last, "{event}");
        last = cursor;
    }
    // A cursor of somewhere else is told apart.
    assert_eq!(program.ok("subscribe", json!({"cursor": last + 1000}))["missed"], true);
    program.finish();
}

#[test]
fn a_send_of_one_id_is_done_once_and_other_words_under_it_are_refused() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let mut program = Rpc::of(&alice);
    let message = json!({"to": "@bob", "text": "once", "id": ID});
    let both = [program.begin("send", message.clone()), program.begin("send", message)];
    for id in both {
        assert_eq!(program.answer(id).expect("it is sent")["id"], ID);
    }
    assert_eq!(program.refused("send", json!({"to": "@bob", "text": "twice", "id": ID})), "id_taken");
    bob.ok(&["accept", "@alice"]);
    assert_eq!(bob.history("@alice"), ["alice: once"]);
}

#[test]
fn parts_of_a_chat_searches_drafts_and_settings_are_there_with_and_without_the_server() {
    let mut server = Server::start();
    let [alice, _bob] = server.people(["alice", "bob"]);
    for number in 1..=12 {
        alice.send("@bob", &format!("Message number {number}"));
    }
    server.kill();
    let mut program = Rpc::of(&alice);
    let mut part =
        |place: Value, limit: u32| program.ok("history", json!({"chat": "@bob", "place": place, "limit": limit}));
    let end = part(json!("latest"), 3);
    assert_eq!(texts(&end), ["Message number 10", "Message number 11", "Message number 12"]);
    assert_eq!((end["older"].as_bool(), end["newer"].as_bool()), (Some(true), Some(false)));
    let before = part(json!({"before": end["rows"][0]["id"]}), 4);
    assert_eq!(texts(&before), ["Message number 6", "Message number 7", "Message number 8", "Message number 9"]);
    let after = part(json!({"after": before["rows"][3]["id"]}), 10);
    assert_eq!(texts(&after), texts(&end));
    let around = part(json!({"around": before["rows"][0]["id"]}), 4);
    assert_eq!(texts(&around), ["Message number 4", "Message number 5", "Message number 6", "Message number 7"]);
    let all = part(json!("unread"), 500);
    assert_eq!((texts(&all).len(), all["older"].as_bool()), (12, Some(false)));
    let found = program.ok("search", json!({"text": "NUMBER 1", "limit": 3}));
    assert_eq!(texts(&found), ["Message number 12", "Message number 11", "Message number 10"]);
    let rest = program.ok("search", json!({"text": "number 1", "before": found["rows"][2]["id"], "limit": 3}));
    assert_eq!((texts(&rest), rest["more"].as_bool()), (vec!["Message number 1"], Some(false)));
    program.ok("set_draft", json!({"chat": "@bob", "text": "half a tho"}));
    program.ok("set_setting", json!({"name": "language", "value": "fa"}));
    program.finish();
    let mut program = Rpc::of(&alice);
    assert_eq!(program.ok("overview", json!({}))["chats"][0]["draft"], "half a tho");
    assert_eq!(program.ok("settings", json!({})), json!({"language": "fa"}));
    assert_eq!(program.refused("set_setting", json!({"name": "x", "value": "y".repeat(5000)})), "setting");
    assert_eq!(program.refused("set_draft", json!({"chat": "@nobody", "text": "x"})), "no_such_chat");
}

#[test]
fn what_came_with_an_invitation_that_is_declined_is_shown_nowhere() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.ok(&["group", "create", "garden", "@bob"]);
    alice.send("#garden", "unseen and unread");
    bob.ok(&["reload"]);
    let mut program = Rpc::of(&bob);
    program.ok("subscribe", json!({"cursor": 0}));
    let invite = program.event("invite");
    program.ok("decline", json!({"id": invite["id"]}));
    program.told("event", |event| event["event"] == "left" && event["name"] == "bob");
    let overview = program.ok("overview", json!({}));
    assert!(!overview.to_string().contains("unseen"), "{overview}");
    assert_eq!(texts(&program.ok("search", json!({"text": "unseen", "limit": 5}))), Vec::<&str>::new());
    assert!(!program.ok("read", json!({"all": true})).to_string().contains("unseen"));
    program.ok("subscribe", json!({"cursor": 0}));
    program.told("event", |event| event["event"] == "left");
    assert!(!program.heard().iter().any(|said| said.to_string().contains("unseen")));
}

#[test]
fn every_face_sees_what_another_does_and_the_engine_may_move() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let mut first = Rpc::of(&alice);
    first.ok("subscribe", json!({"cursor": 0}));
    let mut second = Rpc::of(&alice);
    second.ok("subscribe", json!({"cursor": 0}));
    alice.send("@bob", "from a third");
    assert_eq!(first.event("message")["text"], "from a third");
    assert_eq!(second.event("message")["text"], "from a third");
    // The first one ran the engine.
    first.kill();
    bob.ok(&["accept", "@alice"]);
    bob.send("@alice", "still there?");
    assert_eq!(second.told("event", |event| event["text"] == "still there?")["own"], false);
    second.ok("send", json!({"to": "@bob", "text": "yes"}));
    second.finish();
}

#[test]
fn programs_talk_in_rooms_and_directly() {
    let server = Server::start();
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| Rpc::of(&server.profile(name)));
    for (rpc, name) in [(&mut alice, "ann"), (&mut bob, "ben")] {
        let entered = rpc.ok("room_enter", json!({"room": "attic", "server": server.link(), "name": name}));
        assert_eq!((entered["room"].as_u64(), entered["name"].as_str()), (Some(1), Some("attic")));
        rpc.told("room", |note| note["event"] == "inside");
    }
    alice.told("room", |note| note["event"] == "joined" && note["guest"]["name"] == "ben");
    alice.ok("room_say", json!({"room": 1, "text": "who is there?"}));
    let heard = bob.told("room", |note| note["event"] == "message");
    assert_eq!((heard["text"].as_str(), heard["from"]["name"].as_str()), (Some("who is there?"), Some("ann")));
    assert_eq!(bob.ok("room_names", json!({"room": 1})).as_array().map(Vec::len), Some(2));
    assert_eq!(
        alice.ok("room_verify", json!({"room": 1}))["words"],
        bob.ok("room_verify", json!({"room": 1}))["words"]
    );
    bob.ok("room_leave", json!({"room": 1}));
    alice.told("room", |note| note["event"] == "left");
    assert_eq!(bob.refused("room_say", json!({"room": 1, "text": "again"})), "no_such_room");

    alice.ok("direct_listen", json!({"transport": "tcp"}));
    let ticket = alice.told("direct", |note| note["event"] == "ticket")["ticket"].take();
    bob.ok("direct_dial", json!({"ticket": ticket}));
    let words = [&mut alice, &mut bob].map(|rpc| rpc.told("direct", |note| note["event"] == "joined")["words"].take());
    assert_eq!(words[0], words[1]);
    bob.ok("direct_say", json!({"direct": 1, "text": "across"}));
    assert_eq!(alice.told("direct", |note| note["event"] == "message")["text"], "across");
    bob.told("direct", |note| note["event"] == "delivered");
    bob.ok("direct_leave", json!({"direct": 1}));
    alice.told("direct", |note| note["event"] == "ended");
    assert_eq!(alice.refused("direct_dial", json!({"ticket": "nonsense"})), "bad_ticket");
}

#[test]
fn nonsense_is_refused_line_by_line_and_harms_nobody() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let mut program = Rpc::of(&alice);
    for (line, code) in [
        ("what?", -32700),
        ("[]", -32700),
        (r#"{"jsonrpc":"2.0","method":"status"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"status"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":"a","method":"format_disk"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":"b","method":"send","params":{"to":"bob","text":"x"}}"#, -32602),
    ] {
        program.say(line);
        let answer = program.wait("a refusal", |said| said["error"].is_object());
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
    }
    assert_eq!(program.ok("status", json!({}))["enrolled"], true);
}

fn bot(command: &str, more: &[&str], profile: &Profile) -> Process {
    let mut command = headless(command);
    command.args(more).arg(profile.home()).arg(SUBROSA);
    Process::start(command)
}

#[test]
fn a_bot_in_python_answers_also_what_was_asked_while_it_was_away_and_once() {
    let server = Server::start();
    let [alice, dice] = server.people(["alice", "dice"]);
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/dice_bot.py");
    let script = script.to_str().expect("a path");
    let mut first = bot("python3", &[script], &dice);
    let mut follower = alice.start(&["read", "--follow", "--json"]);
    alice.send("@dice", "!roll");
    follower.expect_text("alice rolls ");
    first.kill();
    alice.send("@dice", "!roll");
    let mut second = bot("python3", &[script], &dice);
    follower.expect_text("alice rolls ");
    second.kill();
    let rolls = alice.history("@dice").iter().filter(|said| said.contains("alice rolls ")).count();
    assert_eq!(rolls, 2);
}

#[test]
fn a_bot_in_rust_greets_each_person_once() {
    let server = Server::start();
    let [alice, greeter] = server.people(["alice", "greeter"]);
    let program = PathBuf::from(SUBROSA).parent().expect("a folder of programs").join("examples/greeter_bot");
    let _bot = bot(program.to_str().expect("a path"), &[], &greeter);
    let mut follower = alice.start(&["read", "--follow", "--json"]);
    alice.send("@greeter", "good morning");
    follower.expect_text("hello, alice");
    alice.send("@greeter", "good evening");
    alice.ok(&["reload"]);
    assert_eq!(alice.history("@greeter").iter().filter(|said| said.contains("hello, alice")).count(), 1);
}

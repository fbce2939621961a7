//! A private chat: written, read, searched, kept as a draft, and carried over a restart of the server and of the client.

use browser::FaultKind;
use serde_json::json;

use crate::browser;
use crate::harness::{Profile, Server};
use crate::person::Person;

/// Alice and bob, who have written to each other before.
fn friends(server: &Server) -> [Profile; 2] {
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello bob");
    bob.ok(&["accept", "@alice"]);
    bob.send("@alice", "hello alice");
    alice.wait_for("@bob", "bob: hello alice");
    [alice, bob]
}

#[test]
fn messages_come_live_are_counted_and_marked_as_new_and_read() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = friends(&server);
    alice.unread();
    let alice = Person::enter(&browser, alice);
    alice.line("@bob").says("hello alice");
    bob.send("@alice", "the ferry is late");
    bob.send("@alice", "an hour at least");
    alice.line("@bob").says("an hour at least");
    alice.line("@bob").says("2 unread");
    alice.chat("@bob");
    alice.reads(&["hello bob", "hello alice", "the ferry is late", "an hour at least"]);
    alice.select("li.unread-line").says("New messages");
    alice.until("the marks of reading", |_| {
        let chats = alice.ask("chats", json!({}));
        (chats[0]["unread"] == 0).then_some(())
    });
    alice.say("then I take the bus\nand the tram");
    alice.came("then I take the bus", "sent");
    bob.wait_for("@alice", "alice: then I take the bus\nand the tram");
    bob.send("@alice", "see you there");
    alice.message("see you there").wait();
    // For those who listen: what is new, and only that.
    alice.find("log", "New messages").says("see you there");
}

#[test]
fn a_draft_is_there_again_in_the_list_and_after_a_restart_of_the_client() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = friends(&server);
    alice.ok(&["group", "create", "garden", "@bob"]);
    {
        let alice = Person::enter(&browser, alice.clone());
        alice.chat("@bob");
        alice.composer().fill("I meant to say");
        alice.chat("#garden");
        alice.until("an empty composer", |_| alice.composer().value().is_empty().then_some(()));
        alice.line("@bob").says("Draft:");
        alice.line("@bob").says("I meant to say");
        alice.chat("@bob");
        alice.until("the draft", |_| (alice.composer().value() == "I meant to say").then_some(()));
    }
    let alice = Person::enter(&browser, alice);
    alice.line("@bob").says("I meant to say");
    alice.chat("@bob");
    alice.until("the draft", |_| (alice.composer().value() == "I meant to say").then_some(()));
    alice.press("Enter");
    alice.came("I meant to say", "sent");
    alice.line("@bob").says("You:");
    alice.line("@bob").says("I meant to say");
    bob.wait_for("@alice", "alice: I meant to say");
}

#[test]
fn words_are_found_in_a_chat_and_in_all_chats() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = friends(&server);
    for number in 0..30 {
        bob.send("@alice", &format!("line {number} of the long report"));
    }
    bob.send("@alice", "the last word");
    alice.wait_for("@bob", "bob: the last word");
    let alice = Person::enter(&browser, alice);
    alice.chat("@bob");
    alice.press_button("Search in this chat");
    alice.find("searchbox", "Search in this chat").fill("REPORT line 7");
    alice.find("button", browser::Name::has("line 7 of the long report")).click();
    alice.message("line 7 of the long report").wait();
    alice.press("Escape");

    alice.go("search");
    alice.find("searchbox", "Search all chats").fill("hello bob");
    alice.find("button", browser::Name::has("hello bob")).click();
    alice.find("heading", "bob").wait();
    alice.message("hello bob").wait();
    alice.go("search");
    alice.find("searchbox", "Search all chats").fill("no such words anywhere");
    alice.shows("Nothing found.");
}

#[test]
fn what_is_written_while_the_server_is_away_goes_out_when_it_is_back() {
    let Some(browser) = browser() else { return };
    let mut server = Server::start();
    let [alice, bob] = friends(&server);
    let alice = Person::enter(&browser, alice);
    alice.chat("@bob");
    server.kill();
    alice.find("status", browser::Name::Any).with_text("The server is not reached").wait();
    alice.say("is anybody there?");
    alice.came("is anybody there?", "queued");
    server.start_again();
    alice.came("is anybody there?", "sent");
    alice.hides("The server is not reached");
    bob.wait_for("@alice", "alice: is anybody there?");
    bob.send("@alice", "yes, the power was out");
    alice.reads(&["hello bob", "hello alice", "is anybody there?", "yes, the power was out"]);
}

#[test]
fn a_page_whose_client_is_gone_says_so_and_misses_nothing_afterwards() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = friends(&server);
    let mut alice = Person::enter(&browser, alice);
    alice.chat("@bob");
    alice.expect_fault(FaultKind::Console, "WebSocket connection to");
    alice.client().kill();
    alice.shows("Your client does not answer");
    bob.send("@alice", "you will see this later");
    // The same link must work again only with the key that the new client prints.
    alice.start_client_again();
    alice.find("navigation", "Chats").wait();
    alice.hides("Your client does not answer");
    alice.chat("@bob");
    alice.reads(&["hello bob", "hello alice", "you will see this later"]);
}

#[test]
fn a_long_chat_is_read_from_its_end_and_led_back_there() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = friends(&server);
    let mut typing = bob.start(&["chat", "@alice"]);
    for number in 1..=50 {
        typing.say(&format!("message number {number} of fifty"));
    }
    typing.end_input();
    alice.wait_for("@bob", "bob: message number 50 of fifty");
    alice.unread();
    let alice = Person::enter(&browser, alice);
    alice.chat("@bob");
    alice.message("message number 50 of fifty").wait();
    alice.until("the beginning", |tab| {
        tab.wheel(-2000.0);
        (alice.message("hello bob").count() == 1).then_some(())
    });
    bob.send("@alice", "and one more");
    alice.shows("1 new");
    alice.select("button.to-end").click();
    alice.message("and one more").wait();
    alice.select("button.to-end").gone();
}

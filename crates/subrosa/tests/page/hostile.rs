//! Texts and names of other people that try to be more: none is executed, none makes an element, none asks anybody for
//! anything. The driver fails the story for whatever is executed, opened or requested ([`browser::Fault`]).

use browser::Name;
use serde_json::json;

use crate::browser;
use crate::harness::{PASSWORD, Server};
use crate::payloads::{names, payloads};
use crate::person::{Client, Person};
use crate::scan::nothing_foreign;

/// Titles and device names are lines of so many bytes.
const TITLE: usize = 128;
const DEVICE: usize = 64;

#[test]
fn messages_are_only_ever_text() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, mallory] = server.people(["alice", "mallory"]);
    alice.send("@mallory", "hello");
    mallory.ok(&["accept", "@alice"]);
    let attacker = Client::start(&mallory);
    let mut rpc = attacker.rpc();
    let alice = Person::enter(&browser, alice);
    alice.chat("@mallory");
    for text in payloads() {
        rpc.send("@alice", &text);
    }
    rpc.send("@alice", "that was all");
    alice.message("that was all").wait();
    nothing_foreign(&alice, "live messages");

    // What came while another view was open, and what is drawn on the way up.
    alice.reload();
    alice.find("navigation", "Chats").wait();
    nothing_foreign(&alice, "the list of chats");
    alice.chat("@mallory");
    alice.message("that was all").wait();
    alice.until("the beginning", |tab| {
        nothing_foreign(tab, "the timeline");
        tab.wheel(-1500.0);
        (alice.message("hello").select(".state").count() >= 1).then_some(())
    });
    // Markup is shown as it was written.
    let markup = "<script>window.__pwned=1</script>";
    alice.go("search");
    alice.find("searchbox", "Search all chats").paste(markup);
    alice.find("button", Name::has(markup)).nth(0).wait();
    nothing_foreign(&alice, "what was found");
    for words in ["img", "javascript:", "svg", "{{"] {
        alice.find("searchbox", "Search all chats").paste(words);
        alice.find("status", Name::Any).with_text("found").wait();
        nothing_foreign(&alice, words);
    }
    // Last messages in the list of chats.
    for text in payloads().iter().step_by(9) {
        rpc.send("@alice", text);
        alice.frame();
        nothing_foreign(&alice, "the list of chats");
    }
}

#[test]
fn titles_of_groups_are_only_ever_text() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [mallory, alice] = server.people(["mallory", "alice"]);
    let attacker = Client::start(&mallory);
    let mut rpc = attacker.rpc();
    let alice = Person::enter(&browser, alice);
    let mut taken = 0;
    let mut group = json!(null);
    for title in names(TITLE) {
        // The engine refuses what is no title; what it takes must be harmless.
        let made = if group.is_null() {
            rpc.try_ask("group_create", json!({ "title": title, "members": ["alice"] }))
        } else {
            rpc.try_ask("group_rename", json!({ "group": group, "title": title }))
        };
        let Ok(made) = made else { continue };
        group = json!(format!("#{}", made["title"].as_str().expect("a title")));
        taken += 1;
        if taken == 1 {
            alice.find("link", Name::has("Requests")).click();
            nothing_foreign(&alice, "an invitation");
            alice.press_button("Accept");
            alice.composer().wait();
            alice.press_button("Details");
        } else {
            let title = made["title"].clone();
            let current = "document.querySelector('main h1')?.textContent";
            // Of the marks over one letter, as many are drawn as do not cover the line above.
            let drawn = |text: &str| text.chars().take(8).collect::<String>();
            let title = drawn(title.as_str().expect("a title"));
            alice.until("the new title", |tab| {
                (drawn(tab.evaluate(current).as_str().unwrap_or_default()) == title).then_some(())
            });
        }
        nothing_foreign(&alice, &format!("{group}"));
    }
    assert!(taken >= 40, "only {taken} titles were taken");
    alice.press("Control+k");
    alice.dialog().wait();
    nothing_foreign(&alice, "the switcher");
    alice.press("Escape");
    alice.press_button("Leave group");
    nothing_foreign(&alice, "a dialog about a group");
}

#[test]
fn names_of_people_and_devices_are_only_ever_text() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let alice = server.profile("alice").sign_up();
    // As near as a username comes: see `subrosa_types::name`.
    for name in ["constructor", "__proto__", "a-b.c_d", "javascript", "toString", "مالوری", "null"] {
        let outcome = server.device(name, "one").try_sign_up(&[]);
        assert!([Some(0), Some(1)].contains(&outcome.code), "{outcome}");
    }
    let mut devices = 0;
    for name in names(DEVICE).iter().filter(|name| name.contains('<')).take(6) {
        let device = server.device("alice", &format!("device {devices}"));
        if device.try_log_in(PASSWORD, &["--device", name]).code == Some(0) {
            devices += 1;
        }
    }
    assert!(devices >= 4, "only {devices} names of devices were taken");
    let alice = Person::enter(&browser, alice);
    for view in ["people", "people/log", "settings/devices"] {
        alice.go(view);
        alice.find("listitem", Name::Any).nth(1).wait();
        nothing_foreign(&alice, view);
    }
    alice.go("settings/devices");
    alice.find("button", "End it").nth(0).click();
    nothing_foreign(&alice, "a dialog about a device");
    alice.press("Escape");
    alice.press_button("New chat");
    nothing_foreign(&alice, "a dialog of people");
}

#[test]
fn rooms_and_direct_links_show_only_text() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let alice = Person::enter(&browser, alice);
    let mallory = Client::start(&server.profile("mallory"));
    let mut rpc = mallory.rpc();
    for (number, name) in names(DEVICE).iter().enumerate().step_by(6) {
        // Whoever is refused is no danger.
        let entry = json!({ "room": "lobby", "server": server.link(), "name": name });
        if rpc.try_ask("room_enter", entry).is_ok() {
            eprintln!("a guest may be called {name:?} ({number})");
        }
    }
    let room =
        rpc.ask("room_enter", json!({ "room": "lobby", "server": server.link(), "name": "mallory" }))["room"].clone();
    alice.go("rooms");
    alice.press_button("Enter");
    alice.composer().wait();
    for text in payloads().iter().filter(|text| text.len() < 4_000) {
        // A room takes so much a second and no more.
        let _too_much_at_once = rpc.try_ask("room_say", json!({ "room": room, "text": text }));
    }
    alice.press_button("Details");
    alice.until("the texts", |tab| {
        nothing_foreign(tab, "a room");
        (tab.select("[data-message]").count() > 10).then_some(())
    });

    alice.go("links");
    let form = alice.select("form.box").with_text("Wait for somebody");
    form.select("summary").click();
    form.find("combobox", "Transport").choose("tcp");
    form.find("button", "Make a ticket").click();
    let ticket = alice.find("region", "Ticket").select(".code").text();
    let dial = json!({ "ticket": ticket.trim(), "transport": "tcp" });
    let link = rpc.ask("direct_dial", dial)["direct"].clone();
    alice.shows("Direct, ");
    for text in payloads().iter().filter(|text| text.len() < 4_000) {
        let _too_much_at_once = rpc.try_ask("direct_say", json!({ "direct": link, "text": text }));
    }
    alice.until("the texts", |tab| {
        nothing_foreign(tab, "a direct link");
        (tab.select("[data-message]").count() > 5).then_some(())
    });
}

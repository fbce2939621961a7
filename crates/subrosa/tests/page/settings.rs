//! Settings: the language turns the page round, colours, devices, and all of it is there again.

use browser::Name;
use serde_json::json;

use crate::browser;
use crate::harness::Server;
use crate::person::Person;

#[test]
fn the_language_turns_the_page_round_and_stays() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let alice = Person::enter(&browser, alice);
    alice.find("link", "Settings").click();
    alice.find("radio", "فارسی").click();
    let facts = "[document.documentElement.lang, document.documentElement.dir, \
        getComputedStyle(document.body).direction].join()";
    alice.until("the other direction", |tab| (tab.evaluate(facts) == "fa,rtl,rtl").then_some(()));
    assert_eq!(alice.ask("settings", json!({}))["language"], "fa");
    let heading = alice.find("heading", Name::Any).nth(0).text();
    assert!(heading.chars().any(|c| ('\u{600}'..='\u{6FF}').contains(&c)), "{heading}");
    // The list of chats stands on the right now, without sidewards scrolling.
    let list = alice.evaluate("document.querySelector('.left').getBoundingClientRect().right === innerWidth");
    assert_eq!(list, true);
    assert_eq!(alice.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    alice.reload();
    alice.until("the language", |tab| (tab.evaluate(facts) == "fa,rtl,rtl").then_some(()));
    alice.find("radio", "English").click();
    alice.find("heading", "Settings").wait();
}

#[test]
fn colours_notifications_and_direct_links_are_kept() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let alice = Person::enter(&browser, alice);
    alice.go("settings");
    let background = || alice.evaluate("getComputedStyle(document.documentElement).backgroundColor").to_string();
    let light = background();
    alice.find("radio", "Dark").click();
    alice.until("other colours", |_| (background() != light).then_some(()));
    alice.find("group", Name::has("Notifications")).find("radio", "None").click();
    alice.find("group", Name::has("Direct links")).find("radio", "Never").click();
    alice.until("the settings", |_| {
        let settings = alice.ask("settings", json!({}));
        let direct = alice.ask("direct", json!({ "policy": null }));
        // None at all is what it is from the beginning.
        let quiet = settings["notify"] == "none" || settings["notify"].is_null();
        (settings["theme"] == "dark" && quiet && direct == "never").then_some(())
    });
    alice.reload();
    assert_eq!(alice.find("radio", "Dark").wait().state("checked"), "true");
    alice.until("the same colours", |_| (background() != light).then_some(()));
}

#[test]
fn another_device_is_ended_and_hears_why() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let tablet = server.device("alice", "tablet");
    tablet.try_log_in(crate::harness::PASSWORD, &["--device", "the tablet"]).succeeded();
    let tablet = Person::enter(&browser, tablet);
    let alice = Person::enter(&browser, alice);
    alice.go("settings/devices");
    let row = alice.find("list", "Devices").find("listitem", Name::Any).with_text("the tablet");
    row.find("button", "End it").click();
    alice.dialog().says("the tablet");
    alice.dialog().find("button", "End it").click();
    row.gone();
    tablet.find("button", Name::has("Log in as a further device")).wait();
    tablet.find("status", Name::Any).nth(0).wait();
}

#[test]
fn what_came_elsewhere_is_there_after_bringing_up_to_date() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let alice = Person::enter(&browser, alice);
    bob.send("@alice", "hello from bob");
    alice.press_button("Bring up to date");
    alice.find("status", Name::Any).with_text("Up to date").wait();
    alice.find("link", Name::has("Requests")).wait();
}

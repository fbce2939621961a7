//! Verification: both see the same, by words and by the code of the other side; and what happens when a key changes.

use browser::Name;

use crate::browser;
use crate::harness::{PASSWORD, Server};
use crate::person::Person;

#[test]
fn two_people_compare_words_and_codes() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    bob.ok(&["accept", "@alice"]);
    let (alice, bob) = (Person::enter(&browser, alice), Person::enter(&browser, bob));
    let compare = |person: &Person, other: &str| {
        person.chat(&format!("@{other}"));
        person.press_button("Details");
        person.shows("Not compared yet");
        person.press_button("Compare safety number");
        let dialog = person.dialog();
        dialog.find("image", "Safety number as a QR code").wait();
        (dialog.select(".words").text(), dialog.select(".digits").text())
    };
    let (hers, his) = (compare(&alice, "bob"), compare(&bob, "alice"));
    assert_eq!(hers, his);
    assert_eq!(hers.0.split_whitespace().count(), 18, "{hers:?}");
    assert_eq!(hers.1.chars().filter(char::is_ascii_digit).count(), 60, "{hers:?}");
    alice.dialog().find("button", "They see the same").click();
    alice.shows("The key of bob is marked as compared.");

    let code = alice.ask("verify", serde_json::json!({ "name": "bob", "confirm": false }))["uri"].clone();
    let code = code.as_str().expect("a code");
    let pasted = bob.dialog().find("textbox", "Code of the other side");
    pasted.paste(&code.chars().rev().collect::<String>());
    bob.dialog().find("button", "Compare").click();
    bob.dialog().find("alert", Name::Any).wait();
    pasted.paste(code);
    bob.dialog().find("button", "Compare").click();
    bob.find("region", "Verification").says("Compared");
}

#[test]
fn a_changed_key_stops_the_chat_until_somebody_decides() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    bob.ok(&["accept", "@alice"]);
    alice.ok(&["verify", "@bob", "--confirm"]);
    let alice = Person::enter(&browser, alice);
    alice.chat("@bob");
    let new_bob = server.device("bob", "found on the way");
    new_bob.try_log_in(PASSWORD, &["--danger-reset-key"]).succeeded();
    alice.find("region", "A key changed").says("The key of bob changed after you had compared it");
    assert_eq!(alice.composer().count(), 0, "nothing can be written");
    alice.line("@bob").says("The key changed");
    alice.press_button("Compare now");
    alice.dialog().says("The key changed since you last accepted it.");
    alice.dialog().find("button", "Later").click();
    alice.press_button("Accept without comparing");
    alice.composer().wait();
    alice.say("is it really you?");
    alice.came("is it really you?", "sent");
}

//! From nothing to the first message, in the page alone.

use browser::{Browser, Name};

use crate::browser;
use crate::harness::{PASSWORD, Profile, Server};
use crate::person::Person;

/// Fills the sign-up form, and sends it.
#[track_caller]
fn sign_up(person: &Person, link: Option<&str>, name: &str) {
    if let Some(link) = link {
        person.find("textbox", "Link of the server").paste(link);
    }
    person.find("textbox", "Username").fill(name);
    person.find("textbox", "Password").paste(PASSWORD);
    person.find("textbox", "Password again").paste(PASSWORD);
    person.press_button("Sign up");
    person.find("navigation", "Chats").wait();
}

/// The page of somebody who has nothing yet.
#[track_caller]
fn newcomer(browser: &Browser, profile: Profile) -> Person {
    let person = Person::open(browser, profile);
    person.find("heading", "Subrosa").wait();
    person
}

#[test]
fn two_people_sign_up_and_write_to_each_other() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let alice = newcomer(&browser, server.profile("alice"));
    alice.find("button", Name::has("Make an account")).click();
    alice.find("textbox", "Link of the server").paste(server.link());
    alice.find("textbox", "Username").fill("alice");
    alice.find("textbox", "Password").paste(PASSWORD);
    alice.find("textbox", "Password again").paste("something else");
    alice.press_button("Sign up");
    alice.find("alert", Name::Any).says("differ");
    alice.find("textbox", "Password again").paste(PASSWORD);
    alice.press_button("Sign up");
    alice.find("heading", "It is quiet here").wait();
    alice.shows("Super admin");
    assert!(!alice.evaluate("location.href").to_string().contains("token"), "the address bar has the token");

    let bob = newcomer(&browser, server.profile("bob"));
    bob.find("button", Name::has("Make an account")).click();
    sign_up(&bob, Some(server.link()), "bob");
    bob.shows("Beginner");

    alice.press_button("Bring up to date");
    alice.find("button", "New chat").nth(0).click();
    alice.find("textbox", "With whom").fill("bob");
    alice.press("Enter");
    alice.find("heading", "bob").wait();
    alice.say("are the herons back?");
    alice.came("are the herons back?", "sent");

    bob.find("link", Name::has("Requests")).click();
    bob.shows("alice writes to you for the first time.");
    bob.press_button("Accept");
    bob.reads(&["are the herons back?"]);
    bob.say("two of them, at noon");
    alice.reads(&["are the herons back?", "two of them, at noon"]);
    bob.came("two of them, at noon", "sent");
}

#[test]
fn somebody_begins_an_own_server_and_others_join_it() {
    let Some(browser) = browser() else { return };
    // Only for its folder; nobody uses it.
    let elsewhere = Server::start();
    let alice = newcomer(&browser, elsewhere.profile("alice"));
    alice.find("button", Name::has("Begin your own server")).click();
    alice.find("heading", "Your account on your own server").wait();
    let link = alice.find("textbox", "Link of the server").value();
    assert!(link.starts_with("subrosa://"), "{link}");
    sign_up(&alice, None, "alice");
    alice.shows("Super admin");

    alice.go("people/links");
    alice.press_button("Make invitation");
    let code = alice.find("list", "Sign-up invitations").select(".code").text();
    let bob = newcomer(&browser, elsewhere.profile("bob"));
    bob.find("button", Name::has("Make an account")).click();
    bob.find("textbox", "Invitation").paste(code.trim());
    sign_up(&bob, Some(&link), "bob");
    bob.shows("Beginner");
}

#[test]
fn a_further_device_logs_in_and_logs_out_and_a_wrong_password_says_so() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [_alice] = server.people(["alice"]);
    let alice = newcomer(&browser, server.device("alice", "tablet"));
    alice.find("button", Name::has("Log in as a further device")).click();
    alice.find("textbox", "Link of the server").paste(server.link());
    alice.find("textbox", "Username").fill("alice");
    alice.find("textbox", "Name of this device").fill("the tablet");
    alice.find("textbox", "Password").paste("not the password");
    alice.press_button("Log in");
    alice.find("alert", Name::Any).wait();
    alice.find("textbox", "Password").paste(PASSWORD);
    alice.press_button("Log in");
    alice.find("navigation", "Chats").wait();

    alice.go("settings/devices");
    let devices = alice.find("list", "Devices").find("listitem", Name::Any);
    devices.with_text("the tablet").with_text("This one").wait();
    assert_eq!(devices.count(), 2);

    alice.go("settings/account");
    alice.press_button("Log out");
    alice.dialog().find("button", "Cancel").click();
    alice.press_button("Log out");
    alice.dialog().find("button", "Log out").click();
    alice.shows("This device is logged out.");
    assert_eq!(alice.ask("hello", serde_json::json!({}))["profile"], "logged_out");
}

#[test]
fn a_page_without_its_key_says_what_to_do_and_asks_nothing() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let mut alice = Person::open(&browser, alice);
    alice.find("navigation", "Chats").wait();
    let address = format!("http://{}/", alice.client().host());
    let stranger = browser.tab();
    stranger.open(&address);
    stranger.find("heading", "This page needs its key").wait();
    stranger.shows("subrosa web");
    // Who opened the right link keeps the key for this window only.
    alice.reload();
    alice.find("navigation", "Chats").wait();
}

//! Rooms without accounts, and direct links between two people.

use browser::{Element, Name};

use crate::browser;
use crate::harness::Server;
use crate::person::Person;

#[test]
fn people_meet_in_a_room_compare_and_leave() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let mut carol = server.profile("carol").room(&["market", "-u", "carol"]);
    let (alice, bob) = (Person::enter(&browser, alice), Person::enter(&browser, bob));
    for (person, name) in [(&alice, "anna"), (&bob, "bert")] {
        person.find("link", "Rooms").click();
        person.find("textbox", "Room").fill("market");
        person.find("textbox", "Your name there").fill(name);
        person.press_button("Enter");
        person.find("heading", "market").wait();
        person.composer().wait();
    }
    alice.shows("3 people here");
    alice.say("who has figs?");
    bob.message("who has figs?").says("anna");
    carol.expect_text("who has figs?");
    carol.say("I have some");
    alice.message("I have some").says("carol");
    let words = |person: &Person| {
        person.press_button("Details");
        person.press_button("Show the words");
        person.select(".details .words").text()
    };
    assert_eq!(words(&alice), words(&bob));
    let guests = alice.find("region", "Who is here").find("listitem", Name::Any);
    guests.with_text("carol").wait();
    carol.say("EXIT");
    carol.finish().succeeded();
    guests.with_text("carol").gone();
    bob.press_button("Leave the room");
    bob.find("heading", "Rooms").wait();
    guests.with_text("bert").gone();
}

/// The form of this heading, with TCP chosen in it: on loopback it needs no search for a way.
#[track_caller]
fn by_tcp<'a>(person: &'a Person, heading: &str) -> Element<'a> {
    let form = person.select("form.box").with_text(heading);
    form.select("summary").click();
    form.find("combobox", "Transport").choose("tcp");
    form
}

#[test]
fn two_people_without_accounts_talk_over_a_direct_link() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    let (alice, bob) = (Person::enter(&browser, alice), Person::enter(&browser, bob));
    alice.find("link", "Direct").click();
    by_tcp(&alice, "Wait for somebody").find("button", "Make a ticket").click();
    let ticket = alice.find("region", "Ticket");
    ticket.find("image", "Ticket as a QR code").wait();
    let ticket = ticket.select(".code").text();
    bob.find("link", "Direct").click();
    let form = bob.select("form.box").with_text("Use a ticket");
    form.find("textbox", "Ticket").paste(ticket.trim());
    form.find("button", "Connect").click();
    alice.shows("Direct, ");
    alice.say("can you hear me?");
    alice.came("can you hear me?", "delivered");
    bob.message("can you hear me?").wait();
    bob.say("loud and clear");
    alice.message("loud and clear").wait();
    bob.press_button("End the link");
    alice.shows("The other side left.");
}

//! Groups, invitations to them, and roles.

use browser::Name;

use crate::browser;
use crate::harness::Server;
use crate::person::Person;

#[test]
fn a_group_is_made_joined_declined_renamed_and_left() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    let (alice, bob) = (Person::enter(&browser, alice), Person::enter(&browser, bob));
    alice.press("Control+k");
    alice.find("combobox", Name::Any).fill("new group");
    alice.press("Enter");
    let dialog = alice.dialog();
    dialog.find("textbox", "Title of the group").fill("Garden");
    dialog.find("checkbox", Name::has("bob")).click();
    dialog.find("checkbox", Name::has("carol")).click();
    dialog.find("button", "Make group").click();
    alice.find("heading", "Garden").wait();
    alice.say("welcome to the garden");

    bob.find("link", Name::has("Requests")).click();
    bob.shows("alice invites you to Garden.");
    bob.press_button("Accept");
    bob.find("heading", "Garden").wait();
    bob.say("thank you");
    alice.message("thank you").wait();
    alice.message("thank you").says("bob");
    carol.ok(&["decline", "#Garden"]);

    bob.press_button("Details");
    let members = bob.find("region", "Members").find("listitem", Name::Any);
    members.with_text("alice").wait();
    bob.shows("Beginners cannot add or remove people");
    assert_eq!(bob.find("button", "Add people").count(), 0, "what is not allowed is explained, not offered");

    alice.press_button("Details");
    alice.press_button("Rename group");
    alice.dialog().find("textbox", "Title of the group").fill("The orchard");
    alice.dialog().find("button", "Rename").click();
    alice.find("heading", "The orchard").wait();
    bob.find("heading", "The orchard").wait();
    bob.line("#The orchard").wait();

    alice.press_button("Add people");
    alice.dialog().find("checkbox", Name::has("carol")).click();
    alice.dialog().find("button", "Invite 1").click();
    alice.find("region", "Members").find("listitem", Name::Any).with_text("carol").wait();
    let invite = alice.until("the second invitation", |_| {
        let invites = carol.json(&["invites"]);
        invites.first().and_then(|invite| invite["id"].as_str()).map(str::to_owned)
    });
    carol.ok(&["accept", &invite]);
    // She knows the group by the title that it had when she was asked first, until somebody says the new one.
    let chats = carol.json(&["chats"]);
    let garden = chats[0]["chat"].as_str().expect("a chat").to_owned();
    carol.send(&garden, "I came after all");
    alice.message("I came after all").wait();

    alice.find("button", "Remove carol").click();
    alice.dialog().find("button", "Remove").click();
    alice.find("region", "Members").find("listitem", Name::Any).with_text("carol").gone();
    carol.refused(6, &["send", &garden, "am I still here?"]);

    bob.press_button("Leave group");
    bob.dialog().find("button", "Leave group").click();
    bob.find("heading", Name::has("")).nth(0).wait();
    alice.find("region", "Members").find("listitem", Name::Any).with_text("bob").gone();
}

#[test]
fn roles_are_given_explained_logged_and_handed_over() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    let (alice, bob) = (Person::enter(&browser, alice), Person::enter(&browser, bob));
    bob.go("people");
    bob.shows("Only admins change roles.");
    assert_eq!(bob.find("combobox", Name::Any).count(), 0);
    bob.go("people/log");
    bob.shows("Only admins read the log of role changes.");
    bob.go("people/links");
    bob.shows("Only admins invite people to the server.");

    alice.go("people");
    alice.find("combobox", "Role of bob").choose("admin");
    alice.until("the role", |_| (alice.profile().role_of("bob") == "admin").then_some(()));
    bob.shows("Your role is Admin now.");
    bob.go("people");
    bob.find("combobox", "Role of carol").choose("advanced");
    bob.until("the role", |_| (carol.role_of("carol") == "advanced").then_some(()));
    bob.go("people/log");
    bob.find("listitem", Name::Any).with_text("bob made carol Advanced user").wait();
    bob.find("listitem", Name::Any).with_text("alice made bob Admin").wait();
    bob.go("people/may");
    assert_eq!(bob.find("rowheader", Name::Any).count(), 7);

    alice.go("people");
    alice.press_button("Hand the super admin role over to bob");
    alice.dialog().find("button", "Hand over").click();
    alice.shows("Waits until bob accepts.");
    bob.go("requests");
    bob.shows("alice hands the super admin role over to you.");
    bob.press_button("Accept");
    bob.until("the role", |_| (bob.profile().role_of("bob") == "super-admin").then_some(()));
    alice.until("the role", |_| (alice.profile().role_of("alice") != "super-admin").then_some(()));
}

#[test]
fn a_sign_up_invitation_is_made_and_ended() {
    let Some(browser) = browser() else { return };
    let server = Server::with("127.0.0.1:0", &["--signup", "invite"]);
    let [alice] = server.people(["alice"]);
    let alice = Person::enter(&browser, alice);
    alice.go("people/links");
    alice.shows("There are no open invitations.");
    alice.find("textbox", "For how many accounts").fill("2");
    alice.press_button("Make invitation");
    let links = alice.find("list", "Sign-up invitations");
    links.says("Good for 2 accounts");
    let code = links.select(".code").text();
    let bob = server.profile("bob");
    bob.try_sign_up(&["--invite", code.trim()]).succeeded();
    links.find("button", "End it").click();
    alice.shows("There are no open invitations.");
    server.profile("carol").try_sign_up(&["--invite", code.trim()]).refused(6);
}

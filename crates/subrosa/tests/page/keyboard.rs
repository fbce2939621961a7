//! Everything that matters by keys alone.

use browser::Name;

use crate::browser;
use crate::harness::Server;
use crate::person::Person;

#[test]
fn a_chat_is_found_written_in_and_left_without_a_mouse() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob, carol] = server.people(["alice", "bob", "carol"]);
    for friend in [&bob, &carol] {
        alice.send(&format!("@{}", friend.name()), "hello");
        friend.ok(&["accept", "@alice"]);
    }
    let alice = Person::enter(&browser, alice);
    alice.press("Control+k");
    alice.find("combobox", Name::Any).focused();
    alice.type_text("bo");
    alice.press("Enter");
    alice.find("heading", "bob").wait();
    alice.composer().focused();
    alice.type_text("dear @bo");
    alice.find("listbox", "Suggestions").find("option", Name::has("bob")).wait();
    alice.press("Tab");
    alice.type_text(":wave");
    alice.find("listbox", "Suggestions").find("option", Name::Any).nth(0).wait();
    alice.press("Enter");
    alice.type_text("\nhow are you?");
    let written = alice.composer().value();
    assert!(written.starts_with("dear @bob") && written.ends_with("\nhow are you?"), "{written:?}");
    assert!(written.contains('👋'), "{written:?}");
    alice.press("Enter");
    alice.came("how are you?", "sent");
    assert_eq!(alice.composer().value(), "");

    // Up and down the list of chats, to what is unread, and away.
    alice.press("Alt+ArrowDown");
    alice.find("heading", "carol").wait();
    alice.press("Alt+ArrowUp");
    alice.find("heading", "bob").wait();
    carol.send("@alice", "here I am");
    alice.line("@carol").says("1 unread");
    alice.press("Alt+a");
    alice.find("heading", "carol").wait();

    // A dialog takes the focus, keeps it, and gives it back.
    alice.press("Alt+i");
    alice.find("button", "Compare safety number").focus();
    alice.press("Enter");
    alice.dialog().wait();
    for _ in 0..12 {
        alice.press("Tab");
        let inside = "!document.activeElement || document.activeElement === document.body \
            || Boolean(document.activeElement.closest('dialog'))";
        assert_eq!(alice.evaluate(inside), true, "the focus left the dialog");
    }
    alice.press("Escape");
    alice.dialog().gone();
    alice.find("button", "Compare safety number").focused();
    alice.select("body").wait();
    alice.evaluate("void document.activeElement.blur()");
    alice.press("?");
    alice.dialog().says("Keyboard shortcuts");
    alice.press("Escape");
    alice.dialog().gone();
}

#[test]
fn every_control_is_reached_by_tab_and_shows_its_focus() {
    let Some(browser) = browser() else { return };
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    alice.send("@bob", "hello");
    let alice = Person::enter(&browser, alice);
    for view in ["", "chat/%40bob", "people", "people/links", "rooms", "links", "settings", "search", "requests"] {
        alice.go(view);
        alice.find("heading", Name::Any).nth(0).wait();
        alice.evaluate("void document.activeElement.blur()");
        // Radio buttons of a group are one stop; what is in a closed part of a form is none.
        let controls = r#"(() => {
            const groups = new Set();
            return [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
                .filter((one) => one.checkVisibility() && !one.disabled && !one.closest("[inert]"))
                .filter((one) => one.type !== "radio" || (one.checked && !groups.has(one.name) && groups.add(one.name)))
                .length;
        })()"#;
        let expected = alice.evaluate(controls).as_u64().expect("a count");
        let focus = r#"(() => {
            const one = document.activeElement;
            if (!one || one === document.body) return null;
            window.__stops ??= new Set();
            window.__stops.add(one);
            const style = getComputedStyle(one), around = getComputedStyle(one.parentElement);
            const shown = (s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none";
            const label = one.closest("label");
            const seen = shown(style) || shown(around) || (label && [...label.querySelectorAll("*")].some((part) => shown(getComputedStyle(part))));
            return seen ? "" : one.outerHTML.slice(0, 160);
        })()"#;
        alice.evaluate("void (window.__stops = new Set())");
        for _ in 0..expected + 3 {
            alice.press("Tab");
            let unseen = alice.evaluate(focus);
            assert!(unseen.is_null() || unseen == "", "#/{view}: the focus cannot be seen on {unseen}");
        }
        let reached = alice.evaluate("window.__stops.size").as_u64().expect("a count");
        assert!(reached >= expected, "#/{view}: {reached} of {expected} controls are reached by Tab");
    }
    drop(bob);
}

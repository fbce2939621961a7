//! The driver against small pages of its own: what is found, what is pressed, and that no fault goes unseen.
//!
//! Without Chromium these tests say so and check nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use browser::{Browser, FaultKind, Name, Tab, View};

/// A tab with this page in it.
fn page(browser: &Browser, body: &str) -> Tab {
    let tab = browser.tab();
    tab.open(&format!("data:text/html,<!doctype html><title>a page</title>{}", body.replace('#', "%23")));
    tab
}

fn browser() -> Option<Browser> {
    let browser = Browser::start();
    if browser.is_none() {
        eprintln!("SKIPPED, nothing was checked: there is no Chromium");
    }
    browser
}

#[test]
fn elements_are_found_by_role_and_name_and_used_as_people_do() {
    let Some(browser) = browser() else { return };
    let body = r#"
        <label>Name <input></label>
        <ul aria-label="Birds"><li>heron<button>Feed</button></li><li>stork<button>Feed</button></li></ul>
        <button id="later" style="display: none" onclick="document.title = document.querySelector('input').value">Done</button>
        <script>
            addEventListener("keydown", (event) => { if (event.ctrlKey && event.key === "k") later.style.display = ""; });
            for (const button of document.querySelectorAll("li button")) {
                button.onclick = () => setTimeout(() => { button.parentElement.append(" (fed)"); });
            }
        </script>"#;
    let tab = page(&browser, body);
    tab.find("textbox", "Name").fill("آلا Świt");
    assert_eq!(tab.find("textbox", "Name").value(), "آلا Świt");
    let birds = tab.find("list", "Birds").find("listitem", Name::Any);
    assert_eq!(birds.count(), 2);
    birds.with_text("stork").find("button", "Feed").click();
    tab.shows("(fed)");
    assert!(birds.nth(1).text().contains("(fed)"));
    assert_eq!(tab.find("button", "Done").count(), 0);
    tab.press("Control+k");
    tab.find("button", "Done").click();
    tab.until("the title", |tab| (tab.evaluate("document.title") == "آلا Świt").then_some(()));
    tab.look(View { width: 390, height: 700, dark: true, reduced_motion: true });
    assert_eq!(tab.evaluate("innerWidth + ' ' + matchMedia('(prefers-color-scheme: dark)').matches"), "390 true");
    assert!(tab.picture().starts_with(b"\x89PNG"));
    assert_eq!(tab.take_faults(), []);
}

#[test]
fn what_is_covered_or_disabled_is_not_clicked() {
    let Some(browser) = browser() else { return };
    let body = r#"
        <button onclick="document.title = 'clicked'">Under</button>
        <div id="over" style="position: fixed; inset: 0"></div>
        <script>setTimeout(() => { window.was = document.title; over.remove(); }, 300)</script>"#;
    let tab = page(&browser, body);
    tab.find("button", "Under").click();
    tab.until("the title", |tab| (tab.evaluate("document.title") == "clicked").then_some(()));
    assert_eq!(tab.evaluate("window.was"), "a page");
}

#[test]
fn every_kind_of_fault_is_seen() {
    let Some(browser) = browser() else { return };
    let cases = [
        ("<script>window.__pwned = 1</script>", FaultKind::Executed),
        ("<script>setTimeout(() => alert('here'))</script>", FaultKind::Executed),
        ("<script>throw new Error('here')</script>", FaultKind::Exception),
        ("<script>Promise.reject(new Error('here'))</script>", FaultKind::Exception),
        ("<script>console.error('here')</script>", FaultKind::Console),
        ("<img src='http://127.0.0.1:9/elsewhere.png'>", FaultKind::Elsewhere),
        ("<script>new WebSocket('ws://127.0.0.1:9/')</script>", FaultKind::Elsewhere),
        (
            "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\"><img src=x onerror=alert(1)>",
            FaultKind::Policy,
        ),
    ];
    for (body, kind) in cases {
        let tab = page(&browser, body);
        let seen = tab.until(body, |tab| {
            let faults = tab.take_faults();
            faults.iter().any(|fault| fault.kind == kind).then_some(faults)
        });
        // A picture that does not load is one fault for the policy and one for the console.
        assert!(!seen.is_empty());
        for rest in [FaultKind::Console, FaultKind::Policy, FaultKind::Elsewhere] {
            tab.expect_fault(rest, "");
        }
    }
}

#[test]
#[should_panic(expected = "faults of the page")]
fn a_test_that_looks_away_from_a_fault_fails() {
    let Some(browser) = browser() else { panic!("no Chromium, so no faults of the page") };
    let tab = page(&browser, "<script>window.__pwned = 1</script>");
    tab.until("the script", |tab| (tab.evaluate("document.readyState") == "complete").then_some(()));
}

#[test]
fn people_share_no_storage() {
    let Some(browser) = browser() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    // Until the test's process ends.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = |mut stream: TcpStream| {
                BufReader::new(&stream)
                    .lines()
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .for_each(drop);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\nConnection: close\r\n\r\n<p>here</p>\r\n")
            };
            let _browser_is_gone = stream.and_then(answer);
        }
    });
    let (alice, bob) = (browser.tab(), browser.tab());
    for tab in [&alice, &bob] {
        tab.expect_fault(FaultKind::Console, "favicon");
        tab.open(&address);
        tab.shows("here");
    }
    alice.evaluate("void (localStorage.name = 'alice', sessionStorage.name = 'alice', document.cookie = 'name=alice')");
    let kept = "[localStorage.name, sessionStorage.name, document.cookie, document.hasFocus()].join()";
    alice.reload();
    assert_eq!(alice.evaluate(kept), "alice,alice,name=alice,true");
    assert_eq!(bob.evaluate(kept), ",,,true");
}

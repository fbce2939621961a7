//! The web page in a real browser: what people do with it, through the real binary, server and profiles.
//!
//! Each test is a story with a server, profiles and a Chromium of its own; each person has a window that shares nothing
//! with the others'. Things are found by their role and accessible name, as assistive technology hears them, and used with
//! keys and clicks. A page that writes an error to the console, breaks its content policy, or asks anything but its own
//! client for anything fails its story ([`browser::Fault`]).
//!
//! Without Chromium these stories say so and check nothing; `cargo xtask test` installs it where it may.

#[path = "../stories/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the stories of the other faces use more of it")]
mod harness;

mod chat;
mod first_run;
mod groups;
mod guards;
mod hostile;
mod keyboard;
mod payloads;
mod person;
mod rooms_and_links;
mod rpc;
mod scan;
mod settings;
mod trust;
mod views;

use browser::Browser;

/// A browser for one story; nothing, said in a loud voice, where the system has none.
fn browser() -> Option<Browser> {
    let browser = Browser::start();
    if browser.is_none() {
        eprintln!("SKIPPED, nothing was checked: there is no Chromium on this system (package chromium)");
    }
    browser
}

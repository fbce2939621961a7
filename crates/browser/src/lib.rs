//! A real Chromium in the hands of a test: headless, with a fresh folder, driven over the DevTools protocol.
//!
//! - [`Browser`]: the process. It ends with its value, by its own process group, also when a test panics.
//! - [`Tab`]: one person's window. Each has cookies and storage of its own (a browser context), so that several people
//!   share one process without sharing anything that a page can see.
//! - [`Element`]: something on the page, found by its role and accessible name as assistive technology hears them.
//! - [`Fault`]: what a page must never do; a tab collects them and fails the test that looks away.
//!
//! Why DevTools and not WebDriver: roles and names can be asked for ([`Tab::find`]), violations of the content security
//! policy and exceptions come as events in the order in which they happen, windows can be narrower than 500 pixels, and
//! there is one process less to find and to end. The link is the WebSocket crate that the program uses anyway.
//!
//! Keys and clicks are dispatched by the browser as from a keyboard and a mouse: what is covered cannot be clicked. Nothing
//! sleeps: waiting is for a condition, looked at again whenever the document changes. What goes wrong panics with what
//! the page showed, for this crate is for tests and benchmarks only.

mod browser;
mod element;
mod faults;
mod keys;
mod link;
mod outline;
mod tab;

use std::time::Duration;

pub use browser::Browser;
pub use element::Element;
pub use faults::{Fault, FaultKind};
pub use tab::{Name, Tab, View};

/// How long anything that a test waits for may take. Generous: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(45);

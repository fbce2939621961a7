//! A person at the page: a profile, `subrosa web` on it, and a window.

use std::ops::Deref;

use browser::{Browser, Element, Name, Tab};
use serde_json::Value;

use crate::harness::{Process, Profile};
use crate::rpc::Rpc;

/// A running `subrosa web`.
pub struct Client {
    process: Process,
    url: String,
}

impl Client {
    /// Starts it on a free port and waits until it serves.
    pub fn start(profile: &Profile) -> Self {
        let mut process = profile.start(&["web", "--no-open", "--port", "0", "--json"]);
        let first = process.expect("the first line", |_| true);
        let serving: Value = serde_json::from_str(&first).unwrap_or_else(|error| panic!("{error}: {first}"));
        assert_eq!((&serving["v"], &serving["event"]), (&1.into(), &"serving".into()), "{serving}");
        let url = serving["url"].as_str().expect("the line has the address").to_owned();
        Self { process, url }
    }

    /// The page's address, with the token.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The page's address without the token, as `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://").split('/').next().expect("an address has a host")
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.url.split_once("#token=").expect("the address has the token").1
    }

    /// A program beside the page, over the same door.
    pub fn rpc(&self) -> Rpc {
        Rpc::open(self.host(), self.token())
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// A person with a window; what a [`Tab`] can do, a person can.
pub struct Person {
    // The window is closed before its client ends: the page would say that it lost it.
    tab: Tab,
    profile: Profile,
    client: Client,
}

impl Person {
    /// Opens the page on this profile, which may be a fresh one.
    pub fn open(browser: &Browser, profile: Profile) -> Self {
        let client = Client::start(&profile);
        let tab = browser.tab();
        tab.open(client.url());
        Self { tab, profile, client }
    }

    /// Opens the page on the profile of somebody who has an account, and waits until it is filled.
    #[track_caller]
    pub fn enter(browser: &Browser, profile: Profile) -> Self {
        let person = Self::open(browser, profile);
        person.find("navigation", "Chats").wait();
        person
    }

    /// Their profile, for what they do elsewhere.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Their client.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Starts their client again, and opens the link that it prints.
    #[track_caller]
    pub fn start_client_again(&mut self) {
        self.client = Client::start(&self.profile);
        self.tab.open(self.client.url());
    }

    /// Asks their client something, beside the page.
    #[track_caller]
    pub fn ask(&self, method: &str, params: Value) -> Value {
        self.client.rpc().ask(method, params)
    }

    /// Goes to a view by its address, as by a link: `people/log`.
    #[track_caller]
    pub fn go(&self, view: &str) {
        self.tab.evaluate(&format!("void (location.hash = '#/{view}')"));
    }

    /// The line of a chat in the list.
    pub fn line(&self, chat: &str) -> Element<'_> {
        self.tab.select(&format!("nav a[data-chat={}]", Value::from(chat)))
    }

    /// Opens a chat from the list.
    #[track_caller]
    pub fn chat(&self, chat: &str) {
        self.line(chat).click();
        self.composer().wait();
    }

    /// Where a text is written.
    pub fn composer(&self) -> Element<'_> {
        self.tab.select(".composer textarea")
    }

    /// Writes a text into the open chat and sends it by the key.
    #[track_caller]
    pub fn say(&self, text: &str) {
        self.composer().fill(text);
        self.tab.press("Enter");
        self.message(text).wait();
    }

    /// The message with this text in the open chat.
    pub fn message(&self, text: &str) -> Element<'_> {
        self.tab.select("[data-message]").with_text(text)
    }

    /// Waits until the own message with this text came this far: `sent`, `delivered`, `queued`, `failed`.
    #[track_caller]
    pub fn came(&self, text: &str, state: &str) {
        self.message(text).select(&format!("[data-state={state}]")).wait();
    }

    /// Waits until the open chat shows exactly these texts, in this order.
    #[track_caller]
    pub fn reads(&self, texts: &[&str]) {
        self.tab.until(&format!("the texts {texts:?}"), |tab| {
            let shown = tab.select("[data-message] .text").texts();
            (shown.iter().map(|text| text.trim()).collect::<Vec<_>>() == texts).then_some(())
        });
    }

    /// Presses a button by its name.
    #[track_caller]
    pub fn press_button(&self, name: &str) {
        self.tab.find("button", name).click();
    }

    /// The dialog that is open.
    pub fn dialog(&self) -> Element<'_> {
        self.tab.find("dialog", Name::Any)
    }
}

impl Deref for Person {
    type Target = Tab;

    fn deref(&self) -> &Tab {
        &self.tab
    }
}

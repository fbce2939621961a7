//! A person's window.

use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::faults::{self, Faults};
use crate::link::Link;
use crate::{Element, Fault, FaultKind, PATIENCE, keys, outline};

/// The window that a tab begins with.
const FIRST_VIEW: View = View { width: 1280, height: 800, dark: false, reduced_motion: true };

/// Ends when the document changes, or soon: what is waited for may be no change of the document, like a scroll.
const CHANGE: &str = r#"new Promise((changed) => {
    const done = () => { observer.disconnect(); clearTimeout(soon); changed(true); };
    const observer = new MutationObserver(done);
    const soon = setTimeout(done, 100);
    observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
})"#;

/// How a window looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// CSS pixels.
    pub width: u32,
    /// CSS pixels.
    pub height: u32,
    /// What the system prefers.
    pub dark: bool,
    /// What the system prefers.
    pub reduced_motion: bool,
}

/// What an accessible name is like. The marks that isolate a part of it in another writing direction do not count: nobody
/// hears them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Exactly this.
    Is(String),
    /// This is in it.
    Has(String),
    /// Whatever it is.
    Any,
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::Is(name.to_owned())
    }
}

impl Name {
    /// A name with this in it.
    pub fn has(part: &str) -> Self {
        Self::Has(part.to_owned())
    }

    /// Whether a name is like this.
    pub(crate) fn fits(&self, name: &str) -> bool {
        let name: String = name.chars().filter(|c| !('\u{2066}'..='\u{2069}').contains(c)).collect();
        match self {
            Self::Is(wanted) => name == *wanted,
            Self::Has(part) => name.contains(part.as_str()),
            Self::Any => true,
        }
    }
}

/// A window with a page. When it is dropped, a fault of the page that the test did not expect fails the test.
pub struct Tab {
    pub(crate) link: Link,
    pub(crate) session: String,
    context: String,
    faults: Arc<Faults>,
}

impl Tab {
    pub(crate) fn new(link: Link, session: String, context: String) -> Self {
        let faults = Arc::new(Faults::default());
        let tab = Self { link, session, context, faults: faults.clone() };
        let own = tab.session.clone();
        tab.link.listen(&own.clone(), Box::new(move |link, method, params| faults.hear(link, &own, method, params)));
        for domain in ["Page", "Runtime", "Log", "Network", "DOM", "Accessibility", "Inspector"] {
            tab.ask(&format!("{domain}.enable"), json!({}));
        }
        tab.ask("Runtime.addBinding", json!({ "name": faults::TOLD }));
        tab.ask("Page.addScriptToEvaluateOnNewDocument", json!({ "source": faults::SCRIPT }));
        tab.ask("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        tab.look(FIRST_VIEW);
        tab
    }

    /// Asks the browser something about this tab.
    pub(crate) fn try_ask(&self, method: &str, params: Value) -> Result<Value, String> {
        self.link.ask(&self.session, method, params)
    }

    #[track_caller]
    pub(crate) fn ask(&self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Goes to an address. From now on requests to any other origin are faults.
    ///
    /// # Panics
    /// When there is no page.
    #[track_caller]
    pub fn open(&self, url: &str) {
        let origin: Vec<&str> = url.splitn(4, '/').take(3).collect();
        self.faults.origin_is(origin.join("/"));
        let opened = self.ask("Page.navigate", json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url} does not open: {}", opened["errorText"]);
    }

    /// Loads the page again.
    #[track_caller]
    pub fn reload(&self) {
        // Marks the old document: what is found in it is not found in the new one.
        self.evaluate("void (window.__before_reload = true)");
        self.ask("Page.reload", json!({}));
        self.until("a new document", |tab| {
            tab.try_evaluate("!window.__before_reload && document.readyState === 'complete'")
                .ok()?
                .as_bool()?
                .then_some(())
        });
    }

    /// Changes the window's size and the system's preferences.
    #[track_caller]
    pub fn look(&self, view: View) {
        let size = json!({ "width": view.width, "height": view.height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let feature = |name: &str, value: &str| json!({ "name": name, "value": value });
        let features = json!([
            feature("prefers-color-scheme", if view.dark { "dark" } else { "light" }),
            feature("prefers-reduced-motion", if view.reduced_motion { "reduce" } else { "no-preference" }),
        ]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Evaluates an expression in the page; a promise is waited for.
    ///
    /// # Errors
    /// The exception, or that there is no page just now.
    pub fn try_evaluate(&self, expression: &str) -> Result<Value, String> {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        returned(self.try_ask("Runtime.evaluate", params)?)
    }

    /// The same, where nothing may go wrong.
    ///
    /// # Panics
    /// On an exception.
    #[track_caller]
    pub fn evaluate(&self, expression: &str) -> Value {
        self.try_evaluate(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// The one element of this role and name. Looked for when something is done with it, and waited for then.
    pub fn find(&self, role: &str, name: impl Into<Name>) -> Element<'_> {
        Element::of(self).find(role, name)
    }

    /// The elements of a CSS selector; for what has no role of its own.
    pub fn select(&self, selector: &str) -> Element<'_> {
        Element::of(self).select(selector)
    }

    /// Waits until the page shows this text somewhere.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        self.until(&format!("the text {text:?}"), |tab| tab.text().contains(text).then_some(()));
    }

    /// Waits until the page does not show this text any more.
    #[track_caller]
    pub fn hides(&self, text: &str) {
        self.until(&format!("no text {text:?}"), |tab| {
            let all = tab.try_evaluate("document.body.innerText").ok()?;
            (!all.as_str()?.contains(text)).then_some(())
        });
    }

    /// The text that the page shows now, without the marks around names that keep directions of writing apart.
    pub fn text(&self) -> String {
        let text = self.try_evaluate("document.body?.innerText ?? ''").unwrap_or_default();
        text.as_str().unwrap_or_default().replace(['\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'], "")
    }

    /// Presses a key or a shortcut, like `a`, `Shift+Enter` or `Control+k`.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        for event in keys::stroke(keys) {
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    /// Types a text, a key for each letter; line ends with Shift+Enter.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        for letter in text.chars() {
            match letter {
                '\n' => self.press("Shift+Enter"),
                ' ' => self.press("Space"),
                letter => self.press(&letter.to_string()),
            }
        }
    }

    /// Inserts a text at once, as an input method or the clipboard does.
    #[track_caller]
    pub fn paste(&self, text: &str) {
        self.ask("Input.insertText", json!({ "text": text }));
    }

    /// Waits until `ready` gives something, asking again when the document changes.
    ///
    /// # Panics
    /// When it gives nothing in time, with what the page shows.
    #[track_caller]
    pub fn until<T>(&self, what: &str, mut ready: impl FnMut(&Self) -> Option<T>) -> T {
        let found = self.try_until(&mut ready);
        found.unwrap_or_else(|| panic!("waited in vain for {what}\n{}", self.situation()))
    }

    /// The same; nothing when it gives nothing in time.
    pub(crate) fn try_until<T>(&self, mut ready: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = ready(self) {
                return Some(found);
            }
            if Instant::now() > deadline {
                return None;
            }
            // Without a document there is nothing to wait for but the browser's next answer.
            let _no_document = self.try_evaluate(CHANGE);
        }
    }

    /// Waits for the next frame that the browser draws.
    pub fn frame(&self) {
        let _no_document = self.try_evaluate("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))");
    }

    /// What the page is like, for messages: its address, its outline and its faults.
    pub fn situation(&self) -> String {
        let outline = self.try_ask("Accessibility.getFullAXTree", json!({}));
        let outline = outline.map_or_else(|error| error, |tree| outline::outline(&tree));
        let faults: Vec<String> = self.faults.take().iter().map(Fault::to_string).collect();
        let address = self.try_evaluate("location.href").unwrap_or_default();
        format!("--- page {address}\n{outline}\n--- faults\n{}", faults.join("\n"))
    }

    /// A picture of the window, as PNG.
    ///
    /// # Panics
    /// When the browser draws none.
    #[track_caller]
    pub fn picture(&self) -> Vec<u8> {
        self.frame();
        let picture = self.ask("Page.captureScreenshot", json!({ "format": "png" }));
        BASE64.decode(picture["data"].as_str().unwrap_or_default().as_bytes()).expect("a picture in base64")
    }

    /// From now on this is no fault: of this kind, with this text in it.
    pub fn expect_fault(&self, kind: FaultKind, text: &str) {
        self.faults.expect(kind, text);
    }

    /// The faults so far, which are then forgotten.
    pub fn take_faults(&self) -> Vec<Fault> {
        self.faults.take()
    }

    /// A script that runs in each document before the page's own.
    #[track_caller]
    pub fn before_each_page(&self, script: &str) {
        self.ask("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
    }

    /// Turns the mouse's wheel in the middle of the window; down is positive.
    #[track_caller]
    pub fn wheel(&self, pixels: f64) {
        let middle = self.evaluate("[innerWidth / 2, innerHeight / 2]");
        let event = json!({ "type": "mouseWheel", "x": middle[0], "y": middle[1], "deltaX": 0, "deltaY": pixels });
        self.ask("Input.dispatchMouseEvent", event);
    }

    /// Does something in the page, and says how long it takes until a frame is drawn in which `expression` is true.
    ///
    /// # Errors
    /// When it does not become true in time.
    pub fn time_until(&self, act: &str, expression: &str) -> Result<Duration, String> {
        let script = format!(
            "new Promise((there, never) => {{
                const begin = performance.now();
                const look = () => {{
                    if ({expression}) setTimeout(() => there(performance.now() - begin));
                    else if (performance.now() - begin > 30000) never(new Error('not in time'));
                    else requestAnimationFrame(look);
                }};
                {act};
                look();
            }})"
        );
        let milliseconds = self.try_evaluate(&script)?.as_f64().unwrap_or_default();
        Ok(Duration::from_secs_f64(milliseconds / 1000.0))
    }
}

/// The value of `Runtime.evaluate` or `Runtime.callFunctionOn`, or the exception.
pub(crate) fn returned(mut answer: Value) -> Result<Value, String> {
    let details = &answer["exceptionDetails"];
    if details.is_null() {
        return Ok(answer["result"]["value"].take());
    }
    let thrown = details["exception"]["description"].as_str().or(details["text"].as_str());
    Err(thrown.unwrap_or("an exception").to_owned())
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.link.unlisten(&self.session);
        if !std::thread::panicking() {
            let faults: Vec<String> = self.faults.take().iter().map(Fault::to_string).collect();
            assert!(faults.is_empty(), "faults of the page:\n{}", faults.join("\n"));
            let _gone = self.link.ask("", "Target.disposeBrowserContext", json!({ "browserContextId": self.context }));
        }
    }
}

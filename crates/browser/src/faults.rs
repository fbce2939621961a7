//! What a page must never do. Each tab collects these from the first moment on, and its test fails on them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::link::Link;

/// The function that the page's document finds, by which the script below tells this process.
pub(crate) const TOLD: &str = "__told";

/// Runs in each document before anything of the page: hears violations of the policy, and traps the name that hostile
/// texts try to set.
pub(crate) const SCRIPT: &str = r#"(() => {
    const told = window.__told;
    addEventListener("securitypolicyviolation", (event) => {
        told(`policy ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
    }, true);
    Object.defineProperty(window, "__pwned", {
        get: () => told("executed read"),
        set: (value) => told(`executed ${value}`),
    });
})()"#;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// An exception that nobody caught, or a promise that was rejected.
    Exception,
    /// The page or the browser wrote an error or a warning to the console.
    Console,
    /// The content security policy or Trusted Types stopped something.
    Policy,
    /// A text was executed, or a dialog was opened.
    Executed,
    /// A request to somewhere else than the page's own origin.
    Elsewhere,
    /// The page's process is gone.
    Crash,
}

/// Something that a page must never do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its kind.
    pub kind: FaultKind,
    /// What was said.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.text)
    }
}

/// The faults of a tab, and which of them its test expects.
#[derive(Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Vec<Fault>,
    expected: Vec<(FaultKind, String)>,
    /// Where the page comes from, as `http://127.0.0.1:PORT`; empty before there is one.
    origin: String,
}

impl Faults {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn origin_is(&self, origin: String) {
        self.with(|state| state.origin = origin);
    }

    pub(crate) fn expect(&self, kind: FaultKind, text: &str) {
        self.with(|state| state.expected.push((kind, text.to_owned())));
    }

    /// Those so far, which are then forgotten.
    pub(crate) fn take(&self) -> Vec<Fault> {
        self.with(|state| std::mem::take(&mut state.faults))
    }

    fn add(&self, kind: FaultKind, text: impl Into<String>) {
        let text = text.into();
        self.with(|state| {
            let expected = |(expected, part): &(FaultKind, String)| *expected == kind && text.contains(part);
            if !state.expected.iter().any(expected) {
                state.faults.push(Fault { kind, text });
            }
        });
    }

    /// Looks at an event of the tab's session. Dialogs are closed at once: the page stands still behind them.
    pub(crate) fn hear(&self, link: &Link, session: &str, method: &str, params: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match method {
            "Runtime.exceptionThrown" => {
                let details = &params["exceptionDetails"];
                let thrown = text(&details["exception"]["description"]);
                self.add(FaultKind::Exception, format!("{} {thrown} ({})", text(&details["text"]), details["url"]));
            }
            "Runtime.consoleAPICalled" if ["error", "warning", "assert"].contains(&text(&params["type"]).as_str()) => {
                let words = params["args"].as_array().into_iter().flatten();
                let words = words.map(|word| word.get("value").unwrap_or(&word["description"]).to_string());
                self.add(FaultKind::Console, words.collect::<Vec<_>>().join(" "));
            }
            "Log.entryAdded" if ["error", "warning"].contains(&text(&params["entry"]["level"]).as_str()) => {
                let entry = &params["entry"];
                self.add(FaultKind::Console, format!("{} {}", text(&entry["text"]), text(&entry["url"])));
            }
            "Runtime.bindingCalled" if params["name"] == TOLD => {
                let told = text(&params["payload"]);
                match told.split_once(' ') {
                    Some(("policy", rest)) => self.add(FaultKind::Policy, rest),
                    _ => self.add(FaultKind::Executed, told),
                }
            }
            "Page.javascriptDialogOpening" => {
                self.add(FaultKind::Executed, format!("a dialog: {}", params["message"]));
                link.post(session, "Page.handleJavaScriptDialog", json!({ "accept": true }));
            }
            "Network.requestWillBeSent" => self.requested(&text(&params["request"]["url"])),
            "Network.webSocketCreated" => self.requested(&text(&params["url"])),
            "Inspector.targetCrashed" => self.add(FaultKind::Crash, "the page's process is gone"),
            _ => {}
        }
    }

    fn requested(&self, url: &str) {
        let origin = self.with(|state| state.origin.clone());
        let own = [&origin, &origin.replacen("http", "ws", 1)].into_iter().any(|origin| {
            let rest = url.strip_prefix(origin.as_str());
            rest.is_some_and(|rest| !origin.is_empty() && (rest.is_empty() || rest.starts_with('/')))
        });
        let inside = ["data:", "blob:", "about:"].iter().any(|scheme| url.starts_with(scheme));
        if !own && !inside {
            self.add(FaultKind::Elsewhere, url);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_the_own_origin_only_are_no_fault() {
        let faults = Faults::default();
        faults.origin_is("http://127.0.0.1:80".into());
        for url in ["http://127.0.0.1:80/a.js", "ws://127.0.0.1:80/rpc", "data:image/png;base64,", "about:blank"] {
            faults.requested(url);
        }
        assert_eq!(faults.take(), []);
        for url in ["http://127.0.0.1:8080/", "https://example.org/", "http://127.0.0.1:80@example.org/"] {
            faults.requested(url);
            assert_eq!(faults.take(), [Fault { kind: FaultKind::Elsewhere, text: url.into() }]);
        }
    }

    #[test]
    fn an_expected_fault_is_none_and_another_of_its_kind_is() {
        let faults = Faults::default();
        faults.expect(FaultKind::Console, "refused");
        faults.add(FaultKind::Console, "connection refused");
        faults.add(FaultKind::Exception, "refused");
        assert_eq!(faults.take(), [Fault { kind: FaultKind::Exception, text: "refused".into() }]);
    }
}

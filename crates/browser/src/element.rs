//! Something on a page, found by role and name, anew for each thing that is done with it.

use std::fmt;

use serde_json::{Value, json};

use crate::tab::returned;
use crate::{Name, Tab};

/// Where an element can be clicked: its middle, when it stands still and nothing lies over it.
const WHERE: &str = r#"async function () {
    const before = this.getBoundingClientRect();
    await new Promise((next) => { requestAnimationFrame(next); setTimeout(next, 100); });
    const now = this.getBoundingClientRect();
    if (before.x !== now.x || before.y !== now.y) return { trouble: "it moves" };
    if (!now.width || !now.height) return { trouble: "it has no size" };
    const x = now.x + now.width / 2, y = now.y + now.height / 2;
    const there = document.elementFromPoint(x, y);
    const hit = there && (this.contains(there) || there.closest("label")?.control === this);
    return hit ? { x, y } : { trouble: `it is behind ${there?.outerHTML.slice(0, 120)}` };
}"#;

/// Puts the cursor into a field and selects what is in it.
const SELECT_ALL: &str = r#"function () {
    this.focus();
    if (this.select) this.select();
    else getSelection().selectAllChildren(this);
    return document.activeElement === this;
}"#;

/// How an element is found among those of the step before.
#[derive(Debug, Clone)]
enum Step {
    Role(String, Name),
    Selector(String),
    Text(String),
    Nth(usize),
}

/// One element, or several for [`Element::count`] and [`Element::texts`].
#[derive(Clone)]
pub struct Element<'a> {
    tab: &'a Tab,
    steps: Vec<Step>,
}

impl fmt::Display for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            let separator = if index == 0 { "" } else { " › " };
            match step {
                Step::Role(role, Name::Is(name)) => write!(f, "{separator}{role} {name:?}")?,
                Step::Role(role, Name::Has(part)) => write!(f, "{separator}{role} …{part:?}…")?,
                Step::Role(role, Name::Any) => write!(f, "{separator}{role}")?,
                Step::Selector(selector) => write!(f, "{separator}{selector}")?,
                Step::Text(text) => write!(f, " with {text:?}")?,
                Step::Nth(index) => write!(f, " [{index}]")?,
            }
        }
        Ok(())
    }
}

impl<'a> Element<'a> {
    pub(crate) fn of(tab: &'a Tab) -> Self {
        Self { tab, steps: Vec::new() }
    }

    fn and(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { tab: self.tab, steps }
    }

    /// What is inside this one, by role and accessible name.
    pub fn find(&self, role: &str, name: impl Into<Name>) -> Self {
        self.and(Step::Role(role.to_owned(), name.into()))
    }

    /// What is inside this one, by CSS selector.
    pub fn select(&self, selector: &str) -> Self {
        self.and(Step::Selector(selector.to_owned()))
    }

    /// Those of these with this text in them.
    pub fn with_text(&self, text: &str) -> Self {
        self.and(Step::Text(text.to_owned()))
    }

    /// The one of these at this place, from 0.
    pub fn nth(&self, index: usize) -> Self {
        self.and(Step::Nth(index))
    }

    /// The browser's ids of the elements that are there now.
    fn resolve(&self) -> Result<Vec<u64>, String> {
        let mut found: Option<Vec<u64>> = None;
        for step in &self.steps {
            let scopes = match &found {
                None => vec![None],
                Some(ids) => ids.iter().copied().map(Some).collect(),
            };
            let mut next = Vec::new();
            match step {
                Step::Role(role, name) => {
                    for scope in scopes {
                        next.extend(self.by_role(scope, role, name)?);
                    }
                }
                Step::Selector(selector) => {
                    for scope in scopes {
                        next.extend(self.by_selector(scope, selector)?);
                    }
                }
                Step::Text(text) => {
                    for id in scopes.into_iter().flatten() {
                        let has = "function (text) { return this.textContent.includes(text); }";
                        if self.call(id, has, &[json!(text)])? == true {
                            next.push(id);
                        }
                    }
                }
                Step::Nth(index) => next.extend(scopes.into_iter().flatten().nth(*index)),
            }
            next.dedup();
            found = Some(next);
        }
        Ok(found.unwrap_or_default())
    }

    fn object(&self, scope: Option<u64>) -> Result<String, String> {
        let object = match scope {
            Some(id) => self.tab.try_ask("DOM.resolveNode", json!({ "backendNodeId": id }))?["object"].take(),
            None => self.tab.try_ask("Runtime.evaluate", json!({ "expression": "document" }))?["result"].take(),
        };
        object["objectId"].as_str().map(str::to_owned).ok_or_else(|| "no document".to_owned())
    }

    fn by_role(&self, scope: Option<u64>, role: &str, name: &Name) -> Result<Vec<u64>, String> {
        let query = json!({ "objectId": self.object(scope)?, "role": role });
        let answer = self.tab.try_ask("Accessibility.queryAXTree", query)?;
        let nodes = answer["nodes"].as_array().into_iter().flatten();
        let heard = nodes.filter(|node| node["ignored"] != true);
        let fitting = heard.filter(|node| name.fits(node["name"]["value"].as_str().unwrap_or_default()));
        let ids = fitting.filter_map(|node| node["backendDOMNodeId"].as_u64());
        Ok(ids.filter(|id| Some(*id) != scope).collect())
    }

    fn by_selector(&self, scope: Option<u64>, selector: &str) -> Result<Vec<u64>, String> {
        let all = "function (selector) { return [...this.querySelectorAll(selector)]; }";
        let call = json!({
            "objectId": self.object(scope)?, "functionDeclaration": all, "arguments": [{ "value": selector }],
        });
        let answer = self.tab.try_ask("Runtime.callFunctionOn", call)?;
        let list = answer["result"]["objectId"].as_str().ok_or_else(|| format!("{selector} is no selector"))?;
        let list = self.tab.try_ask("Runtime.getProperties", json!({ "objectId": list, "ownProperties": true }))?;
        let mut ids = Vec::new();
        for property in list["result"].as_array().into_iter().flatten() {
            let is_index = property["name"].as_str().is_some_and(|name| name.parse::<u32>().is_ok());
            if let (true, Some(object)) = (is_index, property["value"]["objectId"].as_str()) {
                let node = self.tab.try_ask("DOM.describeNode", json!({ "objectId": object }))?;
                ids.extend(node["node"]["backendNodeId"].as_u64());
            }
        }
        Ok(ids)
    }

    fn call(&self, id: u64, function: &str, arguments: &[Value]) -> Result<Value, String> {
        let arguments: Vec<Value> = arguments.iter().map(|value| json!({ "value": value })).collect();
        let call = json!({
            "objectId": self.object(Some(id))?, "functionDeclaration": function, "arguments": arguments,
            "awaitPromise": true, "returnByValue": true,
        });
        returned(self.tab.try_ask("Runtime.callFunctionOn", call)?)
    }

    /// Waits for exactly one element, and until `act` succeeds with it.
    #[track_caller]
    fn act<T>(&self, what: &str, mut act: impl FnMut(u64) -> Result<T, String>) -> T {
        let mut trouble = String::new();
        let done = self.tab.try_until(|_| {
            let attempt = self.resolve().and_then(|ids| match ids[..] {
                [id] => act(id),
                [] => Err("there is none".to_owned()),
                _ => Err(format!("there are {}", ids.len())),
            });
            attempt.map_err(|error| trouble = error).ok()
        });
        done.unwrap_or_else(|| panic!("cannot {what} {self}: {trouble}\n{}", self.tab.situation()))
    }

    /// Waits until it is there.
    #[track_caller]
    pub fn wait(&self) -> &Self {
        self.act("find", |_| Ok(()));
        self
    }

    /// Waits until there is none.
    #[track_caller]
    pub fn gone(&self) {
        self.tab.until(&format!("no {self}"), |_| self.resolve().ok()?.is_empty().then_some(()));
    }

    /// How many are there now.
    pub fn count(&self) -> usize {
        self.resolve().map_or(0, |ids| ids.len())
    }

    /// Clicks into its middle, as with a mouse.
    #[track_caller]
    pub fn click(&self) {
        let (x, y) = self.act("click", |id| {
            self.tab.try_ask("DOM.scrollIntoViewIfNeeded", json!({ "backendNodeId": id }))?;
            if self.state_of(id, "disabled")? == true {
                return Err("it is disabled".to_owned());
            }
            let place = self.call(id, WHERE, &[])?;
            match (place["x"].as_f64(), place["y"].as_f64()) {
                (Some(x), Some(y)) => Ok((x, y)),
                _ => Err(place["trouble"].as_str().unwrap_or("it is nowhere").to_owned()),
            }
        });
        for (kind, buttons) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
            self.tab.ask("Input.dispatchMouseEvent", event);
        }
    }

    /// Puts the keyboard's focus on it.
    #[track_caller]
    pub fn focus(&self) -> &Self {
        let focus = "function () { this.focus(); return document.activeElement === this; }";
        self.act("focus", |id| match self.call(id, focus, &[])? {
            Value::Bool(true) => Ok(()),
            _ => Err("it does not take the focus".to_owned()),
        });
        self
    }

    /// Types this into a field, in place of what is in it.
    #[track_caller]
    pub fn fill(&self, text: &str) {
        self.empty();
        self.tab.type_text(text);
    }

    /// Puts this into a field at once, in place of what is in it: for what people paste.
    #[track_caller]
    pub fn paste(&self, text: &str) {
        self.empty();
        self.tab.paste(text);
    }

    #[track_caller]
    fn empty(&self) {
        self.act("type into", |id| match self.call(id, SELECT_ALL, &[])? {
            Value::Bool(true) => Ok(()),
            _ => Err("it does not take the focus".to_owned()),
        });
        self.tab.press("Backspace");
    }

    /// Chooses an option of a list by its value, as its user would.
    #[track_caller]
    pub fn choose(&self, value: &str) {
        let choose = r#"function (value) {
            if (![...this.options].some((option) => option.value === value)) throw new Error("no such option");
            this.focus();
            this.value = value;
            this.dispatchEvent(new Event("input", { bubbles: true }));
            this.dispatchEvent(new Event("change", { bubbles: true }));
        }"#;
        self.act("choose in", |id| self.call(id, choose, &[json!(value)]));
    }

    /// The text that it shows.
    #[track_caller]
    pub fn text(&self) -> String {
        let text = self.act("read", |id| self.call(id, "function () { return this.innerText; }", &[]));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// The texts of all of these that are there now.
    pub fn texts(&self) -> Vec<String> {
        let ids = self.resolve().unwrap_or_default();
        let text = |id| self.call(id, "function () { return this.innerText; }", &[]).ok();
        ids.into_iter().filter_map(text).map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What is in a field.
    #[track_caller]
    pub fn value(&self) -> String {
        let value = self.act("read", |id| self.call(id, "function () { return this.value; }", &[]));
        value.as_str().unwrap_or_default().to_owned()
    }

    /// An attribute.
    #[track_caller]
    pub fn attribute(&self, name: &str) -> Option<String> {
        let get = "function (name) { return this.getAttribute(name); }";
        let value = self.act("read", |id| self.call(id, get, &[json!(name)]));
        value.as_str().map(str::to_owned)
    }

    /// Waits until it has this text in it.
    #[track_caller]
    pub fn says(&self, text: &str) {
        self.act(&format!("read {text:?} in"), |id| {
            let now = self.call(id, "function () { return this.innerText; }", &[])?;
            let now = now.as_str().unwrap_or_default();
            if now.contains(text) { Ok(()) } else { Err(format!("it says {now:?}")) }
        });
    }

    /// Waits until it has the keyboard's focus.
    #[track_caller]
    pub fn focused(&self) {
        self.act("see the focus on", |id| {
            match self.call(id, "function () { return this === document.activeElement; }", &[])? {
                Value::Bool(true) => Ok(()),
                _ => Err("the focus is elsewhere".to_owned()),
            }
        });
    }

    /// A state as assistive technology hears it: `checked`, `disabled`, `expanded`, `selected`; null if it has none.
    #[track_caller]
    pub fn state(&self, name: &str) -> Value {
        self.act("read", |id| self.state_of(id, name))
    }

    fn state_of(&self, id: u64, name: &str) -> Result<Value, String> {
        let query = json!({ "backendNodeId": id, "fetchRelatives": false });
        let answer = self.tab.try_ask("Accessibility.getPartialAXTree", query)?;
        let properties = answer["nodes"][0]["properties"].as_array().into_iter().flatten();
        let found = properties.into_iter().find(|property| property["name"] == name);
        Ok(found.map(|property| property["value"]["value"].clone()).unwrap_or_default())
    }
}

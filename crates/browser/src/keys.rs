//! Keys as a keyboard sends them.

use serde_json::{Value, json};

/// Bits of the protocol's `modifiers`.
const MODIFIERS: [(&str, u8); 4] = [("Alt", 1), ("Control", 2), ("Meta", 4), ("Shift", 8)];

/// Keys without a letter: name (which is the code, too), number, and the text that they type.
const NAMED: [(&str, u32, &str); 15] = [
    ("Enter", 13, "\r"),
    ("Tab", 9, ""),
    ("Escape", 27, ""),
    ("Backspace", 8, ""),
    ("Delete", 46, ""),
    ("ArrowLeft", 37, ""),
    ("ArrowUp", 38, ""),
    ("ArrowRight", 39, ""),
    ("ArrowDown", 40, ""),
    ("Home", 36, ""),
    ("End", 35, ""),
    ("PageUp", 33, ""),
    ("PageDown", 34, ""),
    ("F6", 117, ""),
    ("Space", 32, " "),
];

/// The events of one stroke, like `Control+k`, `Shift+Enter` or `ArrowDown`, in order: parameters of
/// `Input.dispatchKeyEvent`.
///
/// # Panics
/// On a modifier or key of another name.
pub(crate) fn stroke(keys: &str) -> Vec<Value> {
    // The key may be `+` itself.
    let (modifiers, key) = match keys.strip_suffix("++") {
        Some(modifiers) => (modifiers, "+"),
        None => keys.rsplit_once('+').filter(|(before, _)| !before.is_empty()).unwrap_or(("", keys)),
    };
    let held: Vec<_> = modifiers
        .split('+')
        .filter(|name| !name.is_empty())
        .map(|name| *MODIFIERS.iter().find(|known| known.0 == name).unwrap_or_else(|| panic!("no modifier {name}")))
        .collect();
    let bits: u8 = held.iter().map(|known| known.1).sum();
    let types_text = bits & !8 == 0;
    let mut down = match NAMED.iter().find(|named| named.0 == key) {
        Some((name, number, text)) => {
            let key = if *name == "Space" { " " } else { name };
            let text = if types_text { text } else { "" };
            json!({ "key": key, "code": name, "windowsVirtualKeyCode": number, "text": text })
        }
        None => letter(key, types_text),
    };
    down["modifiers"] = bits.into();
    let mut up = down.clone();
    down["type"] = if down["text"] == "" { "rawKeyDown" } else { "keyDown" }.into();
    up["type"] = "keyUp".into();
    up["text"] = "".into();
    let mut events = Vec::new();
    let mut bits = 0;
    for (name, bit) in &held {
        bits |= bit;
        events.push(json!({ "type": "rawKeyDown", "key": name, "modifiers": bits }));
    }
    events.extend([down, up]);
    for (name, bit) in held.iter().rev() {
        bits &= !bit;
        events.push(json!({ "type": "keyUp", "key": name, "modifiers": bits }));
    }
    events
}

fn letter(key: &str, types_text: bool) -> Value {
    let mut letters = key.chars();
    let (Some(letter), None) = (letters.next(), letters.next()) else { panic!("no key {key}") };
    let upper = letter.to_ascii_uppercase();
    let (code, number) = match upper {
        'A'..='Z' => (format!("Key{upper}"), u32::from(upper)),
        '0'..='9' => (format!("Digit{upper}"), u32::from(upper)),
        '/' | '?' => ("Slash".to_owned(), 191),
        _ => (String::new(), 0),
    };
    let text = if types_text { key } else { "" };
    json!({ "key": key, "code": code, "windowsVirtualKeyCode": number, "text": text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(keys: &str) -> Vec<String> {
        let kind = |event: &Value| format!("{} {}", event["type"], event["key"]).replace('"', "");
        stroke(keys).iter().map(kind).collect()
    }

    #[test]
    fn a_shortcut_holds_its_modifier_and_types_nothing() {
        assert_eq!(kinds("Control+k"), ["rawKeyDown Control", "rawKeyDown k", "keyUp k", "keyUp Control"]);
        assert_eq!(stroke("Control+k")[1]["modifiers"], 2);
    }

    #[test]
    fn a_letter_and_enter_type_a_text() {
        assert_eq!(stroke("س")[0]["text"], "س");
        assert_eq!(stroke("Enter")[0]["text"], "\r");
        assert_eq!(kinds("+"), ["keyDown +", "keyUp +"]);
    }
}

//! What a page says to assistive technology, as an indented list: for the message of a test that fails.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::Value;

/// More than this helps nobody.
const LINES: usize = 160;

/// Nodes that say nothing of their own.
const SILENT: [&str; 5] = ["none", "generic", "InlineTextBox", "LineBreak", "StaticText"];

/// The answer of `Accessibility.getFullAXTree` as text.
pub(crate) fn outline(tree: &Value) -> String {
    let nodes: Vec<&Value> = tree["nodes"].as_array().into_iter().flatten().collect();
    let by_id: HashMap<&str, &Value> =
        nodes.iter().filter_map(|node| Some((node["nodeId"].as_str()?, *node))).collect();
    let mut text = String::new();
    if let Some(root) = nodes.first() {
        write_node(&mut text, root, &by_id, 0);
    }
    let mut lines = text.lines();
    let mut short: Vec<&str> = lines.by_ref().take(LINES).collect();
    if lines.next().is_some() {
        short.push("…");
    }
    short.join("\n")
}

fn write_node(text: &mut String, node: &Value, by_id: &HashMap<&str, &Value>, depth: usize) {
    let role = node["role"]["value"].as_str().unwrap_or_default();
    let name = node["name"]["value"].as_str().unwrap_or_default();
    let is_text = role == "StaticText" && depth < 2;
    let shown = node["ignored"] != true && (!SILENT.contains(&role) || is_text);
    if shown {
        let states = node["properties"].as_array().into_iter().flatten().filter_map(|property| {
            let value = &property["value"]["value"];
            let wanted = ["disabled", "expanded", "checked", "selected", "focused", "modal", "invalid"]
                .contains(&property["name"].as_str()?);
            (wanted && *value != false && *value != "false")
                .then(|| format!(" [{}]", property["name"].as_str().unwrap_or_default()))
        });
        let value = node["value"]["value"].as_str().map(|value| format!(" = {value:?}")).unwrap_or_default();
        let states: String = states.collect();
        let name: String = name.chars().take(120).collect();
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "{}{role} {name:?}{value}{states}", "  ".repeat(depth));
    }
    for child in node["childIds"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if let Some(child) = by_id.get(child) {
            write_node(text, child, by_id, depth + usize::from(shown));
        }
    }
}

//! JSON Schemas as TypeScript types.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::Method;

/// The module of declarations.
pub fn document(
    methods: &[Method],
    notifications: &[(&'static str, &'static str, Value)],
    named: &BTreeMap<String, Value>,
) -> String {
    let mut text = String::from(
        "// Made from the Rust types of subrosa-client; a test fails when it is stale. UPDATE_GOLDEN=1 makes it anew.\n\n",
    );
    for (name, schema) in named {
        comment(&mut text, "", schema["description"].as_str().unwrap_or_default());
        // Writing to a text does not fail.
        let _written = writeln!(text, "export type {name} = {};\n", type_of(schema, 0));
    }
    text += "/** What can be asked: parameters and result of each method. */\nexport interface Methods {\n";
    for method in methods {
        comment(&mut text, "  ", &method.about);
        let params = method.params.as_ref().map_or_else(|| "{}".to_owned(), |params| type_of(params, 2));
        let result = method.result.as_ref().map_or_else(|| "null".to_owned(), |result| type_of(result, 2));
        let _written = writeln!(text, "  {}: {{ params: {params}; result: {result} }};", method.name);
    }
    text += "}\n\n/** What comes without being asked for. */\nexport interface Notifications {\n";
    for (name, about, params) in notifications {
        comment(&mut text, "  ", about);
        let _written = writeln!(text, "  {name}: {};", type_of(params, 2));
    }
    comment(&mut text, "  ", "Events were left out: read again.");
    text += "  missed: undefined;\n}\n";
    text
}

fn comment(text: &mut String, indent: &str, about: &str) {
    if !about.is_empty() {
        let about = about.replace("*/", "* /").replace('\n', &format!("\n{indent} * "));
        let _written = writeln!(text, "{indent}/** {about} */");
    }
}

fn type_of(schema: &Value, depth: usize) -> String {
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap_or(target).to_owned();
        // A variant of an enum whose tag stands beside the fields of another type.
        return if schema["properties"].is_object() { format!("{name} & {}", object(schema, depth)) } else { name };
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    let mut parts = Vec::new();
    for key in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[key].as_array() {
            let mut choices: Vec<String> = choices.iter().map(|choice| type_of(choice, depth)).collect();
            choices.dedup();
            parts.push(if choices.len() == 1 { choices.remove(0) } else { format!("({})", choices.join(" | ")) });
        }
    }
    if let Some(all) = schema["allOf"].as_array() {
        parts.extend(all.iter().map(|part| type_of(part, depth)));
    }
    let alone = parts.is_empty();
    match &schema["type"] {
        Value::String(kind) if kind == "object" && !alone && !schema["properties"].is_object() => {}
        Value::String(kind) if kind == "object" => parts.push(object(schema, depth)),
        Value::String(kind) => parts.push(simple(kind, schema, depth)),
        Value::Array(kinds) => {
            let kinds: Vec<String> =
                kinds.iter().filter_map(Value::as_str).map(|kind| simple(kind, schema, depth)).collect();
            parts.push(format!("({})", kinds.join(" | ")));
        }
        _ if alone => parts.push("unknown".to_owned()),
        _ => {}
    }
    parts.join(" & ")
}

fn simple(kind: &str, schema: &Value, depth: usize) -> String {
    match kind {
        "string" => "string".to_owned(),
        "integer" | "number" => "number".to_owned(),
        "boolean" => "boolean".to_owned(),
        "null" => "null".to_owned(),
        "array" => format!("Array<{}>", type_of(&schema["items"], depth)),
        "object" => object(schema, depth),
        _ => "unknown".to_owned(),
    }
}

fn object(schema: &Value, depth: usize) -> String {
    let Some(properties) = schema["properties"].as_object() else {
        return match &schema["additionalProperties"] {
            values @ Value::Object(_) => format!("Record<string, {}>", type_of(values, depth)),
            _ => "{}".to_owned(),
        };
    };
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name));
    let indent = " ".repeat(depth + 2);
    let mut text = String::from("{\n");
    for (name, property) in properties {
        comment(&mut text, &indent, property["description"].as_str().unwrap_or_default());
        let mark = if required(name) { "" } else { "?" };
        let _written = writeln!(text, "{indent}{name}{mark}: {};", type_of(property, depth + 2));
    }
    text + &" ".repeat(depth) + "}"
}

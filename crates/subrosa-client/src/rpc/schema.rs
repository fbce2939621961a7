//! The API as documents, made from the types that carry it: OpenRPC for programs in any language, TypeScript for the page.
//!
//! What a command, a reply or an event serialises to decides; nothing is written twice. The documents are files of the
//! repository, and a test fails when they are not as they would be made now.

mod typescript;

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use subrosa_engine::api::{Command, Reply, Told};

use super::VERSION;
use super::methods::ENGINE;
use super::own::{DirectNote, OWN, Own, OwnReply, RoomTold};

/// A method with its schemas.
struct Method {
    name: &'static str,
    about: String,
    params: Option<Value>,
    result: Option<Value>,
}

/// All that the documents are made of.
struct Api {
    methods: Vec<Method>,
    /// Notifications and the schemas of their parameters.
    notifications: Vec<(&'static str, &'static str, Value)>,
    /// Named schemas.
    named: BTreeMap<String, Value>,
}

impl Api {
    fn collect() -> Self {
        let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut asking = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        let mut methods = Vec::new();
        let commands = variants::<Command>(&mut asking, "method", "params");
        let replies = variants::<Reply>(&mut generator, "reply", "value");
        methods.extend(ENGINE.iter().map(|entry| method(*entry, &commands, &replies)));
        let commands = variants::<Own>(&mut asking, "method", "params");
        let replies = variants::<OwnReply>(&mut generator, "reply", "value");
        methods.extend(OWN.iter().map(|entry| method(*entry, &commands, &replies)));
        let notifications = vec![
            ("event", "Something happened.", named::<Told>(&mut generator)),
            ("room", "Something happened in a room of this session.", named::<RoomTold>(&mut generator)),
            ("direct", "Something happened in a direct chat of this session.", named::<DirectNote>(&mut generator)),
        ];
        let mut named: BTreeMap<String, Value> = asking.take_definitions(true).into_iter().collect();
        named.extend(generator.take_definitions(true));
        // What is only a frame around the methods.
        for frame in ["Command", "Reply", "Own", "OwnReply"] {
            named.remove(frame);
        }
        Self { methods, notifications, named }
    }
}

fn named<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// The variants of an enum that serialises as a tag and a content: what each is for, and the schema of its content.
fn variants<T: JsonSchema>(
    generator: &mut SchemaGenerator,
    tag: &str,
    content: &str,
) -> BTreeMap<String, (String, Option<Value>)> {
    let whole = generator.root_schema_for::<T>().to_value();
    let of = |key: &str| whole[key].as_array().cloned().unwrap_or_default();
    of("oneOf")
        .into_iter()
        .chain(of("anyOf"))
        .filter_map(|variant| {
            let properties = &variant["properties"];
            let name = properties[tag]["const"].as_str()?.to_owned();
            let about = variant["description"].as_str().unwrap_or_default().to_owned();
            Some((name, (about, properties.get(content).cloned())))
        })
        .collect()
}

fn method(
    (name, reply): (&'static str, &str),
    commands: &BTreeMap<String, (String, Option<Value>)>,
    replies: &BTreeMap<String, (String, Option<Value>)>,
) -> Method {
    let (about, params) = commands.get(name).cloned().unwrap_or_default();
    let result = replies.get(reply).and_then(|(_, value)| value.clone());
    Method { name, about, params, result }
}

/// The OpenRPC document (version 1.3.2 of its specification).
pub fn openrpc() -> String {
    let Api { methods, notifications, named } = Api::collect();
    let methods: Vec<Value> = methods
        .into_iter()
        .map(|method| {
            json!({
                "name": method.name,
                "summary": method.about,
                "paramStructure": "by-name",
                "params": parameters(method.params.as_ref()),
                "result": {"name": "result", "schema": method.result.unwrap_or_else(|| json!({"type": "null"}))},
            })
        })
        .collect();
    let notifications: Vec<Value> = notifications
        .into_iter()
        .map(|(name, summary, params)| json!({"name": name, "summary": summary, "params": params}))
        .chain([json!({"name": "missed", "summary": "Events were left out: read again.", "params": null})])
        .collect();
    let mut document = json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Subrosa",
            "version": VERSION.to_string(),
            "description": "JSON-RPC 2.0, one object a line: on standard input and output of `subrosa rpc`, on the socket of a \
                            profile, and on the WebSocket of `subrosa web`. Ids are 26 letters and digits; times are \
                            milliseconds since 1970. Unknown fields and notifications are to be ignored.",
        },
        "methods": methods,
        "x-notifications": notifications,
        "components": {"schemas": named},
    });
    relocate(&mut document);
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// The TypeScript types.
pub fn typescript() -> String {
    let Api { methods, notifications, named } = Api::collect();
    typescript::document(&methods, &notifications, &named)
}

/// Each property of the parameters is a parameter.
fn parameters(params: Option<&Value>) -> Vec<Value> {
    let none = Map::new();
    let properties = params.and_then(|params| params["properties"].as_object()).unwrap_or(&none);
    let required: Vec<&str> = params
        .and_then(|params| params["required"].as_array())
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    properties
        .iter()
        .map(|(name, schema)| json!({"name": name, "required": required.contains(&name.as_str()), "schema": schema}))
        .collect()
}

/// Named schemas lie elsewhere in an OpenRPC document.
fn relocate(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == "$ref" => *text = text.replace("#/$defs/", "#/components/schemas/"),
                    other => relocate(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(relocate),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Compares with the file of the repository; `UPDATE_GOLDEN=1` rewrites it.
    fn is_up_to_date(path: &str, made: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, made).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == made,
            "{} is stale: run the tests with UPDATE_GOLDEN=1 and look at what changed",
            path.display()
        );
    }

    #[test]
    fn the_openrpc_document_is_up_to_date() {
        is_up_to_date("../../docs/openrpc.json", &openrpc());
    }

    #[test]
    fn the_types_of_the_page_are_up_to_date() {
        is_up_to_date("../subrosa-web/page/api.d.ts", &typescript());
    }

    #[test]
    fn every_command_is_a_method_and_every_method_has_its_schemas() {
        let mut asking = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        let mut listed: Vec<&str> = ENGINE.iter().chain(OWN).map(|(name, _)| *name).collect();
        listed.sort_unstable();
        let mut commands: Vec<String> = variants::<Command>(&mut asking, "method", "params").into_keys().collect();
        commands.extend(variants::<Own>(&mut asking, "method", "params").into_keys());
        commands.sort_unstable();
        assert_eq!(listed, commands);
        for method in Api::collect().methods {
            assert!(!method.about.is_empty(), "{} says nothing of itself", method.name);
            let done = ENGINE.iter().chain(OWN).any(|(name, reply)| *name == method.name && *reply == "done");
            assert_eq!(method.result.is_none(), done, "{}", method.name);
        }
    }
}

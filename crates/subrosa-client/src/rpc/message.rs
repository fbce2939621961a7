//! The objects of the protocol, as lines.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use subrosa_engine::api::{Command, Failure, FailureCode, Reply, Told};
use zeroize::Zeroizing;

use super::own::{OWN, Own, OwnReply};
use super::{LINE, VERSION, methods};

/// JSON-RPC's own codes.
const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

/// A request.
#[derive(Debug)]
pub enum Request {
    /// For the engine.
    Command(Box<Command>),
    /// For the session.
    Own(Own),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    id: Option<Value>,
    method: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// Reads a request.
///
/// # Errors
/// The line to answer with.
pub fn parse_request(line: &[u8]) -> Result<(Value, Request), String> {
    let refuse = |id: &Value, code: i64, message: String| error_line(id, code, &message, &Value::Null);
    let Envelope { id, method, params } = serde_json::from_slice(line)
        .map_err(|error| refuse(&Value::Null, PARSE_ERROR, format!("this is no request: {error}")))?;
    let id = id.filter(|id| id.is_number() || id.is_string());
    let (Some(id), Some(method)) = (id, method) else {
        return Err(refuse(&Value::Null, INVALID_REQUEST, "a request has an id and a method".to_owned()));
    };
    // No parameters are no parameters, however they are written.
    let none = params.is_none_or(|params| matches!(params.get(), "{}" | "[]" | "null"));
    let parsed = if none {
        let bare = json!({"method": method}).to_string().into_bytes();
        let empty = json!({"method": method, "params": {}}).to_string().into_bytes();
        parse(&method, &bare).or_else(|error| parse(&method, &empty).map_err(|_| error))
    } else {
        // Read from the line itself, not from a tree made of it: passwords pass here and only the line is wiped.
        parse(&method, line)
    };
    parsed.map(|request| (id.clone(), request)).map_err(|error| {
        let known = OWN.iter().chain(methods::ENGINE).any(|(name, _)| *name == method);
        refuse(&id, if known { INVALID_PARAMS } else { METHOD_NOT_FOUND }, error.to_string())
    })
}

fn parse(method: &str, line: &[u8]) -> Result<Request, serde_json::Error> {
    if OWN.iter().any(|(name, _)| *name == method) {
        serde_json::from_slice(line).map(Request::Own)
    } else {
        serde_json::from_slice(line).map(Request::Command)
    }
}

/// A request as the asking side writes it.
///
/// # Errors
/// [`Failure`] when the command does not fit into a line.
pub fn request_line(id: u64, command: &Command) -> Result<Zeroizing<Vec<u8>>, Failure> {
    #[derive(Serialize)]
    struct Line<'a> {
        jsonrpc: &'static str,
        id: u64,
        #[serde(flatten)]
        command: &'a Command,
    }
    let unexpected = |error: serde_json::Error| Failure::new(FailureCode::Unexpected, "protocol", error.to_string());
    // Room for the longest text: a buffer that moves leaves copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    serde_json::to_writer(&mut *line, &Line { jsonrpc: "2.0", id, command }).map_err(unexpected)?;
    if line.len() > LINE {
        return Err(Failure::usage("too_large", "this is too long to be sent at once; send less"));
    }
    line.push(b'\n');
    Ok(line)
}

/// The request for events.
pub fn subscribe_line(id: u64) -> Vec<u8> {
    format!("{}\n", json!({"jsonrpc": "2.0", "id": id, "method": "subscribe"})).into_bytes()
}

/// The first line of a connection.
pub fn welcome_line() -> String {
    notification("welcome", &json!({"v": VERSION}))
}

/// An event for a subscriber.
pub fn event_line(told: &Told) -> String {
    notification("event", told)
}

/// Events were left out.
pub fn missed_line() -> String {
    json!({"jsonrpc": "2.0", "method": "missed"}).to_string()
}

/// Something that was not asked for.
pub fn notification(method: &str, params: &impl Serialize) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()
}

/// The answer to a command.
pub fn answer_line(id: &Value, expected: &str, answer: &Result<Reply, Failure>) -> String {
    match answer {
        Ok(reply) if methods::tag(reply) == expected => result_line(id, reply),
        Ok(_) => failure_line(id, &Failure::new(FailureCode::Unexpected, "protocol", "an answer of another kind")),
        Err(failure) => failure_line(id, failure),
    }
}

/// The answer to a request to the session.
pub fn own_answer_line(id: &Value, answer: &Result<OwnReply, Failure>) -> String {
    match answer {
        Ok(reply) => result_line(id, reply),
        Err(failure) => failure_line(id, failure),
    }
}

/// Replies go without their tag: which one it is, the method says.
fn result_line(id: &Value, reply: &impl Serialize) -> String {
    let result = json!(reply).get_mut("value").map(Value::take).unwrap_or(Value::Null);
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
}

fn failure_line(id: &Value, failure: &Failure) -> String {
    let data = json!({"code": failure.code, "kind": failure.kind, "kept": failure.kept});
    error_line(id, failure.code.exit_code().into(), &failure.message, &data)
}

fn error_line(id: &Value, code: i64, message: &str, data: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}}).to_string()
}

/// What the asking side reads.
#[derive(Debug)]
pub enum Incoming {
    /// The engine's process is ready, and speaks this version.
    Welcome(u32),
    /// An event.
    Event(Box<Told>),
    /// Events were left out.
    Missed,
    /// An answer.
    Answer(u64, Result<Value, Failure>),
    /// Something that this version does not know.
    Unknown,
}

#[derive(Deserialize)]
struct Message {
    id: Option<u64>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    // `null` is a result, too.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<Refused>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Refused {
    code: i64,
    message: String,
    #[serde(default)]
    data: Value,
}

/// Reads a line of the engine's process.
pub fn parse_incoming(line: &[u8]) -> Result<Incoming, serde_json::Error> {
    let message: Message = serde_json::from_slice(line)?;
    Ok(match (message.method.as_deref(), message.id, message.result, message.error) {
        (Some("welcome"), ..) => {
            Incoming::Welcome(message.params["v"].as_u64().and_then(|v| u32::try_from(v).ok()).unwrap_or(0))
        }
        // An event that this version does not know: something happened all the same.
        (Some("event"), ..) => {
            serde_json::from_value(message.params).map_or(Incoming::Missed, |told| Incoming::Event(Box::new(told)))
        }
        (Some("missed"), ..) => Incoming::Missed,
        (None, Some(id), Some(result), None) => Incoming::Answer(id, Ok(result)),
        (None, Some(id), None, Some(error)) => Incoming::Answer(id, Err(failure_of(error))),
        _ => Incoming::Unknown,
    })
}

fn failure_of(error: Refused) -> Failure {
    let code = serde_json::from_value(error.data["code"].clone()).unwrap_or(FailureCode::Unexpected);
    let kind = error.data["kind"].as_str().map_or_else(|| format!("rpc_{}", error.code), str::to_owned);
    let kept = error.data["kept"].as_bool().unwrap_or(false);
    Failure { code, kind, message: error.message, kept }
}

/// The reply whose tag this is.
pub fn reply_of(tag: &str, result: Value) -> Result<Reply, Failure> {
    serde_json::from_value(json!({"reply": tag, "value": result})).map_err(|_| {
        let message = "the process that runs this profile is of another version; end it, then try again";
        Failure::new(FailureCode::Environment, "other_version", message)
    })
}

#[cfg(test)]
mod tests {
    use subrosa_engine::api::{RoleRow, Wait};
    use subrosa_types::Role;

    use super::*;

    fn command(line: &[u8]) -> (Value, Command) {
        match parse_request(line) {
            Ok((id, Request::Command(command))) => (id, *command),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_survives_the_socket() {
        let sent = Command::Send { to: "@bob".parse().unwrap(), text: "a\nb".into(), id: None, wait: Wait::Accepted };
        let line = request_line(7, &sent).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let (id, Command::Send { to, text, .. }) = command(&line) else { panic!() };
        assert_eq!((id, to.to_string(), text), (json!(7), "@bob".into(), "a\nb".into()));
        assert!(matches!(command(&request_line(8, &Command::WhoAmI).unwrap()), (_, Command::WhoAmI)));
    }

    #[test]
    fn what_has_no_parameters_may_say_so_in_any_way_and_what_can_be_left_out_may() {
        for params in ["", r#","params":{}"#, r#","params":[]"#, r#","params":null"#] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":"a","method":"who_am_i"{params}}}"#);
            assert!(matches!(command(line.as_bytes()), (_, Command::WhoAmI)));
            let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"subscribe"{params}}}"#);
            let parsed = parse_request(line.as_bytes());
            assert!(matches!(parsed, Ok((_, Request::Own(Own::Subscribe { cursor: None })))), "{parsed:?}");
            let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"read"{params}}}"#);
            assert!(matches!(command(line.as_bytes()), (_, Command::Read { chat: None, all: false, .. })));
        }
        let line = br##"{"id":1,"method":"send","params":{"to":"#team","text":"hi","colour":"red"},"more":1}"##;
        assert!(matches!(command(line), (_, Command::Send { id: None, wait: Wait::Accepted, .. })));
    }

    #[test]
    fn each_bad_request_is_told_apart() {
        let code = |line: &[u8]| {
            let answer: Value = serde_json::from_str(&parse_request(line).unwrap_err()).unwrap();
            answer["error"]["code"].as_i64().unwrap()
        };
        assert_eq!(code(b"no json"), PARSE_ERROR);
        assert_eq!(code(br#"{"method":"who_am_i"}"#), INVALID_REQUEST);
        assert_eq!(code(br#"{"id":[1],"method":"who_am_i"}"#), INVALID_REQUEST);
        assert_eq!(code(br#"{"id":1,"method":"fly"}"#), METHOD_NOT_FOUND);
        assert_eq!(code(br#"{"id":1,"method":"send","params":{"to":5}}"#), INVALID_PARAMS);
        assert_eq!(code(br#"{"id":1,"method":"send","params":{}}"#), INVALID_PARAMS);
        assert_eq!(code(br#"{"id":1,"method":"send","params":{"to":"@b","text":"x","wait":"no"}}"#), INVALID_PARAMS);
        assert_eq!(code(br#"{"id":1,"method":"room_say","params":{"room":"x"}}"#), INVALID_PARAMS);
        assert_eq!(code(&[b'['; 5000]), PARSE_ERROR);
    }

    #[test]
    fn a_reply_comes_back_as_it_was_whatever_its_shape() {
        let rows = vec![RoleRow { name: "somebody".to_owned(), role: Role::Beginner }];
        let replies = [Reply::Roles(rows), Reply::Done, Reply::Reloaded { messages: 1, invites: 2 }];
        for reply in replies {
            let tag = methods::tag(&reply);
            let line = answer_line(&json!(3), tag, &Ok(reply.clone()));
            let Incoming::Answer(3, Ok(result)) = parse_incoming(line.as_bytes()).unwrap() else { panic!("{line}") };
            assert_eq!(reply_of(tag, result), Ok(reply));
        }
        let line = answer_line(&json!(3), "chats", &Ok(Reply::Done));
        assert!(matches!(parse_incoming(line.as_bytes()), Ok(Incoming::Answer(3, Err(_)))), "{line}");
    }

    #[test]
    fn a_failure_keeps_its_class_and_its_word() {
        let failure = Failure::new(FailureCode::Policy, "not_a_member", "you are not a member");
        let line = answer_line(&json!(1), "done", &Err(failure.clone()));
        let Incoming::Answer(1, Err(back)) = parse_incoming(line.as_bytes()).unwrap() else { panic!() };
        assert_eq!(back, failure);
    }
}

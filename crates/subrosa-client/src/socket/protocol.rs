//! The objects of the protocol, as lines.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subrosa_engine::api::{Command, Event, Failure, FailureCode, Reply};
use zeroize::Zeroizing;

use super::{LINE, VERSION};

/// Rows go ahead in lines of about this size, so that one more row still fits into [`LINE`].
const CHUNK: usize = LINE / 2;

/// JSON-RPC's own codes.
const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

/// A request from another process.
#[derive(Debug)]
pub enum Request {
    /// A command, answered under this id.
    Call(Value, Command),
    /// Events from now on, acknowledged under this id.
    Subscribe(Value),
}

#[derive(Deserialize)]
struct Envelope {
    id: Option<Value>,
    method: Option<String>,
}

/// Reads a request.
///
/// # Errors
/// The line to answer with.
pub fn parse_request(line: &[u8]) -> Result<Request, String> {
    let refuse = |id: &Value, code: i64, message: String| error_line(id, code, &message, &Value::Null);
    let Envelope { id, method } = serde_json::from_slice(line)
        .map_err(|error| refuse(&Value::Null, PARSE_ERROR, format!("this is no request: {error}")))?;
    let id = id.filter(|id| id.is_number() || id.is_string());
    let (Some(id), Some(method)) = (id, method) else {
        return Err(refuse(&Value::Null, INVALID_REQUEST, "a request has an id and a method".to_owned()));
    };
    if method == "subscribe" {
        return Ok(Request::Subscribe(id));
    }
    // Read from the line itself, not from a tree made of it: passwords pass here and only the line is wiped.
    match serde_json::from_slice::<Command>(line) {
        Ok(command) => Ok(Request::Call(id, command)),
        Err(error) => {
            let message = error.to_string();
            let unknown = message.starts_with("unknown variant");
            Err(refuse(&id, if unknown { METHOD_NOT_FOUND } else { INVALID_PARAMS }, message))
        }
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
    json!({"jsonrpc": "2.0", "method": "welcome", "params": {"v": VERSION}}).to_string()
}

/// An event for a subscriber.
pub fn event_line(event: &Event) -> String {
    json!({"jsonrpc": "2.0", "method": "event", "params": event}).to_string()
}

/// Events were left out.
pub fn missed_line() -> String {
    json!({"jsonrpc": "2.0", "method": "missed"}).to_string()
}

/// The answer to `subscribe`.
pub fn subscribed_line(id: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "result": {"v": VERSION}}).to_string()
}

/// The lines of an answer: rows that do not fit, then the answer itself.
pub fn answer_lines(id: &Value, answer: &Result<Reply, Failure>) -> Vec<String> {
    let reply = match answer {
        Ok(reply) => reply,
        Err(failure) => {
            let data = json!({"code": failure.code, "kind": failure.kind, "kept": failure.kept});
            return vec![error_line(id, failure.code.exit_code().into(), &failure.message, &data)];
        }
    };
    let mut result = json!(reply);
    let mut lines = Vec::new();
    if let Some(Value::Array(rows)) = result.get_mut("value") {
        let mut size = 0;
        let mut ahead = Vec::new();
        for row in std::mem::take(rows) {
            let length = row.to_string().len();
            if size + length > CHUNK && !ahead.is_empty() {
                let chunk = std::mem::take(&mut ahead);
                lines
                    .push(json!({"jsonrpc": "2.0", "method": "rows", "params": {"id": id, "rows": chunk}}).to_string());
                size = 0;
            }
            size += length;
            ahead.push(row);
        }
        *rows = ahead;
    }
    lines.push(json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string());
    lines
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
    Event(Box<Event>),
    /// Events were left out.
    Missed,
    /// Rows of an answer that is still to come.
    Rows(u64, Vec<Value>),
    /// An answer, to be completed with the rows that came ahead.
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
    result: Option<Value>,
    error: Option<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    code: i64,
    message: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct Rows {
    id: u64,
    rows: Vec<Value>,
}

/// Reads a line of the engine's process.
pub fn parse_incoming(line: &[u8]) -> Result<Incoming, serde_json::Error> {
    let message: Message = serde_json::from_slice(line)?;
    Ok(match (message.method.as_deref(), message.id, message.result, message.error) {
        (Some("welcome"), ..) => {
            Incoming::Welcome(message.params["v"].as_u64().and_then(|v| u32::try_from(v).ok()).unwrap_or(0))
        }
        // An event that this version does not know: something happened all the same.
        (Some("event"), ..) => serde_json::from_value(message.params).map_or(Incoming::Missed, Incoming::Event),
        (Some("missed"), ..) => Incoming::Missed,
        (Some("rows"), ..) => {
            let Rows { id, rows } = serde_json::from_value(message.params)?;
            Incoming::Rows(id, rows)
        }
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

/// Puts an answer together.
pub fn reply_of(mut result: Value, mut ahead: Vec<Value>) -> Result<Reply, Failure> {
    if !ahead.is_empty()
        && let Some(Value::Array(rows)) = result.get_mut("value")
    {
        ahead.append(rows);
        *rows = ahead;
    }
    serde_json::from_value(result).map_err(|_| {
        let message = "the process that runs this profile is of another version; end it, then try again";
        Failure::new(FailureCode::Environment, "other_version", message)
    })
}

#[cfg(test)]
mod tests {
    use subrosa_engine::api::{RoleRow, Wait};
    use subrosa_types::Role;

    use super::*;

    #[test]
    fn a_command_survives_the_socket() {
        let command =
            Command::Send { to: "@bob".parse().unwrap(), text: "a\nb".into(), id: None, wait: Wait::Accepted };
        let line = request_line(7, &command).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let Ok(Request::Call(id, Command::Send { to, text, .. })) = parse_request(&line) else { panic!() };
        assert_eq!((id, to.to_string(), text), (json!(7), "@bob".into(), "a\nb".into()));
        let Ok(Request::Call(_, Command::WhoAmI)) = parse_request(&request_line(8, &Command::WhoAmI).unwrap()) else {
            panic!()
        };
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
        assert_eq!(code(&[b'['; 5000]), PARSE_ERROR);
    }

    #[test]
    fn a_long_list_goes_in_lines_that_fit_and_comes_together_again() {
        let rows: Vec<_> =
            (0..40_000).map(|i| RoleRow { name: format!("somebody-{i}"), role: Role::Beginner }).collect();
        let reply = Reply::Roles(rows);
        let lines = answer_lines(&json!(3), &Ok(reply.clone()));
        assert!(lines.len() > 2);
        assert!(lines.iter().all(|line| line.len() <= LINE));
        let mut ahead = Vec::new();
        for line in lines {
            match parse_incoming(line.as_bytes()).unwrap() {
                Incoming::Rows(3, mut rows) => ahead.append(&mut rows),
                Incoming::Answer(3, Ok(result)) => {
                    assert_eq!(reply_of(result, std::mem::take(&mut ahead)), Ok(reply.clone()));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_failure_keeps_its_class_and_its_word() {
        let failure = Failure::new(FailureCode::Policy, "not_a_member", "you are not a member");
        let lines = answer_lines(&json!(1), &Err(failure.clone()));
        let Incoming::Answer(1, Err(back)) = parse_incoming(lines[0].as_bytes()).unwrap() else { panic!() };
        assert_eq!(back, failure);
    }
}

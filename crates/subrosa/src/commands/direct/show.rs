//! Events of a direct chat as lines for people or objects for scripts. Everything that the other side wrote becomes safe
//! here. Without encryption every line says so, and every object in any case says whether there is any.

use std::sync::{Arc, Mutex, PoisonError};

use subrosa_client::api::Failure;
use subrosa_direct::{Direction, Encryption, Event, FileFacts, Path, ShortString};
use subrosa_types::text::for_terminal;

use crate::output::{Fields, Outcome, Output, fields, safe};
use crate::time::{local, utc};

/// In front of every line without encryption.
const LOUD: &str = "[NOT ENCRYPTED] ";
/// The other side: it has no name here.
const PEER: &str = "peer";

/// Shows.
#[derive(Debug, Clone)]
pub struct Show {
    out: Output,
    encryption: Encryption,
    /// Why nothing could be shown, with its exit code.
    unseen: Arc<Mutex<Option<Failure>>>,
}

impl Show {
    /// For a chat with this encryption.
    pub fn new(out: Output, encryption: Encryption) -> Self {
        let show = Self { out, encryption, unseen: Arc::default() };
        crate::steps::mark(show.mark());
        show
    }

    /// Where it goes.
    pub const fn out(&self) -> Output {
        self.out
    }

    /// What stands in front of every line.
    pub const fn mark(&self) -> &'static str {
        if matches!(self.encryption, Encryption::Pseudo) { LOUD } else { "" }
    }

    /// Keeps why nothing could be shown.
    pub fn keep(&self, failure: Failure) {
        *self.unseen.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// Why nothing could be shown.
    pub fn unseen(&self) -> Option<Failure> {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Something that is no data, on standard error.
    pub fn note(&self, note: impl AsRef<str>) {
        self.out.note(format!("{}* {}", self.mark(), note.as_ref()));
    }

    /// The ticket, alone in its line behind one word: easy to copy.
    pub fn ticket(&self, ticket: &str) -> Outcome {
        self.event(&format!("ticket: {ticket}"), || fields!({"event": "ticket", "ticket": ticket}))
    }

    /// A line of data, or an object.
    pub fn event(&self, lines: &str, object: impl FnOnce() -> Fields) -> Outcome {
        for line in lines.lines() {
            self.out.line(format!("{}{line}", self.mark()))?;
        }
        self.object(object)
    }

    fn object(&self, object: impl FnOnce() -> Fields) -> Outcome {
        if !self.out.is_json() {
            return Ok(());
        }
        let Fields(mut fields) = object();
        fields.push(("encrypted", (self.encryption != Encryption::Pseudo).into()));
        self.out.object(&Fields(fields))
    }

    /// A note for people, or an object.
    fn told(&self, note: impl AsRef<str>, object: impl FnOnce() -> Fields) -> Outcome {
        self.note(note);
        self.object(object)
    }

    /// Something that was wanted is not done.
    pub fn error(&self, code: &str, message: &str) -> Outcome {
        self.out.note(format!("{}! {}", self.mark(), safe(message)));
        self.object(|| fields!({"event": "error", "code": code, "message": message}))
    }

    /// The end, for who reads objects; people read it on standard error from whoever prints failures.
    pub fn failed(&self, failure: &Failure) -> Outcome {
        self.object(|| fields!({"event": "error", "code": failure.kind, "message": failure.message}))
    }

    /// Whatever happened.
    pub fn happened(&self, event: &Event) -> Outcome {
        match event {
            Event::Connected { encryption, vouched, string, path, again } => {
                self.connected(*encryption, *vouched, string, *path, *again)
            }
            Event::PathChanged(path) => {
                self.told(format!("messages go {} now", way(*path)), || fields!({"event": "path", "via": via(*path)}))
            }
            Event::Broken { cause, waiting } => {
                let kept =
                    if *waiting == 0 { String::new() } else { format!("; {waiting} not delivered yet and kept") };
                self.told(format!("the link broke: {}{kept}", safe(&cause.to_string())), || {
                    fields!({"event": "broken", "code": cause.code(), "message": cause.to_string(), "waiting": waiting})
                })
            }
            Event::Retrying { cause, after_ms } => self.told(
                format!("{}; trying again in {:.1} s", safe(cause), *after_ms as f64 / 1000.0),
                || fields!({"event": "retrying", "message": cause, "after_ms": after_ms}),
            ),
            Event::TurnedAway(error) => self.told(
                format!("somebody was turned away: {}", safe(&error.to_string())),
                || fields!({"event": "turned_away", "code": error.code(), "message": error.to_string()}),
            ),
            Event::Message { number, text, sent_at, path } => {
                let shown = for_terminal(text).replace('\n', &format!("\n{}    ", self.mark()));
                self.out.line(format!("{}{} {PEER}: {shown}", self.mark(), local(*sent_at)))?;
                self.object(|| {
                    fields!({"event": "message", "from": PEER, "text": text, "sent_at": utc(*sent_at), "via": via(*path),
                             "number": number})
                })
            }
            Event::Delivered { number } => self.object(|| fields!({"event": "delivered", "number": number})),
            Event::NotDone { code, message } => self.error(code, message),
            Event::FileOffered(file) => self.offered(file),
            Event::FileProgress { file, done } => {
                self.object(|| with_file("file_progress", file, vec![("done", (*done).into())]))
            }
            Event::FileEnded { file, outcome, path } => {
                let place = path.as_ref().map(|path| path.display().to_string());
                let told = place.as_ref().map(|place| format!(": it is {}", safe(place))).unwrap_or_default();
                self.told(format!("file {} {}: {}{told}", file.number, safe(&file.name), outcome.code()), || {
                    let more = vec![("outcome", outcome.code().into()), ("path", place.clone().into())];
                    with_file("file_ended", file, more)
                })
            }
            Event::Verify { string: None, .. } => self.error("nobody_there", "nobody is there yet"),
            Event::Verify { string: Some(string), vouched } => self.verify(string, *vouched),
            Event::Left => self.told("the other side left", || fields!({"event": "left", "name": PEER})),
        }
    }

    fn connected(
        &self,
        encryption: Encryption,
        vouched: bool,
        string: &ShortString,
        path: Path,
        again: bool,
    ) -> Outcome {
        let again_word = if again { "connected again" } else { "connected" };
        let mut note = format!("{again_word}, {}, encryption: {encryption}", way(path));
        if !self.mark().is_empty() {
            note.push_str(" (NONE: everybody on the way reads and changes what is said)");
        }
        self.note(note);
        if !vouched && !again {
            self.note("NOBODY VOUCHES FOR THE OTHER SIDE: it has no ticket, or you have none. Compare, by voice:");
            self.note(format!("    {}   ({})", string.words(), string.digits()));
            self.note("if the other side sees something else, somebody stands in between: leave");
        }
        self.object(|| {
            fields!({"event": "joined", "name": PEER, "encryption": encryption.as_str(), "vouched": vouched,
                     "words": string.words(), "digits": string.digits(), "via": via(path), "again": again})
        })
    }

    fn verify(&self, string: &ShortString, vouched: bool) -> Outcome {
        let by_ticket = if vouched { " (a ticket vouches for the other side already)" } else { "" };
        let lines = format!("{}\n{}", string.words(), string.digits());
        self.note(format!("both sides must see the same{by_ticket}:"));
        self.event(
            &lines,
            || fields!({"event": "verify", "words": string.words(), "digits": string.digits(), "vouched": vouched}),
        )
    }

    fn offered(&self, file: &FileFacts) -> Outcome {
        let FileFacts { number, direction, name, size } = file;
        let note = match direction {
            Direction::Sending => format!("file {number} is offered: {} ({size} bytes)", safe(name)),
            Direction::Receiving => {
                format!("file {number} for you: {} ({size} bytes); /accept {number} or /decline {number}", safe(name))
            }
        };
        self.told(note, || with_file("file_offered", file, Vec::new()))
    }
}

fn with_file(event: &str, file: &FileFacts, more: Vec<(&'static str, serde_json::Value)>) -> Fields {
    let direction = match file.direction {
        Direction::Sending => "sending",
        Direction::Receiving => "receiving",
    };
    let Fields(mut fields) =
        fields!({"event": event, "number": file.number, "direction": direction, "name": file.name, "size": file.size});
    fields.extend(more);
    Fields(fields)
}

const fn via(path: Path) -> &'static str {
    match path {
        Path::Direct => "direct",
        Path::Relayed => "relay",
    }
}

const fn way(path: Path) -> &'static str {
    match path {
        Path::Direct => "directly",
        Path::Relayed => "through the relay",
    }
}

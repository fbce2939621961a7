//! The loop of a room's console: what is typed, what is said, who comes and goes.

use std::collections::BTreeSet;

use subrosa_client::api::{Failure, FailureCode};
use subrosa_client::room::{Guest, Notice, Room, RoomEvent, RoomNotices};

use subrosa_types::Timestamp;
use subrosa_types::text::for_terminal;
use tokio::sync::mpsc;

use super::words::{HELP, Input, understand};
use crate::commands::send::check_text;
use crate::keyboard::Typed;
use crate::output::{Outcome, Output, fields, safe};
use crate::signals::Signals;
use crate::terminal::Editor;
use crate::time::{local, utc};

/// Names that are shown at the entry; the rest is counted.
const NAMES_SHOWN: usize = 20;

/// Where the room is, for people.
#[derive(Debug)]
pub struct Place {
    /// The room's name.
    pub room: String,
    /// Host of the server.
    pub host: String,
    /// Port of the server.
    pub port: u16,
}

/// A console in a room.
pub struct Console {
    out: Output,
    place: Place,
    room: Room,
    editor: Option<Editor>,
    /// Us, as the server let us in.
    me: String,
    /// We were inside once.
    was_inside: bool,
    /// Texts whose fate is not known.
    open: BTreeSet<u64>,
    /// The worst that happened to a text, for the exit code of a pipe.
    refused: Option<Failure>,
}

impl Console {
    /// A console in a room that is being entered.
    pub const fn new(out: Output, place: Place, room: Room, editor: Option<Editor>) -> Self {
        Self { out, place, room, editor, me: String::new(), was_inside: false, open: BTreeSet::new(), refused: None }
    }

    /// Runs until the person leaves, the input ends and everything typed was said, or the room is lost for good.
    pub async fn run(
        mut self,
        mut notices: RoomNotices,
        mut typed: mpsc::Receiver<Typed>,
        signals: &mut Signals,
    ) -> Outcome {
        let mut input = true;
        loop {
            // What a pipe says is for the room; a person may leave before.
            let listening = input && (self.was_inside || self.editor.is_some());
            if !input && self.open.is_empty() {
                self.leave(&mut notices).await;
                return self.refused.map_or(Ok(()), Err);
            }
            tokio::select! {
                () = signals.next() => {
                    self.leave(&mut notices).await;
                    return Ok(());
                }
                notice = notices.next() => match notice {
                    Some(Notice::Ended(Some(failure))) => {
                        self.object_of(&failure)?;
                        return Err(failure);
                    }
                    Some(Notice::Lost { reason, .. }) if !input => {
                        let message = format!("not everything that was typed was said: {reason}");
                        return Err(Failure::new(FailureCode::Environment, "connection_lost", message));
                    }
                    Some(notice) => self.show(notice)?,
                    None => return Ok(()),
                },
                line = typed.recv(), if listening => match line {
                    Some(Typed::Line(line)) => {
                        // What was typed before is said first.
                        input = self.take(&line).await?;
                    }
                    Some(Typed::Unusable(why)) => self.refuse(Failure::usage("unusable", why))?,
                    None => input = false,
                },
            }
        }
    }

    /// Says goodbye and waits for the end.
    async fn leave(&mut self, notices: &mut RoomNotices) {
        self.room.leave().await;
        while notices.next().await.is_some() {}
    }

    /// `false`: the person leaves.
    async fn take(&mut self, line: &str) -> Outcome<bool> {
        match understand(line) {
            Input::Nothing => {}
            Input::Leave => return Ok(false),
            Input::Help => {
                self.out.line(HELP)?;
                self.out.object(&fields!({"event": "help", "text": HELP}))?;
            }
            Input::Wrong => {
                self.refuse(Failure::usage(
                    "unknown_command",
                    "there is no such command; /help lists them, // begins a message with /",
                ))?;
            }
            Input::Message(text) => match check_text(&text) {
                Err(failure) => self.refuse(failure)?,
                // When it is over, the notices say so.
                Ok(()) => {
                    if let Ok(number) = self.room.say(text).await {
                        self.open.insert(number);
                    }
                }
            },
            Input::Names => match self.room.names().await {
                Some(guests) => {
                    let names = sorted(&guests);
                    self.out.line(format!("{} in the room: {}", names.len(), safe(&names.join(", "))))?;
                    self.out.object(&fields!({"event": "names", "names": names}))?;
                }
                None => self.not_inside(),
            },
            Input::Verify => match self.room.verify().await {
                Some(shown) => {
                    self.out.line(format!(
                        "{}\n    Read these words to the others, by a way that is not this server. Who sees the same words is in \
                         the same room with you,\n    and nobody is in between. They change when somebody comes or goes (now: {} \
                         people, state {}).",
                        shown.words, shown.guests, shown.epoch
                    ))?;
                    self.out.object(&fields!({
                        "event": "verify", "words": shown.words, "epoch": shown.epoch, "guests": shown.guests,
                    }))?;
                }
                None => self.not_inside(),
            },
        }
        Ok(true)
    }

    fn not_inside(&self) {
        self.out.note("* not in the room at the moment");
    }

    fn show(&mut self, notice: Notice) -> Outcome {
        match notice {
            Notice::Event(event) => self.show_event(event),
            Notice::Lost { reason, again_in } => {
                let reason = safe(&reason);
                self.out.note(format!(
                    "* the connection is lost ({reason}); entering again in {:.1} s",
                    again_in.as_secs_f32()
                ));
                self.out.object(&fields!({
                    "event": "offline", "reason": reason, "again_in_ms": again_in.as_millis() as u64,
                }))
            }
            Notice::Uncertain { number } => {
                self.open.remove(&number);
                let message =
                    "it is not known whether your last message was said; look, and say it again if it was not";
                self.refuse(Failure::new(FailureCode::Environment, "uncertain", message))
            }
            // Handled by the loop, or our own leaving.
            Notice::Ended(_) => Ok(()),
        }
    }

    fn show_event(&mut self, event: RoomEvent) -> Outcome {
        match event {
            RoomEvent::Admitted { me, .. } => {
                self.me = me.to_string();
                Ok(())
            }
            RoomEvent::Inside { others, .. } => {
                self.was_inside = true;
                self.entered(&others)
            }
            RoomEvent::Joined { guest, at, .. } => self.came_or_went("joined", &guest, at),
            RoomEvent::Left { guest, at, .. } => self.came_or_went("left", &guest, at),
            RoomEvent::Message { from, text, at, .. } => {
                let name = from.to_string();
                // Further lines are indented, so that none can pass for another message.
                let shown = for_terminal(&text).replace('\n', "\n    ");
                self.out.line(format!("{} {}: {shown}", local(at), safe(&name)))?;
                self.out.object(&fields!({
                    "event": "message", "from": name, "text": text, "sent_at": utc(at), "via": "server",
                }))
            }
            RoomEvent::Sent { number, at, .. } => {
                self.open.remove(&number);
                self.out.object(&fields!({"event": "sent", "number": number, "sent_at": utc(at)}))
            }
            RoomEvent::Refused { number, failure } => {
                self.open.remove(&number);
                self.refuse(failure)
            }
            RoomEvent::Dropped { total } => {
                self.out.note(match total {
                    1 => "! a damaged or forged message was dropped".to_owned(),
                    _ => format!("! {total} damaged, forged or missing messages were dropped so far"),
                });
                self.out.object(&fields!({"event": "dropped", "total": total}))
            }
        }
    }

    fn entered(&self, others: &[Guest]) -> Outcome {
        let names = sorted(others);
        let shown = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let with = match names.len() {
            0 => "nobody else is there".to_owned(),
            count if count > NAMES_SHOWN => format!("with {shown} and {} more", count - NAMES_SHOWN),
            _ => format!("with {shown}"),
        };
        let Place { room, host, port } = &self.place;
        self.out.note(format!(
            "* you are {} in the room {} at {}:{port}, {}; end-to-end encrypted. /help lists commands, EXIT leaves",
            safe(&self.me),
            safe(room),
            safe(host),
            safe(&with),
        ));
        if let Some(editor) = &self.editor {
            editor.prompt(format!("{}> ", safe(room)));
        }
        self.out.object(&fields!({"event": "entered", "room": room, "name": self.me, "others": names}))
    }

    fn came_or_went(&self, event: &str, guest: &Guest, at: Timestamp) -> Outcome {
        let name = guest.to_string();
        self.out.line(format!("{} * {} {event}", local(at), safe(&name)))?;
        self.out.object(&fields!({"event": event, "name": name, "at": utc(at)}))
    }

    /// Something that was typed was not said.
    fn refuse(&mut self, failure: Failure) -> Outcome {
        self.out.note(format!("! {}", safe(&failure.message)));
        self.object_of(&failure)?;
        self.refused = Some(failure);
        Ok(())
    }

    fn object_of(&self, failure: &Failure) -> Outcome {
        self.out.object(&fields!({"event": "error", "code": failure.kind, "message": failure.message}))
    }
}

fn sorted(guests: &[Guest]) -> Vec<String> {
    let mut names: Vec<String> = guests.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

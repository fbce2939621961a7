//! The task behind a [`super::Room`]: makes links, runs sessions over them, and begins again when one is lost.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use rand_core::{OsRng, RngCore};
use subrosa_engine::api::{Command, Failure, FailureCode, Reply};
use subrosa_engine::room::{Entry, RoomEvent, RoomOutput, RoomSession, Who};
use subrosa_net::{Connection, LinkEnd};
use subrosa_types::{Timestamp, Username};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::{Notice, Question, RoomName, RoomOptions};
use crate::drive::now;
use crate::failure::connect_failure;

/// First and longest pause between two tries, in milliseconds; a random part is added, so that not all come back at once.
const BACK_OFF_MS: (u64, u64) = (250, 20_000);
/// Who was inside for so long has a room that works.
const STEADY: Duration = Duration::from_secs(10);
/// How long a session without a deadline of its own may be left alone.
const LONG: Duration = Duration::from_secs(3600);

pub(super) struct Inputs {
    pub(super) typed: mpsc::Receiver<(u64, String)>,
    pub(super) asked: mpsc::Receiver<Question>,
}

/// How a session ended.
enum End {
    /// We left.
    Left,
    /// It failed.
    Failed { failure: Failure, again: bool },
}

struct Driver {
    options: RoomOptions,
    inputs: Inputs,
    tell: mpsc::Sender<Notice>,
    /// The name we had last, if a random one would do.
    name: Option<Username>,
    /// Said next time.
    unsaid: VecDeque<(u64, String)>,
    /// Whether we ever were inside: from then on a loss is not the end.
    was_inside: bool,
    /// Since when this session is inside.
    inside_since: Option<Instant>,
    tries: u32,
}

/// Runs until we leave, the notices have no reader, or there is no point in trying again.
pub(super) async fn run(options: RoomOptions, inputs: Inputs, tell: mpsc::Sender<Notice>) {
    let mut driver = Driver {
        options,
        inputs,
        tell,
        name: None,
        unsaid: VecDeque::new(),
        was_inside: false,
        inside_since: None,
        tries: 0,
    };
    let failure = loop {
        match driver.session().await {
            End::Left => break None,
            End::Failed { failure, again } if !(again && driver.was_inside) => break Some(failure),
            End::Failed { failure, .. } => {
                if driver.pause(failure.message).await.is_break() {
                    break None;
                }
            }
        }
    };
    // Who watches no more needs no end.
    let _gone = driver.tell.send(Notice::Ended(failure)).await;
}

impl Driver {
    /// One link and one session, to their end.
    async fn session(&mut self) -> End {
        let who = match self.who().await {
            Ok(who) => who,
            Err(failure) => {
                let again = failure.code == FailureCode::Environment;
                return End::Failed { failure, again };
            }
        };
        let entry = Entry { server: self.options.server.fingerprint, room: self.options.room.clone(), who };
        let session = RoomSession::new(entry, Box::new(OsRng));
        let mut session = match session {
            Ok(session) => session,
            Err(failure) => return End::Failed { failure, again: false },
        };
        let connected = tokio::select! {
            connected = subrosa_net::connect(&self.options.server) => connected,
            () = left(&mut self.inputs.asked) => return End::Left,
        };
        let connection = match connected {
            Ok(connection) => connection,
            Err(error) => {
                return End::Failed { failure: connect_failure(&error), again: !error.is_wrong_key() };
            }
        };
        let end = self.converse(&mut session, connection).await;
        let (uncertain, mut line) = session.unsaid();
        if uncertain && let Some((number, _)) = line.pop_front() {
            self.notice(Notice::Uncertain { number }).await;
        }
        self.unsaid = line;
        end
    }

    async fn converse(&mut self, session: &mut RoomSession, connection: Connection) -> End {
        let Connection { sender, mut receiver, tls_exporter } = connection;
        session.link_up(tls_exporter, now());
        for (number, text) in std::mem::take(&mut self.unsaid) {
            session.send(number, text, now());
        }
        loop {
            while let Some(output) = session.poll() {
                match output {
                    RoomOutput::Transmit(frame) => {
                        if sender.send(frame).await.is_err() {
                            // The receiver says why.
                            break;
                        }
                    }
                    RoomOutput::Event(event) => {
                        self.note(&event);
                        if !self.notice(Notice::Event(event)).await {
                            return End::Left;
                        }
                    }
                    RoomOutput::End { failure, again } => {
                        // A name that is still held by our own lost connection is free again soon.
                        let again = again || (self.was_inside && failure.kind == "username_taken");
                        return End::Failed { failure, again };
                    }
                }
            }
            let wake = session.next_timeout().map_or(LONG, until);
            tokio::select! {
                frame = receiver.next() => match frame {
                    Ok(frame) => session.frame(frame, now()),
                    Err(end) => return lost(&end),
                },
                text = self.inputs.typed.recv(), if session.has_room() => match text {
                    Some((number, text)) => session.send(number, text, now()),
                    None => return End::Left,
                },
                question = self.inputs.asked.recv() => match question {
                    Some(question) => if answer(question, Some(session)).is_break() { return End::Left },
                    None => return End::Left,
                },
                () = sleep_until(Instant::now() + wake) => session.timeout(now()),
            }
        }
    }

    /// What an event means for the next session.
    fn note(&mut self, event: &RoomEvent) {
        match event {
            RoomEvent::Admitted { me, .. } => self.name = Some(me.name.clone()),
            RoomEvent::Inside { .. } => {
                self.was_inside = true;
                self.inside_since = Some(Instant::now());
            }
            _ => {}
        }
    }

    async fn who(&self) -> Result<Who, Failure> {
        match &self.options.name {
            RoomName::Own(name) => Ok(Who::Named(name.clone())),
            RoomName::Random => Ok(Who::Any(self.name.clone())),
            RoomName::Account(client) => {
                info!("asking the server for a pass under the name of this account");
                match client.call(Command::RoomPass).await? {
                    Reply::RoomPass(pass) => from_hex(&pass.0)
                        .map(Who::Account)
                        .ok_or_else(|| Failure::new(FailureCode::Unexpected, "room_pass", "the pass is damaged")),
                    _ => Err(Failure::new(FailureCode::Unexpected, "room_pass", "the engine gave no pass")),
                }
            }
        }
    }

    /// Waits before the next try; breaks if we leave meanwhile.
    async fn pause(&mut self, reason: String) -> ControlFlow<()> {
        // A room that is lost again and again is left alone for longer and longer.
        if self.inside_since.take().is_some_and(|since| since.elapsed() >= STEADY) {
            self.tries = 0;
        }
        let (first, longest) = BACK_OFF_MS;
        let wait = first.saturating_mul(1 << self.tries.min(10)).min(longest);
        self.tries = self.tries.saturating_add(1);
        let again_in = Duration::from_millis(wait + OsRng.next_u64() % (wait / 2));
        if !self.notice(Notice::Lost { reason, again_in }).await {
            return ControlFlow::Break(());
        }
        tokio::select! {
            () = sleep_until(Instant::now() + again_in) => ControlFlow::Continue(()),
            () = left(&mut self.inputs.asked) => ControlFlow::Break(()),
        }
    }

    /// `false`: nobody watches any more.
    async fn notice(&self, notice: Notice) -> bool {
        self.tell.send(notice).await.is_ok()
    }
}

/// Answers questions while there is no session; returns when we leave.
async fn left(asked: &mut mpsc::Receiver<Question>) {
    while let Some(question) = asked.recv().await {
        if answer(question, None).is_break() {
            return;
        }
    }
}

fn answer(question: Question, session: Option<&RoomSession>) -> ControlFlow<()> {
    // Who asked may have stopped waiting.
    match question {
        Question::Names(to) => {
            let _stopped = to.send(session.and_then(RoomSession::guests));
        }
        Question::Verify(to) => {
            let _stopped = to.send(session.and_then(RoomSession::verification));
        }
        Question::Leave => return ControlFlow::Break(()),
    }
    ControlFlow::Continue(())
}

fn lost(end: &LinkEnd) -> End {
    let failure = Failure::new(FailureCode::Environment, "connection_lost", end.to_string());
    End::Failed { failure, again: true }
}

fn until(at: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.millis_since(now())).unwrap_or(0))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()
}

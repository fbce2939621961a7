//! The writer thread: the only one that writes to the store.
//!
//! It takes what waits, executes it in one transaction, commits (one sync for all), and only then hands answers and pushes
//! to the connections. While it waits for the disk, the next batch gathers: that is group commit without a timer.
//!
//! A failed commit is never retried: after a failed sync nobody knows what is on disk. The clients are told that the server
//! goes down, and the service stops. A full disk is different; the core refuses what writes and goes on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost::Message;
use rand_core::OsRng;
use subrosa_types::{Timestamp, limits};
use subrosa_wire::encode;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::client_frame::Request as Body;
use subrosa_wire::proto::{GoingAway, ServerFrame, server_frame};
use tokio::sync::broadcast;

use crate::core::{Core, Emission, Event, Job, Released, Request, SessionId};
use crate::intake::{Intake, Task};
use crate::outbox::{Outbox, websocket_frame};
use crate::store::StoreError;

/// Requests in one transaction.
const BATCH: usize = 1024;
/// Bytes of requests in one transaction.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Between two looks for entries that are too old.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);
/// The same when the last look did not get to the end: a little at a time, so that nobody waits.
const PRUNE_ON: Duration = Duration::from_millis(200);

/// Time as everybody has it.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What the thread owns.
pub(crate) struct Writer {
    core: Core,
    intake: Arc<Intake>,
    outboxes: HashMap<SessionId, Arc<Outbox>>,
    events: broadcast::Sender<Event>,
}

impl Writer {
    pub(crate) fn new(core: Core, intake: Arc<Intake>, events: broadcast::Sender<Event>) -> Self {
        Self { core, intake, outboxes: HashMap::new(), events }
    }

    /// Runs until it is told to stop, or the store fails.
    pub(crate) fn run(mut self) -> Result<(), StoreError> {
        let outcome = self.work();
        let reason = match &outcome {
            Ok(reason) => reason.as_str(),
            Err(error) => {
                tracing::error!(%error, "the store failed; the service stops");
                "the server's storage failed"
            }
        };
        let frame = going_away(ErrorCode::GoingDown, reason);
        self.intake.close();
        for outbox in self.outboxes.values() {
            outbox.end(frame.clone());
        }
        outcome?;
        self.core.checkpoint()
    }

    /// Returns the reason for people when it is told to stop.
    fn work(&mut self) -> Result<String, StoreError> {
        let mut prune_at = Instant::now();
        let mut tasks = Vec::new();
        let mut gone = Vec::new();
        loop {
            if Instant::now() >= prune_at {
                prune_at = Instant::now() + self.prune()?;
            }
            tasks = self.intake.take(tasks, prune_at);
            let mut stop = None;
            let mut batch = Vec::new();
            let mut bytes = 0;
            for task in tasks.drain(..) {
                match task {
                    Task::Connect(session, peer, outbox) => {
                        self.outboxes.insert(session, outbox);
                        self.core.connect(session, peer);
                    }
                    Task::Job(job) => {
                        bytes += weight(&job);
                        batch.push(job);
                        if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                            bytes = 0;
                            self.execute(std::mem::take(&mut batch))?;
                        }
                    }
                    Task::Disconnect(session) => gone.push(session),
                    Task::Stop(reason) => stop = Some(reason),
                }
            }
            if !batch.is_empty() {
                self.execute(batch)?;
            }
            for session in gone.drain(..) {
                self.outboxes.remove(&session);
                if let Some(event) = self.core.disconnect(session) {
                    self.tell(event);
                }
            }
            if let Some(reason) = stop {
                return Ok(reason);
            }
        }
    }

    fn execute(&mut self, batch: Vec<Job>) -> Result<(), StoreError> {
        let released = self.core.execute(batch, now(), &mut OsRng).commit()?;
        self.hand_out(released);
        Ok(())
    }

    fn hand_out(&self, released: Released) {
        for emission in released.emissions {
            match emission {
                Emission::Answer { session, frame, requests, id } => {
                    if let Some(outbox) = self.outboxes.get(&session) {
                        outbox.answer(websocket_frame(&frame), requests, id);
                    }
                }
                Emission::Push { sessions, frame } => {
                    let frame = websocket_frame(&frame);
                    for outbox in sessions.iter().filter_map(|session| self.outboxes.get(session)) {
                        // Who is left out is told where everything stands once it has caught up.
                        outbox.news(frame.clone(), limits::CONNECTION_QUEUE);
                    }
                }
                Emission::LoggedIn { session, device } => {
                    if let Some(outbox) = self.outboxes.get(&session) {
                        outbox.logged_in(device);
                    }
                }
                Emission::End { session, frame } => {
                    if let Some(outbox) = self.outboxes.get(&session) {
                        outbox.end(websocket_frame(&frame));
                    }
                }
            }
        }
        released.events.into_iter().for_each(|event| self.tell(event));
    }

    fn tell(&self, event: Event) {
        // Nobody has to listen.
        let _listeners = self.events.send(event);
    }

    /// Returns how long to wait until the next time.
    fn prune(&mut self) -> Result<Duration, StoreError> {
        match self.core.prune(now()) {
            Ok(true) => Ok(PRUNE_ON),
            Ok(false) => Ok(PRUNE_EVERY),
            Err(error) if error.is_passing() => Ok(PRUNE_EVERY),
            Err(error) => Err(error),
        }
    }
}

/// Bytes of a request, about: those of what may be large.
fn weight(job: &Job) -> usize {
    match &job.request {
        Request::Frame(frame) => match &frame.request {
            Some(Body::Append(append)) => append.message.len(),
            Some(Body::Commit(_) | Body::FoundConversation(_)) => frame.encoded_len(),
            _ => 0,
        },
        Request::Resync => 0,
    }
}

/// A `GoingAway` as a WebSocket frame.
pub(crate) fn going_away(code: ErrorCode, reason: &str) -> Bytes {
    let going_away = GoingAway { code: code.into(), reason: reason.into() };
    websocket_frame(&encode(&ServerFrame { body: Some(server_frame::Body::GoingAway(going_away)) }))
}

//! Requests of a guest that wait for their answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use subrosa_types::Timestamp;
use subrosa_wire::proto::{ClientFrame, client_frame};

/// Milliseconds without an answer after which the connection counts as dead.
const ANSWER_MS: i64 = 30_000;

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Hello,
    Enter,
    /// Found or join.
    GetIn,
    /// Removals.
    Commit,
    /// The text at the head of the line.
    Say,
}

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u64,
    open: BTreeMap<u64, (What, Timestamp)>,
}

impl Requests {
    /// The frame of a new request.
    pub(super) fn frame(&mut self, request: client_frame::Request, what: What, now: Timestamp) -> Bytes {
        self.last += 1;
        self.open.insert(self.last, (what, now));
        subrosa_wire::encode(&ClientFrame { id: self.last, request: Some(request) })
    }

    /// What is answered; `None`: nothing that is waited for.
    pub(super) fn answered(&mut self, id: u64) -> Option<What> {
        self.open.remove(&id).map(|(what, _)| what)
    }

    /// Whether such a request is under way.
    pub(super) fn has(&self, what: What) -> bool {
        self.open.values().any(|(open, _)| *open == what)
    }

    /// When the oldest has waited too long.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|(_, at)| at.plus_millis(ANSWER_MS)).min()
    }
}

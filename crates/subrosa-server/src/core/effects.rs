//! What a batch of requests leads to, kept until the batch is on disk.

use bytes::Bytes;
use subrosa_types::{AccountId, ConversationId, IdempotencyKey, Sequence, Timestamp};
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Accepted, Error, GoingAway, ServerFrame, answer, server_frame};
use subrosa_wire::{Refusal, proto};

use super::conversation::Members;
use super::session::SessionId;
use crate::store::DeviceNo;

/// Something for the server's console: that it happened, never what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A device came online.
    Joined(AccountId),
    /// A device went offline.
    Left(AccountId),
    /// A guest came into a room, and so many are in it now.
    GuestJoined {
        /// Which, as long as it lives.
        room: ConversationId,
        /// Guests in it.
        inside: usize,
    },
    /// A guest left a room, and so many are in it still.
    GuestLeft {
        /// Which, as long as it lives.
        room: ConversationId,
        /// Guests in it.
        inside: usize,
    },
    /// Messages were exchanged in some conversation or room.
    MessagesExchanged(usize),
}

/// One entry that was appended to a log.
pub(crate) struct Appended {
    pub(crate) conversation: ConversationId,
    pub(crate) sequence: Sequence,
    pub(crate) at: Timestamp,
    pub(crate) key: IdempotencyKey,
    pub(crate) message: Bytes,
    /// Whose it is; this device has it already.
    pub(crate) sender: Option<DeviceNo>,
    pub(crate) recipients: Members,
}

/// One consequence, in the order in which they happened.
pub(crate) enum Effect {
    Answer(SessionId, Box<ServerFrame>),
    Accepted(SessionId, Accepted),
    Appended(Appended),
    Push(DeviceNo, Box<ServerFrame>),
    Broadcast(Box<ServerFrame>),
    End(SessionId, Box<GoingAway>),
    LoggedIn(SessionId, DeviceNo, AccountId),
}

/// The consequences of a batch.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) all: Vec<Effect>,
}

impl Effects {
    pub(crate) fn answer(&mut self, session: SessionId, id: u64, body: answer::Body) {
        let answer = proto::Answer { id, body: Some(body) };
        let frame = ServerFrame { body: Some(server_frame::Body::Answer(answer)) };
        self.all.push(Effect::Answer(session, Box::new(frame)));
    }

    pub(crate) fn refuse(&mut self, session: SessionId, id: u64, refusal: Refusal) {
        self.answer(session, id, answer::Body::Error(Error::from(refusal)));
    }

    pub(crate) fn push(&mut self, device: DeviceNo, body: server_frame::Body) {
        self.all.push(Effect::Push(device, Box::new(ServerFrame { body: Some(body) })));
    }

    pub(crate) fn broadcast(&mut self, body: server_frame::Body) {
        self.all.push(Effect::Broadcast(Box::new(ServerFrame { body: Some(body) })));
    }

    pub(crate) fn end(&mut self, session: SessionId, code: ErrorCode, reason: &str) {
        let going_away = GoingAway { code: code.into(), reason: reason.into() };
        self.all.push(Effect::End(session, Box::new(going_away)));
    }
}

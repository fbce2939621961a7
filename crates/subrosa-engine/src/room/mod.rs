//! A guest's session in a room: from the first frame of a connection to its end. No socket, no clock, no disk.
//!
//! ```text
//!             link_up          HelloAnswer        RoomEntered                RoomTurn            RoomOrdered
//!   (new) ──────────▶ Greeting ───────────▶ Asking ──────────▶ Waiting ───────────────▶ Entering ───────────▶ Inside
//!                                                                 ▲      (turn lost)        │
//!                                                                 └─────────────────────────┘
//! ```
//!
//! The protocol is in `rooms.proto`. One [`RoomSession`] is one connection and one life in the group: its signature key,
//! its leaf and the group's secrets are made for it, are in memory only (an SQLite database without a file), and go with it.
//! Who comes back comes as somebody new.
//!
//! What a guest believes, and from whom:
//! - the server's word only for who may have which name, and for the order of things;
//! - the group's keys for everything else: who is in, who left, who said what. Each commit is checked (`check`) before it
//!   is merged, and a session that sees one that is not allowed ends at once.
//! - What does not decrypt is dropped and counted; what is missing in the order is counted as well.

mod check;
mod inside;
pub mod names;
mod requests;
mod session;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use subrosa_crypto::room::Guest;
use subrosa_types::{Timestamp, Username};
use subrosa_wire::Fingerprint;

use crate::api::Failure;

pub use session::RoomSession;

/// Which room to enter, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The server's identity.
    pub server: Fingerprint,
    /// The room.
    pub room: Username,
    /// The name.
    pub who: Who,
}

/// The name under which to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// This one or none.
    Named(Username),
    /// This one if it is free, else a random one.
    Any(Option<Username>),
    /// That of the account that got this pass from the server.
    Account(Vec<u8>),
}

/// What happens in a room. `sequence` is the place in the order that all guests share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// The server let us in under this name; the keys are agreed on next.
    Admitted {
        /// Us.
        me: Guest,
        /// Who are in the room already, as the server says.
        inside: u32,
    },
    /// We are in, and share a key with these (without us).
    Inside {
        /// Everybody else, in no particular order.
        others: Vec<Guest>,
        /// Where it began for us.
        sequence: u64,
    },
    /// Somebody came.
    Joined {
        /// Who.
        guest: Guest,
        /// When, as the server says.
        at: Timestamp,
        /// Place in the order.
        sequence: u64,
    },
    /// Somebody is gone, and the keys were renewed without them.
    Left {
        /// Who.
        guest: Guest,
        /// When, as the server says.
        at: Timestamp,
        /// Place in the order.
        sequence: u64,
    },
    /// Somebody said something.
    Message {
        /// Who.
        from: Guest,
        /// What.
        text: String,
        /// When, as the server says.
        at: Timestamp,
        /// Place in the order.
        sequence: u64,
    },
    /// What we said has its place in the order.
    Sent {
        /// The number given to [`RoomSession::send`].
        number: u64,
        /// When, as the server says.
        at: Timestamp,
        /// Place in the order.
        sequence: u64,
    },
    /// What we said cannot be said.
    Refused {
        /// The number given to [`RoomSession::send`].
        number: u64,
        /// Why.
        failure: Failure,
    },
    /// So many messages were dropped since we are in, because they were damaged or forged. Told at the 1st, 2nd, 4th, 8th…
    /// of them, so that nobody can flood a screen with it.
    Dropped {
        /// How many so far.
        total: u64,
    },
}

/// What a session wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomOutput {
    /// Send this frame.
    Transmit(Bytes),
    /// For who watches.
    Event(RoomEvent),
    /// The session is over; end the link. `again`: the same room can be entered anew, the failure is one of this session.
    End {
        /// Why.
        failure: Failure,
        /// Whether to enter again makes sense.
        again: bool,
    },
}

/// What can be compared with others who are in the room: equal words at the same epoch mean the same group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Twelve words.
    pub words: String,
    /// Which state of the group they are of; it changes whenever somebody comes or goes.
    pub epoch: u64,
    /// Who is in, us among them.
    pub guests: usize,
}

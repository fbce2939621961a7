//! Rooms: groups that exist in memory only, as long as somebody is in them.
//!
//! ```text
//!   gate ── frames of guests ──▶ intake ──▶ rooms thread ── Rooms ── Room ── Follower (public state of one group)
//!     ▲                                         │
//!     └────────────── outboxes ◀────────────────┘ answers, turns, and what was ordered, encoded once
//! ```
//!
//! The protocol is in `rooms.proto`. `Rooms` is the deterministic core: time and randomness come in as arguments, it
//! knows no socket and keeps nothing on disk. It runs on a thread of its own (`thread`), so that a room, where each join
//! and removal costs milliseconds of signature and hash checks, never delays messages of accounts.
//!
//! Invariants:
//! - What is ordered in a room has consecutive numbers, and every guest who is in gets all of it, in order, or is ended.
//! - A commit is ordered only if it is for the current epoch and does exactly what its sender may: enter under the name
//!   and key that were admitted, or carry out all removals that were proposed.
//! - Whatever guests do, memory is bounded: rooms, guests in all, in a room and from an address, and bytes queued to each.
//! - Every request but a ping costs its sender a token, before anything is looked at that costs more.

mod fair;
mod guest;
mod limits;
mod order;
mod pass;
mod room;
#[cfg(test)]
mod tests;
pub(crate) mod thread;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rand_core::CryptoRngCore;
use subrosa_crypto::room::Guest;
use subrosa_crypto::{VerifyingKey, room as binding};
use subrosa_mls::LeafSigner;
use subrosa_types::{ConversationId, Timestamp, Username};
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::client_frame::Request as Body;
use subrosa_wire::proto::{self, ClientFrame, EnterRoom, RoomEntered, answer, server_frame};

use crate::core::{Event, RateTable, SessionId};
use fair::Source;
use guest::Present;
use room::Room;

pub use limits::{RoomLimits, RoomPolicy};
pub use pass::Passes;

/// What the core wants to be done.
#[derive(Debug)]
pub(crate) enum Output {
    /// The connection speaks for a guest from here on: larger frames, and no deadline for a login.
    Admit(SessionId),
    /// An answer.
    Answer(SessionId, u64, answer::Body),
    /// A turn: never left out.
    Turn(SessionId, proto::RoomTurn),
    /// The same for several. Who cannot take it is ended.
    Deliver(Vec<SessionId>, server_frame::Body),
    /// The guest is ended.
    End(SessionId, ErrorCode, &'static str),
    /// For the console.
    Event(Event),
}

/// Who the server is in rooms, and what it allows there.
pub(crate) struct House {
    pub(crate) policy: RoomPolicy,
    pub(crate) limits: RoomLimits,
    pub(crate) server_key: VerifyingKey,
    pub(crate) signer: LeafSigner,
    pub(crate) passes: Arc<Passes>,
}

/// All rooms.
pub(crate) struct Rooms {
    house: House,
    rooms: HashMap<Username, Room>,
    guests: HashMap<SessionId, (Username, Source)>,
    by_address: HashMap<Source, usize>,
    entering: RateTable<Source>,
    /// A request of this session panics.
    #[cfg(test)]
    pub(in crate::rooms) panics_for: Option<SessionId>,
}

impl Rooms {
    pub(crate) fn new(house: House) -> Self {
        Self {
            house,
            rooms: HashMap::new(),
            guests: HashMap::new(),
            by_address: HashMap::new(),
            entering: RateTable::default(),
            #[cfg(test)]
            panics_for: None,
        }
    }

    /// Forgets everything but the house: after a panic anything may be half-changed.
    pub(crate) fn begin_anew(&mut self) {
        self.rooms = HashMap::new();
        self.guests = HashMap::new();
        self.by_address = HashMap::new();
        self.entering = RateTable::default();
        #[cfg(test)]
        {
            self.panics_for = None;
        }
    }

    /// A frame of a guest, or of who wants to be one.
    pub(crate) fn request(
        &mut self,
        session: SessionId,
        address: IpAddr,
        frame: ClientFrame,
        now: Timestamp,
        rng: &mut dyn CryptoRngCore,
        out: &mut Vec<Output>,
    ) {
        #[cfg(test)]
        assert_ne!(self.panics_for, Some(session), "what a test wants");
        let ClientFrame { id, request } = frame;
        let handled = match request {
            _ if id == 0 => Err(ErrorCode::Malformed.into()),
            Some(Body::Ping(_)) => Ok(answer::Body::Done(proto::Done {})),
            Some(Body::EnterRoom(enter)) => self.enter(session, address, &enter, now, rng, out),
            Some(body) => match self.guests.get(&session).and_then(|(room, _)| self.rooms.get_mut(room)) {
                Some(room) => {
                    // What the room does on its own follows behind the answer.
                    room.handle(session, id, body, now, &self.house, out);
                    room.proceed(now, &self.house, out);
                    return;
                }
                None => Err(ErrorCode::OutOfState.into()),
            },
            None => Err(ErrorCode::UnknownRequest.into()),
        };
        match handled {
            Ok(body) => out.push(Output::Answer(session, id, body)),
            Err(refusal) if refusal.ends_connection() => {
                out.push(Output::End(session, refusal.code, ""));
                self.leave(session, now, out);
            }
            Err(refusal) => out.push(Output::Answer(session, id, answer::Body::Error(refusal.into()))),
        }
        if let Some((room, _)) = self.guests.get(&session)
            && let Some(room) = self.rooms.get_mut(room)
        {
            room.proceed(now, &self.house, out);
        }
    }

    /// A guest is gone, or was ended.
    pub(crate) fn leave(&mut self, session: SessionId, now: Timestamp, out: &mut Vec<Output>) {
        let Some((name, source)) = self.guests.remove(&session) else { return };
        if let Some(count) = self.by_address.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&source);
            }
        }
        let Some(room) = self.rooms.get_mut(&name) else { return };
        room.leave(session, now, out);
        if room.is_empty() {
            self.rooms.remove(&name);
        } else {
            room.proceed(now, &self.house, out);
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        self.rooms.values().filter_map(Room::next_timeout).min()
    }

    /// Ends turns that took too long, and begins what was waited with.
    pub(crate) fn tick(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        for room in self.rooms.values_mut() {
            room.tick(now, &self.house, out);
        }
    }

    fn enter(
        &mut self,
        session: SessionId,
        address: IpAddr,
        request: &EnterRoom,
        now: Timestamp,
        rng: &mut dyn CryptoRngCore,
        out: &mut Vec<Output>,
    ) -> Result<answer::Body, Refusal> {
        let limits = self.house.limits;
        let source = Source::of(address);
        let rate = if source.is_loopback() { limits.enter_from_loopback } else { limits.enter };
        self.entering.take(&source, rate, now).map_err(|wait| Refusal::retry_after(ErrorCode::RateLimited, wait))?;
        if self.guests.contains_key(&session) {
            return Err(ErrorCode::OutOfState.into());
        }
        let key: [u8; 32] = request.guest_key.as_slice().try_into().map_err(|_| ErrorCode::Malformed)?;
        let guest = self.guest(request, now)?;
        let name = Username::from_prepared(&request.room).map_err(|_| ErrorCode::UsernameRefused)?;

        let here = self.by_address.get(&source).copied().unwrap_or_default();
        let opened = || self.rooms.values().filter(|room| room.opener() == source).count();
        let no_more_rooms =
            || self.rooms.len() >= limits.rooms || (!source.is_loopback() && opened() >= limits.rooms_an_address);
        let room = self.rooms.get(&name);
        if self.guests.len() >= limits.guests
            || (here >= limits.guests_an_address && !source.is_loopback())
            || room.map_or_else(no_more_rooms, |room| room.guests() >= limits.guests_a_room)
        {
            return Err(ErrorCode::RoomFull.into());
        }
        if room.is_some_and(|room| room.has(&guest)) {
            return Err(ErrorCode::UsernameTaken.into());
        }

        let room = self.rooms.entry(name.clone()).or_insert_with(|| {
            let mut id = [0; 16];
            rng.fill_bytes(&mut id);
            let id = ConversationId::from_bytes(id);
            Room::new(id, source, binding::context(&self.house.server_key, id, &name))
        });
        let entered = RoomEntered {
            conversation_id: room.id().to_vec(),
            name: guest.name.to_string(),
            member: guest.member,
            guests: u32::try_from(room.inside()).unwrap_or(u32::MAX),
        };
        room.admit(session, Present::new(guest, source, key));
        self.guests.insert(session, (name, source));
        *self.by_address.entry(source).or_default() += 1;
        out.push(Output::Admit(session));
        Ok(answer::Body::RoomEntered(entered))
    }

    /// Who wants to enter, as far as the policy lets them.
    fn guest(&self, request: &EnterRoom, now: Timestamp) -> Result<Guest, Refusal> {
        if self.house.policy == RoomPolicy::Off {
            return Err(ErrorCode::RoomsOff.into());
        }
        if !request.pass.is_empty() {
            let name = self.house.passes.redeem(&request.pass, now).ok_or(ErrorCode::RoomPassNeeded)?;
            return Ok(Guest { name, member: true });
        }
        if self.house.policy == RoomPolicy::Members {
            return Err(ErrorCode::RoomPassNeeded.into());
        }
        let name = Username::from_prepared(&request.name).map_err(|_| ErrorCode::UsernameRefused)?;
        Ok(Guest { name, member: false })
    }
}

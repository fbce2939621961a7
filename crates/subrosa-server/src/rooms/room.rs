//! One room: who waits, who is in, whose turn it is.
//!
//! ```text
//!            somebody waits, nobody is in         somebody waits            somebody who was in is gone
//!   Nobody ───────────────▶ Found ──FoundRoom──▶ Nobody ──▶ Join ──RoomJoin──▶ Nobody ──▶ Remove ──RoomCommit──▶ Nobody
//! ```
//!
//! One turn at a time: every commit that is not refused is then for the epoch that its maker saw. A turn to enter that is
//! not used goes to the next who waits. A turn to remove that is not used is given to one more guest each time.
//!
//! Removals wait a moment for further ones, because each commit costs every guest the same work however many it removes.

use std::collections::{BTreeMap, VecDeque};

use subrosa_crypto::room::Guest;
use subrosa_mls::follower::Follower;
use subrosa_mls::{LeafIndex, Removal};
use subrosa_types::{ConversationId, Timestamp};
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{FoundTurn, JoinTurn, RemoveTurn, RoomTurn, room_turn, server_frame};

use super::guest::Present;
use super::{House, Output};
use crate::core::{Event, SessionId};

/// How long a guest has for its turn to enter.
const ENTER_MS: i64 = 5_000;
/// Turns that a guest may let pass.
const TURNS_LOST: u32 = 3;
/// How long a guest has to commit removals before another one is asked as well.
const REMOVE_MS: i64 = 3_000;
/// How long a removal waits for further ones.
const GATHER_MS: i64 = 250;
/// The same while others wait to get in.
const GATHER_BUSY_MS: i64 = 1_000;

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    Nobody,
    Found(SessionId, Timestamp),
    Join(SessionId, Timestamp),
    /// The last one who was asked, and until when it has.
    Remove(SessionId, Timestamp),
}

/// A room.
pub(super) struct Room {
    pub(super) id: ConversationId,
    /// What the GroupContext must hold.
    pub(super) context: Vec<u8>,
    /// The group, once it was made.
    pub(super) follower: Option<Follower>,
    /// Of the current epoch, from the last committer.
    pub(super) group_info: Vec<u8>,
    pub(super) sequence: u64,
    pub(super) present: BTreeMap<SessionId, Present>,
    pub(super) waiting: VecDeque<SessionId>,
    /// Leaves of guests who are gone, and since when there are such.
    pub(super) gone: Vec<LeafIndex>,
    gone_since: Timestamp,
    pub(super) turn: Turn,
}

impl Room {
    pub(super) fn new(id: ConversationId, context: Vec<u8>) -> Self {
        Self {
            id,
            context,
            follower: None,
            group_info: Vec::new(),
            sequence: 0,
            present: BTreeMap::new(),
            waiting: VecDeque::new(),
            gone: Vec::new(),
            gone_since: Timestamp(0),
            turn: Turn::Nobody,
        }
    }

    pub(super) const fn id(&self) -> ConversationId {
        self.id
    }

    pub(super) fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// Guests, those who wait among them.
    pub(super) fn guests(&self) -> usize {
        self.present.len()
    }

    /// Guests who are in.
    pub(super) fn inside(&self) -> usize {
        self.present.values().filter(|present| present.leaf.is_some()).count()
    }

    /// Whether somebody of this name, or of one that looks like it, is there.
    pub(super) fn has(&self, guest: &Guest) -> bool {
        let look = guest.look();
        self.present.values().any(|present| present.guest.look() == look)
    }

    pub(super) fn admit(&mut self, session: SessionId, present: Present) {
        self.present.insert(session, present);
        self.waiting.push_back(session);
    }

    /// Somebody is gone.
    pub(super) fn leave(&mut self, session: SessionId, now: Timestamp, out: &mut Vec<Output>) {
        let Some(present) = self.present.remove(&session) else { return };
        self.waiting.retain(|waiting| *waiting != session);
        if let Some(leaf) = present.leaf {
            if self.gone.is_empty() {
                self.gone_since = now;
            }
            self.gone.push(leaf);
            out.push(Output::Event(Event::GuestLeft { room: self.id, inside: self.inside() }));
        }
        match self.turn {
            Turn::Found(who, _) | Turn::Join(who, _) if who == session => self.turn = Turn::Nobody,
            // The next one is asked at once.
            Turn::Remove(who, _) if who == session => self.turn = Turn::Remove(who, now),
            _ => {}
        }
    }

    /// These are out of the group.
    pub(super) fn removed(&mut self, removed: &[Removal], now: Timestamp) {
        self.gone.retain(|gone| !removed.iter().any(|removal| removal.member.leaf == *gone));
        // Who went in the meantime waits for company as those before did.
        self.gone_since = now;
    }

    /// When something is to be done that nobody asks for.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        match self.turn {
            Turn::Found(_, until) | Turn::Join(_, until) | Turn::Remove(_, until) => Some(until),
            Turn::Nobody => (!self.gone.is_empty()).then(|| self.remove_at()),
        }
    }

    fn remove_at(&self) -> Timestamp {
        self.gone_since.plus_millis(if self.waiting.is_empty() { GATHER_MS } else { GATHER_BUSY_MS })
    }

    pub(super) fn tick(&mut self, now: Timestamp, house: &House, out: &mut Vec<Output>) {
        match self.turn {
            Turn::Found(who, until) | Turn::Join(who, until) if until <= now => {
                self.turn = Turn::Nobody;
                self.lost_turn(who, out);
            }
            Turn::Remove(last, until) if until <= now => self.ask_to_remove(Some(last), now, out),
            _ => {}
        }
        self.proceed(now, house, out);
    }

    /// Who let a turn pass waits again, but not for ever.
    fn lost_turn(&mut self, who: SessionId, out: &mut Vec<Output>) {
        let Some(present) = self.present.get_mut(&who) else { return };
        present.turns_lost += 1;
        if present.turns_lost >= TURNS_LOST {
            // The driver takes it out.
            out.push(Output::End(who, ErrorCode::TooSlow, "joining the room took too long"));
        } else {
            self.waiting.push_back(who);
        }
    }

    /// Gives the next turn, if nobody has one.
    pub(super) fn proceed(&mut self, now: Timestamp, house: &House, out: &mut Vec<Output>) {
        if self.turn != Turn::Nobody {
            return;
        }
        if self.follower.is_some() && self.inside() == 0 {
            // Nobody is left who could let anybody in: the room begins anew.
            self.follower = None;
            self.gone.clear();
        }
        let until = now.plus_millis(ENTER_MS);
        if self.follower.is_none() {
            if let Some(who) = self.waiting.pop_front() {
                self.turn = Turn::Found(who, until);
                out.push(turn(who, room_turn::Turn::Found(FoundTurn {})));
            }
            return;
        }
        if !self.gone.is_empty() && self.remove_at() <= now {
            self.propose_removals(now, house, out);
            return;
        }
        let Some(who) = self.waiting.pop_front() else { return };
        let tree = self.follower.as_ref().map(Follower::ratchet_tree);
        match tree {
            Some(Ok(ratchet_tree)) => {
                self.turn = Turn::Join(who, until);
                let group_info = self.group_info.clone();
                out.push(turn(who, room_turn::Turn::Join(JoinTurn { group_info, ratchet_tree })));
            }
            _ => self.break_up(out),
        }
    }

    /// Proposes that all who are gone are removed, and asks the first guest to commit that.
    fn propose_removals(&mut self, now: Timestamp, house: &House, out: &mut Vec<Output>) {
        let Some(follower) = &mut self.follower else { return };
        let mut proposals = Vec::new();
        for leaf in &self.gone {
            match follower.propose_remove(&house.signer, *leaf) {
                Ok(proposal) => proposals.push(proposal),
                Err(error) => {
                    tracing::error!(%error, "a guest who is gone cannot be removed");
                    return self.break_up(out);
                }
            }
        }
        for proposal in proposals {
            self.order(now, proposal.into(), None, out);
        }
        self.ask_to_remove(None, now, out);
    }

    /// Asks the next guest behind `last` to commit what was proposed; at the end of the row it begins again.
    fn ask_to_remove(&mut self, last: Option<SessionId>, now: Timestamp, out: &mut Vec<Output>) {
        let inside = || self.present.iter().filter(|(_, present)| present.leaf.is_some()).map(|(session, _)| *session);
        let next = inside().find(|session| last.is_none_or(|last| *session > last)).or_else(|| inside().next());
        let (Some(who), Some(follower)) = (next, &self.follower) else {
            self.turn = Turn::Nobody;
            return;
        };
        self.turn = Turn::Remove(who, now.plus_millis(REMOVE_MS));
        out.push(turn(who, room_turn::Turn::Remove(RemoveTurn { epoch: follower.epoch().0 })));
    }

    /// Something is wrong here that cannot be: nobody is kept waiting in a room that does not work.
    fn break_up(&mut self, out: &mut Vec<Output>) {
        for session in self.present.keys() {
            out.push(Output::End(*session, ErrorCode::Internal, "the room broke; enter it again"));
        }
    }

    /// Gives the next number, and delivers to everybody who is in but `sender`.
    pub(super) fn order(
        &mut self,
        at: Timestamp,
        message: bytes::Bytes,
        sender: Option<SessionId>,
        out: &mut Vec<Output>,
    ) -> u64 {
        self.sequence += 1;
        let to: Vec<_> = self
            .present
            .iter()
            .filter(|(session, present)| present.leaf.is_some() && Some(**session) != sender)
            .map(|(session, _)| *session)
            .collect();
        if !to.is_empty() {
            let deliver = subrosa_wire::proto::RoomDeliver { sequence: self.sequence, at: at.0, message };
            out.push(Output::Deliver(to, server_frame::Body::RoomDeliver(deliver)));
        }
        self.sequence
    }
}

fn turn(who: SessionId, turn: room_turn::Turn) -> Output {
    Output::Turn(who, RoomTurn { turn: Some(turn) })
}

//! One room: who waits, who is in, whose turn it is.
//!
//! ```text
//!            somebody waits, nobody is in         somebody waits            somebody who was in is gone
//!   Nobody ───────────────▶ Found ──FoundRoom──▶ Nobody ──▶ Join ──RoomJoin──▶ Nobody ──▶ Remove ──RoomCommit──▶ Nobody
//! ```
//!
//! One turn at a time: every commit that is not refused is then for the epoch that its maker saw. A turn to enter that is
//! not used ends its guest. A turn to remove that is not used is given to one more guest each time, and ends at the second
//! whoever let it pass: a room is never held up for longer than those who do so can keep coming in. Whose turn is next is in
//! `fair`.
//!
//! Removals wait a moment for further ones, because each commit costs every guest the same work however many it removes.

use std::collections::{BTreeMap, VecDeque};

use subrosa_crypto::room::Guest;
use subrosa_mls::follower::Follower;
use subrosa_mls::{LeafIndex, Removal};
use subrosa_types::{ConversationId, Timestamp};
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{FoundTurn, JoinTurn, RemoveTurn, RoomTurn, room_turn, server_frame};

use super::fair::{Fair, Source};
use super::guest::Present;
use super::{House, Output};
use crate::core::{Event, SessionId};

/// How long a guest has for its turn to enter.
const ENTER_MS: i64 = 5_000;
/// At so many turns to remove that a guest let pass it is ended.
const TURNS_LOST: u32 = 2;
/// How long a guest has to commit removals before another one is asked as well.
const REMOVE_MS: i64 = 3_000;
/// How long a removal waits for further ones.
const GATHER_MS: i64 = 250;
/// The same while others wait to get in.
const GATHER_BUSY_MS: i64 = 1_000;

/// Why everybody is ended when a room cannot go on.
pub(super) const BROKE: &str = "the room broke; enter it again";

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
    fair: Fair,
    /// Who asked for a room that did not exist.
    opener: Source,
    /// Everybody is being ended.
    broken: bool,
}

impl Room {
    pub(super) fn new(id: ConversationId, opener: Source, context: Vec<u8>) -> Self {
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
            fair: Fair::default(),
            opener,
            broken: false,
        }
    }

    pub(super) const fn opener(&self) -> Source {
        self.opener
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

    /// These are out of the group, by a commit of `by`.
    pub(super) fn removed(&mut self, by: SessionId, removed: &[Removal], now: Timestamp) {
        if let Some(present) = self.present.get(&by) {
            self.fair.committed(by, present.source);
        }
        self.gone.retain(|gone| !removed.iter().any(|removal| removal.member.leaf == *gone));
        // Who went in the meantime waits for company as those before did.
        self.gone_since = now;
    }

    /// When something is to be done that nobody asks for.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        if self.broken {
            return None;
        }
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
                // The driver takes it out.
                out.push(Output::End(who, ErrorCode::TooSlow, "joining the room took too long"));
            }
            Turn::Remove(last, until) if until <= now => {
                self.lost_turn(last, out);
                self.ask_to_remove(Some(last), now, out);
            }
            _ => {}
        }
        self.proceed(now, house, out);
    }

    /// Who lets turns to remove pass holds up everybody.
    fn lost_turn(&mut self, who: SessionId, out: &mut Vec<Output>) {
        let Some(present) = self.present.get_mut(&who) else { return };
        present.turns_lost += 1;
        self.fair.lost(present.source);
        if present.turns_lost >= TURNS_LOST {
            // The driver takes it out.
            out.push(Output::End(who, ErrorCode::TooSlow, "this guest is too slow for the room"));
        }
    }

    /// Gives the next turn, if nobody has one.
    pub(super) fn proceed(&mut self, now: Timestamp, house: &House, out: &mut Vec<Output>) {
        if self.turn != Turn::Nobody || self.broken {
            return;
        }
        if self.follower.is_some() && self.inside() == 0 {
            // Nobody is left who could let anybody in: the room begins anew.
            self.follower = None;
            self.gone.clear();
        }
        let until = now.plus_millis(ENTER_MS);
        if self.follower.is_none() {
            if let Some(who) = self.next_in() {
                self.turn = Turn::Found(who, until);
                out.push(turn(who, room_turn::Turn::Found(FoundTurn {})));
            }
            return;
        }
        if !self.gone.is_empty() && self.remove_at() <= now {
            self.propose_removals(now, house, out);
            return;
        }
        let Some(who) = self.next_in() else { return };
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

    fn next_in(&mut self) -> Option<SessionId> {
        let present = &self.present;
        self.fair.next_in(&mut self.waiting, |session| present.get(&session).map(|present| present.source))
    }

    /// Proposes that all who are gone are removed, and asks a guest to commit that.
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

    /// Asks the next guest behind `last`, or behind the last that did it, to commit what was proposed.
    fn ask_to_remove(&mut self, last: Option<SessionId>, now: Timestamp, out: &mut Vec<Output>) {
        let inside = self.present.iter().filter(|(_, present)| present.leaf.is_some());
        let next = self.fair.next_remover(last, inside.map(|(session, present)| (*session, present.source)));
        let (Some(who), Some(follower)) = (next, &self.follower) else {
            self.turn = Turn::Nobody;
            return;
        };
        self.turn = Turn::Remove(who, now.plus_millis(REMOVE_MS));
        out.push(turn(who, room_turn::Turn::Remove(RemoveTurn { epoch: follower.epoch().0 })));
    }

    /// Something is wrong here that cannot be: nobody is kept waiting in a room that does not work.
    pub(super) fn break_up(&mut self, out: &mut Vec<Output>) {
        self.broken = true;
        for session in self.present.keys() {
            out.push(Output::End(*session, ErrorCode::Internal, BROKE));
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

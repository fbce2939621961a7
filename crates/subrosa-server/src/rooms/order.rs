//! What guests ask of a room, one function a request: every check comes before anything changes.

use subrosa_mls::follower::{FollowError, Follower, Inspected};
use subrosa_mls::{CommitSummary, Kind, LeafIndex, peek};
use subrosa_types::{Timestamp, limits};
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::client_frame::Request as Body;
use subrosa_wire::proto::{FoundRoom, RoomCommit, RoomJoin, RoomOrdered, RoomSend, answer};

use super::room::{BROKE, Room, Turn};
use super::{House, Output};
use crate::core::{Event, Rate, SessionId};

/// Requests of a guest that are no messages. Whoever keeps to the protocol makes one to enter, and one a removal, of which
/// a room has at most four a second.
const CHANGES: Rate = Rate { burst: 20, refill_ms: 200 };

/// Why a request of a guest was not carried out.
pub(super) enum No {
    /// It is told, and may go on.
    Refused(Refusal),
    /// It broke the rules of the room, which nobody does by chance: it is ended.
    Ended(ErrorCode, &'static str),
}

impl From<ErrorCode> for No {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code.into())
    }
}

const BAD_COMMIT: No = No::Ended(ErrorCode::BadCommit, "the keys of the room could not be agreed on");

impl Room {
    /// A request of a guest of this room.
    pub(super) fn handle(
        &mut self,
        session: SessionId,
        id: u64,
        request: Body,
        now: Timestamp,
        house: &House,
        out: &mut Vec<Output>,
    ) {
        // The answer's place is before what follows from the request.
        let place = out.len();
        let handled = self.token(session, &request, now, house).and_then(|()| match request {
            Body::FoundRoom(request) => self.found(session, &request, house, out),
            Body::RoomJoin(request) => self.join(session, request, now, out),
            Body::RoomCommit(request) => self.commit(session, request, now, out),
            Body::RoomSend(request) => self.send(session, request, now, out),
            _ => Err(No::Ended(ErrorCode::OutOfState, "")),
        });
        let output = match handled {
            Ok(sequence) => Output::Answer(session, id, answer::Body::RoomOrdered(RoomOrdered { sequence, at: now.0 })),
            Err(No::Refused(refusal)) => Output::Answer(session, id, answer::Body::Error(refusal.into())),
            Err(No::Ended(code, reason)) => {
                tracing::debug!(session = session.0, code = code.as_str_name(), "a guest broke the rules of its room");
                Output::End(session, code, reason)
            }
        };
        out.insert(place, output);
    }

    /// What a request costs before it is looked at, whatever becomes of it.
    fn token(&mut self, session: SessionId, request: &Body, now: Timestamp, house: &House) -> Result<(), No> {
        let present = self.present.get_mut(&session).ok_or(ErrorCode::NotAMember)?;
        let taken = match request {
            Body::RoomSend(_) => present.messages.take(house.limits.messages, now),
            _ => present.changes.take(CHANGES, now),
        };
        taken.map_err(|wait| No::Refused(Refusal::retry_after(ErrorCode::RateLimited, wait)))
    }

    fn found(
        &mut self,
        session: SessionId,
        request: &FoundRoom,
        house: &House,
        out: &mut Vec<Output>,
    ) -> Result<u64, No> {
        if !matches!(self.turn, Turn::Found(who, _) if who == session) {
            return Err(ErrorCode::NotYourTurn.into());
        }
        let follower = Follower::found(&request.group_info, &request.ratchet_tree).map_err(|_| BAD_COMMIT)?;
        let present = self.present.get_mut(&session).ok_or(ErrorCode::NotAMember)?;
        let members = follower.members();
        let founder = match members.as_slice() {
            [founder] if founder.credential == present.guest.credential() && founder.signature_key == present.key => {
                founder.leaf
            }
            _ => return Err(BAD_COMMIT),
        };
        if follower.conversation() != self.id
            || follower.certificate().as_deref() != Some(&self.context)
            || follower.server_key() != Some(house.signer.public_key())
        {
            return Err(BAD_COMMIT);
        }
        self.follower = Some(follower);
        self.group_info.clone_from(&request.group_info);
        present.leaf = Some(founder);
        self.turn = Turn::Nobody;
        self.sequence += 1;
        self.came(out);
        Ok(self.sequence)
    }

    fn join(
        &mut self,
        session: SessionId,
        request: RoomJoin,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Result<u64, No> {
        if !matches!(self.turn, Turn::Join(who, _) if who == session) {
            return Err(ErrorCode::NotYourTurn.into());
        }
        let present = self.present.get(&session).ok_or(ErrorCode::NotAMember)?;
        let (credential, key) = (present.guest.credential(), present.key);
        let allowed = |summary: &CommitSummary| {
            summary.external_join
                && summary.replaced.is_none()
                && summary.added.is_empty()
                && summary.removed.is_empty()
                && summary.updated.is_empty()
                && summary.aad.is_empty()
                && summary.committer.credential == credential
                && summary.committer.signature_key == key
        };
        let summary = self.advance(&request.commit, request.group_info, out, allowed)?;
        self.turn = Turn::Nobody;
        // Delivered to those who were in before; the new one is in with what follows.
        let sequence = self.order(now, request.commit.into(), Some(session), out);
        if let Some(present) = self.present.get_mut(&session) {
            present.leaf = Some(summary.committer.leaf);
        }
        self.came(out);
        Ok(sequence)
    }

    fn commit(
        &mut self,
        session: SessionId,
        request: RoomCommit,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Result<u64, No> {
        let leaf = self.leaf(session)?;
        let allowed = |summary: &CommitSummary| {
            !summary.external_join
                && summary.committer.leaf == leaf
                && summary.added.is_empty()
                && summary.updated.is_empty()
                && summary.aad.is_empty()
                && !summary.removed.is_empty()
                && summary.removed.iter().all(|removal| removal.by_server)
                && summary.covers_pending
        };
        let summary = self.advance(&request.commit, request.group_info, out, allowed)?;
        self.removed(session, &summary.removed, now);
        self.turn = Turn::Nobody;
        Ok(self.order(now, request.commit.into(), Some(session), out))
    }

    fn send(
        &mut self,
        session: SessionId,
        request: RoomSend,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Result<u64, No> {
        self.leaf(session)?;
        let message = peek(&request.message).map_err(|_| No::Ended(ErrorCode::Malformed, ""))?;
        if message.kind != Kind::Application
            || message.conversation != self.id
            || !message.authenticated_data.is_empty()
            || message.size > limits::APPLICATION_MESSAGE
        {
            return Err(No::Ended(ErrorCode::Malformed, ""));
        }
        let follower = self.follower.as_ref().ok_or(ErrorCode::NotAMember)?;
        if message.epoch != follower.epoch() {
            return Err(No::Refused(Refusal::stale(follower.epoch().0, self.sequence)));
        }
        if !follower.pending().is_empty() {
            return Err(ErrorCode::PendingProposals.into());
        }
        out.push(Output::Event(Event::MessagesExchanged(1)));
        Ok(self.order(now, request.message, Some(session), out))
    }

    fn leaf(&self, session: SessionId) -> Result<LeafIndex, No> {
        self.present.get(&session).and_then(|present| present.leaf).ok_or(ErrorCode::NotAMember.into())
    }

    /// Takes the group one epoch on, or leaves it as it was.
    fn advance(
        &mut self,
        commit: &[u8],
        group_info: Vec<u8>,
        out: &mut Vec<Output>,
        allowed: impl FnOnce(&CommitSummary) -> bool,
    ) -> Result<CommitSummary, No> {
        let follower = self.follower.as_mut().ok_or(ErrorCode::NotAMember)?;
        let inspected = match follower.inspect(commit) {
            Ok(Inspected::Commit(inspected)) => inspected,
            Err(FollowError::WrongEpoch { have, .. }) => {
                return Err(No::Refused(Refusal::stale(have.0, self.sequence)));
            }
            Ok(Inspected::Proposal(_)) | Err(_) => return Err(BAD_COMMIT),
        };
        if !allowed(inspected.summary()) {
            return Err(BAD_COMMIT);
        }
        let summary = inspected.summary().clone();
        // Whether the group info fits is seen only in the new epoch.
        let before = follower.save();
        let taken = follower.merge(*inspected).and_then(|()| follower.verify_group_info(&group_info));
        if taken.is_err() {
            return Err(self.restore(&before, out));
        }
        self.group_info = group_info;
        Ok(summary)
    }

    /// Takes back a step that did not hold. Without a group there is no room: then everybody is ended.
    pub(super) fn restore(&mut self, before: &[u8], out: &mut Vec<Output>) -> No {
        match Follower::load(before) {
            Ok(follower) => {
                self.follower = Some(follower);
                BAD_COMMIT
            }
            Err(error) => {
                tracing::error!(%error, "a room is lost");
                self.break_up(out);
                No::Ended(ErrorCode::Internal, BROKE)
            }
        }
    }

    fn came(&self, out: &mut Vec<Output>) {
        out.push(Output::Event(Event::GuestJoined { room: self.id, inside: self.inside() }));
    }
}

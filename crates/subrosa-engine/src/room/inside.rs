//! Inside the room: what is delivered, what is said, who is taken out.

use subrosa_crypto::room as binding;
use subrosa_mls::{
    Group, GroupError, Identity, Kind, LeafIndex, MessageSender, Mls, ProcessError, Processed, Staged, peek,
};
use subrosa_types::{MessageId, Timestamp};
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{RoomCommit, RoomSend, client_frame::Request};
use tracing::info;

use super::check::{self, Change, Guests};
use super::requests::What;
use super::session::{Over, RoomSession};
use super::{RoomEvent, Verification};
use crate::content::Content;
use crate::words;

/// The group and what is known of it.
pub(super) struct Inside {
    group: Group,
    /// Who we are in it; set when we are in.
    identity: Option<Identity>,
    pub(super) guests: Guests,
    sequence: u64,
    dropped: u64,
    /// Nothing can be said before this epoch.
    say_epoch: u64,
    /// Nothing can be said before this time.
    pub(super) say_at: Option<Timestamp>,
}

impl Inside {
    pub(super) fn new(group: Group, guests: Guests) -> Self {
        Self { group, identity: None, guests, sequence: 0, dropped: 0, say_epoch: 0, say_at: None }
    }

    /// The server ordered our entry.
    pub(super) fn begin(&mut self, identity: Identity, sequence: u64) {
        self.identity = Some(identity);
        self.sequence = sequence;
    }

    pub(super) fn own_leaf(&self) -> LeafIndex {
        self.group.own_leaf()
    }

    pub(super) fn into_group(self) -> Group {
        self.group
    }

    pub(super) fn verification(&self) -> Verification {
        Verification {
            words: binding::words(&self.group.epoch_authenticator()),
            epoch: self.group.epoch().0,
            guests: self.guests.len(),
        }
    }

    /// Something of others has its place in the order.
    pub(super) fn deliver(
        &mut self,
        session: &mut RoomSession,
        sequence: u64,
        at: Timestamp,
        message: &[u8],
    ) -> Result<(), Over> {
        if sequence <= self.sequence {
            return Ok(());
        }
        self.missing(session, sequence);
        self.sequence = sequence;
        let Ok(outside) = peek(message) else {
            self.drop_one(session);
            return Ok(());
        };
        if outside.epoch.0 > self.group.epoch().0 {
            return Err(Over::passing("behind", "a change of the room's keys did not arrive here"));
        }
        let kind = outside.kind;
        let processed = self.process(session, message)?;
        match (kind, processed) {
            (_, Ok(Processed::Application { sender, plaintext, .. })) => {
                let text = Content::decode(&plaintext).ok().and_then(|content| content.text);
                match (self.guests.get(&sender.leaf).cloned(), text) {
                    (Some(from), Some(text)) => session.event(RoomEvent::Message { from, text, at, sequence }),
                    _ => self.drop_one(session),
                }
                Ok(())
            }
            (_, Ok(Processed::Commit(staged))) => self.merge(session, *staged, at),
            (_, Ok(Processed::Proposal(proposal))) if *proposal.sender() == MessageSender::Server => {
                let Some(identity) = &self.identity else { return Err(Over::protocol()) };
                let mls =
                    Mls::volatile(&session.memory, &mut *session.rng, identity).map_err(|error| Over::ours(&error))?;
                self.group.store_proposal(&mls, *proposal).map_err(|error| Over::ours(&error))
            }
            (Kind::Commit, Err(error)) => {
                // Nobody but members can see that, so the server let it pass (RFC 9420 §8.1 needs the group's secrets). The
                // others leave as well; who enters again agrees on new keys.
                let message = format!("the room was left: a change of its keys does not hold ({error})");
                Err(Over { again: true, ..Over::untrusted("bad_commit", message) })
            }
            (_, Ok(Processed::Proposal(_) | Processed::OwnCommit) | Err(_)) => {
                self.drop_one(session);
                Ok(())
            }
        }
    }

    fn process(&mut self, session: &mut RoomSession, message: &[u8]) -> Result<Result<Processed, ProcessError>, Over> {
        let Some(identity) = &self.identity else { return Err(Over::protocol()) };
        let mls = Mls::volatile(&session.memory, &mut *session.rng, identity).map_err(|error| Over::ours(&error))?;
        match self.group.process(&mls, message) {
            Err(error @ (ProcessError::Storage(_) | ProcessError::Internal(_))) => Err(Over::ours(&error)),
            processed => Ok(processed),
        }
    }

    /// A commit of somebody else.
    fn merge(&mut self, session: &mut RoomSession, staged: Staged, at: Timestamp) -> Result<(), Over> {
        if staged.removes_us() {
            return Err(Over::passing("removed", "the server took this guest out of the room"));
        }
        let change = check::commit(staged.summary(), &self.guests)
            .map_err(|breach| Over::untrusted("bad_commit", format!("the room was left: {breach}")))?;
        {
            let Some(identity) = &self.identity else { return Err(Over::protocol()) };
            let mls =
                Mls::volatile(&session.memory, &mut *session.rng, identity).map_err(|error| Over::ours(&error))?;
            self.group.merge(&mls, staged).map_err(|error| Over::ours(&error))?;
        }
        self.changed(session, change, at);
        Ok(())
    }

    fn changed(&mut self, session: &mut RoomSession, change: Change, at: Timestamp) {
        let sequence = self.sequence;
        match change {
            Change::Joined(leaf, guest) => {
                self.guests.insert(leaf, guest.clone());
                session.event(RoomEvent::Joined { guest, at, sequence });
            }
            Change::Left(leaves) => {
                for guest in leaves.iter().filter_map(|leaf| self.guests.remove(leaf)) {
                    session.event(RoomEvent::Left { guest, at, sequence });
                }
            }
        }
        info!("the group's key changed (epoch {})", self.group.epoch().0);
    }

    /// It is our turn to carry out what the server proposed.
    pub(super) fn remove(&mut self, session: &mut RoomSession, epoch: u64, now: Timestamp) -> Result<(), Over> {
        if epoch != self.group.epoch().0 || !self.group.has_pending_proposals() || self.group.has_pending_commit() {
            return Ok(());
        }
        let Some(identity) = &self.identity else { return Err(Over::protocol()) };
        let mls = Mls::volatile(&session.memory, &mut *session.rng, identity).map_err(|error| Over::ours(&error))?;
        let proposed = self.group.commit_pending_proposals(&mls, b"").map_err(|error| Over::ours(&error))?;
        let request = RoomCommit { commit: proposed.commit, group_info: proposed.group_info };
        session.request(Request::RoomCommit(request), What::Commit, now);
        Ok(())
    }

    /// Our commit was ordered.
    pub(super) fn committed(&mut self, session: &mut RoomSession, sequence: u64, at: Timestamp) -> Result<(), Over> {
        self.missing(session, sequence);
        self.sequence = sequence;
        // In the order in which the others see it.
        let mut leaves = self.group.pending_removals();
        leaves.sort_unstable();
        {
            let Some(identity) = &self.identity else { return Err(Over::protocol()) };
            let mls =
                Mls::volatile(&session.memory, &mut *session.rng, identity).map_err(|error| Over::ours(&error))?;
            self.group.merge_pending(&mls).map_err(|_| Over::protocol())?;
        }
        self.changed(session, Change::Left(leaves), at);
        Ok(())
    }

    /// Somebody else's commit came first; merging it dropped ours, unless it is still on its way.
    pub(super) fn commit_refused(&mut self, session: &mut RoomSession) -> Result<(), Over> {
        if !self.group.has_pending_commit() {
            return Ok(());
        }
        let Some(identity) = &self.identity else { return Err(Over::protocol()) };
        let mls = Mls::volatile(&session.memory, &mut *session.rng, identity).map_err(|error| Over::ours(&error))?;
        self.group.discard_pending(&mls).map_err(|error| Over::ours(&error))
    }

    /// Says what is at the head of the line, if it can be said now.
    pub(super) fn say(&mut self, session: &mut RoomSession, now: Timestamp) -> Result<(), Over> {
        if self.say_at.is_some_and(|at| now < at)
            || self.group.epoch().0 < self.say_epoch
            || self.group.has_pending_proposals()
            || self.group.has_pending_commit()
        {
            return Ok(());
        }
        self.say_at = None;
        let Some((number, text)) = session.line.front().cloned() else { return Ok(()) };
        let mut id = [0; 16];
        session.rng.fill_bytes(&mut id);
        let content = Content::text(MessageId::from_bytes(id), now, text).encode();
        let encrypted = {
            let Some(identity) = &self.identity else { return Err(Over::protocol()) };
            let mls =
                Mls::volatile(&session.memory, &mut *session.rng, identity).map_err(|error| Over::ours(&error))?;
            self.group.encrypt(&mls, b"", &content)
        };
        match encrypted {
            Ok(message) => {
                session.request(Request::RoomSend(RoomSend { message: message.into() }), What::Say, now);
                Ok(())
            }
            Err(GroupError::TooLarge { .. }) => {
                session.line.pop_front();
                let failure = words::refusal(&Refusal::new(ErrorCode::TooLarge));
                session.event(RoomEvent::Refused { number, failure });
                Ok(())
            }
            Err(error) => Err(Over::ours(&error)),
        }
    }

    /// What we said has its place.
    pub(super) fn said(&mut self, session: &mut RoomSession, sequence: u64, at: Timestamp) -> Result<(), Over> {
        self.missing(session, sequence);
        self.sequence = sequence;
        if let Some((number, _)) = session.line.pop_front() {
            session.event(RoomEvent::Sent { number, at, sequence });
        }
        Ok(())
    }

    /// What we said was not taken; as a rule it is said again, encrypted anew.
    pub(super) fn not_said(
        &mut self,
        session: &mut RoomSession,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Result<(), Over> {
        match refusal.code {
            ErrorCode::StaleEpoch => self.say_epoch = refusal.current.0,
            ErrorCode::PendingProposals => self.say_epoch = self.group.epoch().0 + 1,
            ErrorCode::RateLimited => {
                let wait = i64::try_from(refusal.retry_after_ms).unwrap_or(i64::MAX).clamp(1, 60_000);
                self.say_at = Some(now.plus_millis(wait));
            }
            _ => {
                if let Some((number, _)) = session.line.pop_front() {
                    session.event(RoomEvent::Refused { number, failure: words::refusal(refusal) });
                }
            }
        }
        Ok(())
    }

    /// Counts what should have come before this place in the order.
    fn missing(&mut self, session: &mut RoomSession, sequence: u64) {
        let missing = sequence.saturating_sub(self.sequence).saturating_sub(1);
        if missing > 0 {
            self.count_dropped(session, missing);
        }
    }

    fn drop_one(&mut self, session: &mut RoomSession) {
        self.count_dropped(session, 1);
    }

    fn count_dropped(&mut self, session: &mut RoomSession, more: u64) {
        let before = self.dropped;
        self.dropped = self.dropped.saturating_add(more);
        // Told when it passes a power of two.
        if before.checked_ilog2() != self.dropped.checked_ilog2() {
            session.event(RoomEvent::Dropped { total: self.dropped });
        }
    }
}

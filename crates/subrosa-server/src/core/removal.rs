//! Ending a device's place in conversations: at once by the server, and then by cryptography.
//!
//! From the moment a place ends, the device is neither served nor listened to, though its leaf is still in the group. The
//! server proposes the leaf's removal (RFC 9420 §12.1.8) and appends the proposal to the log; some member commits it. A
//! proposal is good for one epoch: whenever a commit passes over one (an external join always does), the server proposes
//! again what still has to go.

use subrosa_mls::LeafIndex;
use subrosa_types::{ConversationId, IdempotencyKey};

use super::effects::{Appended, Effect};
use super::failure::Failure;
use super::session::Stage;
use super::turn::Turn;
use crate::store::{self, AccountNo, DeviceNo, StoreError};
use subrosa_wire::error::ErrorCode;

impl Turn<'_> {
    /// Ends a device for good: no login, no connection, no place in any conversation.
    pub(crate) fn end_device(&mut self, device: DeviceNo, reason: &str) -> Result<(), Failure> {
        store::devices::revoke(self.store, device, self.now)?;
        for conversation in store::conversations::of_device(self.store, device)? {
            let id = store::conversations::by_number(self.store, conversation)?.id;
            self.end_places(id, |leaf| leaf.device == device)?;
        }
        if let Some(session) = self.state.sessions.of_device(device) {
            if session != self.session {
                self.effects.end(session, ErrorCode::DeviceRevoked, reason);
            }
            self.state.sessions.advance(session, Stage::Ended);
        }
        Ok(())
    }

    /// Takes an account out of a conversation. When nobody is left, the conversation is closed.
    pub(crate) fn end_participation(
        &mut self,
        conversation: ConversationId,
        account: AccountNo,
    ) -> Result<(), Failure> {
        let no = self.conversation(conversation)?;
        store::conversations::remove_participant(self.store, no, account)?;
        if store::conversations::participants(self.store, no)? == 0 {
            store::conversations::set_phase(self.store, no, store::conversations::Phase::Closed)?;
            self.state.conversations.forget(conversation);
            return Ok(());
        }
        self.end_places(conversation, |leaf| leaf.account == account)
    }

    /// Ends the places of some devices in one conversation.
    pub(crate) fn end_places(
        &mut self,
        conversation: ConversationId,
        whose: impl Fn(&store::conversations::LeafRecord) -> bool,
    ) -> Result<(), Failure> {
        let Some(entry) = self.state.conversations.change(self.store, conversation)? else {
            return Err(ErrorCode::NoSuchConversation.into());
        };
        let mut leaves = entry.leaves.clone();
        let mut ended = false;
        for leaf in leaves.iter_mut().filter(|leaf| !leaf.ending && whose(leaf)) {
            leaf.ending = true;
            ended = true;
            store::conversations::end_leaf(self.store, entry.record.no, leaf.device)?;
        }
        if ended {
            entry.set_leaves(leaves);
            self.propose_removals(conversation)?;
        }
        Ok(())
    }

    /// Proposes the removal of every leaf that has ended and is not proposed in this epoch.
    pub(crate) fn propose_removals(&mut self, conversation: ConversationId) -> Result<(), Failure> {
        let (store, now) = (self.store, self.now);
        let Some(entry) = self.state.conversations.change(store, conversation)? else {
            return Err(ErrorCode::NoSuchConversation.into());
        };
        let ended: Vec<LeafIndex> =
            entry.leaves.iter().filter(|leaf| leaf.ending).map(|leaf| LeafIndex(leaf.leaf)).collect();
        let follower = entry.follower(store)?;
        let pending = follower.pending().to_vec();
        let mut proposals = Vec::new();
        for leaf in ended.into_iter().filter(|leaf| !pending.contains(leaf)) {
            proposals.push(follower.propose_remove(&self.state.identity.mls, leaf)?);
        }
        if proposals.is_empty() {
            return Ok(());
        }
        let state = follower.save();
        store::conversations::put_follower(store, entry.record.no, &state)?;
        for proposal in proposals {
            let mut key = [0; 16];
            self.rng.fill_bytes(&mut key);
            let key = IdempotencyKey::from_bytes(key);
            let sequence = entry.head.next();
            store::log::append(store, entry.record.no, sequence, now, key, &proposal)?;
            entry.head = sequence;
            self.effects.all.push(Effect::Appended(Appended {
                conversation,
                sequence,
                at: now,
                key,
                message: proposal.into(),
                sender: None,
                recipients: entry.members.clone(),
            }));
        }
        Ok(())
    }

    /// The number of a conversation that is known to exist.
    fn conversation(&mut self, id: ConversationId) -> Result<store::ConversationNo, Failure> {
        let found = self.state.conversations.find(self.store, id)?;
        Ok(found.ok_or(StoreError::Damaged("a conversation is missing"))?.record.no)
    }
}

//! The commit pump: changes of membership and the server's proposals, one commit a conversation at a time.
//!
//! The intent is in the store and outlives a lost race, a lost connection and a crash. The commit's exact bytes are stored with
//! the pending commit; they are sent again until the orderer gives its verdict, and merged only when the log reaches it.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;
use subrosa_crypto::device::ClaimedDevice;
use subrosa_mls::{Group, GroupError, LeafIndex};
use subrosa_types::{AccountId, ConversationId, IdempotencyKey, Sequence, Timestamp};
use subrosa_wire::Refusal;
use subrosa_wire::proto::{self, ClientFrame, CommitContext, ErrorCode, client_frame};

use crate::api::{ChatKind, Event, Failure};
use crate::engine::Engine;
use crate::fault::{Fault, Outcome};
use crate::requests::Pending;
use crate::store::commits::{self, PendingCommit, PendingCommitKind};
use crate::store::conversations::{self, Conversation, ConversationState};
use crate::store::{changes, outbox};
use crate::words;

impl Engine {
    /// The context of a commit made now.
    pub(crate) fn commit_context(&self, key: IdempotencyKey) -> Vec<u8> {
        CommitContext {
            role_position: self.roles.position().0,
            role_hash: self.roles.hash().map(|hash| hash.to_vec()).unwrap_or_default(),
            idempotency_key: key.to_vec(),
        }
        .encode_to_vec()
    }

    /// Conversations in which a commit is due.
    pub(super) fn conversations_with_changes(&mut self) -> Outcome<BTreeSet<ConversationId>> {
        let mut due: BTreeSet<_> =
            changes::all(&self.connection)?.into_iter().map(|change| change.conversation).collect();
        due.extend(self.outgoing.proposals.keys().chain(&self.outgoing.due).copied());
        Ok(due)
    }

    pub(super) fn resend_commits(&mut self) -> Outcome {
        for pending in commits::all(&self.connection)? {
            if self.outgoing.commits.insert(pending.key) {
                let frame = ClientFrame::decode(pending.request.as_slice())
                    .map_err(|_| Fault::Store(crate::store::StoreError::Damaged("pending commit")))?;
                if let Some(request) = frame.request {
                    self.request(request, Pending::Commit(pending.conversation, pending.key));
                }
            }
        }
        Ok(())
    }

    pub(super) fn drive_changes(&mut self, conversation: ConversationId) -> Outcome {
        let Some(row) = conversations::load(&self.connection, conversation)? else { return Ok(()) };
        let head = self.sync.heads.get(&conversation).copied().unwrap_or(0);
        if !row.state.follows()
            || row.blocked.is_some()
            || row.cursor.0 < head
            || commits::load(&self.connection, conversation)?.is_some()
        {
            return Ok(());
        }
        let Some(group) = self.group(conversation)? else { return Ok(()) };
        let (members, proposed) = (group.members(), group.has_pending_proposals());
        let account = |credential: &[u8]| ClaimedDevice::parse(credential).ok().map(|claimed| claimed.account_id());
        let present: BTreeSet<AccountId> = members.iter().filter_map(|m| account(&m.credential)).collect();
        let mut add = Vec::new();
        let mut remove: Vec<LeafIndex> = Vec::new();
        for change in changes::of(&self.connection, conversation)? {
            if change.adds == present.contains(&change.account) {
                changes::remove(&self.connection, &change)?;
            } else if change.adds {
                add.push(change.account);
            } else {
                remove
                    .extend(members.iter().filter(|m| account(&m.credential) == Some(change.account)).map(|m| m.leaf));
            }
        }
        if add.is_empty() && remove.is_empty() {
            if !proposed {
                self.outgoing.settled(conversation);
                return Ok(());
            }
            // Who has something to say does not wait for the turn of others: nothing can be sent before.
            let has_to_send = !outbox::first(&self.connection, conversation, 1)?.is_empty();
            if !has_to_send && !self.outgoing.due.contains(&conversation) {
                return Ok(());
            }
        }
        let Some(packages) = self.packages_of(&add, &row)? else { return Ok(()) };
        let (devices, packages) = match packages {
            Ok(packages) => packages,
            Err(failure) => return self.changes_refused(&row, failure),
        };
        self.commit_change(conversation, &devices, &packages, &remove)
    }

    fn commit_change(
        &mut self,
        conversation: ConversationId,
        devices: &[Vec<u8>],
        packages: &[Vec<u8>],
        remove: &[LeafIndex],
    ) -> Outcome {
        let key = IdempotencyKey::from_bytes(self.random());
        let context = self.commit_context(key);
        let made = self.with_group(conversation, |mls, group: &mut Group| -> Result<_, GroupError> {
            if packages.is_empty() && remove.is_empty() {
                group.commit_pending_proposals(mls, &context)
            } else {
                group.change(mls, packages, remove, &context)
            }
        })?;
        let Some(proposed) = made.transpose()? else { return Ok(()) };
        let commit = proto::Commit {
            conversation_id: conversation.to_vec(),
            commit: proposed.commit.into(),
            welcome: proposed.welcome.map(Bytes::from).unwrap_or_default(),
            welcome_devices: devices.to_vec(),
            group_info: proposed.group_info,
            idempotency_key: key.to_vec(),
        };
        let frame = ClientFrame { id: 0, request: Some(client_frame::Request::Commit(commit)) };
        let request = subrosa_wire::encode(&frame).to_vec();
        commits::save(
            &self.connection,
            &PendingCommit { conversation, key, kind: PendingCommitKind::Change, request },
        )?;
        #[cfg(feature = "planted-faults")]
        if self.config.faults.merge_before_acceptance {
            self.with_group(conversation, |mls, group| group.merge_pending(mls))?.transpose()?;
        }
        self.resend_commits()
    }

    /// The server has the commit on disk. It is merged when the log reaches it.
    pub(crate) fn commit_accepted(
        &mut self,
        conversation: ConversationId,
        key: IdempotencyKey,
        sequence: Sequence,
        at: Timestamp,
    ) -> Outcome {
        self.outgoing.commits.remove(&key);
        let Some(pending) = commits::load(&self.connection, conversation)?.filter(|pending| pending.key == key) else {
            return Ok(());
        };
        let Some(row) = conversations::load(&self.connection, conversation)? else { return Ok(()) };
        match pending.kind {
            PendingCommitKind::Change => {
                self.buffer_own(conversation, key, sequence, at);
                Ok(())
            }
            PendingCommitKind::Found => self.founded(row, sequence),
            PendingCommitKind::Enter => self.entered(row, sequence),
        }
    }

    /// Every entry before the own commit is taken in: now it is merged.
    pub(crate) fn own_commit_in_order(&mut self, row: &mut Conversation) -> Outcome {
        let Some(pending) = commits::load(&self.connection, row.id)? else { return Ok(()) };
        let before = self.member_accounts(row.id)?;
        let merged = self.with_group(row.id, |mls, group| group.merge_pending(mls))?;
        #[cfg(feature = "planted-faults")]
        let merged = if self.config.faults.merge_before_acceptance { Some(Ok(())) } else { merged };
        merged.transpose()?;
        commits::remove(&self.connection, row.id)?;
        self.outgoing.commits.remove(&pending.key);
        row.role_position = row.role_position.max(claimed_role_position(&pending));
        let after = self.member_accounts(row.id)?;
        let chat = self.chat_name(row)?;
        for account in after.iter().filter(|account| !before.contains(account)) {
            let event = Event::Joined { chat: chat.clone(), name: self.name_of(*account)? };
            self.emit(event);
        }
        for account in before.iter().filter(|account| !after.contains(account)) {
            let event = Event::Left { chat: chat.clone(), name: self.name_of(*account)? };
            self.emit(event);
        }
        for change in changes::of(&self.connection, row.id)? {
            if change.adds == after.contains(&change.account) {
                changes::remove(&self.connection, &change)?;
            }
        }
        if after.iter().any(|account| !before.contains(account)) && row.kind == ChatKind::Group {
            self.say_title(row)?;
        }
        self.outgoing.settled(row.id);
        Ok(())
    }

    pub(crate) fn commit_refused(
        &mut self,
        conversation: ConversationId,
        key: IdempotencyKey,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Outcome {
        self.outgoing.commits.remove(&key);
        let Some(pending) = commits::load(&self.connection, conversation)?.filter(|pending| pending.key == key) else {
            return Ok(());
        };
        let Some(row) = conversations::load(&self.connection, conversation)? else { return Ok(()) };
        match refusal.code {
            // No verdict about the commit: the same bytes again, later.
            ErrorCode::RateLimited | ErrorCode::StoreUnavailable | ErrorCode::GoingDown | ErrorCode::Internal => {
                self.outgoing.hold(conversation, refusal.retry_after_ms.max(500), now);
                if words::is_passing(refusal) {
                    self.outgoing.held_back.insert(conversation, words::kept(refusal));
                }
                return Ok(());
            }
            _ => {}
        }
        let again = matches!(refusal.code, ErrorCode::StaleEpoch | ErrorCode::PendingProposals);
        match pending.kind {
            PendingCommitKind::Found => self.not_founded(row, refusal),
            PendingCommitKind::Enter => {
                let why = words::refusal(refusal).message;
                self.not_entered(row, (!again).then_some(why.as_str()))
            }
            PendingCommitKind::Change => {
                self.with_group(conversation, |mls, group| group.discard_pending(mls))?.transpose()?;
                commits::remove(&self.connection, conversation)?;
                if again {
                    self.raise_head(conversation, refusal.current.1);
                    self.ask_for_everything()?;
                    return Ok(());
                }
                if refusal.code == ErrorCode::NotAMember {
                    self.changes_refused(&row, words::refusal(refusal))?;
                    return self.gone(conversation, "you are no longer a member of this chat");
                }
                self.changes_refused(&row, words::refusal(refusal))
            }
        }
    }

    /// The changes that were asked for in a conversation will not be made.
    pub(super) fn changes_refused(&mut self, row: &Conversation, failure: Failure) -> Outcome {
        changes::forget(&self.connection, row.id)?;
        self.outgoing.settled(row.id);
        if row.state == ConversationState::Active {
            self.outgoing.change_failures.insert(row.id, failure);
        }
        Ok(())
    }
}

/// The authenticated data of a commit of this device: its encoded [`CommitContext`].
pub fn own_authenticated_data(pending: &PendingCommit) -> Option<Vec<u8>> {
    let frame = ClientFrame::decode(pending.request.as_slice()).ok()?;
    let commit = match frame.request? {
        client_frame::Request::Commit(commit) => commit,
        client_frame::Request::FoundConversation(found) => found.first_commit?,
        _ => return None,
    };
    subrosa_mls::peek(&commit.commit).ok().map(|peek| peek.authenticated_data.to_vec())
}

/// The role log position that a commit of this device names.
fn claimed_role_position(pending: &PendingCommit) -> u64 {
    let context = own_authenticated_data(pending).and_then(|data| CommitContext::decode(data.as_slice()).ok());
    context.map_or(0, |context| context.role_position)
}

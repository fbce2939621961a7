//! Entering a conversation by an external commit: a further device of a member account, or one that lost its state.
//!
//! 1. `FetchGroupInfo`: the public state of the group, checked like a Welcome.
//! 2. The external commit is made (OpenMLS merges it at once) and stored with the group: the conversation is *Entering*.
//! 3. Accepted: the log goes on behind it. Refused: the group is deleted, and for a lost race it starts again at 1.

use subrosa_mls::Group;
use subrosa_types::{ConversationId, IdempotencyKey, Sequence};
use subrosa_wire::proto::{self, ClientFrame, client_frame};

use crate::engine::Engine;
use crate::fault::{Outcome, not_joined};
use crate::requests::Pending;
use crate::store::commits::{self, PendingCommit, PendingCommitKind};
use crate::store::conversations::{self, Conversation, ConversationState};

impl Engine {
    pub(crate) fn drive_entering(&mut self) -> Outcome {
        for id in self.sync.joinable.clone() {
            if commits::load(&self.connection, id)?.is_some() {
                continue;
            }
            let inside = conversations::load(&self.connection, id)?
                .is_some_and(|row| row.state.follows() || row.state == ConversationState::Founding);
            if inside {
                self.sync.joinable.remove(&id);
                continue;
            }
            let Some(answer) = self.sync.group_infos.get(&id).cloned() else {
                let fetch = proto::FetchGroupInfo { conversation_id: id.to_vec() };
                self.request_once(client_frame::Request::FetchGroupInfo(fetch), Pending::GroupInfo(id));
                continue;
            };
            self.enter(id, &answer)?;
        }
        Ok(())
    }

    fn enter(&mut self, id: ConversationId, answer: &proto::GroupInfoAnswer) -> Outcome {
        let key = IdempotencyKey::from_bytes(self.random());
        let context = self.commit_context(key);
        self.delete_group(id)?;
        let Some(identity) = &self.identity else { return Ok(()) };
        let mls = subrosa_mls::Mls::new(&self.connection, &mut *self.rng, identity)?;
        let (group, commit, group_info) =
            match Group::join_external(&mls, &answer.group_info, &answer.ratchet_tree, &context) {
                Ok(joined) => joined,
                Err(error) => {
                    let why = not_joined(error)?;
                    return self.refuse_entering(id, &format!("it cannot be entered ({why})"));
                }
            };
        drop(mls);
        let (certificate, server_key, members) = (group.certificate(), group.server_key(), group.members());
        let checked = match self.check_group(id, certificate.as_deref(), server_key, &members)? {
            Ok(Some(checked)) => checked,
            // Names come first: what was made is thrown away and made again then.
            Ok(None) => return self.delete_group(id),
            Err(why) => return self.refuse_entering(id, &why),
        };
        self.sync.group_infos.remove(&id);
        self.groups.insert(id, group);
        let old = conversations::load(&self.connection, id)?
            .unwrap_or_else(|| Conversation::new(id, checked.kind, ConversationState::Entering));
        let row = Conversation {
            kind: checked.kind,
            state: ConversationState::Entering,
            cursor: Sequence(answer.sequence),
            peer: checked.peer,
            role_position: checked.role_position.0.max(old.role_position),
            blocked: None,
            ..old
        };
        conversations::save(&self.connection, &row)?;
        let commit = proto::Commit {
            conversation_id: id.to_vec(),
            commit: commit.into(),
            welcome: bytes::Bytes::new(),
            welcome_devices: Vec::new(),
            group_info,
            idempotency_key: key.to_vec(),
        };
        let request = ClientFrame { id: 0, request: Some(client_frame::Request::Commit(commit)) };
        let request = subrosa_wire::encode(&request).to_vec();
        commits::save(
            &self.connection,
            &PendingCommit { conversation: id, key, kind: PendingCommitKind::Enter, request },
        )?;
        Ok(())
    }

    fn refuse_entering(&mut self, id: ConversationId, why: &str) -> Outcome {
        self.sync.joinable.remove(&id);
        self.sync.group_infos.remove(&id);
        self.delete_group(id)?;
        self.outgoing.closed.insert(id, why.to_owned());
        self.warn("entering_refused", format!("a chat of this account was not entered: {why}"));
        Ok(())
    }

    /// The external commit is in the log.
    pub(crate) fn entered(&mut self, mut row: Conversation, sequence: Sequence) -> Outcome {
        commits::remove(&self.connection, row.id)?;
        row.state = ConversationState::Active;
        row.cursor = sequence;
        conversations::save(&self.connection, &row)?;
        self.sync.joinable.remove(&row.id);
        self.raise_head(row.id, sequence.0);
        if let Some(peer) = row.peer
            && let Some(contact) = crate::store::contacts::by_account(&self.connection, peer)?
        {
            self.assign_waiting(&contact.username, row.id)?;
        }
        self.outgoing.settled(row.id);
        Ok(())
    }

    /// The external commit lost its race, or is refused for good.
    pub(crate) fn not_entered(&mut self, row: Conversation, for_good: Option<&str>) -> Outcome {
        commits::remove(&self.connection, row.id)?;
        self.delete_group(row.id)?;
        self.sync.group_infos.remove(&row.id);
        match for_good {
            None => {
                self.sync.joinable.insert(row.id);
            }
            Some(why) => {
                self.refuse_entering(row.id, why)?;
                conversations::save(
                    &self.connection,
                    &Conversation { state: ConversationState::Gone, blocked: Some(why.to_owned()), ..row },
                )?;
            }
        }
        Ok(())
    }

    /// This device cannot follow the log any more: it enters again by an external commit.
    pub(crate) fn enter_anew(&mut self, id: ConversationId, why: &str) -> Outcome {
        let Some(row) = conversations::load(&self.connection, id)? else { return Ok(()) };
        self.delete_group(id)?;
        commits::remove(&self.connection, id)?;
        self.sync.logs.remove(&id);
        self.sync.joinable.insert(id);
        conversations::save(&self.connection, &Conversation { state: ConversationState::Entering, ..row })?;
        self.warn("entered_anew", format!("this device enters a chat again, and may miss some of its messages: {why}"));
        Ok(())
    }
}

//! Groups: create, add, remove, leave, rename. Roles are checked by the server and by every member, not here.

use subrosa_types::{AccountId, ConversationId, GroupTitle, Timestamp, Username};
use subrosa_wire::proto::{self, client_frame};

use super::{Asked, Step, Turn};
use crate::api::{ChatKind, Failure, FailureCode, Reply, Target};
use crate::engine::{CommandId, Engine};
use crate::fault::Outcome;
use crate::store::changes::{self, Change};
use crate::store::conversations::{self, Conversation, ConversationState};
use crate::words;

impl Engine {
    pub(super) fn run_group_create(
        &mut self,
        id: CommandId,
        title: &GroupTitle,
        names: &[Username],
        accounts: &[AccountId],
    ) -> Outcome<Turn> {
        let own = self.profile.as_ref().map(|profile| profile.account);
        let mut members: Vec<AccountId> = accounts.to_vec();
        members.sort_unstable();
        members.dedup();
        if members.len() < names.len() {
            return Ok(Turn::Finish(Err(Failure::usage("twice", "somebody is named twice; name each person once"))));
        }
        members.retain(|account| Some(*account) != own);
        self.found_group(title.clone(), members, id);
        Ok(Turn::Wait(Step::AwaitFounding))
    }

    pub(super) fn run_change(
        &mut self,
        group: &Target,
        names: &[Username],
        accounts: &[AccountId],
        adds: bool,
    ) -> Outcome<Turn> {
        let row = match self.group_of(group)? {
            Ok(row) => row,
            Err(failure) => return Ok(Turn::Finish(Err(failure))),
        };
        if let Some(failure) = not_active(&row) {
            return Ok(Turn::Finish(Err(failure)));
        }
        let members = self.member_accounts(row.id)?;
        let own = self.profile.as_ref().map(|profile| profile.account);
        for (name, account) in names.iter().zip(accounts) {
            if members.contains(account) == adds {
                let why = if adds { "is a member already" } else { "is not a member" };
                return Ok(Turn::Finish(Err(Failure::usage(
                    "membership",
                    format!("@{name} {why}; nothing was changed"),
                ))));
            }
            if !adds && Some(*account) == own {
                return Ok(Turn::Finish(Err(Failure::usage(
                    "own_removal",
                    "use 'group leave' to leave a group yourself",
                ))));
            }
        }
        for account in accounts {
            let change = Change { conversation: row.id, adds, account: *account };
            changes::remove(&self.connection, &change)?;
            changes::push(&self.connection, &change)?;
        }
        self.outgoing.change_failures.remove(&row.id);
        Ok(Turn::Wait(Step::AwaitChanges(row.id)))
    }

    pub(super) fn await_changes(&mut self, conversation: ConversationId, late: bool) -> Outcome<Turn> {
        if let Some(failure) = self.outgoing.change_failures.remove(&conversation) {
            return Ok(Turn::Finish(Err(failure)));
        }
        let row = conversations::load(&self.connection, conversation)?;
        if row.as_ref().is_none_or(|row| row.state == ConversationState::Gone || row.blocked.is_some()) {
            return Ok(Turn::Finish(Err(row.as_ref().and_then(not_active).unwrap_or_else(words::interrupted))));
        }
        if changes::of(&self.connection, conversation)?.is_empty() {
            return Ok(Turn::Finish(self.group_reply(conversation)?));
        }
        if let Some(failure) = self.outgoing.held_back.get(&conversation) {
            return Ok(Turn::Finish(Err(failure.clone())));
        }
        if late {
            return Ok(Turn::Finish(Err(Failure::new(
                FailureCode::Environment,
                "change_waits",
                "the change is kept and is made as soon as the server can be reached",
            ))));
        }
        Ok(Turn::Wait(Step::AwaitChanges(conversation)))
    }

    pub(super) fn group_reply(&mut self, conversation: ConversationId) -> Outcome<Result<Reply, Failure>> {
        let Some(row) = conversations::load(&self.connection, conversation)? else {
            return Ok(Err(Failure::usage("no_such_chat", "there is no such group")));
        };
        let title = self.title_of(&row).map_or_else(|| short_id(row.id), |title| title.to_string());
        Ok(Ok(Reply::Group { chat: conversation, title }))
    }

    pub(super) fn run_rename(&mut self, group: &Target, title: &GroupTitle, now: Timestamp) -> Outcome<Turn> {
        let row = match self.group_of(group)? {
            Ok(row) => row,
            Err(failure) => return Ok(Turn::Finish(Err(failure))),
        };
        if let Some(failure) = not_active(&row) {
            return Ok(Turn::Finish(Err(failure)));
        }
        let key = self.push_title(row.id, title, row.title_version + 1, now)?;
        Ok(Turn::Wait(Step::AwaitTitle { conversation: row.id, key }))
    }

    pub(super) fn run_leave(&mut self, id: CommandId, group: &Target) -> Outcome<Turn> {
        let row = match self.group_of(group)? {
            Ok(row) => row,
            Err(failure) => return Ok(Turn::Finish(Err(failure))),
        };
        if row.state == ConversationState::Gone {
            return Ok(Turn::Finish(Err(Failure::usage(
                "not_a_member",
                "you are not a member of this group any more",
            ))));
        }
        Ok(self.ask_leave(id, row.id))
    }

    pub(super) fn ask_leave(&mut self, id: CommandId, conversation: ConversationId) -> Turn {
        let leave = proto::LeaveConversation { conversation_id: conversation.to_vec() };
        self.ask(id, client_frame::Request::LeaveConversation(leave), Asked::Leave(conversation))
    }

    /// The group that a person means. Those this account is in come before those it has left.
    pub(super) fn group_of(&mut self, target: &Target) -> Outcome<Result<Conversation, Failure>> {
        let Target::Group(wanted) = target else {
            return Ok(Err(Failure::usage("not_a_group", "this is for groups: write '#title'")));
        };
        let mut found: Vec<Conversation> = Vec::new();
        for row in conversations::all(&self.connection)? {
            if row.kind != ChatKind::Group || row.state == ConversationState::Founding {
                continue;
            }
            let id = row.id.to_string();
            if id == *wanted {
                // Nobody's title is taken for an id.
                return Ok(Ok(row));
            }
            let title = self.title_of(&row).map(|title| title.to_string()).unwrap_or_default();
            let told_apart = wanted
                .rsplit_once('~')
                .is_some_and(|(name, start)| name == title && start.len() >= 4 && id.starts_with(start));
            if title == *wanted || told_apart || short_id(row.id) == *wanted {
                found.push(row);
            }
        }
        if found.iter().any(|row| row.state != ConversationState::Gone) {
            found.retain(|row| row.state != ConversationState::Gone);
        }
        match found.len() {
            0 => Ok(Err(Failure::usage(
                "no_such_chat",
                format!(
                    "you are in no group called #{wanted}; 'chats' lists yours, 'invites' those you are invited to"
                ),
            ))),
            1 => Ok(found.pop().ok_or_else(words::interrupted)),
            _ => {
                let names: Vec<String> = found.iter().map(|row| format!("'#{wanted}~{}'", short_id(row.id))).collect();
                Ok(Err(Failure::usage(
                    "ambiguous",
                    format!("there are several groups of this title; say which: {}", names.join(", ")),
                )))
            }
        }
    }
}

/// Why nothing can be done in a conversation.
pub(super) fn not_active(row: &Conversation) -> Option<Failure> {
    match row.state {
        ConversationState::Invited => Some(Failure::usage(
            "not_accepted",
            "you are invited to this group but have not accepted; 'invites' shows how",
        )),
        ConversationState::Gone => Some(Failure::new(
            FailureCode::Policy,
            "not_a_member",
            row.blocked.clone().unwrap_or_else(|| "you are no longer a member of this chat".into()),
        )),
        _ => row.blocked.as_ref().map(|why| {
            Failure::new(
                FailureCode::Untrusted,
                "stopped",
                format!("this chat is stopped: {why}; ask the server's operator"),
            )
        }),
    }
}

/// The start of an id, enough to tell groups apart.
pub(super) fn short_id(id: ConversationId) -> String {
    id.to_string().chars().take(6).collect()
}

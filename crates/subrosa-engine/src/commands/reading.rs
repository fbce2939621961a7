//! Reading: messages as rows. Reading marks nothing: whoever asked marks what it has shown.

use subrosa_types::MessageId;

use super::groups::not_active;
use crate::api::{ChatKind, Failure, MessageRow, Reply, Target};
use crate::content::Content;
use crate::engine::Engine;
use crate::fault::Outcome;
use crate::store::contacts;
use crate::store::conversations::{self, Conversation, ConversationState};
use crate::store::messages::{self, Selection, StoredMessage};

impl Engine {
    pub(super) fn read(
        &mut self,
        chat: Option<&Target>,
        all: bool,
        limit: Option<u32>,
        since: Option<MessageId>,
    ) -> Outcome<Result<Reply, Failure>> {
        let rows: Vec<Conversation> = match chat {
            None => conversations::all(&self.connection)?.into_iter().filter(is_shown).collect(),
            Some(target) => match self.conversation_of(target)? {
                Ok(Some(row)) if is_shown(&row) => vec![row],
                Ok(Some(row)) if row.state == ConversationState::Founding => Vec::new(),
                Ok(Some(_)) => return Ok(Err(not_accepted(target))),
                Ok(None) => return Ok(Err(self.no_chat_with(target))),
                Err(failure) => return Ok(Err(failure)),
            },
        };
        if let Some(since) = since
            && messages::by_id(&self.connection, since)?.is_none()
        {
            return Ok(Err(Failure::usage(
                "no_such_message",
                "there is no message of this id here; leave --since out",
            )));
        }
        let selection = Selection { conversations: rows.iter().map(|row| row.id).collect(), all, since, limit };
        let mut shown = Vec::new();
        for stored in messages::select(&self.connection, &selection)? {
            if let Some(row) = rows.iter().find(|row| row.id == stored.conversation) {
                shown.extend(self.message_row(row, &stored)?);
            }
        }
        if shown.is_empty() && !all && chat.is_some() {
            // Nothing is left to be read, and nothing will come.
            let gone = |row: &&Conversation| row.kind == ChatKind::Group && row.state == ConversationState::Gone;
            if let Some(failure) = rows.first().filter(gone).and_then(not_active) {
                return Ok(Err(failure));
            }
        }
        Ok(Ok(Reply::Messages(shown)))
    }

    pub(super) fn no_chat_with(&self, target: &Target) -> Failure {
        let own = self.profile.as_ref().is_some_and(|profile| *target == Target::Person(profile.username.clone()));
        let why = if own {
            format!("{target} is yourself; a chat is with somebody else")
        } else {
            format!("you have no chat with {target}; 'chats' lists yours, and 'send {target}' begins one")
        };
        Failure::usage("no_such_chat", why)
    }

    /// A message for people; `None` if it has nothing that they see.
    pub(crate) fn message_row(&mut self, row: &Conversation, stored: &StoredMessage) -> Outcome<Option<MessageRow>> {
        let Ok(Content { text: Some(text), .. }) = Content::decode(&stored.content) else { return Ok(None) };
        let own = self.profile.as_ref().is_some_and(|profile| profile.account == stored.sender);
        let verified =
            own || contacts::by_account(&self.connection, stored.sender)?.is_some_and(|contact| contact.is_verified());
        Ok(Some(MessageRow {
            id: stored.id,
            chat: self.chat_name(row)?,
            conversation: row.id,
            from: self.name_of(stored.sender)?,
            own,
            text,
            sent_at: stored.sent_at,
            received_at: stored.received_at,
            via: stored.via,
            verified,
            unread: stored.unread,
            pending: stored.sequence.is_none(),
            delivered: stored.delivered,
        }))
    }
}

/// What an invitation says is shown when it is accepted; a first message from a stranger is shown at once.
pub(super) fn is_shown(row: &Conversation) -> bool {
    !matches!(row.state, ConversationState::Invited | ConversationState::Founding)
}

pub(super) fn not_accepted(target: &Target) -> Failure {
    let message = format!("you are invited to {target} but have not accepted; 'accept {target}' shows its messages");
    Failure::usage("not_accepted", message)
}

//! Application messages: who sent it, what it says, and whether it may say that.

use prost::Message;
use subrosa_crypto::TitleRecord;
use subrosa_mls::Member;
use subrosa_types::{Ability, AccountId, ConversationId, IdempotencyKey, MessageId, RolePosition, Sequence, Timestamp};
use subrosa_wire::proto::{MessageClass, MessageContext, Signed};

use super::Taken;
use crate::api::{ChatKind, Event, Via};
use crate::content::Content;
use crate::engine::Engine;
use crate::fault::Outcome;
use crate::store::conversations::{Conversation, ConversationState};
use crate::store::messages::{self, StoredMessage};
use crate::store::outbox::Intent;

impl Engine {
    #[expect(clippy::too_many_arguments, reason = "all that is known of a message, from two callers")]
    pub(crate) fn take_in_application(
        &mut self,
        row: &mut Conversation,
        position: Sequence,
        at: Timestamp,
        via: Via,
        sender: &Member,
        authenticated_data: &[u8],
        plaintext: &[u8],
        now: Timestamp,
    ) -> Outcome<Taken> {
        let Ok(device) = self.device_once(sender) else {
            return self.drop_entry("its sender's device is not certified");
        };
        let content = match Content::decode(plaintext) {
            Ok(content) => content,
            Err(error) => return self.drop_entry(&error.to_string()),
        };
        let Ok(context) = MessageContext::decode(authenticated_data) else {
            return self.drop_entry("its context does not decode");
        };
        let own = self.profile.as_ref().is_some_and(|profile| profile.account == device.account);
        self.want(device.account)?;
        if let Some(title) = &content.title {
            self.take_title(row, title, context.class() == MessageClass::Title)?;
        }
        if content.joined {
            self.take_joined(row, device.account, own)?;
        }
        if let Some(delivered) = content.delivered {
            self.outgoing.delivered(IdempotencyKey::from_bytes(*delivered.as_bytes()));
            self.take_delivered(row, delivered, own)?;
        }
        if let Some(signals) = &content.direct {
            self.take_signals(row, &device, signals, at, now)?;
        }
        if content.text.is_none() {
            return Ok(Taken::Next);
        }
        let mention = !own
            && self
                .profile
                .as_ref()
                .zip(content.text.as_deref())
                .is_some_and(|(profile, text)| crate::commands::mentions(text, profile.username.as_str()));
        let stored = StoredMessage {
            id: content.id,
            conversation: row.id,
            sender: device.account,
            device: device.id,
            content: plaintext.to_vec(),
            sent_at: Self::clamp_sent_at(content.sent_at, at),
            received_at: at,
            sequence: Some(position),
            unread: !own,
            via,
            hidden: row.state == ConversationState::Invited,
            mention,
            delivered: false,
        };
        if messages::insert(&self.connection, &stored)? {
            self.sync.unannounced.push((row.id, device.account, content.id));
            if !own {
                self.outgoing.came.messages += 1;
                self.wish_direct(row);
            }
            if content.asks_delivered && !own && row.kind == ChatKind::Private && row.state == ConversationState::Active
            {
                self.send_control(row.id, |control| control.delivered = Some(content.id))?;
            }
        }
        Ok(Taken::Next)
    }

    /// The other side of a private chat says that it has a message of this account.
    fn take_delivered(&mut self, row: &Conversation, id: MessageId, own: bool) -> Outcome {
        let Some(account) = self.profile.as_ref().map(|profile| profile.account) else { return Ok(()) };
        if !own && row.kind == ChatKind::Private && messages::delivered(&self.connection, row.id, account, id)? {
            let event = Event::Delivered { chat: self.chat_name(row)?, conversation: row.id, id };
            self.emit(event);
        }
        Ok(())
    }

    /// A title counts if who gave it might; a version that is new here has to come as a message that the server checked, too.
    fn take_title(&mut self, row: &mut Conversation, title: &[u8], declared: bool) -> Outcome {
        let Ok(signed) = Signed::decode(title) else { return Ok(()) };
        let Ok(account) = TitleRecord::claimed_account(&signed) else { return Ok(()) };
        let Some(key) = self.roles.key(account) else { return Ok(()) };
        let Ok(record) = TitleRecord::verify(&signed, row.id, account, &key) else { return Ok(()) };
        row.announce_title = false;
        if record.version <= row.title_version || row.kind != ChatKind::Group {
            return Ok(());
        }
        let first = row.title_version == 0;
        let allowed = self
            .roles
            .role_at(account, RolePosition(record.role_position.0))
            .is_some_and(|role| role.may(Ability::ChangeMembers));
        if !allowed || !(declared || first) {
            self.warn("title_refused", "somebody who may not tried to rename a group; the title stays as it was");
            return Ok(());
        }
        let before = self.chat_name(row)?;
        row.title = Some(title.to_vec());
        row.title_version = record.version;
        if !first {
            self.emit(Event::Renamed { chat: before, title: record.title.to_string() });
        }
        Ok(())
    }

    /// An own message that carried a title is in the log.
    pub(crate) fn take_own_title(&mut self, row: &mut Conversation, intent: &Intent) -> Outcome {
        if let Ok(Content { title: Some(title), .. }) = Content::decode(&intent.content) {
            self.take_title(row, &title, intent.class == i32::from(MessageClass::Title))?;
        }
        Ok(())
    }

    fn take_joined(&mut self, row: &mut Conversation, account: AccountId, own: bool) -> Outcome {
        if own {
            // Accepted on another device of this account.
            if matches!(row.state, ConversationState::Invited | ConversationState::Request) {
                self.show_invited(row)?;
                row.state = ConversationState::Active;
            }
            return Ok(());
        }
        let event = Event::Joined { chat: self.chat_name(row)?, name: self.name_of(account)? };
        self.emit(event);
        Ok(())
    }

    /// An invitation is being accepted: what came with it is told now, which it was not before.
    pub(crate) fn show_invited(&mut self, row: &Conversation) -> Outcome {
        if row.state != ConversationState::Invited {
            return Ok(());
        }
        self.sync.unannounced.retain(|(conversation, ..)| *conversation != row.id);
        for (sender, id) in messages::unhide(&self.connection, row.id)? {
            self.sync.unannounced.push((row.id, sender, id));
        }
        Ok(())
    }

    /// Tells of messages whose sender's name is known by now.
    pub(crate) fn announce_messages(&mut self) -> Outcome {
        for (conversation, sender, id) in std::mem::take(&mut self.sync.unannounced) {
            if self.want(sender)? {
                self.sync.unannounced.push((conversation, sender, id));
                continue;
            }
            self.announce(conversation, id)?;
        }
        Ok(())
    }

    fn announce(&mut self, conversation: ConversationId, id: MessageId) -> Outcome {
        let Some(row) = crate::store::conversations::load(&self.connection, conversation)? else { return Ok(()) };
        // What an invitation that is not accepted yet says is shown when it is.
        if row.state == ConversationState::Invited {
            return Ok(());
        }
        if let Some(stored) = messages::by_id(&self.connection, id)?
            && let Some(message) = self.message_row(&row, &stored)?
        {
            self.emit(Event::Message(message));
        }
        Ok(())
    }
}

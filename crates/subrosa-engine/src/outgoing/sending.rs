//! The outbox pump: encrypt, store the exact bytes, append; and what the server's answer means.

use prost::Message;
use subrosa_types::{ConversationId, IdempotencyKey, MessageId, Sequence, Timestamp, Username};
use subrosa_wire::Refusal;
use subrosa_wire::proto::{self, ErrorCode, MessageClass, MessageContext, client_frame};

use crate::api::{Failure, Via};
use crate::content::Content;
use crate::engine::Engine;
use crate::fault::Outcome;
use crate::requests::Pending;
use crate::store::conversations::{Conversation, ConversationState};
use crate::store::messages::{self, StoredMessage};
use crate::store::outbox::{self, Intent};
use crate::store::{commits, contacts, conversations};
use crate::words;

/// Appends of one conversation under way at once. No more than a receiver's ratchet can be behind (OpenMLS keeps the keys of
/// five earlier messages), should a server let some of them come before others.
const WINDOW: u32 = 5;

impl Engine {
    /// Sends what waits in a conversation, as far as it may.
    pub(super) fn drive_outbox(&mut self, conversation: ConversationId, now: Timestamp) -> Outcome {
        let Some(row) = conversations::load(&self.connection, conversation)? else { return Ok(()) };
        let head = self.sync.heads.get(&conversation).copied().unwrap_or(0);
        if row.state != ConversationState::Active
            || row.blocked.is_some()
            || row.cursor.0 < head
            || commits::load(&self.connection, conversation)?.is_some()
        {
            return Ok(());
        }
        if let Some(contact) = self.unaccepted_key(conversation)? {
            let failure = words::key_changed(contact.username.as_str());
            for intent in outbox::first(&self.connection, conversation, WINDOW)? {
                self.outgoing.verdicts.insert(intent.key, Err(failure.clone()));
            }
            return Ok(());
        }
        let Some(group) = self.group(conversation)? else { return Ok(()) };
        if group.has_pending_proposals() || group.has_pending_commit() {
            // Sending waits for the commit; who has something to send does not wait for others to make it.
            return Ok(());
        }
        let epoch = group.epoch();
        if !self.all_certified(conversation, epoch)? {
            return Ok(());
        }
        let under_way = |engine: &Self, intent: &Intent| {
            engine.outgoing.appends.contains_key(&intent.key) || engine.direct.carries(intent.key)
        };
        let next = outbox::first(&self.connection, conversation, WINDOW)?;
        let (stale, next): (Vec<_>, Vec<_>) =
            next.into_iter().partition(|intent| !under_way(self, intent) && self.is_stale_signal(intent));
        for intent in stale {
            outbox::remove(&self.connection, intent.key)?;
        }
        let appending = self.outgoing.under_way(conversation, now);
        if appending.is_none() && self.goes_direct(&row)? {
            return self.drive_flights(&row, next, epoch, now);
        }
        if self.is_in_flight(conversation) || !self.session.is_online() || appending == Some(true) {
            return Ok(());
        }
        let is_under_way = |intent: &Intent| self.outgoing.appends.contains_key(&intent.key);
        if next.iter().any(|intent| is_under_way(intent) && intent.epoch != Some(epoch)) {
            // The group went on meanwhile: what comes late is refused, and must not be overtaken by what fits.
            return Ok(());
        }
        let under_way = next.iter().rposition(is_under_way);
        for (place, intent) in next.into_iter().enumerate() {
            if self.outgoing.appends.contains_key(&intent.key) {
                continue;
            }
            if under_way.is_some_and(|later| place < later) {
                // It was refused for now. Those behind it on the way will be, too: all of them go again, in their order.
                return Ok(());
            }
            let message = match &intent.message {
                Some(message) if intent.epoch == Some(epoch) => message.clone(),
                _ => self.encrypt(&row, &intent)?,
            };
            let key = intent.key;
            #[cfg(feature = "planted-faults")]
            let key =
                if self.config.faults.forget_idempotency_key { IdempotencyKey::from_bytes(self.random()) } else { key };
            self.outgoing.appends.insert(intent.key, (conversation, now));
            let append = proto::Append {
                conversation_id: conversation.to_vec(),
                message: message.into(),
                idempotency_key: key.to_vec(),
            };
            self.request(client_frame::Request::Append(append), Pending::Append(conversation, intent.key));
        }
        Ok(())
    }

    pub(crate) fn encrypt(&mut self, row: &Conversation, intent: &Intent) -> Outcome<Vec<u8>> {
        let mut content = intent.content.clone();
        if row.announce_title
            && let (Some(title), Ok(mut decoded)) = (&row.title, Content::decode(&content))
            && decoded.title.is_none()
        {
            decoded.title = Some(title.clone());
            content = decoded.encode();
        }
        let context = MessageContext { class: intent.class }.encode_to_vec();
        let encrypted = self.with_group(row.id, |mls, group| {
            Ok::<_, subrosa_mls::GroupError>((group.epoch(), group.encrypt(mls, &context, &content)?))
        })?;
        let Some((epoch, message)) = encrypted.transpose()? else {
            return Err(crate::fault::Fault::Mls("the group is missing".to_owned()));
        };
        outbox::encrypted(&self.connection, intent.key, epoch, &message)?;
        Ok(message)
    }

    /// Puts a text into the outbox of a conversation, and into its history as not accepted yet.
    pub(crate) fn push_message(&mut self, conversation: ConversationId, intent: &Intent) -> Outcome {
        outbox::push(&self.connection, intent)?;
        if let Some(row) = conversations::load(&self.connection, conversation)? {
            self.wish_direct(&row);
        }
        self.show_own(conversation, intent)
    }

    fn show_own(&mut self, conversation: ConversationId, intent: &Intent) -> Outcome {
        let (Some(profile), Ok(content)) = (&self.profile, Content::decode(&intent.content)) else { return Ok(()) };
        if !intent.shown {
            return Ok(());
        }
        let stored = StoredMessage {
            id: MessageId::from_bytes(*intent.key.as_bytes()),
            conversation,
            sender: profile.account,
            device: profile.device,
            content: intent.content.clone(),
            sent_at: content.sent_at,
            received_at: content.sent_at,
            sequence: None,
            unread: false,
            via: Via::Server,
            hidden: false,
            mention: false,
            delivered: false,
        };
        messages::insert(&self.connection, &stored)?;
        Ok(())
    }

    /// A message that people do not see.
    pub(crate) fn send_control(&mut self, conversation: ConversationId, say: impl FnOnce(&mut Content)) -> Outcome {
        self.send_control_as(conversation, MessageClass::Chat, Timestamp(0), say).map(|_| ())
    }

    /// The same, in a class that the server checks.
    pub(crate) fn send_control_as(
        &mut self,
        conversation: ConversationId,
        class: MessageClass,
        now: Timestamp,
        say: impl FnOnce(&mut Content),
    ) -> Outcome<IdempotencyKey> {
        let key = IdempotencyKey::from_bytes(self.random());
        let mut content = Content::control(MessageId::from_bytes(*key.as_bytes()), now);
        say(&mut content);
        let intent = Intent {
            position: 0,
            key,
            conversation: Some(conversation),
            peer: None,
            content: content.encode(),
            class: class.into(),
            shown: false,
            epoch: None,
            message: None,
        };
        outbox::push(&self.connection, &intent)?;
        Ok(key)
    }

    /// Says the title again for somebody who joined.
    pub(crate) fn say_title(&mut self, row: &mut Conversation) -> Outcome {
        let Some(title) = row.title.clone() else { return Ok(()) };
        row.announce_title = false;
        self.send_control(row.id, |content| content.title = Some(title))
    }

    /// The private chat with somebody is there: what waited for it goes into it.
    pub(crate) fn assign_waiting(&mut self, peer: &Username, conversation: ConversationId) -> Outcome {
        let waiting = outbox::waiting_for(&self.connection, peer)?;
        outbox::assign(&self.connection, peer, conversation)?;
        for intent in waiting {
            self.show_own(conversation, &intent)?;
        }
        Ok(())
    }

    /// People to whom something waits though there is no chat with them: make it.
    pub(super) fn drive_peers(&mut self) -> Outcome {
        for peer in outbox::peers_without_chat(&self.connection)? {
            let Some(contact) = contacts::by_name(&self.connection, &peer)? else {
                let lookup = proto::Lookup { by: Some(proto::lookup::By::Username(peer.to_string())) };
                self.request_once(client_frame::Request::Lookup(lookup), Pending::Peer(peer));
                continue;
            };
            match conversations::private_with(&self.connection, contact.account)? {
                Some(mut row) if row.state.follows() => {
                    if row.state == ConversationState::Request {
                        // Both wrote first, and this account's name was not known here: who writes has accepted.
                        row.state = ConversationState::Active;
                        conversations::save(&self.connection, &row)?;
                    }
                    self.assign_waiting(&peer, row.id)?;
                }
                Some(_) => {}
                None if contact.new_key.is_some() => {
                    let failure = words::key_changed(peer.as_str());
                    for intent in outbox::waiting_for(&self.connection, &peer)? {
                        self.outgoing.verdicts.insert(intent.key, Err(failure.clone()));
                    }
                }
                None if self.outgoing.existing.is_empty() => self.found_private(contact.account),
                None => {}
            }
        }
        Ok(())
    }

    /// Nothing can be sent to this person: what waited for them is given back.
    pub(crate) fn fail_peer(&mut self, peer: &Username, failure: &Failure) -> Outcome {
        for intent in outbox::waiting_for(&self.connection, peer)? {
            self.withdraw(&intent, &format!("@{peer}"), failure)?;
        }
        Ok(())
    }

    /// Nothing can be sent to this person now: what waits for them goes on waiting, and who waits for it is told.
    pub(crate) fn delay_peer(&mut self, peer: &Username, refusal: &Refusal) -> Outcome {
        for intent in outbox::waiting_for(&self.connection, peer)? {
            self.outgoing.verdicts.insert(intent.key, Err(words::kept(refusal)));
        }
        Ok(())
    }

    /// An intent will never be sent: whoever waits for it is told, or else whoever watches.
    fn withdraw(&mut self, intent: &Intent, to: &str, failure: &Failure) -> Outcome {
        outbox::remove(&self.connection, intent.key)?;
        messages::withdrawn(&self.connection, MessageId::from_bytes(*intent.key.as_bytes()))?;
        if intent.shown && !self.is_awaited(intent.key) {
            // It is nowhere else any more: what was typed goes back to who typed it.
            let text = Content::decode(&intent.content).ok().and_then(|content| content.text).unwrap_or_default();
            self.warn(&failure.kind, format!("a message to {to} was not sent: {}; it said: {text}", failure.message));
        }
        self.outgoing.verdicts.insert(intent.key, Err(failure.clone()));
        Ok(())
    }

    pub(crate) fn append_accepted(
        &mut self,
        conversation: ConversationId,
        key: IdempotencyKey,
        sequence: u64,
        at: Timestamp,
    ) -> Outcome {
        let Some(mut row) = conversations::load(&self.connection, conversation)? else { return Ok(()) };
        let position = Sequence(sequence);
        if position > row.cursor {
            self.buffer_own(conversation, key, position, at);
            return Ok(());
        }
        // The log was taken in behind it already, and this message not recognised there.
        self.outgoing.appends.remove(&key);
        let Some(intent) = outbox::by_key(&self.connection, key)? else { return Ok(()) };
        if messages::is_at(&self.connection, conversation, position)? {
            let chat = self.name_of_chat(conversation)?;
            return self.withdraw(&intent, &chat, &words::id_taken());
        }
        // This device entered the conversation anew since.
        self.accepted_at(&mut row, position, at, &intent)?;
        conversations::save(&self.connection, &row)?;
        Ok(())
    }

    pub(crate) fn append_refused(
        &mut self,
        conversation: ConversationId,
        key: IdempotencyKey,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Outcome {
        self.outgoing.appends.remove(&key);
        match refusal.code {
            ErrorCode::StaleEpoch => {
                outbox::refused(&self.connection, key)?;
                self.raise_head(conversation, refusal.current.1);
            }
            ErrorCode::RateLimited => {
                self.outgoing.hold(conversation, refusal.retry_after_ms, now);
            }
            ErrorCode::StoreUnavailable | ErrorCode::GoingDown | ErrorCode::Internal => {
                self.outgoing.hold(conversation, refusal.retry_after_ms.max(500), now);
                self.outgoing.held_back.insert(conversation, words::kept(refusal));
            }
            ErrorCode::NotAMember | ErrorCode::NoSuchConversation => {
                self.gone(conversation, "you are no longer a member of this chat")?;
            }
            _ => {
                if let Some(intent) = outbox::by_key(&self.connection, key)? {
                    let chat = self.name_of_chat(conversation)?;
                    self.withdraw(&intent, &chat, &words::refusal(refusal))?;
                }
            }
        }
        Ok(())
    }

    /// Nothing of this conversation's outbox will ever be sent.
    pub(crate) fn give_back(&mut self, conversation: ConversationId, failure: &Failure) -> Outcome {
        let chat = self.name_of_chat(conversation)?;
        while let Some(intent) = outbox::first(&self.connection, conversation, 1)?.pop() {
            self.withdraw(&intent, &chat, failure)?;
        }
        Ok(())
    }

    fn name_of_chat(&mut self, conversation: ConversationId) -> Outcome<String> {
        match conversations::load(&self.connection, conversation)? {
            Some(row) => self.chat_name(&row),
            None => Ok("a chat".to_owned()),
        }
    }
}

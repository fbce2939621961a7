//! `send`: into the outbox, and then until the server has it (or the other side, or nobody).

use subrosa_types::{IdempotencyKey, MessageId, Timestamp, Username, limits};

use super::groups::not_active;
use super::{Step, Turn};
use crate::api::{Failure, Reply, SendState, SentRow, Target, Via, Wait};
use crate::content::Content;
use crate::engine::Engine;
use crate::fault::Outcome;
use crate::store::conversations::{self, ConversationState};
use crate::store::outbox::{self, Intent};
use crate::store::{contacts, messages};
use crate::words;

impl Engine {
    pub(super) fn run_send(
        &mut self,
        to: &Target,
        text: &str,
        id: Option<IdempotencyKey>,
        wait: Wait,
        now: Timestamp,
    ) -> Outcome<Turn> {
        let delivered = wait == Wait::Delivered;
        if delivered && matches!(to, Target::Group(_)) {
            return Ok(Turn::Finish(Err(Failure::usage("wait", "--wait delivered is for private chats"))));
        }
        match self.put_into_outbox(to, text, id, delivered, now)? {
            Ok(key) => Ok(Turn::Go(Step::AwaitSent { key, delivered })),
            Err(failure) => Ok(Turn::Finish(Err(failure))),
        }
    }

    /// The server is not reached: the message is kept and goes out with the next connection.
    pub(super) fn queue_send(
        &mut self,
        to: &Target,
        text: &str,
        id: Option<IdempotencyKey>,
        now: Timestamp,
    ) -> Outcome<Turn> {
        Ok(Turn::Finish(match self.put_into_outbox(to, text, id, false, now)? {
            Ok(key) => Ok(self.sent(key, SendState::Queued)?),
            Err(failure) => Err(failure),
        }))
    }

    fn put_into_outbox(
        &mut self,
        to: &Target,
        text: &str,
        id: Option<IdempotencyKey>,
        asks_delivered: bool,
        now: Timestamp,
    ) -> Outcome<Result<IdempotencyKey, Failure>> {
        if text.is_empty() {
            return Ok(Err(Failure::usage("empty", "there is nothing to send; give a text")));
        }
        if text.len() > limits::TEXT {
            return Ok(Err(Failure::usage(
                "too_large",
                format!("a message may have {} KiB; send it in parts", limits::TEXT / 1024),
            )));
        }
        let key = id.unwrap_or_else(|| IdempotencyKey::from_bytes(self.random()));
        if let Some(same) = self.is_repeat(to, text, key)? {
            return Ok(if same { Ok(key) } else { Err(words::id_taken()) });
        }
        let mut content = Content::text(MessageId::from_bytes(*key.as_bytes()), now, text.to_owned());
        content.asks_delivered = asks_delivered;
        let mut intent = Intent {
            position: 0,
            key,
            conversation: None,
            peer: None,
            content: content.encode(),
            class: 0,
            shown: true,
            epoch: None,
            message: None,
        };
        let row = match to {
            Target::Person(name) => match self.private_chat(name)? {
                Ok(Some(row)) => row,
                Ok(None) => {
                    intent.peer = Some(name.clone());
                    outbox::push(&self.connection, &intent)?;
                    return Ok(Ok(key));
                }
                Err(failure) => return Ok(Err(failure)),
            },
            Target::Group(_) => match self.group_of(to)? {
                Ok(row) => row,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        if let Some(failure) = not_active(&row) {
            return Ok(Err(failure));
        }
        if let Some(contact) = self.unaccepted_key(row.id)? {
            return Ok(Err(words::key_changed(contact.username.as_str())));
        }
        if row.state == ConversationState::Request {
            // Who answers has accepted.
            conversations::save(
                &self.connection,
                &conversations::Conversation { state: ConversationState::Active, ..row.clone() },
            )?;
        }
        intent.conversation = Some(row.id);
        self.push_message(row.id, &intent)?;
        Ok(Ok(key))
    }

    /// Whether a message of this key was sent before, and if so, whether it was this one.
    fn is_repeat(&mut self, to: &Target, text: &str, key: IdempotencyKey) -> Outcome<Option<bool>> {
        let waiting = outbox::by_key(&self.connection, key)?;
        let own = self.profile.as_ref().map(|profile| profile.account);
        let shown = match own {
            Some(own) => messages::own_by_id(&self.connection, own, MessageId::from_bytes(*key.as_bytes()))?,
            None => None,
        };
        let (content, conversation, peer) = match (waiting, shown) {
            (Some(intent), _) => (intent.content, intent.conversation, intent.peer),
            (None, Some(message)) => (message.content, Some(message.conversation), None),
            (None, None) => return Ok(None),
        };
        let said = Content::decode(&content).ok().and_then(|content| content.text);
        let row = match conversation {
            Some(id) => conversations::load(&self.connection, id)?,
            None => None,
        };
        let there = match (to, row) {
            (Target::Person(name), None) => peer.as_ref() == Some(name),
            (Target::Person(name), Some(row)) => {
                let contact = contacts::by_name(&self.connection, name)?;
                row.peer.is_some() && contact.map(|contact| contact.account) == row.peer
            }
            (Target::Group(_), Some(row)) => self.group_of(to)?.is_ok_and(|group| group.id == row.id),
            (Target::Group(_), None) => false,
        };
        Ok(Some(there && said.as_deref() == Some(text)))
    }

    /// The private chat with somebody, if there is one.
    fn private_chat(&mut self, name: &Username) -> Outcome<Result<Option<conversations::Conversation>, Failure>> {
        if self.profile.as_ref().is_some_and(|profile| profile.username == *name) {
            return Ok(Err(Failure::usage("own_name", "this is you; write to somebody else")));
        }
        let Some(contact) = contacts::by_name(&self.connection, name)? else { return Ok(Ok(None)) };
        if contact.new_key.is_some() {
            #[cfg(feature = "planted-faults")]
            let ignore = self.config.faults.ignore_changed_key;
            #[cfg(not(feature = "planted-faults"))]
            let ignore = false;
            if !ignore {
                return Ok(Err(words::key_changed(name.as_str())));
            }
        }
        let row = conversations::private_with(&self.connection, contact.account)?;
        let row = row.filter(|row| row.state.follows());
        if let Some(row) = &row
            && !self.member_accounts(row.id)?.contains(&contact.account)
        {
            return Ok(Err(Failure::new(
                crate::api::FailureCode::Policy,
                "peer_gone",
                format!("@{name} has left this chat or has no device in it; they can write to you to open it again"),
            )));
        }
        Ok(Ok(row))
    }

    pub(super) fn await_sent(&mut self, key: IdempotencyKey, delivered: bool, late: bool) -> Outcome<Turn> {
        match self.outgoing.verdicts.get(&key).cloned() {
            Some(Err(failure)) => {
                self.outgoing.verdicts.remove(&key);
                return Ok(Turn::Finish(Err(failure)));
            }
            Some(Ok(state)) if !delivered || state == SendState::Delivered => {
                self.outgoing.verdicts.remove(&key);
                return Ok(Turn::Finish(Ok(self.sent(key, state)?)));
            }
            Some(Ok(state)) if late => return Ok(Turn::Finish(Ok(self.sent(key, state)?))),
            _ => {}
        }
        let waiting = outbox::by_key(&self.connection, key)?;
        let accepted = waiting.is_none();
        if let Some(failure) = waiting.and_then(|intent| self.outgoing.held_back.get(&intent.conversation?)) {
            return Ok(Turn::Finish(Err(failure.clone())));
        }
        if accepted && (!delivered || late) {
            return Ok(Turn::Finish(Ok(self.sent(key, SendState::Accepted)?)));
        }
        if late {
            return Ok(Turn::Finish(Ok(self.sent(key, SendState::Queued)?)));
        }
        Ok(Turn::Wait(Step::AwaitSent { key, delivered }))
    }

    fn sent(&self, key: IdempotencyKey, state: SendState) -> Outcome<Reply> {
        let id = MessageId::from_bytes(*key.as_bytes());
        let stored = match self.profile.as_ref().map(|profile| profile.account) {
            Some(own) => messages::own_by_id(&self.connection, own, id)?,
            None => None,
        };
        let via = stored.map_or(Via::Server, |stored| stored.via);
        Ok(Reply::Sent(SentRow { id: key, state, via }))
    }

    /// Whether a text to this chat would go over links now, whatever the server does.
    pub(super) fn reaches_directly(&mut self, to: &Target) -> Outcome<bool> {
        let Target::Person(name) = to else { return Ok(false) };
        match self.private_chat(name)? {
            Ok(Some(row)) => self.goes_direct(&row),
            Ok(None) | Err(_) => Ok(false),
        }
    }
}

//! Taking in what the server has: log entries in order, and each check that a client makes for itself.
//!
//! ```text
//!   Deliver / LogPage / own Accepted ─► LogBuffer ─(next in order)─► own · application · proposal · commit
//! ```
//!
//! The cursor moves by one with each entry, in the transaction that stores what the entry says. An own append or commit has
//! its place in the order like any other: its acceptance waits in the buffer until everything before it is taken in. That is
//! why a commit is never merged before its turn.

mod application;
mod commit;
mod entering;
mod inbox;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::Bytes;
use subrosa_mls::{Kind, ProcessError, Processed};
use subrosa_types::{ConversationId, IdempotencyKey, MessageId, Sequence, Timestamp};
use subrosa_wire::proto;

use crate::api::{Event, Failure, FailureCode, Via};
use crate::engine::Engine;
use crate::fault::{Fault, Outcome};
use crate::store::conversations::{self, Conversation, ConversationState};
use crate::store::outbox::{self, Intent};
use crate::store::{StoreError, commits, messages, profile};
use crate::sync::{BUFFERED, BUFFERED_BYTES};

/// One place in a log, as this device heard of it.
#[derive(Debug, Clone)]
enum Place {
    /// From the log.
    Entry { at: Timestamp, message: Bytes, key: Option<IdempotencyKey> },
    /// The server's answer to an append or commit of this device.
    Own { at: Timestamp, key: IdempotencyKey },
}

impl Place {
    /// Bytes that it keeps in memory, about.
    fn size(&self) -> usize {
        match self {
            Self::Entry { message, .. } => message.len() + 64,
            Self::Own { .. } => 64,
        }
    }
}

/// Entries of one conversation that wait for an earlier one.
#[derive(Debug, Default)]
pub struct LogBuffer {
    places: BTreeMap<u64, Place>,
    bytes: usize,
}

impl LogBuffer {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes that they keep in memory, about.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is there first stays: an own acceptance is not replaced by its entry, nor the other way round.
    fn insert(&mut self, position: u64, place: Place) {
        if let Entry::Vacant(vacant) = self.places.entry(position) {
            self.bytes += place.size();
            vacant.insert(place);
        }
    }

    fn remove(&mut self, position: u64) {
        if let Some(place) = self.places.remove(&position) {
            self.bytes -= place.size();
        }
    }

    /// Forgets the last entry; `false` if there is none.
    fn shrink(&mut self) -> bool {
        let last = self.places.keys().next_back().copied();
        last.inspect(|position| self.remove(*position)).is_some()
    }

    /// Forgets what is taken in.
    fn forget_through(&mut self, cursor: Sequence) {
        while let Some((&first, _)) = self.places.first_key_value()
            && first <= cursor.0
        {
            self.remove(first);
        }
    }

    /// Whether the entry of this position is there (and could not be taken in yet).
    pub fn starts_at(&self, position: Sequence) -> bool {
        self.places.contains_key(&position.0)
    }
}

/// What became of an entry.
pub(crate) enum Taken {
    /// Done with it: the next one.
    Next,
    /// Something else has to come first (the role log, mostly); the entry stays.
    Later,
    /// It must not be taken in, ever: the conversation stops here.
    Stop(&'static str, String),
}

impl Engine {
    pub(crate) fn buffer_entries(&mut self, conversation: ConversationId, entries: Vec<proto::LogEntry>) -> Outcome {
        let known = self.sync.logs.contains_key(&conversation)
            || conversations::load(&self.connection, conversation)?.is_some_and(|row| row.state.follows());
        let mut bytes: usize = self.sync.logs.values().map(LogBuffer::bytes).sum();
        for entry in entries {
            self.raise_head(conversation, entry.sequence);
            let place = Place::Entry {
                at: Self::told_time(entry.at),
                message: entry.message,
                key: IdempotencyKey::from_slice(&entry.idempotency_key).ok(),
            };
            bytes += place.size();
            // What finds no room is fetched in its turn; so is what is told of a conversation before this device enters it.
            if known && bytes <= BUFFERED_BYTES {
                let buffer = self.sync.logs.entry(conversation).or_default();
                if buffer.len() < BUFFERED {
                    buffer.insert(entry.sequence, place);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn take_log_page(&mut self, conversation: ConversationId, page: proto::LogPage) -> Outcome {
        self.raise_head(conversation, page.head);
        let Some(row) = conversations::load(&self.connection, conversation)? else { return Ok(()) };
        if page.first > row.cursor.next().0 && page.head > row.cursor.0 {
            // The server pruned what this device never fetched: it has to enter anew.
            return self.enter_anew(conversation, "the server no longer keeps what came in between");
        }
        if page.entries.is_empty() && page.head > row.cursor.0 {
            return Err(Fault::Lie("a log is shorter than it said"));
        }
        // A page fills a gap: make room for it if later entries filled the buffer.
        let buffer = self.sync.logs.entry(conversation).or_default();
        while buffer.len() + page.entries.len() > BUFFERED && buffer.shrink() {}
        let size: usize = page.entries.iter().map(|entry| entry.message.len() + 64).sum();
        let mut bytes: usize = self.sync.logs.values().map(LogBuffer::bytes).sum::<usize>() + size;
        if bytes > BUFFERED_BYTES {
            self.sync.logs.retain(|id, _| *id == conversation);
            let buffer = self.sync.logs.entry(conversation).or_default();
            bytes = buffer.bytes() + size;
            while bytes > BUFFERED_BYTES && buffer.shrink() {
                bytes = buffer.bytes() + size;
            }
        }
        self.buffer_entries(conversation, page.entries)
    }

    /// An own append or commit has its place.
    pub(crate) fn buffer_own(
        &mut self,
        conversation: ConversationId,
        key: IdempotencyKey,
        sequence: Sequence,
        at: Timestamp,
    ) {
        self.raise_head(conversation, sequence.0);
        let at = Self::told_time(at.0);
        let buffer = self.sync.logs.entry(conversation).or_default();
        buffer.remove(sequence.0);
        buffer.insert(sequence.0, Place::Own { at, key });
    }

    /// Takes in every entry that is next in order.
    pub(crate) fn take_in_log(&mut self, conversation: ConversationId, now: Timestamp) -> Outcome {
        loop {
            let Some(mut row) = conversations::load(&self.connection, conversation)? else { return Ok(()) };
            if !row.state.follows() || row.blocked.is_some() {
                return Ok(());
            }
            let Some(buffer) = self.sync.logs.get_mut(&conversation) else { return Ok(()) };
            buffer.forget_through(row.cursor);
            let next = row.cursor.next();
            #[cfg(feature = "planted-faults")]
            let next = if self.config.faults.skip_order_check {
                buffer.places.keys().next().map_or(next, |first| Sequence(*first))
            } else {
                next
            };
            let Some(place) = buffer.places.get(&next.0).cloned() else { return Ok(()) };
            #[cfg(feature = "planted-faults")]
            if self.config.faults.advance_before_store {
                conversations::save(&self.connection, &Conversation { cursor: next, ..row.clone() })?;
                self.connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
            }
            match self.take_in(&mut row, next, place, now)? {
                Taken::Next => {
                    row.cursor = next;
                    conversations::save(&self.connection, &row)?;
                    if let Some(buffer) = self.sync.logs.get_mut(&conversation) {
                        buffer.remove(next.0);
                    }
                }
                Taken::Later => return Ok(()),
                Taken::Stop(code, why) => {
                    // Whatever the entry changed in memory is not wanted; the store has nothing of it.
                    self.groups.remove(&conversation);
                    row.blocked = Some(why.clone());
                    conversations::save(&self.connection, &row)?;
                    let chat = self.chat_name(&row)?;
                    self.warn(code, format!("{chat} is stopped: {why}"));
                    self.outgoing.blocked(conversation);
                    return Ok(());
                }
            }
        }
    }

    fn take_in(&mut self, row: &mut Conversation, position: Sequence, place: Place, now: Timestamp) -> Outcome<Taken> {
        let (at, message, key) = match place {
            Place::Own { at, key } => return self.take_in_own(row, position, at, key),
            Place::Entry { at, message, key } => (at, message, key),
        };
        if let Some(key) = key
            && self.is_own_key(row.id, key)?
        {
            // The answer to our append was lost; here is its place.
            return self.take_in_own(row, position, at, key);
        }
        let authenticated = match subrosa_mls::peek(&message) {
            Ok(peek) if peek.conversation == row.id => (peek.kind, peek.authenticated_data.to_vec()),
            Ok(_) | Err(_) => return self.drop_entry("not a message of this conversation"),
        };
        if authenticated.0 == Kind::Commit
            && let Some(waits) = self.waits_for_roles(&authenticated.1)
        {
            return waits.map_or_else(|| Ok(Taken::Later), |why| Ok(Taken::Stop("bad_commit", why)));
        }
        self.connection.execute_batch("SAVEPOINT entry")?;
        let processed = self.with_group(row.id, |mls, group| group.process(mls, &message))?;
        match processed {
            Some(Ok(processed)) => {
                self.connection.execute_batch("RELEASE entry")?;
                match processed {
                    Processed::Application { sender, aad, plaintext } => {
                        let at = self.log_time(row.id, at)?;
                        self.take_in_application(row, position, at, Via::Server, &sender, &aad, &plaintext, now)
                    }
                    Processed::Commit(staged) => self.take_in_commit(row, *staged),
                    Processed::Proposal(proposal) => self.take_in_proposal(row, *proposal, now),
                    Processed::OwnCommit => match commits::load(&self.connection, row.id)? {
                        Some(pending) => self.take_in_own(row, position, at, pending.key),
                        None => Ok(Taken::Stop(
                            "own_commit",
                            "a commit of this device came back that it does not know".into(),
                        )),
                    },
                }
            }
            Some(Err(error)) => {
                self.connection.execute_batch("ROLLBACK TO entry; RELEASE entry")?;
                self.groups.remove(&row.id);
                self.refuse_entry(row.id, authenticated.0, &error)
            }
            None => {
                self.connection.execute_batch("RELEASE entry")?;
                Ok(Taken::Stop("no_group", "the keys of this conversation are missing on this device".into()))
            }
        }
    }

    /// What an entry that the group refuses means. A bad message costs only itself; a bad commit stops the conversation.
    fn refuse_entry(&mut self, conversation: ConversationId, kind: Kind, error: &ProcessError) -> Outcome<Taken> {
        match (kind, error) {
            // SQLite's own refusal may be hidden in another one; what is not in the transaction must not be written.
            _ if self.connection.is_autocommit() => Err(Fault::Store(StoreError::RolledBack)),
            (_, ProcessError::Storage(error)) => Err(Fault::Mls(error.to_string())),
            // The server said no to our commit and ordered it all the same: this device's keys are of no use any more.
            (_, ProcessError::OwnCommitLost) => {
                self.enter_anew(conversation, "the server ordered a commit of this device that it had refused")?;
                Ok(Taken::Later)
            }
            (_, ProcessError::Duplicate | ProcessError::OwnMessage) => Ok(Taken::Next),
            (Kind::Application, _) => self.drop_entry(&error.to_string()),
            (Kind::Proposal, _) => self.drop_entry(&error.to_string()),
            (Kind::Commit, _) => {
                Ok(Taken::Stop("bad_commit", format!("the server ordered a commit that is not valid ({error})")))
            }
        }
    }

    /// When the server accepted an entry; not before what came over a link, so that what is read stays in its order.
    fn log_time(&self, conversation: ConversationId, at: Timestamp) -> Outcome<Timestamp> {
        let last = messages::latest(&self.connection, conversation)?;
        Ok(last.filter(|(_, via)| *via == Via::Direct).map_or(at, |(last, _)| last.max(at)))
    }

    fn drop_entry(&mut self, why: &str) -> Outcome<Taken> {
        profile::count_dropped(&self.connection)?;
        self.warn(
            "dropped",
            format!("a message was dropped because it did not verify ({why}); nothing else is affected"),
        );
        Ok(Taken::Next)
    }

    fn is_own_key(&self, conversation: ConversationId, key: IdempotencyKey) -> Outcome<bool> {
        let commit = commits::load(&self.connection, conversation)?.is_some_and(|commit| commit.key == key);
        let intent = outbox::by_key(&self.connection, key)?;
        Ok(commit || intent.is_some_and(|intent| intent.conversation == Some(conversation)))
    }

    /// An append or commit of this device reached its place in the order.
    fn take_in_own(
        &mut self,
        row: &mut Conversation,
        position: Sequence,
        at: Timestamp,
        key: IdempotencyKey,
    ) -> Outcome<Taken> {
        if let Some(commit) = commits::load(&self.connection, row.id)?.filter(|commit| commit.key == key) {
            if let Some(why) = self.refuses_own_commit(row, &commit)? {
                commits::remove(&self.connection, row.id)?;
                return Ok(Taken::Stop("bad_commit", format!("the server ordered a commit of this device that {why}")));
            }
            self.own_commit_in_order(row)?;
            return Ok(Taken::Next);
        }
        if let Some(intent) = outbox::by_key(&self.connection, key)? {
            self.accepted_at(row, position, at, &intent)?;
        }
        Ok(Taken::Next)
    }

    /// An intent of the outbox has its place in the log.
    pub(crate) fn accepted_at(
        &mut self,
        row: &mut Conversation,
        position: Sequence,
        at: Timestamp,
        intent: &Intent,
    ) -> Outcome {
        outbox::remove(&self.connection, intent.key)?;
        let message_id = MessageId::from_bytes(*intent.key.as_bytes());
        if let Some(own) = self.profile.as_ref().map(|profile| profile.account) {
            messages::accepted(&self.connection, row.id, own, message_id, position, at, Via::Server)?;
            if intent.shown {
                self.sync.unannounced.push((row.id, own, message_id));
            }
        }
        self.take_own_title(row, intent)?;
        self.outgoing.accepted(intent.key);
        Ok(())
    }

    /// The account is not in the conversation any more: history stays, keys go.
    pub(crate) fn gone(&mut self, conversation: ConversationId, why: &str) -> Outcome {
        let Some(mut row) = conversations::load(&self.connection, conversation)? else { return Ok(()) };
        if row.state == ConversationState::Gone {
            return Ok(());
        }
        let chat = self.chat_name(&row)?;
        if row.state == ConversationState::Invited {
            // It came with an invitation that was never accepted: nobody has seen it, and nobody will.
            messages::forget_hidden(&self.connection, conversation)?;
            self.sync.unannounced.retain(|(of, ..)| *of != conversation);
        }
        row.state = ConversationState::Gone;
        row.blocked = Some(why.to_owned());
        conversations::save(&self.connection, &row)?;
        self.delete_group(conversation)?;
        commits::remove(&self.connection, conversation)?;
        crate::store::changes::forget(&self.connection, conversation)?;
        self.sync.logs.remove(&conversation);
        self.outgoing.blocked(conversation);
        self.give_back(conversation, &Failure::new(FailureCode::Policy, "not_a_member", why))?;
        if let Some(name) = self.profile.as_ref().map(|profile| profile.username.to_string()) {
            self.emit(Event::Left { chat, name });
        }
        Ok(())
    }
}

//! Messages as they come, each once.
//!
//! 1. Watch first, then read what is there: nothing falls in between.
//! 2. Events are hints and can be missed (a slow reader, another process that takes over as the engine). Then everything
//!    behind the last message shown is read again.
//! 3. An id that was shown is not shown again. What was shown is marked as read.

use std::collections::{HashSet, VecDeque};

use futures_util::FutureExt;
use subrosa_client::api::{Command, Event, Failure, FailureCode, MessageRow, Reply, Target};
use subrosa_client::{Client, Events, Notice};
use subrosa_types::{ConversationId, MessageId, Username};

use crate::output::Outcome;

/// Ids that are remembered.
const REMEMBERED: usize = 8192;
/// Items that are given, and marked as read, together.
const AT_ONCE: usize = 256;

/// What a feed gives.
#[derive(Debug)]
pub enum Item {
    /// A message that was not given before.
    Message(Box<MessageRow>),
    /// Another event.
    Event(Box<Event>),
    /// A message came in a chat that is not followed.
    Elsewhere(String),
}

/// What is read first.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Not only unread ones.
    pub all: bool,
    /// At most so many.
    pub limit: Option<u32>,
    /// Only those after this one.
    pub since: Option<MessageId>,
    /// So many of the latest ones as well, read or not: what was spoken of.
    pub context: Option<u32>,
}

/// Messages of one chat or of all, from the unread ones on.
pub struct Feed {
    client: Client,
    events: Events,
    only: Option<Only>,
    seen: Seen,
    last: Option<MessageId>,
    to_mark: Vec<MessageId>,
}

/// The chat that is followed, also when its title changes.
struct Only {
    target: Target,
    conversation: Option<ConversationId>,
}

impl Only {
    /// A chat may begin or end while it is followed.
    fn goes_on(&self, failure: &Failure) -> bool {
        match failure.kind.as_str() {
            "no_such_chat" => matches!(self.target, Target::Person(_)),
            "not_a_member" => true,
            _ => false,
        }
    }

    fn takes(&mut self, row: &MessageRow) -> bool {
        if self.conversation.is_none() && row.chat == self.target.to_string() {
            self.conversation = Some(row.conversation);
        }
        self.conversation == Some(row.conversation)
    }
}

impl Feed {
    /// Begins to watch; gives what is there.
    pub async fn open(client: &Client, chat: Option<Target>, start: Start) -> Outcome<(Self, Vec<Item>)> {
        let events = client.events().await?;
        client.call(Command::Follow).await?;
        let last = start.since;
        let mut feed =
            Self { client: client.clone(), events, only: None, seen: Seen::default(), last, to_mark: Vec::new() };
        let first = match chat {
            Some(target) => feed.turn_to(target, start).await?,
            None => feed.read(start).await?,
        };
        Ok((feed, first))
    }

    /// Follows this chat only, from now on; gives what is there.
    pub async fn turn_to(&mut self, target: Target, start: Start) -> Outcome<Vec<Item>> {
        let chat = target.to_string();
        let conversation = match self.client.call(Command::Chats).await? {
            Reply::Chats(rows) => rows.into_iter().find(|row| row.chat == chat).map(|row| row.conversation),
            _ => None,
        };
        if conversation.is_none()
            && let Target::Person(name) = &target
        {
            self.look_for(name).await?;
        }
        self.only = Some(Only { target, conversation });
        self.read(start).await
    }

    /// A chat that was never begun can be followed if there is such a person, as far as can be found out now.
    async fn look_for(&self, name: &Username) -> Outcome {
        let online = matches!(self.client.call(Command::Status).await?, Reply::Status(status) if status.online);
        if !online {
            return Ok(());
        }
        match self.client.call(Command::Verify { name: name.clone(), confirm: false }).await {
            Err(failure) if failure.kind == "own_name" => {
                Err(Failure::usage("no_such_chat", format!("@{name} is yourself; a chat is with somebody else")))
            }
            Err(failure) if failure.code == FailureCode::Usage => Err(failure),
            _ => Ok(()),
        }
    }

    /// Whether it follows one chat only.
    pub const fn is_of_one_chat(&self) -> bool {
        self.only.is_some()
    }

    /// Does not give this message: who runs the feed has it from elsewhere.
    pub fn skip(&mut self, id: MessageId) {
        self.seen.insert(id);
    }

    /// Waits until something happened; `None` when the client was closed.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn wait(&mut self) -> Outcome<Option<Notice>> {
        self.events.next().await
    }

    /// What a notice brings, and those that came right behind it.
    pub async fn digest(&mut self, notice: Notice) -> Outcome<Vec<Item>> {
        let mut items = Vec::new();
        let mut next = Some(notice);
        while let Some(notice) = next {
            match notice {
                Notice::Missed => items.append(&mut self.catch_up().await?),
                Notice::Event(told) => match told.event {
                    // It comes again when the server has it, in its place.
                    Event::Message(row) if row.pending => {}
                    Event::Message(row) => items.extend(self.take(row)),
                    other => items.push(Item::Event(Box::new(other))),
                },
            }
            next = if items.len() < AT_ONCE { self.events.next().now_or_never().transpose()?.flatten() } else { None };
        }
        Ok(items)
    }

    /// Marks as read what was given.
    pub async fn mark(&mut self) -> Outcome {
        mark_read(&self.client, std::mem::take(&mut self.to_mark)).await
    }

    /// Everything that may have been missed: whatever is unread, and what is behind the last message (own ones from
    /// elsewhere, too). Both are in the order of the logs; what is in both stays where it is among the latter.
    async fn catch_up(&mut self) -> Outcome<Vec<Item>> {
        // Another process may be the engine now.
        self.client.call(Command::Follow).await?;
        let mut rows = self.rows(false, None, None).await?;
        if let Some(since) = self.last {
            let mut behind = self.rows(true, None, Some(since)).await?;
            let ids: HashSet<MessageId> = behind.iter().map(|row| row.id).collect();
            rows.retain(|row| !ids.contains(&row.id));
            rows.append(&mut behind);
        }
        rows.retain(|row| !row.pending);
        Ok(self.take_all(rows))
    }

    async fn read(&mut self, start: Start) -> Outcome<Vec<Item>> {
        let Start { all, limit, since, context } = start;
        let mut rows = self.rows(all, limit, since).await?;
        if context.is_some() {
            rows.append(&mut self.rows(true, context, None).await?);
            rows.sort_by_key(|row| (row.pending, row.received_at));
        }
        Ok(self.take_all(rows))
    }

    async fn rows(&self, all: bool, limit: Option<u32>, since: Option<MessageId>) -> Outcome<Vec<MessageRow>> {
        let chat = self.only.as_ref().map(|only| only.target.clone());
        match self.client.call(Command::Read { chat, all, limit, since }).await {
            Ok(Reply::Messages(rows)) => Ok(rows),
            Ok(_) => Ok(Vec::new()),
            Err(failure) if self.only.as_ref().is_some_and(|only| only.goes_on(&failure)) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    fn take_all(&mut self, rows: Vec<MessageRow>) -> Vec<Item> {
        rows.into_iter().filter_map(|row| self.take(row)).collect()
    }

    fn take(&mut self, row: MessageRow) -> Option<Item> {
        if self.only.as_mut().is_some_and(|only| !only.takes(&row)) {
            return (!row.own).then_some(Item::Elsewhere(row.chat));
        }
        if !self.seen.insert(row.id) {
            return None;
        }
        if !row.pending {
            self.last = Some(row.id);
        }
        if row.unread {
            self.to_mark.push(row.id);
        }
        Some(Item::Message(Box::new(row)))
    }
}

/// Marks messages as read that were shown, in commands of a size that fits.
pub async fn mark_read(client: &Client, mut messages: Vec<MessageId>) -> Outcome {
    while !messages.is_empty() {
        let rest = messages.split_off(messages.len().min(AT_ONCE));
        client.call(Command::MarkRead { messages }).await?;
        messages = rest;
    }
    Ok(())
}

/// The latest ids.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<MessageId>,
    order: VecDeque<MessageId>,
}

impl Seen {
    /// `false` if it was there.
    fn insert(&mut self, id: MessageId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_and_memory_is_bounded() {
        let mut seen = Seen::default();
        let id = |i: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&i.to_be_bytes());
            MessageId::from_bytes(bytes)
        };
        assert!(seen.insert(id(0)) && !seen.insert(id(0)));
        for i in 1..=u32::try_from(REMEMBERED).unwrap() {
            assert!(seen.insert(id(i)));
        }
        assert_eq!(seen.ids.len(), REMEMBERED);
    }
}

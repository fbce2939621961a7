//! What faces show: parts of a chat, searches, the overview, drafts and settings. All of it is answered from the store, at once.

use subrosa_types::{ConversationId, MessageId, limits};

use super::reading::is_shown;
use crate::api::{
    ChatRow, Event, Failure, Found, HISTORY, History, MessageRow, Overview, PastEvents, Place, Preview, Reply,
    SETTING_NAME, SETTING_VALUE, SETTINGS, Target, Told,
};
use crate::content::Content;
use crate::engine::{Engine, Output};
use crate::fault::Outcome;
use crate::store::conversations::{self, Conversation};
use crate::store::history::{self, Spot};
use crate::store::messages::StoredMessage;
use crate::store::{events, faces};

/// Characters of a preview.
const PREVIEW: usize = 200;
/// Longest text to search for, in bytes.
const WORDS: usize = 1024;

impl Engine {
    pub(super) fn history(&mut self, chat: &Target, place: Place, limit: u32) -> Outcome<Result<Reply, Failure>> {
        let row = match self.shown_conversation(chat)? {
            Ok(row) => row,
            Err(failure) => return Ok(Err(failure)),
        };
        let limit = limit.clamp(1, HISTORY);
        let store = &self.connection;
        let spot_of = |id: MessageId| history::spot(store, row.id, id);
        // One more than wanted tells whether there is more.
        let (mut older, newer) = match place {
            Place::Latest => tail(store, row.id, limit)?,
            Place::Unread => match history::first_unread(store, row.id)? {
                Some(spot) => around(store, row.id, spot, limit / 4, limit)?,
                None => tail(store, row.id, limit)?,
            },
            Place::Before(id) => match spot_of(id)? {
                Some(spot) => (earlier(store, row.id, spot, limit + 1)?, Vec::new()),
                None => return Ok(Err(no_such_message())),
            },
            Place::After(id) => match spot_of(id)? {
                Some(spot) => (Vec::new(), history::after(store, row.id, spot, false, limit + 1)?),
                None => return Ok(Err(no_such_message())),
            },
            Place::Around(id) => match spot_of(id)? {
                Some(spot) => around(store, row.id, spot, limit / 2, limit)?,
                None => return Ok(Err(no_such_message())),
            },
        };
        let (wanted_older, wanted_newer) = match place {
            Place::After(_) => (0, limit),
            Place::Unread if !newer.is_empty() => (limit / 4, limit - limit / 4),
            Place::Around(_) => (limit / 2, limit - limit / 2),
            _ => (limit, limit),
        };
        let has_older = older.len() > wanted_older as usize || (wanted_older == 0);
        older.truncate(wanted_older as usize);
        older.reverse();
        let has_newer = newer.len() > wanted_newer as usize || matches!(place, Place::Before(_));
        let mut rows = Vec::new();
        for stored in older.iter().chain(newer.iter().take(wanted_newer as usize)) {
            rows.extend(self.message_row(&row, stored)?);
        }
        Ok(Ok(Reply::History(History { rows, older: has_older, newer: has_newer })))
    }

    pub(super) fn search(
        &mut self,
        text: &str,
        chat: Option<&Target>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Outcome<Result<Reply, Failure>> {
        let words: Vec<String> = text.split_whitespace().map(folded).filter(|word| !word.is_empty()).collect();
        if words.is_empty() || text.len() > WORDS {
            return Ok(Err(Failure::usage("words", format!("say what to look for: words, at most {WORDS} bytes"))));
        }
        let rows: Vec<Conversation> = match chat {
            None => conversations::all(&self.connection)?.into_iter().filter(is_shown).collect(),
            Some(chat) => match self.shown_conversation(chat)? {
                Ok(row) => vec![row],
                Err(failure) => return Ok(Err(failure)),
            },
        };
        let ids: Vec<ConversationId> = rows.iter().map(|row| row.id).collect();
        let limit = limit.clamp(1, HISTORY) as usize;
        let mut found = Vec::new();
        let more = history::walk(&self.connection, &ids, before, |stored| {
            if says_all(&stored, &words) {
                found.push(stored);
            }
            found.len() >= limit
        })?;
        let mut shown: Vec<MessageRow> = Vec::new();
        for stored in &found {
            if let Some(row) = rows.iter().find(|row| row.id == stored.conversation) {
                shown.extend(self.message_row(row, stored)?);
            }
        }
        Ok(Ok(Reply::Found(Found { rows: shown, more })))
    }

    pub(super) fn overview(&mut self) -> Outcome<Result<Reply, Failure>> {
        let who = match self.who_am_i() {
            Ok(Reply::WhoAmI(who)) => who,
            Ok(_) => return Ok(Err(crate::words::not_logged_in())),
            Err(failure) => return Ok(Err(failure)),
        };
        let status = match self.status()? {
            Ok(Reply::Status(status)) => status,
            Ok(_) => return Ok(Err(crate::words::not_logged_in())),
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(Ok(Reply::Overview(Overview {
            who,
            status,
            chats: self.chats()?,
            invites: self.invites()?,
            changed_keys: self.changed_keys()?,
            cursor: events::last(&self.connection)?,
        })))
    }

    pub(super) fn set_draft(&mut self, chat: &Target, text: &str) -> Outcome<Result<Reply, Failure>> {
        if text.len() > limits::TEXT {
            let most = limits::TEXT / 1024;
            return Ok(Err(Failure::usage("too_large", format!("a message may have {most} KiB; send it in parts"))));
        }
        Ok(match self.shown_conversation(chat)? {
            Ok(row) => {
                faces::set_draft(&self.connection, row.id, text)?;
                Ok(Reply::Done)
            }
            Err(failure) => Err(failure),
        })
    }

    pub(super) fn settings(&self) -> Outcome<Result<Reply, Failure>> {
        Ok(Ok(Reply::Settings(faces::settings(&self.connection)?)))
    }

    pub(super) fn set_setting(&self, name: &str, value: Option<&str>) -> Outcome<Result<Reply, Failure>> {
        let known = faces::settings(&self.connection)?;
        let fits =
            !name.is_empty() && name.len() <= SETTING_NAME && value.is_none_or(|value| value.len() <= SETTING_VALUE);
        if !fits || (known.len() >= SETTINGS && value.is_some() && !known.contains_key(name)) {
            let message = format!(
                "a setting has a name of at most {SETTING_NAME} bytes and a value of at most {SETTING_VALUE}, and there are \
                 at most {SETTINGS}"
            );
            return Ok(Err(Failure::usage("setting", message)));
        }
        faces::set_setting(&self.connection, name, value)?;
        Ok(Ok(Reply::Done))
    }

    pub(super) fn events_since(&mut self, cursor: u64, limit: u32) -> Outcome<Result<Reply, Failure>> {
        let last = events::last(&self.connection)?;
        // A cursor of another store, or one whose successors are gone.
        let first = events::first(&self.connection)?;
        let missed = cursor > last || first.map_or(cursor < last, |first| cursor + 1 < first);
        let from = if cursor > last { last } else { cursor };
        let limit = limit.clamp(1, HISTORY);
        let kept = events::since(&self.connection, from, limit + 1)?;
        let more = kept.len() > limit as usize;
        let mut told = Vec::new();
        let mut reached = if more { from } else { last };
        for (position, kept) in kept.into_iter().take(limit as usize) {
            let event = match kept {
                events::Kept::Message(conversation, id) => self.message_event(conversation, id)?,
                events::Kept::Other(event) => Some(*event),
                events::Kept::Unknown => None,
            };
            told.extend(event.map(|event| Told { cursor: Some(position), event }));
            if more {
                reached = position;
            }
        }
        Ok(Ok(Reply::Events(PastEvents { events: told, cursor: reached, more, missed })))
    }

    fn message_event(&mut self, conversation: ConversationId, id: MessageId) -> Outcome<Option<Event>> {
        let Some(row) = conversations::load(&self.connection, conversation)? else { return Ok(None) };
        let Some(stored) = crate::store::messages::in_conversation(&self.connection, conversation, id)? else {
            return Ok(None);
        };
        Ok(self.message_row(&row, &stored)?.map(Event::Message))
    }

    /// Keeps what was staged in this transaction for who is away, and gives it its cursor.
    pub(crate) fn keep_events(&mut self) -> Outcome {
        for output in &mut self.staged {
            if let Output::Event(told) = output
                && is_kept(&told.event)
            {
                told.cursor = Some(events::push(&self.connection, &told.event)?);
            }
        }
        Ok(())
    }

    /// What a row of the list of chats has besides its name.
    pub(super) fn fill_in(&mut self, row: &Conversation, shown: &mut ChatRow) -> Outcome {
        (shown.unread, shown.mentions) = crate::store::messages::unread(&self.connection, row.id)?;
        shown.draft = faces::draft(&self.connection, row.id)?;
        if let Some(last) = history::last(&self.connection, row.id)? {
            shown.last = Some(last.received_at);
            if let Some(message) = self.message_row(row, &last)? {
                let text = message.text.chars().take(PREVIEW).collect();
                shown.preview = Some(Preview { from: message.from, own: message.own, text });
            }
        }
        Ok(())
    }

    /// A chat whose messages may be shown.
    fn shown_conversation(&mut self, chat: &Target) -> Outcome<Result<Conversation, Failure>> {
        Ok(match self.conversation_of(chat)? {
            Ok(Some(row)) if is_shown(&row) => Ok(row),
            Ok(Some(_)) => Err(super::reading::not_accepted(chat)),
            Ok(None) => Err(self.no_chat_with(chat)),
            Err(failure) => Err(failure),
        })
    }
}

/// What can be told again later; the rest is of this moment only.
const fn is_kept(event: &Event) -> bool {
    match event {
        Event::Message(row) => !row.pending,
        Event::Online | Event::Offline { .. } | Event::Direct { .. } => false,
        _ => true,
    }
}

type Page = (Vec<StoredMessage>, Vec<StoredMessage>);

/// The end: the outbox, and before it the log.
fn tail(store: &rusqlite::Connection, conversation: ConversationId, limit: u32) -> Outcome<Page> {
    Ok((earlier(store, conversation, Spot::END, limit + 1)?, Vec::new()))
}

/// Newest first: what stands before a spot, in the outbox and in the log.
fn earlier(
    store: &rusqlite::Connection,
    conversation: ConversationId,
    spot: Spot,
    limit: u32,
) -> Outcome<Vec<StoredMessage>> {
    let mut found: Vec<StoredMessage> = history::waiting(store, conversation)?
        .into_iter()
        .filter(|(place, _)| *place < spot)
        .map(|(_, message)| message)
        .rev()
        .take(limit as usize)
        .collect();
    let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    if left > 0 {
        found.append(&mut history::before(store, conversation, spot, left)?);
    }
    Ok(found)
}

/// `older` messages before the spot, newest first; and those from the spot on, oldest first.
fn around(
    store: &rusqlite::Connection,
    conversation: ConversationId,
    spot: Spot,
    older: u32,
    limit: u32,
) -> Outcome<Page> {
    Ok((
        earlier(store, conversation, spot, older + 1)?,
        history::after(store, conversation, spot, true, limit - older + 1)?,
    ))
}

fn no_such_message() -> Failure {
    Failure::usage("no_such_message", "there is no message of this id in this chat")
}

fn says_all(stored: &StoredMessage, words: &[String]) -> bool {
    let Ok(Content { text: Some(text), .. }) = Content::decode(&stored.content) else { return false };
    let text = folded(&text);
    words.iter().all(|word| text.contains(word.as_str()))
}

/// A text as it is compared in a search: small letters, and the Arabic forms of letters that Persian keyboards write in their
/// own form; marks that join or part letters are left out.
fn folded(text: &str) -> String {
    text.chars()
        .flat_map(char::to_lowercase)
        .filter_map(|letter| match letter {
            'ي' | 'ى' => Some('ی'),
            'ك' => Some('ک'),
            'ة' => Some('ه'),
            '\u{200b}'..='\u{200f}' | '\u{ad}' | '\u{640}' => None,
            other => Some(other),
        })
        .collect()
}

/// Whether a text names somebody: `@name`, and no letter or digit around it.
pub fn mentions(text: &str, name: &str) -> bool {
    let (text, sought) = (folded(text), format!("@{}", folded(name)));
    text.match_indices(&sought).any(|(at, _)| {
        let part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '@');
        !text[..at].chars().next_back().is_some_and(part) && !text[at + sought.len()..].chars().next().is_some_and(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_a_whole_name() {
        for (text, is) in [
            ("@bob", true),
            ("hello @Bob, are you there?", true),
            ("@bobby", false),
            ("bob", false),
            ("mail me at alice@bob", false),
            ("(@bob)", true),
            ("@bob_", false),
            ("@bob @bobby", true),
        ] {
            assert_eq!(mentions(text, "bob"), is, "{text}");
        }
    }

    #[test]
    fn letters_are_compared_as_people_read_them() {
        assert_eq!(folded("ÉCOLE"), "école");
        assert_eq!(folded("كتابي"), folded("کتابی"));
        assert_eq!(folded("می\u{200c}شود"), folded("میشود"));
    }
}

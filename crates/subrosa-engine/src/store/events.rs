//! What happened, in order, for who was away: the latest [`KEPT`] events. A message is kept as a reference, so that its text is
//! in one place only.

use rusqlite::{Connection, params};
use subrosa_types::{AccountId, ConversationId, MessageId};

use super::{Result, StoreError, id};
use crate::api::Event;

/// Events that are kept.
pub const KEPT: u64 = 10_000;
/// Version of an encoded event.
const VERSION: u8 = 1;

/// A kept event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// This message came, or was accepted.
    Message(ConversationId, AccountId, MessageId),
    /// Anything else.
    Other(Box<Event>),
    /// Something that this version does not know.
    Unknown,
}

/// Keeps an event; returns its place. A message has its sender: senders choose ids, so an id alone may be that of others, too.
pub fn push(connection: &Connection, event: &Event, sender: Option<AccountId>) -> Result<u64> {
    let (conversation, message, encoded) = match event {
        Event::Message(row) => {
            if sender.is_none() {
                return Err(StoreError::Damaged("event"));
            }
            (Some(row.conversation.to_vec()), Some(row.id.to_vec()), None)
        }
        other => {
            let mut bytes = vec![VERSION];
            ciborium::into_writer(other, &mut bytes).map_err(|_| StoreError::Damaged("event"))?;
            (None, None, Some(bytes))
        }
    };
    connection
        .prepare_cached("INSERT INTO events (conversation, sender, message, event) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![conversation, sender.map(|sender| sender.as_bytes().to_vec()), message, encoded])?;
    let position = u64::try_from(connection.last_insert_rowid()).map_err(|_| StoreError::Damaged("event"))?;
    connection.prepare_cached("DELETE FROM events WHERE position <= ?1")?.execute([position.saturating_sub(KEPT)])?;
    Ok(position)
}

/// The place of the last event, whether it is still kept or not; 0 before the first.
pub fn last(connection: &Connection) -> Result<u64> {
    Ok(connection
        .prepare_cached("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)")?
        .query_row([], |row| row.get(0))?)
}

/// The place of the first event that is kept.
pub fn first(connection: &Connection) -> Result<Option<u64>> {
    Ok(connection.prepare_cached("SELECT min(position) FROM events")?.query_row([], |row| row.get(0))?)
}

/// At most `limit` events behind `cursor`, oldest first.
pub fn since(connection: &Connection, cursor: u64, limit: u32) -> Result<Vec<(u64, Kept)>> {
    let mut statement = connection.prepare_cached(
        "SELECT position, conversation, sender, message, event FROM events WHERE position > ?1 ORDER BY position LIMIT ?2",
    )?;
    let cursor = i64::try_from(cursor).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![cursor, limit], |row| {
        Ok((
            row.get::<_, u64>(0)?,
            row.get::<_, Option<Vec<u8>>>(1)?,
            row.get::<_, Option<Vec<u8>>>(2)?,
            row.get::<_, Option<Vec<u8>>>(3)?,
            row.get::<_, Option<Vec<u8>>>(4)?,
        ))
    })?;
    rows.map(|row| {
        let (position, conversation, sender, message, event) = row?;
        let kept = match (conversation, sender, message, event) {
            (Some(conversation), Some(sender), Some(message), None) => Kept::Message(
                id(&conversation, "event", ConversationId::from_bytes)?,
                id(&sender, "event", AccountId::from_bytes)?,
                id(&message, "event", MessageId::from_bytes)?,
            ),
            (None, None, None, Some(bytes)) => match bytes.split_first() {
                Some((&VERSION, encoded)) => {
                    ciborium::from_reader(encoded).map_or(Kept::Unknown, |event| Kept::Other(Box::new(event)))
                }
                _ => Kept::Unknown,
            },
            _ => return Err(StoreError::Damaged("event")),
        };
        Ok((position, kept))
    })
    .collect()
}

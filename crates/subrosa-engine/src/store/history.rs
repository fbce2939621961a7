//! Parts of one conversation, by index alone: what they cost does not depend on how long it is.
//!
//! The order is that of the log: `(sequence, local)`; own messages that are still in the outbox have no sequence and stand
//! behind all others. A message that came over a direct link has the sequence that it came behind.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use subrosa_types::{ConversationId, MessageId};

use super::Result;
use super::messages::{COLUMNS, StoredMessage, message, raw};

/// Where a message stands in its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    sequence: i64,
    local: i64,
}

impl Spot {
    /// Behind everything in the log.
    pub const END: Self = Self { sequence: i64::MAX, local: i64::MAX };
    /// Before everything.
    pub const START: Self = Self { sequence: i64::MIN, local: i64::MIN };

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { sequence: row.get::<_, Option<i64>>(0)?.unwrap_or(i64::MAX), local: row.get(1)? })
    }
}

/// Where this message stands, if it is in this conversation.
pub fn spot(connection: &Connection, conversation: ConversationId, id: MessageId) -> Result<Option<Spot>> {
    Ok(connection
        .prepare_cached("SELECT sequence, local FROM messages WHERE id = ?1 AND conversation = ?2")?
        .query_row([id.as_bytes(), conversation.as_bytes()], Spot::of)
        .optional()?)
}

/// Where the first unread message stands.
pub fn first_unread(connection: &Connection, conversation: ConversationId) -> Result<Option<Spot>> {
    Ok(connection
        .prepare_cached(
            "SELECT sequence, local FROM messages WHERE conversation = ?1 AND unread = 1 AND sequence IS NOT NULL
             ORDER BY sequence, local LIMIT 1",
        )?
        .query_row([conversation.as_bytes()], Spot::of)
        .optional()?)
}

/// At most `limit` messages of the log before `spot`, newest first.
pub fn before(
    connection: &Connection,
    conversation: ConversationId,
    spot: Spot,
    limit: u32,
) -> Result<Vec<StoredMessage>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM messages WHERE conversation = ?1 AND sequence IS NOT NULL AND sequence <= ?2
           AND (sequence, local) < (?2, ?3)
         ORDER BY sequence DESC, local DESC LIMIT ?4"
    ))?;
    let rows =
        statement.query_map(params![conversation.as_bytes(), spot.sequence, spot.local, i64::from(limit)], raw)?;
    rows.map(|row| message(row?)).collect()
}

/// At most `limit` messages from `spot` on (itself among them if `itself`), oldest first: the log, then the outbox.
pub fn after(
    connection: &Connection,
    conversation: ConversationId,
    spot: Spot,
    itself: bool,
    limit: u32,
) -> Result<Vec<StoredMessage>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM messages WHERE conversation = ?1 AND sequence IS NOT NULL AND sequence >= ?2
           AND ((sequence, local) > (?2, ?3) OR (?4 AND (sequence, local) = (?2, ?3)))
         ORDER BY sequence, local LIMIT ?5"
    ))?;
    let rows = statement
        .query_map(params![conversation.as_bytes(), spot.sequence, spot.local, itself, i64::from(limit)], raw)?;
    let mut found = rows.map(|row| message(row?)).collect::<Result<Vec<_>>>()?;
    let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    if left > 0 {
        let mut waiting = waiting(connection, conversation)?;
        waiting.retain(|(place, _)| *place > spot || (itself && *place == spot));
        found.extend(waiting.into_iter().map(|(_, message)| message).take(left as usize));
    }
    Ok(found)
}

/// Own messages that are still in the outbox, oldest first.
pub fn waiting(connection: &Connection, conversation: ConversationId) -> Result<Vec<(Spot, StoredMessage)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, local FROM messages WHERE conversation = ?1 AND sequence IS NULL ORDER BY local"
    ))?;
    let rows = statement.query_map([conversation.as_bytes()], |row| Ok((raw(row)?, row.get("local")?)))?;
    rows.map(|row| {
        let (raw, local) = row?;
        Ok((Spot { sequence: i64::MAX, local }, message(raw)?))
    })
    .collect()
}

/// The last message of a conversation, of the outbox or of the log.
pub fn last(connection: &Connection, conversation: ConversationId) -> Result<Option<StoredMessage>> {
    if let Some((_, waiting)) = waiting(connection, conversation)?.pop() {
        return Ok(Some(waiting));
    }
    Ok(before(connection, conversation, Spot::END, 1)?.pop())
}

/// Calls `look` with the messages of these conversations, in the order in which they came here, newest first, from before this
/// one on; until it says that it has enough. Returns whether it did.
pub fn walk(
    connection: &Connection,
    conversations: &[ConversationId],
    from: Option<MessageId>,
    mut look: impl FnMut(StoredMessage) -> bool,
) -> Result<bool> {
    let marks = vec!["?"; conversations.len()].join(",");
    let mut sql = format!("SELECT {COLUMNS} FROM messages WHERE conversation IN ({marks})");
    let mut values: Vec<Value> = conversations.iter().map(|id| id.to_vec().into()).collect();
    if let Some(from) = from {
        // The same id may be there twice, from two senders; the search goes on before the later one.
        sql += " AND local < (SELECT max(local) FROM messages WHERE id = ?)";
        values.push(from.to_vec().into());
    }
    sql += " ORDER BY local DESC";
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        if look(message(raw(row)?)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

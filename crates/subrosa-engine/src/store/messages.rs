//! Messages as they were received or sent: content, order and whether they were read.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use subrosa_types::{AccountId, ConversationId, DeviceId, MessageId, Sequence, Timestamp};

use super::{Result, StoreError, id};
use crate::api::Via;

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its id, the same on all devices.
    pub id: MessageId,
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub sender: AccountId,
    /// From which device.
    pub device: DeviceId,
    /// MIMI content, version byte in front.
    pub content: Vec<u8>,
    /// When the sender says it was sent.
    pub sent_at: Timestamp,
    /// When the server accepted it.
    pub received_at: Timestamp,
    /// Its place in the log; `None` while it waits in the outbox.
    pub sequence: Option<Sequence>,
    /// Not shown to the person yet.
    pub unread: bool,
    /// By which road it came, or went.
    pub via: Via,
    /// It came with an invitation that is not accepted yet.
    pub hidden: bool,
    /// It names this account with an `@`.
    pub mention: bool,
    /// An own one of a private chat: a device of the other side said that it has it.
    pub delivered: bool,
}

pub(super) const COLUMNS: &str = "id, conversation, sender, device, content, sent_at, received_at, sequence, unread, via, hidden, mention, delivered";

pub(super) struct Raw([Vec<u8>; 5], i64, i64, Option<u64>, bool, u8, [bool; 3]);

pub(super) fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw(
        [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?],
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
        row.get(9)?,
        [row.get(10)?, row.get(11)?, row.get(12)?],
    ))
}

pub(super) fn message(raw: Raw) -> Result<StoredMessage> {
    let Raw(blobs, sent_at, received_at, sequence, unread, via, [hidden, mention, delivered]) = raw;
    let [message_id, conversation, sender, device, content] = blobs;
    Ok(StoredMessage {
        id: id(&message_id, "message", MessageId::from_bytes)?,
        conversation: id(&conversation, "conversation", ConversationId::from_bytes)?,
        sender: id(&sender, "sender", AccountId::from_bytes)?,
        device: id(&device, "device", DeviceId::from_bytes)?,
        content,
        sent_at: Timestamp(sent_at),
        received_at: Timestamp(received_at),
        sequence: sequence.map(Sequence),
        unread,
        via: match via {
            0 => Via::Server,
            1 => Via::Direct,
            _ => return Err(StoreError::Damaged("road of a message")),
        },
        hidden,
        mention,
        delivered,
    })
}

const fn code(via: Via) -> u8 {
    match via {
        Via::Server => 0,
        Via::Direct => 1,
    }
}

/// Writes a message; `false` if this sender's message of this id is there already.
pub fn insert(connection: &Connection, m: &StoredMessage) -> Result<bool> {
    let rows = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO messages
             (id, conversation, sender, device, content, sent_at, received_at, sequence, unread, via, hidden, mention,
              delivered)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            m.id.as_bytes(),
            m.conversation.as_bytes(),
            m.sender.as_bytes(),
            m.device.as_bytes(),
            m.content,
            m.sent_at.0,
            m.received_at.0,
            m.sequence.map(|s| s.0),
            m.unread,
            code(m.via),
            m.hidden,
            m.mention,
            m.delivered,
        ])?;
    Ok(rows == 1)
}

/// An own message found its place in the log, or is on every device behind this place of it.
pub fn accepted(
    connection: &Connection,
    conversation: ConversationId,
    sender: AccountId,
    message: MessageId,
    sequence: Sequence,
    at: Timestamp,
    via: Via,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE messages SET sequence = ?4, received_at = ?5, via = ?6 WHERE conversation = ?1 AND sender = ?2 AND id = ?3",
        )?
        .execute(params![conversation.as_bytes(), sender.as_bytes(), message.as_bytes(), sequence.0, at.0, code(via)])?;
    Ok(())
}

/// An own message that will never be sent is not shown as waiting any more.
pub fn withdrawn(connection: &Connection, message: MessageId) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM messages WHERE id = ?1 AND sequence IS NULL")?
        .execute([message.as_bytes()])?;
    Ok(())
}

/// The message of this id from this sender.
pub fn by_id(connection: &Connection, message_id: MessageId) -> Result<Option<StoredMessage>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE id = ?1 ORDER BY local LIMIT 1"))?
        .query_row([message_id.as_bytes()], raw)
        .optional()?
        .map(message)
        .transpose()
}

/// The message of this id from this sender in this conversation. Senders choose ids, so an id alone may be that of others, too.
pub fn exact(
    connection: &Connection,
    conversation: ConversationId,
    sender: AccountId,
    message_id: MessageId,
) -> Result<Option<StoredMessage>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE conversation = ?1 AND sender = ?2 AND id = ?3"))?
        .query_row([conversation.as_bytes().as_slice(), sender.as_bytes(), message_id.as_bytes()], raw)
        .optional()?
        .map(message)
        .transpose()
}

/// A message that this account sent.
pub fn own_by_id(connection: &Connection, own: AccountId, message_id: MessageId) -> Result<Option<StoredMessage>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages WHERE id = ?1 AND sender = ?2 ORDER BY local LIMIT 1"
        ))?
        .query_row([message_id.as_bytes().as_slice(), own.as_bytes()], raw)
        .optional()?
        .map(message)
        .transpose()
}

/// Whether this place of a conversation's log is a message that is here.
pub fn is_at(connection: &Connection, conversation: ConversationId, position: Sequence) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM messages WHERE conversation = ?1 AND sequence = ?2 AND via = 0)")?
        .query_row(params![conversation.as_bytes(), position.0], |row| row.get(0))?)
}

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these conversations (never all: the caller says which may be shown).
    pub conversations: Vec<ConversationId>,
    /// Not only unread ones.
    pub all: bool,
    /// Only what stands behind this message.
    pub since: Option<MessageId>,
    /// The latest so many.
    pub limit: Option<u32>,
}

/// Messages in the order of their logs (across conversations: by the time the server accepted them).
pub fn select(connection: &Connection, selection: &Selection) -> Result<Vec<StoredMessage>> {
    if selection.conversations.is_empty() {
        return Ok(Vec::new());
    }
    let marks = vec!["?"; selection.conversations.len()].join(",");
    let mut sql = format!("SELECT {COLUMNS} FROM messages WHERE conversation IN ({marks})");
    let mut values: Vec<rusqlite::types::Value> = selection.conversations.iter().map(|c| c.to_vec().into()).collect();
    if !selection.all {
        sql += " AND unread = 1";
    }
    if let Some(since) = selection.since {
        // In the same conversation by place in the log, elsewhere by time of acceptance.
        sql +=
            " AND EXISTS (SELECT 1 FROM messages s WHERE s.id = ? AND CASE WHEN s.conversation = messages.conversation
                THEN (coalesce(messages.sequence, 9e18), messages.local) > (coalesce(s.sequence, 9e18), s.local)
                ELSE messages.received_at >= s.received_at END)";
        values.push(since.to_vec().into());
    }
    sql += " ORDER BY sequence IS NULL DESC, received_at DESC, conversation DESC, sequence DESC, local DESC";
    if let Some(limit) = selection.limit {
        sql += " LIMIT ?";
        values.push(i64::from(limit).into());
    }
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(values), raw)?;
    let mut messages = rows.map(|row| message(row?)).collect::<Result<Vec<_>>>()?;
    messages.reverse();
    Ok(messages)
}

/// An invitation is accepted: what came with it is hidden no longer. Returns it, in order.
pub fn unhide(connection: &Connection, conversation: ConversationId) -> Result<Vec<(AccountId, MessageId)>> {
    let mut statement = connection.prepare_cached(
        "SELECT sender, id FROM messages WHERE conversation = ?1 AND hidden = 1 ORDER BY sequence, local",
    )?;
    let rows = statement
        .query_map([conversation.as_bytes()], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let shown = rows.map(|row| {
        let (sender, message_id) = row?;
        Ok((id(&sender, "sender", AccountId::from_bytes)?, id(&message_id, "message", MessageId::from_bytes)?))
    });
    let shown = shown.collect::<Result<_>>()?;
    connection
        .execute("UPDATE messages SET hidden = 0 WHERE conversation = ?1 AND hidden = 1", [conversation.as_bytes()])?;
    Ok(shown)
}

/// An invitation was not accepted: what came with it is forgotten.
pub fn forget_hidden(connection: &Connection, conversation: ConversationId) -> Result<()> {
    connection.execute("DELETE FROM messages WHERE conversation = ?1 AND hidden = 1", [conversation.as_bytes()])?;
    Ok(())
}

/// Marks messages as read.
pub fn mark_read(connection: &Connection, ids: &[MessageId]) -> Result<()> {
    let mut statement = connection.prepare_cached("UPDATE messages SET unread = 0 WHERE id = ?1 AND unread = 1")?;
    for message_id in ids {
        statement.execute([message_id.as_bytes()])?;
    }
    Ok(())
}

/// When the last message of a conversation came, and by which road.
pub fn latest(connection: &Connection, conversation: ConversationId) -> Result<Option<(Timestamp, Via)>> {
    let row: Option<(i64, bool)> = connection
        .prepare_cached(
            "SELECT received_at, via = 1 FROM messages WHERE conversation = ?1 AND sequence IS NOT NULL
             ORDER BY sequence DESC, local DESC LIMIT 1",
        )?
        .query_row([conversation.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.map(|(at, direct)| (Timestamp(at), if direct { Via::Direct } else { Via::Server })))
}

/// An own message of this conversation has arrived at the other side; `false` if there is none, or that was known.
pub fn delivered(
    connection: &Connection,
    conversation: ConversationId,
    own: AccountId,
    message: MessageId,
) -> Result<bool> {
    let rows = connection
        .prepare_cached(
            "UPDATE messages SET delivered = 1 WHERE conversation = ?1 AND sender = ?2 AND id = ?3 AND delivered = 0",
        )?
        .execute([conversation.as_bytes().as_slice(), own.as_bytes(), message.as_bytes()])?;
    Ok(rows == 1)
}

/// Unread messages of a conversation, and those among them that name this account.
pub fn unread(connection: &Connection, conversation: ConversationId) -> Result<(u32, u32)> {
    let unread = connection
        .prepare_cached("SELECT count(*) FROM messages WHERE conversation = ?1 AND unread = 1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))?;
    let mentions = connection
        .prepare_cached("SELECT count(*) FROM messages WHERE conversation = ?1 AND unread = 1 AND mention = 1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))?;
    Ok((unread, mentions))
}

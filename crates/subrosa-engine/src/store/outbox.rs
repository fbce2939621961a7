//! The outbox: what was typed and is not on the server's disk yet. Rows leave only with the server's verdict.

use rusqlite::{Connection, OptionalExtension, Row, params};
use subrosa_types::{ConversationId, Epoch, IdempotencyKey, Username};

use super::{Result, StoreError, id};

/// An intent to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Order of sending.
    pub position: i64,
    /// Idempotency key; for what people see, the message id.
    pub key: IdempotencyKey,
    /// Where; `None` until the private chat with `peer` is made.
    pub conversation: Option<ConversationId>,
    /// Whom to write to when the private chat is not made yet.
    pub peer: Option<Username>,
    /// Encoded content.
    pub content: Vec<u8>,
    /// Wire code of the message class.
    pub class: i32,
    /// Whether it is a message that people see.
    pub shown: bool,
    /// Epoch of `message`.
    pub epoch: Option<Epoch>,
    /// The exact bytes to send.
    pub message: Option<Vec<u8>>,
}

const COLUMNS: &str = "position, key, conversation, peer, content, class, shown, epoch, message";

type Raw = (i64, Vec<u8>, Option<Vec<u8>>, Option<String>, Vec<u8>, i32, bool, Option<u64>, Option<Vec<u8>>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
    ))
}

fn intent((position, key, conversation, peer, content, class, shown, epoch, message): Raw) -> Result<Intent> {
    Ok(Intent {
        position,
        key: id(&key, "outbox key", IdempotencyKey::from_bytes)?,
        conversation: conversation.map(|c| id(&c, "conversation", ConversationId::from_bytes)).transpose()?,
        peer: peer.map(|p| p.parse().map_err(|_| StoreError::Damaged("peer"))).transpose()?,
        content,
        class,
        shown,
        epoch: epoch.map(Epoch),
        message,
    })
}

/// Writes an intent; its `position` is given by the store.
pub fn push(connection: &Connection, i: &Intent) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO outbox (key, conversation, peer, content, class, shown) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            i.key.as_bytes(),
            i.conversation.as_ref().map(ConversationId::as_bytes),
            i.peer.as_ref().map(Username::as_str),
            i.content,
            i.class,
            i.shown,
        ])?;
    Ok(())
}

/// The first `limit` intents of a conversation.
pub fn first(connection: &Connection, conversation: ConversationId, limit: u32) -> Result<Vec<Intent>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE conversation = ?1 ORDER BY position LIMIT ?2"))?;
    let rows = statement.query_map(params![conversation.as_bytes(), limit], raw)?;
    rows.map(|row| intent(row?)).collect()
}

/// The intent with this key.
pub fn by_key(connection: &Connection, key: IdempotencyKey) -> Result<Option<Intent>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE key = ?1"))?
        .query_row([key.as_bytes()], raw)
        .optional()?
        .map(intent)
        .transpose()
}

/// Names of people to whom something waits though there is no private chat yet.
pub fn peers_without_chat(connection: &Connection) -> Result<Vec<Username>> {
    let mut statement = connection
        .prepare_cached("SELECT peer FROM outbox WHERE conversation IS NULL GROUP BY peer ORDER BY min(position)")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|peer| peer?.parse().map_err(|_| StoreError::Damaged("peer"))).collect()
}

/// Intents of a person without a chat, in order.
pub fn waiting_for(connection: &Connection, peer: &Username) -> Result<Vec<Intent>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE conversation IS NULL AND peer = ?1 ORDER BY position"
    ))?;
    let rows = statement.query_map([peer.as_str()], raw)?;
    rows.map(|row| intent(row?)).collect()
}

/// The private chat is made: what waited for it belongs to it now.
pub fn assign(connection: &Connection, peer: &Username, conversation: ConversationId) -> Result<()> {
    connection.execute(
        "UPDATE outbox SET conversation = ?2 WHERE conversation IS NULL AND peer = ?1",
        params![peer.as_str(), conversation.as_bytes()],
    )?;
    Ok(())
}

/// The exact bytes are decided.
pub fn encrypted(connection: &Connection, key: IdempotencyKey, epoch: Epoch, message: &[u8]) -> Result<()> {
    connection.prepare_cached("UPDATE outbox SET epoch = ?2, message = ?3 WHERE key = ?1")?.execute(params![
        key.as_bytes(),
        epoch.0,
        message
    ])?;
    Ok(())
}

/// The server refused the bytes, so they will never be in the log: encrypt again.
pub fn refused(connection: &Connection, key: IdempotencyKey) -> Result<()> {
    connection
        .prepare_cached("UPDATE outbox SET epoch = NULL, message = NULL WHERE key = ?1")?
        .execute([key.as_bytes()])?;
    Ok(())
}

/// It is accepted, or will never be.
pub fn remove(connection: &Connection, key: IdempotencyKey) -> Result<()> {
    connection.prepare_cached("DELETE FROM outbox WHERE key = ?1")?.execute([key.as_bytes()])?;
    Ok(())
}

/// How many intents that people see wait.
pub fn count(connection: &Connection) -> Result<u32> {
    Ok(connection.query_row("SELECT count(*) FROM outbox WHERE shown = 1", [], |row| row.get(0))?)
}

/// Conversations in which something waits.
pub fn conversations(connection: &Connection) -> Result<Vec<ConversationId>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT conversation FROM outbox WHERE conversation IS NOT NULL ORDER BY conversation",
    )?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|bytes| id(&bytes?, "conversation", ConversationId::from_bytes)).collect()
}

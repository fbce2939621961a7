//! The one commit a conversation that waits for the orderer's verdict, as the exact bytes that were sent.

use rusqlite::{Connection, OptionalExtension, Row, params};
use subrosa_types::{ConversationId, IdempotencyKey};

use super::{Result, StoreError, id};

/// What the commit is for: decides what happens when it is accepted or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingCommitKind {
    /// The first commit of a new conversation.
    Found,
    /// A change of membership, or the server's proposals.
    Change,
    /// This device enters by itself (the group is merged already).
    Enter,
}

impl PendingCommitKind {
    const fn code(self) -> u8 {
        match self {
            Self::Found => 1,
            Self::Change => 2,
            Self::Enter => 3,
        }
    }
}

/// A commit without verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCommit {
    /// Where.
    pub conversation: ConversationId,
    /// Its idempotency key, by which it is recognised in the log.
    pub key: IdempotencyKey,
    /// What for.
    pub kind: PendingCommitKind,
    /// Encoded `ClientFrame` without id.
    pub request: Vec<u8>,
}

type Raw = (Vec<u8>, Vec<u8>, u8, Vec<u8>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn commit((conversation, key, kind, request): Raw) -> Result<PendingCommit> {
    Ok(PendingCommit {
        conversation: id(&conversation, "conversation", ConversationId::from_bytes)?,
        key: id(&key, "commit key", IdempotencyKey::from_bytes)?,
        kind: match kind {
            1 => PendingCommitKind::Found,
            2 => PendingCommitKind::Change,
            3 => PendingCommitKind::Enter,
            _ => return Err(StoreError::Damaged("commit kind")),
        },
        request,
    })
}

/// The waiting commit of a conversation.
pub fn load(connection: &Connection, conversation: ConversationId) -> Result<Option<PendingCommit>> {
    connection
        .prepare_cached("SELECT conversation, key, kind, request FROM commits WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], raw)
        .optional()?
        .map(commit)
        .transpose()
}

/// All waiting commits.
pub fn all(connection: &Connection) -> Result<Vec<PendingCommit>> {
    let mut statement =
        connection.prepare_cached("SELECT conversation, key, kind, request FROM commits ORDER BY conversation")?;
    let rows = statement.query_map([], raw)?;
    rows.map(|row| commit(row?)).collect()
}

/// Writes a commit that will be sent now.
pub fn save(connection: &Connection, c: &PendingCommit) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO commits (conversation, key, kind, request) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![c.conversation.as_bytes(), c.key.as_bytes(), c.kind.code(), c.request])?;
    Ok(())
}

/// The verdict came.
pub fn remove(connection: &Connection, conversation: ConversationId) -> Result<()> {
    connection.prepare_cached("DELETE FROM commits WHERE conversation = ?1")?.execute([conversation.as_bytes()])?;
    Ok(())
}

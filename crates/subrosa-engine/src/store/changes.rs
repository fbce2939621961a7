//! Changes of membership that a person asked for and that are not accepted yet. They survive a lost race and a crash.

use rusqlite::{Connection, params};
use subrosa_types::{AccountId, ConversationId};

use super::{Result, id};

/// Add or remove one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub conversation: ConversationId,
    /// Add; otherwise remove.
    pub adds: bool,
    /// Whom.
    pub account: AccountId,
}

/// Writes an intent.
pub fn push(connection: &Connection, change: &Change) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO changes (conversation, adds, account) VALUES (?1, ?2, ?3)")?
        .execute(params![change.conversation.as_bytes(), change.adds, change.account.as_bytes()])?;
    Ok(())
}

/// All intents, in order.
pub fn all(connection: &Connection) -> Result<Vec<Change>> {
    let mut statement =
        connection.prepare_cached("SELECT conversation, adds, account FROM changes ORDER BY position")?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, bool>(1)?, row.get::<_, Vec<u8>>(2)?)))?;
    rows.map(|row| {
        let (conversation, adds, account) = row?;
        Ok(Change {
            conversation: id(&conversation, "conversation", ConversationId::from_bytes)?,
            adds,
            account: id(&account, "account", AccountId::from_bytes)?,
        })
    })
    .collect()
}

/// The intents of a conversation, in order.
pub fn of(connection: &Connection, conversation: ConversationId) -> Result<Vec<Change>> {
    Ok(all(connection)?.into_iter().filter(|change| change.conversation == conversation).collect())
}

/// Done, or refused for good.
pub fn remove(connection: &Connection, change: &Change) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM changes WHERE conversation = ?1 AND adds = ?2 AND account = ?3")?
        .execute(params![change.conversation.as_bytes(), change.adds, change.account.as_bytes()])?;
    Ok(())
}

/// The conversation takes no changes any more.
pub fn forget(connection: &Connection, conversation: ConversationId) -> Result<()> {
    connection.execute("DELETE FROM changes WHERE conversation = ?1", [conversation.as_bytes()])?;
    Ok(())
}

//! What faces keep on this device: what is being written, and settings.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use subrosa_types::ConversationId;

use super::Result;

/// What is being written in a conversation; empty: nothing.
pub fn draft(connection: &Connection, conversation: ConversationId) -> Result<String> {
    let text = connection
        .prepare_cached("SELECT text FROM drafts WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(text.unwrap_or_default())
}

/// Keeps what is being written; forgets it if it is empty.
pub fn set_draft(connection: &Connection, conversation: ConversationId, text: &str) -> Result<()> {
    if text.is_empty() {
        connection.prepare_cached("DELETE FROM drafts WHERE conversation = ?1")?.execute([conversation.as_bytes()])?;
    } else {
        connection
            .prepare_cached("INSERT OR REPLACE INTO drafts (conversation, text) VALUES (?1, ?2)")?
            .execute(params![conversation.as_bytes(), text])?;
    }
    Ok(())
}

/// All settings, by name.
pub fn settings(connection: &Connection) -> Result<BTreeMap<String, String>> {
    let mut statement = connection.prepare_cached("SELECT name, value FROM settings")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps a setting, or forgets it.
pub fn set_setting(connection: &Connection, name: &str, value: Option<&str>) -> Result<()> {
    match value {
        Some(value) => connection
            .prepare_cached("INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)")?
            .execute([name, value])?,
        None => connection.prepare_cached("DELETE FROM settings WHERE name = ?1")?.execute([name])?,
    };
    Ok(())
}

//! The client's store: plain functions over one SQLite connection, always inside the engine's transaction.
//!
//! The engine opens a transaction for each input and calls these; nothing here begins or commits one. Rows that do not
//! read back as what was written are [`StoreError::Damaged`], never a panic.

pub mod changes;
pub mod commits;
pub mod contacts;
pub mod conversations;
pub mod events;
pub mod faces;
pub mod history;
pub mod messages;
pub mod outbox;
pub mod profile;
pub mod role_log;

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

/// Why the store could not do it. The environment is to blame, or a damaged file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no: disk full, read-only, locked by somebody else.
    #[error("the profile's store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The schema could not be brought up to date.
    #[error("the profile's store could not be prepared: {0}")]
    Migration(#[from] rusqlite_migration::Error),
    /// The keys of groups could not be read or written.
    #[error("the profile's store: {0}")]
    Groups(#[from] subrosa_mls::StorageError),
    /// SQLite gave the transaction up by itself, as it does when the disk is full.
    #[error("the profile's store could not be written")]
    RolledBack,
    /// A row that cannot have been written by this program.
    #[error("the profile's store is damaged ({0})")]
    Damaged(&'static str),
}

/// Result of a store function.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The schema as it is now, for the snapshot test.
pub const SCHEMA: &str = include_str!("schema.sql");

/// What direct links added.
const DIRECT: &str = include_str!("direct.sql");

/// What faces added.
const FACES: &str = include_str!("faces.sql");

/// Brings the schema up to date.
///
/// # Errors
/// [`StoreError::Migration`]; a store of a newer version is refused.
pub fn migrate(connection: &mut Connection) -> Result<()> {
    let steps = [M::up(SCHEMA), M::up(subrosa_mls::storage::SCHEMA), M::up(DIRECT), M::up(FACES)];
    Migrations::from_slice(&steps).to_latest(connection)?;
    Ok(())
}

fn id<T>(bytes: &[u8], what: &'static str, make: impl Fn([u8; 16]) -> T) -> Result<T> {
    bytes.try_into().map(make).map_err(|_| StoreError::Damaged(what))
}

fn key(bytes: &[u8], what: &'static str) -> Result<subrosa_crypto::VerifyingKey> {
    subrosa_crypto::VerifyingKey::from_slice(bytes).map_err(|_| StoreError::Damaged(what))
}

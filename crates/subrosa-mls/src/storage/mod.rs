//! Group state in the caller's SQLite transaction.
//!
//! The store borrows a connection and opens no transaction of its own, so that "decrypt, store the plaintext, advance the
//! ratchet" commits or fails together: the caller begins and commits. After a rollback the group in memory is ahead of
//! the store (OpenMLS would answer `SecretReuseError`); it has to be dropped and loaded again.
//!
//! - `mls_state` holds what belongs to a group; every row carries the group id, so [`delete_group`] misses nothing.
//! - `mls_key` holds what belongs to no group yet: key packages with their private keys.
//!
//! A value is one version byte and MessagePack in its compact form (postcard is smaller, but cannot read back the
//! group's configuration). The database as a whole is encrypted by the caller (SQLCipher): secrets lie here as they are.

mod provider;
mod value;

use std::cell::RefCell;

use openmls::group::GroupId;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use subrosa_types::ConversationId;

pub use value::VALUE_VERSION;

/// The tables of this crate; the caller's migration executes it once. STRICT, so a wrong type is an error.
pub const SCHEMA: &str = "
CREATE TABLE mls_state (
    id INTEGER PRIMARY KEY,
    conversation BLOB NOT NULL,
    kind TEXT NOT NULL,
    item BLOB NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (conversation, kind, item)
) STRICT;
CREATE TABLE mls_key (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    item BLOB NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (kind, item)
) STRICT;
";

/// Why group state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database refused. The environment is to blame (disk full, file locked, no table).
    #[error("the database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// The database refused, and OpenMLS keeps the reason to itself. The environment is to blame.
    #[error("the database failed")]
    Unnamed,
    /// A value carries a version that this program does not know: a newer program wrote it.
    #[error("the stored {kind} has version {version}, which this program does not know; use a newer one")]
    UnknownVersion {
        /// What kind of value.
        kind: String,
        /// Its first byte.
        version: u8,
    },
    /// A value does not decode: the database is damaged.
    #[error("the stored {0} is damaged")]
    Damaged(String),
    /// A value could not be encoded. We are to blame.
    #[error("a {0} could not be encoded")]
    Unencodable(String),
}

/// Removes every row of the group of `conversation`.
///
/// # Errors
/// [`StorageError::Database`].
pub fn delete_group(conn: &Connection, conversation: ConversationId) -> Result<(), StorageError> {
    delete_rows(conn, conversation.as_bytes())
}

/// Removes every key that belongs to no group: those of key packages, above all. For a device that starts anew on a store.
///
/// # Errors
/// [`StorageError::Database`].
pub fn delete_keys(conn: &Connection) -> Result<(), StorageError> {
    conn.prepare_cached("DELETE FROM mls_key")?.execute([])?;
    Ok(())
}

pub(crate) fn delete_rows(conn: &Connection, group_id: &[u8]) -> Result<(), StorageError> {
    conn.prepare_cached("DELETE FROM mls_state WHERE conversation = ?1")?.execute([group_id])?;
    Ok(())
}

/// What a row holds; the name is the `kind` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    JoinConfig,
    OwnLeafNode,
    Proposal,
    Tree,
    InterimTranscriptHash,
    Context,
    ConfirmationTag,
    GroupState,
    MessageSecrets,
    ResumptionPsks,
    OwnLeafIndex,
    EpochSecrets,
    ExportTree,
    EpochKeys,
    SignatureKey,
    EncryptionKey,
    KeyPackage,
    Psk,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::JoinConfig => "join-config",
            Self::OwnLeafNode => "own-leaf-node",
            Self::Proposal => "proposal",
            Self::Tree => "tree",
            Self::InterimTranscriptHash => "interim-transcript-hash",
            Self::Context => "context",
            Self::ConfirmationTag => "confirmation-tag",
            Self::GroupState => "group-state",
            Self::MessageSecrets => "message-secrets",
            Self::ResumptionPsks => "resumption-psks",
            Self::OwnLeafIndex => "own-leaf-index",
            Self::EpochSecrets => "epoch-secrets",
            Self::ExportTree => "export-tree",
            Self::EpochKeys => "epoch-keys",
            Self::SignatureKey => "signature-key",
            Self::EncryptionKey => "encryption-key",
            Self::KeyPackage => "key-package",
            Self::Psk => "psk",
        }
    }
}

impl Kind {
    /// Whether OpenMLS reads it of a group that is in memory. The rest is for loading it again, and most of what a commit
    /// costs a member is writing that: the tree, the secrets and the pending commit of a large group.
    const fn is_read_while_loaded(self) -> bool {
        matches!(
            self,
            Self::Proposal | Self::EpochKeys | Self::SignatureKey | Self::EncryptionKey | Self::KeyPackage | Self::Psk
        )
    }
}

/// OpenMLS' storage over a borrowed connection.
pub(crate) struct Store<'a> {
    conn: &'a Connection,
    /// The groups live in this process only: see [`Kind::is_read_while_loaded`].
    volatile: bool,
    /// While set, key packages that OpenMLS deletes are noted here instead: see [`Store::keeping_key_packages`].
    kept: RefCell<Option<Vec<Vec<u8>>>>,
}

impl<'a> Store<'a> {
    pub(crate) fn new(conn: &'a Connection) -> Self {
        Self { conn, volatile: false, kept: RefCell::new(None) }
    }

    /// Keeps only what a loaded group reads back. Nothing can be loaded from such a store.
    pub(crate) fn volatile(conn: &'a Connection) -> Self {
        Self { conn, volatile: true, kept: RefCell::new(None) }
    }

    pub(crate) fn connection(&self) -> &'a Connection {
        self.conn
    }

    /// Runs `operation` and returns the references of the key packages that it would have deleted.
    ///
    /// OpenMLS consumes a key package before it has looked at the Welcome; a refused Welcome must not cost one.
    pub(crate) fn keeping_key_packages<T>(&self, operation: impl FnOnce() -> T) -> (T, Vec<Vec<u8>>) {
        self.kept.replace(Some(Vec::new()));
        let result = operation();
        (result, self.kept.take().unwrap_or_default())
    }

    /// Deletes a key package by the reference that [`Self::keeping_key_packages`] returned.
    pub(crate) fn forget_key_package(&self, item: &[u8]) -> Result<(), StorageError> {
        let mut statement = self.conn.prepare_cached("DELETE FROM mls_key WHERE kind = ?1 AND item = ?2")?;
        statement.execute(params![Kind::KeyPackage.name(), item])?;
        Ok(())
    }

    // State of a group: one row for (group, kind, item); `item` is empty where there is only one.

    fn put(&self, group: &impl Serialize, kind: Kind, item: &[u8], value: &impl Serialize) -> Result<(), StorageError> {
        if self.volatile && !kind.is_read_while_loaded() {
            return Ok(());
        }
        // An update keeps the row's id, and with it the order of a list.
        let mut statement = self.conn.prepare_cached(
            "INSERT INTO mls_state (conversation, kind, item, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (conversation, kind, item) DO UPDATE SET value = excluded.value",
        )?;
        statement.execute(params![group_id(group)?, kind.name(), item, value::encode(kind, value)?])?;
        Ok(())
    }

    fn get<T: DeserializeOwned>(
        &self,
        group: &impl Serialize,
        kind: Kind,
        item: &[u8],
    ) -> Result<Option<T>, StorageError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT value FROM mls_state WHERE conversation = ?1 AND kind = ?2 AND item = ?3")?;
        let found = statement
            .query_row(params![group_id(group)?, kind.name(), item], |row| {
                Ok(value::decode(kind, row.get_ref(0)?.as_blob()?))
            })
            .optional()?;
        found.transpose()
    }

    fn list<T: DeserializeOwned>(&self, group: &impl Serialize, kind: Kind) -> Result<Vec<(Vec<u8>, T)>, StorageError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT item, value FROM mls_state WHERE conversation = ?1 AND kind = ?2 ORDER BY id")?;
        let rows = statement.query_map(params![group_id(group)?, kind.name()], |row| {
            Ok((row.get(0)?, value::decode(kind, row.get_ref(1)?.as_blob()?)))
        })?;
        rows.map(|row| {
            let (item, value) = row?;
            Ok((item, value?))
        })
        .collect()
    }

    fn delete(&self, group: &impl Serialize, kind: Kind, item: &[u8]) -> Result<(), StorageError> {
        let mut statement =
            self.conn.prepare_cached("DELETE FROM mls_state WHERE conversation = ?1 AND kind = ?2 AND item = ?3")?;
        statement.execute(params![group_id(group)?, kind.name(), item])?;
        Ok(())
    }

    fn delete_all(&self, group: &impl Serialize, kind: Kind) -> Result<(), StorageError> {
        let mut statement = self.conn.prepare_cached("DELETE FROM mls_state WHERE conversation = ?1 AND kind = ?2")?;
        statement.execute(params![group_id(group)?, kind.name()])?;
        Ok(())
    }

    fn append(&self, group: &impl Serialize, kind: Kind, value: &impl Serialize) -> Result<(), StorageError> {
        let mut statement =
            self.conn.prepare_cached("SELECT count(*) FROM mls_state WHERE conversation = ?1 AND kind = ?2")?;
        let count: i64 = statement.query_row(params![group_id(group)?, kind.name()], |row| row.get(0))?;
        self.put(group, kind, &count.to_be_bytes(), value)
    }

    // Keys outside groups.

    fn put_key(&self, kind: Kind, item: &impl Serialize, value: &impl Serialize) -> Result<(), StorageError> {
        let mut statement = self.conn.prepare_cached(
            "INSERT INTO mls_key (kind, item, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (kind, item) DO UPDATE SET value = excluded.value",
        )?;
        statement.execute(params![kind.name(), value::item(kind, item)?, value::encode(kind, value)?])?;
        Ok(())
    }

    fn get_key<T: DeserializeOwned>(&self, kind: Kind, item: &impl Serialize) -> Result<Option<T>, StorageError> {
        let mut statement = self.conn.prepare_cached("SELECT value FROM mls_key WHERE kind = ?1 AND item = ?2")?;
        let found = statement
            .query_row(params![kind.name(), value::item(kind, item)?], |row| {
                Ok(value::decode(kind, row.get_ref(0)?.as_blob()?))
            })
            .optional()?;
        found.transpose()
    }

    fn delete_key(&self, kind: Kind, item: &impl Serialize) -> Result<(), StorageError> {
        let item = value::item(kind, item)?;
        if kind == Kind::KeyPackage
            && let Some(kept) = self.kept.borrow_mut().as_mut()
        {
            kept.push(item);
            return Ok(());
        }
        let mut statement = self.conn.prepare_cached("DELETE FROM mls_key WHERE kind = ?1 AND item = ?2")?;
        statement.execute(params![kind.name(), item])?;
        Ok(())
    }
}

/// The bytes of a group id. OpenMLS hands it over as something that can only be serialised.
fn group_id(group: &impl Serialize) -> Result<Vec<u8>, StorageError> {
    let encoded = value::item(Kind::Context, group)?;
    let id: GroupId = rmp_serde::from_slice(&encoded).map_err(|_| StorageError::Unencodable("group id".into()))?;
    Ok(id.to_vec())
}

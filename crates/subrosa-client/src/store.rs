//! Opening the encrypted store.
//!
//! 1. The file is made 0600 before SQLCipher writes a byte into it.
//! 2. The raw key goes in; memory that held keys or plaintext pages is wiped when it is freed.
//! 3. The first page is read: a wrong key shows here and nowhere later.
//! 4. WAL and `synchronous = FULL` are set and read back. Reason: what the engine calls durable must be.
//!
//! Invariant: a connection leaves this module only if the store is encrypted, the key fits, and commits are synced.

use std::io;
use std::path::PathBuf;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::keys::StoreKey;
use crate::profile::{Profile, create_private};

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The key does not open it.
    #[error("the store at {} does not open with this key", .0.display())]
    WrongKey(PathBuf),
    /// The library was built without encryption, or does not do what it is told. We are to blame.
    #[error("the store cannot be kept safe here: {0}")]
    Unsafe(&'static str),
    /// The file cannot be made.
    #[error("the store at {} cannot be used: {source}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// SQLite says no.
    #[error("the store at {} cannot be used: {source}", .path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
}

/// Opens the store of a profile; makes an empty one if there is none.
///
/// # Errors
/// See [`StoreError`].
pub fn open(profile: &Profile, key: &StoreKey) -> Result<Connection, StoreError> {
    let path = profile.store();
    match create_private(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StoreError::Io { path, source: error });
        }
        _ => {}
    }
    let failed = |source| StoreError::Sqlite { path: path.clone(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
    if cipher_of(&connection).map_err(failed)?.is_none() {
        return Err(StoreError::Unsafe("this build has no SQLCipher"));
    }
    connection.execute_batch("PRAGMA cipher_memory_security = ON;").map_err(failed)?;
    connection.execute_batch(&key.to_pragma()).map_err(failed)?;
    // SQLCipher writes its own log to stderr unless told otherwise, and only after the key does it listen. What it has to
    // say comes back as an error anyway.
    connection.execute_batch("PRAGMA cipher_log_level = NONE;").map_err(failed)?;
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(())).map_err(|source| {
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::WrongKey(path.clone()),
            _ => failed(source),
        }
    })?;
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;")
        .map_err(failed)?;
    let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(failed)?;
    if journal != "wal" || synchronous != 2 {
        return Err(StoreError::Unsafe("the file system does not allow write-ahead logging with full synchronisation"));
    }
    Ok(connection)
}

/// Name and version of the cipher that stores are kept with, for `doctor`.
///
/// # Errors
/// What SQLite says.
pub fn cipher() -> Result<Option<String>, rusqlite::Error> {
    cipher_of(&Connection::open_in_memory()?)
}

fn cipher_of(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let ask = |pragma: &str| match connection.query_row(pragma, [], |row| row.get::<_, String>(0)) {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        other => other.map(Some),
    };
    Ok(ask("PRAGMA cipher_version")?.map(|version| format!("SQLCipher {version} (AES-256-CBC, HMAC-SHA512)")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zeroize::Zeroizing;

    use super::*;
    use crate::keys::{self, AskPassphrase, KeyChoice};

    fn phrase(text: &'static str) -> AskPassphrase {
        Arc::new(move |_| Ok(Zeroizing::new(text.to_owned())))
    }

    #[test]
    fn what_is_stored_is_there_again_and_unreadable_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::at(folder.path());
        profile.prepare().unwrap();
        let (source, key) = keys::create(&profile, KeyChoice::Passphrase, &phrase("a long phrase")).unwrap();
        let store = open(&profile, &key).unwrap();
        store.execute_batch("CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('the quick brown fox');").unwrap();
        drop(store);
        let bytes = std::fs::read(profile.store()).unwrap();
        assert!(!bytes.windows(9).any(|window| window == b"quick bro"));
        assert!(!bytes.starts_with(b"SQLite format 3"));

        let again = keys::obtain(&profile, &source, &phrase("a long phrase")).unwrap();
        let text: String = open(&profile, &again).unwrap().query_row("SELECT x FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(text, "the quick brown fox");

        let wrong = keys::obtain(&profile, &source, &phrase("another phrase")).unwrap();
        assert!(matches!(open(&profile, &wrong), Err(StoreError::WrongKey(_))));
        assert!(profile.exposed().unwrap().is_empty());
    }

    #[test]
    fn the_cipher_has_a_name() {
        assert!(cipher().unwrap().unwrap().starts_with("SQLCipher 4"));
    }
}

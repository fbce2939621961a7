//! Opening the store so that "committed" means "on disk".
//!
//! 1. The folder is 0700, the file and its `-wal` and `-shm` companions 0600 (SQLite gives them the file's mode).
//! 2. `journal_mode=WAL`, `synchronous=FULL`: both are read back, and the server refuses to run otherwise. WAL with
//!    `NORMAL` loses acknowledged rows at a power cut.
//! 3. The file begins as a database does. SQLite does not look when the write-ahead log has the first page, and begins a
//!    new database where it finds an empty file: a server whose file was overwritten would start all the same.
//! 4. The application id says whose file it is; migrations bring it to this version's form.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::schema;
use super::{StoreError, Stored};

/// "SRSV" in ASCII, at offset 68 of the file.
const APPLICATION_ID: i32 = 0x5352_5356;
/// Prepared statements that are kept.
const STATEMENTS: usize = 128;
/// Kibibytes of page cache of the writer.
const CACHE_KIB: i64 = 8 * 1024;
/// Pages in the WAL before the writer moves them into the main file.
const CHECKPOINT_PAGES: i64 = 4_000;

/// The first bytes of every database file.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Opens the store at `path`, and makes it if there is none.
///
/// # Errors
/// [`StoreError`]; in particular [`StoreError::NotDurable`].
pub fn open(path: &Path) -> Result<Connection, StoreError> {
    private_file(path)?;
    check_beginning(path)?;
    let connection = Connection::open(path)?;
    prepare(connection, true)
}

/// A second connection that only reads, beside the writer. It sees what is committed.
///
/// # Errors
/// [`StoreError`] if the file is not there or cannot be read.
pub fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

/// A store that is gone with the process, for the simulation and for tests. Nothing in it is durable.
///
/// # Errors
/// [`StoreError`].
pub fn danger_open_in_memory() -> Result<Connection, StoreError> {
    prepare(Connection::open_in_memory()?, false)
}

/// Settings, checks and migrations for a connection that somebody else opened (the simulation's file systems).
pub(crate) fn prepare(mut connection: Connection, durable: bool) -> Stored<Connection> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if durable {
        require(&connection, "journal_mode", "WAL", "wal")?;
    }
    require(&connection, "synchronous", "FULL", "2")?;
    require(&connection, "foreign_keys", "ON", "1")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;

    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (id, tables) {
        (APPLICATION_ID, _) => {}
        (0, 0) => connection.pragma_update(None, "application_id", APPLICATION_ID)?,
        _ => return Err(StoreError::ForeignFile),
    }
    schema::migrate(&mut connection)?;
    Ok(connection)
}

/// A file that holds no database is left as it is, with what the log beside it may still have.
fn check_beginning(path: &Path) -> Stored<()> {
    let mut beginning = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut beginning))
        .map_err(StoreError::Folder)?;
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    match beginning.as_slice() {
        [] if std::fs::metadata(log).is_ok_and(|log| log.len() > 0) => Err(StoreError::Damaged("the file is empty")),
        [] | MAGIC => Ok(()),
        _ => Err(StoreError::Damaged("the file does not begin as a database does")),
    }
}

/// Sets a pragma and reads it back.
fn require(connection: &Connection, setting: &'static str, wanted: &'static str, reads: &str) -> Stored<()> {
    connection.pragma_update_and_check(None, setting, wanted, |_| Ok(())).or_else(|error| match error {
        // Some pragmas answer with a row, others with none.
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        error => Err(error),
    })?;
    let found: rusqlite::types::Value = connection.pragma_query_value(None, setting, |row| row.get(0))?;
    let found = match found {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        _ => String::new(),
    };
    if found == reads { Ok(()) } else { Err(StoreError::NotDurable { setting, wanted, found }) }
}

/// Makes the file with mode 0600 before SQLite can make it with another.
fn private_file(path: &Path) -> Stored<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(0o600);
        let file = options.open(path).map_err(StoreError::Folder)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(StoreError::Folder)
    }
    #[cfg(not(unix))]
    options.open(path).map(drop).map_err(StoreError::Folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_durable_and_private_and_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.db");
        for _ in 0..2 {
            let connection = open(&path).unwrap();
            let sync: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
            assert_eq!(sync, 2);
            connection.execute("UPDATE device SET revoked_at = 1 WHERE no = -1", []).unwrap();
            #[cfg(unix)]
            for file in ["server.db", "server.db-wal", "server.db-shm"] {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{file}");
            }
        }
    }

    #[test]
    fn a_store_without_a_write_ahead_log_is_refused() {
        let refused = prepare(Connection::open_in_memory().unwrap(), true);
        assert!(matches!(refused, Err(StoreError::NotDurable { setting: "journal_mode", .. })));
    }

    #[test]
    fn a_file_that_was_overwritten_is_refused_though_the_log_has_its_pages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.db");
        let before = open(&path).unwrap();
        for rubbish in [&b"no database at all, and long enough to be looked at as one"[..], b""] {
            std::fs::write(&path, rubbish).unwrap();
            assert!(matches!(open(&path), Err(StoreError::Damaged(_))));
            assert_eq!(std::fs::read(&path).unwrap(), rubbish);
        }
        drop(before);
    }

    #[test]
    fn the_file_of_another_program_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(open(&path), Err(StoreError::ForeignFile)));
    }
}

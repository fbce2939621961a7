//! A database that outlives the program that has it open, as a file outlives a process that is killed.
//!
//! It lies in memory (SQLite's `memdb`), shared by name between the connection of the program under test and a keeper.
//! [`Power`] is the plug: when it is pulled, the commit under way and every later one fails, whatever the program then
//! does in memory. Opening the database again finds what was committed before, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// The plug of one database.
#[derive(Debug, Default)]
pub struct Power {
    off: AtomicBool,
    /// Commits until the plug is pulled; 0: it stays in.
    commits_left: AtomicU64,
    /// Whether the last of these commits still reaches the disk.
    last_one_counts: AtomicBool,
    commits: AtomicU64,
}

impl Power {
    /// Pulls the plug at the commit that is `commits` from now (1: the next): before it is on disk, or just after it.
    pub fn fail_at(&self, commits: u64, before: bool) {
        self.last_one_counts.store(!before, Ordering::Relaxed);
        self.commits_left.store(commits, Ordering::Relaxed);
    }

    /// Whether the plug is pulled.
    pub fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    /// Commits so far.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Nobody touches the plug any more.
    pub fn hold(&self) {
        self.commits_left.store(0, Ordering::Relaxed);
    }

    fn restore(&self) {
        self.off.store(false, Ordering::Relaxed);
        self.commits_left.store(0, Ordering::Relaxed);
    }

    /// Whether a commit has to fail.
    fn refuses_commit(&self) -> bool {
        if self.is_off() {
            return true;
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        match self.commits_left.load(Ordering::Relaxed) {
            0 => false,
            1 => {
                self.off.store(true, Ordering::Relaxed);
                !self.last_one_counts.load(Ordering::Relaxed)
            }
            more => {
                self.commits_left.store(more - 1, Ordering::Relaxed);
                false
            }
        }
    }
}

/// A database that stays while it is opened, closed and opened again.
#[derive(Debug)]
pub struct Database {
    name: String,
    keeper: Connection,
    power: Arc<Power>,
}

impl Database {
    /// An empty database.
    ///
    /// # Errors
    /// SQLite has no memory.
    pub fn new() -> rusqlite::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // The leading slash makes the name known to the whole process; nothing that is random depends on it.
        let name = format!("/testkit-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let keeper = connect(&name)?;
        Ok(Self { name, keeper, power: Arc::default() })
    }

    /// Opens it for the program under test, with the plug in. The program's earlier connection must be closed.
    ///
    /// # Errors
    /// SQLite has no memory.
    pub fn open(&self) -> rusqlite::Result<Connection> {
        self.power.restore();
        let connection = connect(&self.name)?;
        let power = self.power.clone();
        connection.commit_hook(Some(move || power.refuses_commit()));
        Ok(connection)
    }

    /// Its plug.
    pub fn power(&self) -> &Power {
        &self.power
    }

    /// A connection to look with.
    pub const fn look(&self) -> &Connection {
        &self.keeper
    }
}

fn connect(name: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(name, flags, c"memdb")?;
    // Everything happens in one thread: who waits for a lock waits for itself.
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn what_was_committed_is_there_after_a_crash_and_nothing_else() {
        for before in [true, false] {
            let database = Database::new().unwrap();
            let program = database.open().unwrap();
            program.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
            database.power().fail_at(1, before);
            let second = program.execute_batch("BEGIN; INSERT INTO t VALUES (2); COMMIT");
            assert_eq!(second.is_err(), before);
            assert!(database.power().is_off());
            let _lost = program.execute_batch("ROLLBACK");
            assert!(program.execute("INSERT INTO t VALUES (3)", []).is_err());
            drop(program);
            assert_eq!(rows(&database.open().unwrap()), if before { 1 } else { 2 });
            assert_eq!(rows(database.look()), if before { 1 } else { 2 });
        }
    }
}

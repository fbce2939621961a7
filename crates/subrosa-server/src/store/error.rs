//! What can go wrong with the store, sorted by what has to be done about it.

use rusqlite::ErrorCode as Code;

/// A store that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full or the file is read-only. Nothing was written; it works again when there is room.
    #[error("the disk is full or the database cannot be written; nothing was written")]
    NoRoom(#[source] rusqlite::Error),
    /// The store failed in a way that must not be retried (an I/O error, a failed sync). The service has to stop.
    #[error("the database failed; the server stops so that nothing is acknowledged that is not on disk")]
    Failed(#[source] rusqlite::Error),
    /// The store holds what this version never wrote.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    /// The settings that make acknowledged writes durable did not take effect.
    #[error("the database refuses the setting {setting}={wanted} (it says {found}); refusing to run without it")]
    NotDurable {
        /// Name of the pragma.
        setting: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// The file is a database of another program.
    #[error("this file is not a Subrosa server database")]
    ForeignFile,
    /// The database is of a newer version of the program, or a step from an older one failed.
    #[error("the database could not be brought to this version's form")]
    Migration(#[from] rusqlite_migration::Error),
    /// The folder or a file in it could not be made or protected.
    #[error("the data folder could not be used")]
    Folder(#[source] std::io::Error),
}

impl StoreError {
    /// Whether the service may go on and try again later.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::NoRoom(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(Code::DiskFull | Code::ReadOnly) => Self::NoRoom(error),
            Some(Code::NotADatabase | Code::DatabaseCorrupt) => Self::Damaged("its pages are not as they were written"),
            _ => Self::Failed(error),
        }
    }
}

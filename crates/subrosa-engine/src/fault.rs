//! Why an input could not be taken in. The transaction is rolled back and the engine starts again from its store.

use subrosa_mls::{GroupError, JoinError, RandomnessFailed, StorageError};

use crate::store::StoreError;

/// What went wrong while an input was handled.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The environment: disk full, read-only, damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The group engine failed on our own state.
    #[error("the group engine failed: {0}")]
    Mls(String),
    /// The server says what cannot be true.
    #[error("the server contradicts itself: {0}")]
    Lie(&'static str),
    /// The server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(&'static str),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::Sqlite(error))
    }
}

/// Result inside the engine.
pub type Outcome<T = ()> = Result<T, Fault>;

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Self::Store(error.into())
    }
}

impl From<GroupError> for Fault {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Storage(error) => error.into(),
            error => Self::Mls(error.to_string()),
        }
    }
}

impl From<JoinError> for Fault {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Storage(error) => error.into(),
            error => Self::Mls(error.to_string()),
        }
    }
}

/// Why a group was not joined: `Ok` is the others' fault, `Err` ours or the store's.
pub fn not_joined(error: JoinError) -> Outcome<String> {
    match error {
        JoinError::Storage(_) | JoinError::Internal(_) => Err(error.into()),
        error => Ok(error.to_string()),
    }
}

macro_rules! from_group_engine {
    ($($error:ty),*) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Mls(error.to_string())
            }
        }
    )*};
}

from_group_engine!(RandomnessFailed, subrosa_mls::InvalidSeed);

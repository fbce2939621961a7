//! What is on disk: SQLite behind plain functions, one module a subject.
//!
//! Every function takes the connection it works on, so that the caller decides what is one transaction: the core runs a
//! whole batch of requests in one. Nothing here knows a rule of the protocol; nothing above here knows SQL. (A PostgreSQL
//! store would be a second set of these functions.)
//!
//! Rows are narrow and keys are integers, because above a hundred rows a commit the B-tree is what costs, not the disk.
//! Accounts, devices and conversations therefore have a *number* here beside their random id. The log keeps no sender,
//! and no row but an account's own holds a username.

pub(crate) mod accounts;
pub(crate) mod conversations;
pub(crate) mod devices;
mod error;
pub(crate) mod inbox;
pub(crate) mod invites;
pub(crate) mod key_packages;
pub(crate) mod log;
mod open;
pub(crate) mod role_log;
mod schema;
pub(crate) mod server;

pub use error::StoreError;
pub(crate) use open::prepare;
pub use open::{danger_open_in_memory, open, open_read_only};
pub use schema::schema;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

macro_rules! row_number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                i64::column_result(value).map(Self)
            }
        }
    };
}

row_number! {
    /// An account's number in this store.
    AccountNo
}
row_number! {
    /// A device's number in this store.
    DeviceNo
}
row_number! {
    /// A conversation's number in this store.
    ConversationNo
}

/// Result of a store function.
pub(crate) type Stored<T> = Result<T, StoreError>;

/// A number that SQLite keeps signed and the protocol counts from zero.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The reverse of [`signed`]; what is negative on disk was never written by us and becomes 0.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

//! What goes wrong below the engine, as a [`Failure`]: one sentence, with what to do next.

use std::io;

use subrosa_engine::api::{Failure, FailureCode};
use subrosa_net::ConnectError;

use crate::keys::KeyError;
use crate::profile::ProfileError;
use crate::store::StoreError;

/// Kind of failures of the link; the engine uses the same word.
pub const UNREACHABLE: &str = "server_unreachable";
/// Kind of the failure that a server with another key is.
pub const WRONG_SERVER: &str = "wrong_server";
/// The process that runs the engine ended before it answered.
pub const ENGINE_GONE: &str = "engine_gone";
/// The process that runs the engine is ending; it did not start on this command.
pub const ENGINE_LEAVING: &str = "engine_leaving";

pub(crate) fn environment(kind: &str, message: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Environment, kind, message)
}

/// A connection that could not be made, as people and scripts see it.
pub fn connect_failure(error: &ConnectError) -> Failure {
    let next = match error {
        ConnectError::WrongKey { .. } => {
            let advice = "nothing was sent; ask its operator for the link, by a way you trust";
            return Failure::new(FailureCode::Untrusted, WRONG_SERVER, format!("{error}; {advice}"));
        }
        ConnectError::UnknownHost { .. } => "check the server link and your network",
        ConnectError::Refused { .. } => "check that the server runs and that the link is its link",
        ConnectError::TimedOut { .. } | ConnectError::Io { .. } => "check your network and that the server runs",
        ConnectError::Tls { .. } => "check that the link is the one that the server prints",
        ConnectError::Protocol { .. } => "try again later, or with the version of subrosa that the server has",
    };
    environment(UNREACHABLE, format!("{error}; {next}"))
}

/// Whether the engine's process ended before it answered, so that nobody knows whether the command was done.
pub fn is_engine_gone(failure: &Failure) -> bool {
    failure.kind == ENGINE_GONE
}

/// The engine ended without an answer.
pub fn engine_gone() -> Failure {
    environment(
        ENGINE_GONE,
        "the process that runs this profile ended before it answered; look at the result, then try again",
    )
}

const NO_ROOM: &str = "there is no room on the disk; nothing was half-done: make room, then try again";
const NOT_WRITABLE: &str = "the folder cannot be written; nothing was half-done: give write access to it, or name another \
                            one with --home, then try again";

/// What a person can do about a file that the system does not let us use.
fn advice_on_file(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(NO_ROOM),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Some(NOT_WRITABLE),
        _ => None,
    }
}

/// What a person can do about a store that SQLite cannot use.
fn advice_on_store(error: &rusqlite::Error) -> Option<&'static str> {
    use rusqlite::ErrorCode;
    let rusqlite::Error::SqliteFailure(cause, _) = error else { return None };
    match cause.code {
        ErrorCode::DiskFull => Some(NO_ROOM),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => Some(NOT_WRITABLE),
        // Of a write that failed SQLite does not say why.
        ErrorCode::SystemIoFailure => Some(
            "the disk cannot be written, as a rule because there is no room on it; nothing was half-done: make room, \
             then try again",
        ),
        _ => None,
    }
}

/// The same of a store that could not be opened, whichever error is behind it.
pub(crate) fn store_unavailable(error: &(dyn std::error::Error + 'static)) -> Failure {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let advice = causes.filter_map(|cause| cause.downcast_ref()).find_map(advice_on_store);
    let message = match advice {
        Some(advice) => format!("the profile's store cannot be used: {advice}"),
        None => error.to_string(),
    };
    environment("store_unavailable", message)
}

/// Other processes cannot be let in.
pub(crate) fn no_socket(error: &io::Error) -> Failure {
    let advice = advice_on_file(error)
        .map_or_else(|| format!("{error}; look at the profile's folder, then try again"), str::to_owned);
    environment("socket", format!("other processes cannot be let in to this profile: {advice}"))
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        let kind = match &error {
            ProfileError::NoHome | ProfileError::NotOurs(_) => return Self::usage("profile_folder", error.to_string()),
            ProfileError::Io { path, source } => {
                let advice = advice_on_file(source)
                    .map_or_else(|| format!("{source}; look at it, then try again"), str::to_owned);
                let message = format!("the profile at {} cannot be used: {advice}", path.display());
                return environment("profile_unavailable", message);
            }
            ProfileError::Damaged { .. } | ProfileError::NoManifest(_) => "profile_damaged",
            ProfileError::Newer(_) => "profile_newer",
            ProfileError::Locked => "profile_busy",
        };
        environment(kind, error.to_string())
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Asked(failure) => failure,
            KeyError::Profile(error) => error.into(),
            error => environment("store_key", error.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::WrongKey(_) => environment("store_key", format!("{error}; restore the profile from a backup")),
            StoreError::Unsafe(_) => environment("store_unsafe", error.to_string()),
            StoreError::Io { path, source } => {
                let advice = advice_on_file(source)
                    .map_or_else(|| format!("{source}; look at it, then try again"), str::to_owned);
                environment("store_unavailable", format!("the store at {} cannot be used: {advice}", path.display()))
            }
            StoreError::Sqlite { path, source } => {
                let advice = advice_on_store(source).map_or_else(|| source.to_string(), str::to_owned);
                environment("store_unavailable", format!("the store at {} cannot be used: {advice}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_cannot_be_written_comes_with_what_to_do() {
        let path = || "/p".into();
        for (kind, advice) in [
            (io::ErrorKind::StorageFull, "make room"),
            (io::ErrorKind::ReadOnlyFilesystem, "write access"),
            (io::ErrorKind::NotADirectory, "look at it"),
        ] {
            let profile: Failure = ProfileError::Io { path: path(), source: kind.into() }.into();
            let store: Failure = StoreError::Io { path: path(), source: kind.into() }.into();
            for failure in [profile, store] {
                assert!(failure.message.contains(advice), "{failure}");
                assert_eq!(failure.code, FailureCode::Environment);
            }
        }
        // SQLITE_FULL, SQLITE_READONLY and SQLITE_IOERR_SHMSIZE.
        for (code, advice) in [(13, "make room"), (8, "write access"), (4874, "make room")] {
            let error = || rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let failure: Failure = StoreError::Sqlite { path: path(), source: error() }.into();
            assert!(failure.message.contains(advice), "{failure}");
            assert!(store_unavailable(&error()).message.contains(advice));
        }
    }
}

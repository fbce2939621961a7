//! What goes wrong below the engine, as a [`Failure`]: one sentence, with what to do next.

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

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        let kind = match &error {
            ProfileError::NoHome | ProfileError::NotOurs(_) => return Self::usage("profile_folder", error.to_string()),
            ProfileError::Io { .. } => "profile_unavailable",
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
            StoreError::Io { .. } | StoreError::Sqlite { .. } => environment("store_unavailable", error.to_string()),
        }
    }
}

//! Why a command did not do what was asked: one sentence with what to do next, and the exit code of the command line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Class of a failure; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// Wrong use, wrong password, or refused by the user's own state.
    Usage,
    /// A bug on this side.
    Unexpected,
    /// Network or disk.
    Environment,
    /// A key is not trusted.
    Untrusted,
    /// Too many at once.
    RateLimited,
    /// The server's policy: role, membership, invite needed.
    Policy,
}

impl FailureCode {
    /// The process's exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 1,
            Self::Unexpected => 2,
            Self::Environment => 3,
            Self::Untrusted => 4,
            Self::RateLimited => 5,
            Self::Policy => 6,
        }
    }
}

/// A refusal or failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Class.
    pub code: FailureCode,
    /// Stable word for scripts, like `not_a_member`.
    pub kind: String,
    /// One sentence for people: what happened and what to do next.
    pub message: String,
    /// Whether what was asked for is kept on this device, and done as soon as it can be.
    #[serde(default)]
    pub kept: bool,
}

impl Failure {
    /// A failure of this class.
    pub fn new(code: FailureCode, kind: &str, message: impl Into<String>) -> Self {
        Self { code, kind: kind.to_owned(), message: message.into(), kept: false }
    }

    /// Refused by the user's own state or words.
    pub fn usage(kind: &str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Usage, kind, message)
    }
}

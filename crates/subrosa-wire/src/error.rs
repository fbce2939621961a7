//! Refusals: a stable code on the wire, and what a caller may know besides.

use subrosa_types::ConversationId;

use crate::proto::Error;
pub use crate::proto::ErrorCode;

/// Why the server said no. Built by the server, read by the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused by the server: {}", .code.as_str_name())]
pub struct Refusal {
    /// What happened.
    pub code: ErrorCode,
    /// When another try is worth it, in milliseconds; 0 if that is not a matter of time.
    pub retry_after_ms: u64,
    /// For [`ErrorCode::StaleEpoch`]: the current epoch and the head of the log.
    pub current: (u64, u64),
    /// For [`ErrorCode::ConversationExists`]: the conversation that is there.
    pub conversation: Option<ConversationId>,
}

impl Refusal {
    /// A refusal that the code says all about.
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, retry_after_ms: 0, current: (0, 0), conversation: None }
    }

    /// A refusal that time heals.
    pub const fn retry_after(code: ErrorCode, retry_after_ms: u64) -> Self {
        Self { retry_after_ms, ..Self::new(code) }
    }

    /// A commit or message for another epoch than the current one.
    pub const fn stale(epoch: u64, sequence: u64) -> Self {
        Self { current: (epoch, sequence), ..Self::new(ErrorCode::StaleEpoch) }
    }

    /// A private chat that exists already.
    pub const fn exists(conversation: ConversationId) -> Self {
        Self { conversation: Some(conversation), ..Self::new(ErrorCode::ConversationExists) }
    }

    /// Whether the peer broke the protocol, so that the connection must end.
    pub const fn ends_connection(&self) -> bool {
        matches!(
            self.code,
            ErrorCode::Malformed
                | ErrorCode::TooLarge
                | ErrorCode::OutOfState
                | ErrorCode::TooSlow
                | ErrorCode::UnsupportedVersion
        )
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code.into(),
            retry_after_ms: refusal.retry_after_ms,
            epoch: refusal.current.0,
            sequence: refusal.current.1,
            conversation_id: refusal.conversation.map(|id| id.to_vec()).unwrap_or_default(),
        }
    }
}

impl From<Error> for Refusal {
    /// A code that this version does not know becomes [`ErrorCode::Internal`].
    fn from(error: Error) -> Self {
        Self {
            code: ErrorCode::try_from(error.code).unwrap_or(ErrorCode::Internal),
            retry_after_ms: error.retry_after_ms,
            current: (error.epoch, error.sequence),
            conversation: ConversationId::from_slice(&error.conversation_id).ok(),
        }
    }
}

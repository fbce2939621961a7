//! Why a request did not get what it asked for.

use subrosa_crypto::{CertificateError, DeviceListError, IdentityError, PasswordError, RoleLogError, StatementError};
use subrosa_mls::PeekError;
use subrosa_mls::follower::FollowError;
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::answer;

use crate::store::StoreError;

/// A request's answer, or why it has none.
pub(crate) type Handled = Result<answer::Body, Failure>;

/// Why a request failed: by a rule, or by the store.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request is refused, and nothing of it stays. The client is told.
    Refused(Refusal),
    /// The store failed; the whole batch is rolled back.
    Store(StoreError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<subrosa_types::ids::InvalidId> for Failure {
    /// An id of the wrong length breaks the protocol.
    fn from(_: subrosa_types::ids::InvalidId) -> Self {
        ErrorCode::Malformed.into()
    }
}

impl From<PeekError> for Failure {
    fn from(error: PeekError) -> Self {
        match error {
            PeekError::TooLarge { .. } => ErrorCode::TooLarge.into(),
            _ => ErrorCode::Malformed.into(),
        }
    }
}

impl From<StatementError> for Failure {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::TooLarge => ErrorCode::TooLarge.into(),
            StatementError::Malformed => ErrorCode::Malformed.into(),
            StatementError::BadSignature => ErrorCode::BadSignature.into(),
        }
    }
}

impl From<IdentityError> for Failure {
    /// What does not verify is refused as such; only what does not even decode ends the connection.
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Statement(error) => error.into(),
            _ => ErrorCode::BadSignature.into(),
        }
    }
}

impl From<RoleLogError> for Failure {
    fn from(error: RoleLogError) -> Self {
        match error {
            RoleLogError::Refused(_) => ErrorCode::RoleRefused.into(),
            RoleLogError::Stale => ErrorCode::StaleOrder.into(),
            RoleLogError::UnknownAccount(_) => ErrorCode::NoSuchAccount.into(),
            _ => ErrorCode::BadSignature.into(),
        }
    }
}

impl From<FollowError> for Failure {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Peek(error) => error.into(),
            FollowError::Memory(_) => StoreError::Damaged("a group's public state").into(),
            FollowError::Internal(reason) => {
                tracing::error!(reason, "the follower failed");
                ErrorCode::Internal.into()
            }
            error => {
                tracing::debug!(%error, "a handshake is refused");
                ErrorCode::BadCommit.into()
            }
        }
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Malformed => ErrorCode::Malformed.into(),
            PasswordError::Wrong => ErrorCode::WrongCredentials.into(),
            PasswordError::Record => StoreError::Damaged("a password record").into(),
            _ => ErrorCode::Internal.into(),
        }
    }
}

impl From<CertificateError> for Failure {
    fn from(_: CertificateError) -> Self {
        ErrorCode::BadSignature.into()
    }
}

impl From<DeviceListError> for Failure {
    fn from(error: DeviceListError) -> Self {
        match error {
            // Another device of the account was faster.
            DeviceListError::Index { .. } | DeviceListError::Previous => ErrorCode::StaleOrder.into(),
            _ => ErrorCode::BadSignature.into(),
        }
    }
}

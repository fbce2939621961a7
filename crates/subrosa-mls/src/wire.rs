//! Between bytes and the types of OpenMLS.

use std::panic::{AssertUnwindSafe, catch_unwind};

use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    KeyPackageIn, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, ProtocolMessage, RatchetTreeIn, Welcome,
};
use openmls::treesync::RatchetTree;
use subrosa_types::limits::{COMMIT_UPLOAD, KEY_PACKAGE};

/// Bytes that are not what they should be. Whoever sent them is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// More bytes than allowed.
    #[error("{size} bytes are too many; at most {limit} are allowed")]
    TooLarge {
        /// Bytes there are.
        size: usize,
        /// Bytes there may be.
        limit: usize,
    },
    /// Not the structure that is expected here, or not only that.
    #[error("these bytes are not the MLS structure that is expected")]
    Syntax,
}

/// OpenMLS could not put something of ours into bytes. We are to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unencodable;

fn body(bytes: &[u8], limit: usize) -> Result<MlsMessageBodyIn, Malformed> {
    if bytes.len() > limit {
        return Err(Malformed::TooLarge { size: bytes.len(), limit });
    }
    let message = guard(|| MlsMessageIn::tls_deserialize_exact(bytes)).ok_or(Malformed::Syntax)?;
    message.map(MlsMessageIn::extract).map_err(|_| Malformed::Syntax)
}

/// A PublicMessage or PrivateMessage whose size [`crate::peek`] has checked.
pub(crate) fn protocol_message(bytes: &[u8]) -> Result<ProtocolMessage, Malformed> {
    match body(bytes, COMMIT_UPLOAD)? {
        MlsMessageBodyIn::PublicMessage(message) => Ok(message.into()),
        MlsMessageBodyIn::PrivateMessage(message) => Ok(message.into()),
        _ => Err(Malformed::Syntax),
    }
}

pub(crate) fn welcome(bytes: &[u8]) -> Result<Welcome, Malformed> {
    match body(bytes, COMMIT_UPLOAD)? {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(Malformed::Syntax),
    }
}

pub(crate) fn group_info(bytes: &[u8]) -> Result<VerifiableGroupInfo, Malformed> {
    match body(bytes, COMMIT_UPLOAD)? {
        MlsMessageBodyIn::GroupInfo(group_info) => Ok(group_info),
        _ => Err(Malformed::Syntax),
    }
}

pub(crate) fn key_package(bytes: &[u8]) -> Result<KeyPackageIn, Malformed> {
    match body(bytes, KEY_PACKAGE)? {
        MlsMessageBodyIn::KeyPackage(key_package) => Ok(key_package),
        _ => Err(Malformed::Syntax),
    }
}

pub(crate) fn ratchet_tree(bytes: &[u8]) -> Result<RatchetTreeIn, Malformed> {
    if bytes.len() > COMMIT_UPLOAD {
        return Err(Malformed::TooLarge { size: bytes.len(), limit: COMMIT_UPLOAD });
    }
    guard(|| RatchetTreeIn::tls_deserialize_exact(bytes)).ok_or(Malformed::Syntax)?.map_err(|_| Malformed::Syntax)
}

pub(crate) fn message_bytes(message: impl Into<MlsMessageOut>) -> Result<Vec<u8>, Unencodable> {
    message.into().to_bytes().map_err(|_| Unencodable)
}

pub(crate) fn ratchet_tree_bytes(tree: &RatchetTree) -> Result<Vec<u8>, Unencodable> {
    tree.tls_serialize_detached().map_err(|_| Unencodable)
}

/// Runs OpenMLS on what came from outside. `None` if it panicked.
///
/// No input is known that makes OpenMLS 0.9.2 panic (see `tests/hostile.rs`). But it computes with indices and lengths
/// that come from messages, and this workspace checks arithmetic for overflow; should a peer find such a place, it shall
/// lose a message and not end the server. Nothing is kept of what the closure changed: its callers only read the group
/// before their result is whole, or leave the group to the caller to load again.
pub(crate) fn guard<T>(operation: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(operation)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_over_foreign_bytes_stops_at_the_guard() {
        let index = std::hint::black_box(7);
        assert_eq!(guard(|| [1, 2, 3][index]), None);
        assert_eq!(guard(|| 1), Some(1));
    }
}

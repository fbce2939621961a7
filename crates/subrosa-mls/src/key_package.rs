//! Key packages (RFC 9420 §10): what a device leaves with the server so that others can add it while it is away.

use openmls::prelude::{KeyPackage, KeyPackageNewError, OpenMlsCrypto, ProtocolVersion};
use openmls_traits::storage::StorageProvider;

use crate::crypto::Crypto;
use crate::group::GroupError;
use crate::identity::Mls;
use crate::policy::{self, Violation};
use crate::storage::StorageError;
use crate::suite::{self, SUITE};
use crate::wire::{self, Malformed};

/// Why a key package is not accepted. Its maker is to blame, or whoever passed it on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyPackageError {
    /// No key package, or larger than [`subrosa_types::limits::KEY_PACKAGE`].
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It breaks RFC 9420 §10.1: signatures, keys, lifetime.
    #[error("the key package is not valid: {0}")]
    Invalid(String),
    /// It is valid, but not for our groups.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// A valid key package's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackageInfo {
    /// Identity of the basic credential, opaque here; see [`crate::Member::credential`].
    pub credential: Vec<u8>,
    /// The Ed25519 key of the leaf, 32 bytes.
    pub signature_key: Vec<u8>,
    /// Whether it may be used more than once.
    pub last_resort: bool,
}

pub(crate) fn check(bytes: &[u8], crypto: &impl OpenMlsCrypto) -> Result<KeyPackage, KeyPackageError> {
    let package = wire::key_package(bytes)?;
    let package = wire::guard(|| package.validate(crypto, ProtocolVersion::Mls10))
        .ok_or(Malformed::Syntax)?
        .map_err(|error| KeyPackageError::Invalid(error.to_string()))?;
    policy::check_key_package(&package)?;
    Ok(package)
}

pub(crate) fn check_offered(bytes: &[u8]) -> Result<KeyPackageInfo, KeyPackageError> {
    let package = check(bytes, &Crypto::verifier())?;
    let leaf = package.leaf_node();
    Ok(KeyPackageInfo {
        credential: leaf.credential().serialized_content().to_vec(),
        signature_key: leaf.signature_key().as_slice().to_vec(),
        last_resort: package.last_resort(),
    })
}

impl Mls<'_> {
    /// Makes a key package and stores its private keys. Used once, unless `last_resort`: that one stays until it is
    /// deleted, for the time when the server has no other left.
    ///
    /// # Errors
    /// [`GroupError::Storage`], [`GroupError::Internal`].
    pub fn key_package(&self, last_resort: bool) -> Result<Vec<u8>, GroupError> {
        let mut builder =
            KeyPackage::builder().key_package_lifetime(suite::lifetime()).leaf_node_capabilities(suite::capabilities());
        if last_resort {
            builder = builder.mark_as_last_resort();
        }
        let bundle =
            builder.build(SUITE, &self.provider, self.signer(), self.credential()).map_err(|error| match error {
                KeyPackageNewError::StorageError => GroupError::Storage(StorageError::Unnamed),
                error => GroupError::Internal(error.to_string()),
            })?;
        Ok(wire::message_bytes(bundle.into_key_package())?)
    }

    /// Deletes the private keys of a key package of ours: it was replaced and shall not be used any more.
    ///
    /// # Errors
    /// [`GroupError::KeyPackage`] if it is none; [`GroupError::Storage`].
    pub fn delete_key_package(&self, key_package: &[u8]) -> Result<(), GroupError> {
        let package = check(key_package, &self.provider.crypto)
            .map_err(|reason| GroupError::KeyPackage { position: 0, reason })?;
        let reference =
            package.hash_ref(&self.provider.crypto).map_err(|error| GroupError::Internal(error.to_string()))?;
        Ok(self.provider.store.delete_key_package(&reference)?)
    }
}

//! Who acts, and with what: the entry to every operation of a device.

use std::cell::RefCell;

use openmls::prelude::{BasicCredential, CredentialWithKey, LeafNodeParameters, SignaturePublicKey};
use rand_core::CryptoRngCore;
use rusqlite::Connection;

use crate::crypto::Crypto;
use crate::provider::{Provider, Rand, RandomnessFailed};
use crate::signer::LeafSigner;
use crate::storage::Store;
use crate::suite;

/// A device as MLS sees it.
#[derive(Debug)]
pub struct Identity {
    /// Identity of the basic credential in every leaf of this device. Opaque here; the engine puts the signed device
    /// certificate there. When it changes (a renewal), [`crate::Group::self_update`] carries it into a group.
    pub credential: Vec<u8>,
    /// The key that signs for every leaf of this device.
    pub signer: LeafSigner,
}

/// One operation's surroundings: the caller's transaction, randomness and identity. Make one where it is needed and drop
/// it; it costs one read of 32 random bytes.
pub struct Mls<'a> {
    pub(crate) provider: Provider<'a>,
    pub(crate) identity: &'a Identity,
}

impl<'a> Mls<'a> {
    /// `conn` has the tables of [`crate::SCHEMA`]; begin and commit the transaction around the operation. All
    /// randomness comes from `rng`, so the same `rng` gives the same bytes.
    ///
    /// # Errors
    /// [`RandomnessFailed`].
    pub fn new(
        conn: &'a Connection,
        rng: &'a mut dyn CryptoRngCore,
        identity: &'a Identity,
    ) -> Result<Self, RandomnessFailed> {
        let crypto = Crypto::from_rng(rng).map_err(|_| RandomnessFailed)?;
        let provider = Provider { crypto, rand: Rand(RefCell::new(rng)), store: Store::new(conn) };
        Ok(Self { provider, identity })
    }

    /// The same for groups that are never loaded again: what only a load would need is not written. `conn` is to be a
    /// database in memory, and lives as long as the groups do.
    ///
    /// After an operation that failed such a group is of no use: there is nothing to load it from.
    ///
    /// # Errors
    /// [`RandomnessFailed`].
    pub fn volatile(
        conn: &'a Connection,
        rng: &'a mut dyn CryptoRngCore,
        identity: &'a Identity,
    ) -> Result<Self, RandomnessFailed> {
        let crypto = Crypto::from_rng(rng).map_err(|_| RandomnessFailed)?;
        let provider = Provider { crypto, rand: Rand(RefCell::new(rng)), store: Store::volatile(conn) };
        Ok(Self { provider, identity })
    }

    pub(crate) fn signer(&self) -> &LeafSigner {
        &self.identity.signer
    }

    pub(crate) fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.identity.credential.clone()).into(),
            signature_key: SignaturePublicKey::from(self.signer().public_key().as_slice()),
        }
    }

    /// The leaf that this identity puts into a path.
    pub(crate) fn leaf(&self) -> LeafNodeParameters {
        LeafNodeParameters::builder()
            .with_credential_with_key(self.credential())
            .with_capabilities(suite::capabilities())
            .build()
    }
}

//! The server's identity: made at the first start, kept in the store.

use rand_core::CryptoRngCore;
use rusqlite::Connection;
use subrosa_crypto::{ServerSetup, SigningKey, VerifyingKey};
use subrosa_mls::LeafSigner;
use subrosa_types::Timestamp;
use zeroize::Zeroizing;

use crate::store::{self, StoreError};

/// What the server signs with, and its half of everybody's password.
pub(crate) struct Identity {
    pub(crate) key: SigningKey,
    pub(crate) public: VerifyingKey,
    /// The same key as the external sender of MLS groups.
    pub(crate) mls: LeafSigner,
    pub(crate) opaque: ServerSetup,
}

impl Identity {
    /// Reads the identity, or makes it.
    pub(crate) fn load_or_make(
        store: &Connection,
        now: Timestamp,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Self, StoreError> {
        if let Some(secrets) = store::server::load(store)? {
            let seed: &[u8; 32] = secrets
                .identity_seed
                .as_slice()
                .try_into()
                .map_err(|_| StoreError::Damaged("the server's identity key"))?;
            let opaque = ServerSetup::from_bytes(&secrets.opaque_setup)
                .map_err(|_| StoreError::Damaged("the server's password setup"))?;
            return Self::of(SigningKey::from_seed(seed), opaque);
        }
        let key = SigningKey::generate(rng);
        let opaque = ServerSetup::generate(rng, &key.public());
        let secrets = store::server::Secrets {
            identity_seed: Zeroizing::new(key.seed().to_vec()),
            opaque_setup: opaque.to_bytes(),
        };
        store::server::save(store, &secrets, now)?;
        Self::of(key, opaque)
    }

    /// The key in the form that makes proposals in groups.
    pub(crate) fn external_sender(key: &SigningKey) -> Result<LeafSigner, StoreError> {
        LeafSigner::from_seed(key.seed()).map_err(|_| StoreError::Damaged("the server's identity key"))
    }

    fn of(key: SigningKey, opaque: ServerSetup) -> Result<Self, StoreError> {
        let mls = Self::external_sender(&key)?;
        Ok(Self { public: key.public(), key, mls, opaque })
    }
}

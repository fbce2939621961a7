//! What OpenMLS is handed for one operation: cryptography, the caller's randomness, and the caller's transaction.

use std::cell::RefCell;

use openmls_traits::OpenMlsProvider;
use openmls_traits::random::OpenMlsRand;
use rand_core::CryptoRngCore;

use crate::crypto::Crypto;
use crate::storage::Store;

/// The randomness that was handed in failed. The environment is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct RandomnessFailed;

/// The caller's generator behind the shared reference that OpenMLS asks for.
pub(crate) struct Rand<'a>(pub(crate) RefCell<&'a mut dyn CryptoRngCore>);

impl OpenMlsRand for Rand<'_> {
    type Error = RandomnessFailed;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], RandomnessFailed> {
        let mut bytes = [0; N];
        self.0.borrow_mut().try_fill_bytes(&mut bytes).map_err(|_| RandomnessFailed)?;
        Ok(bytes)
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, RandomnessFailed> {
        let mut bytes = vec![0; len];
        self.0.borrow_mut().try_fill_bytes(&mut bytes).map_err(|_| RandomnessFailed)?;
        Ok(bytes)
    }
}

/// Lives as long as one operation.
pub(crate) struct Provider<'a> {
    pub(crate) crypto: Crypto,
    pub(crate) rand: Rand<'a>,
    pub(crate) store: Store<'a>,
}

impl<'a> OpenMlsProvider for Provider<'a> {
    type CryptoProvider = Crypto;
    type RandProvider = Rand<'a>;
    type StorageProvider = Store<'a>;

    fn storage(&self) -> &Store<'a> {
        &self.store
    }

    fn crypto(&self) -> &Crypto {
        &self.crypto
    }

    fn rand(&self) -> &Rand<'a> {
        &self.rand
    }
}

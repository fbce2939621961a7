//! Ed25519 signing keys: of a device's leaf, and of the server for its Remove proposals.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;

/// These 32 bytes are no Ed25519 seed. The caller is to blame (a damaged key file, for instance).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a usable Ed25519 seed")]
pub struct InvalidSeed;

/// An Ed25519 key pair, expanded once. AWS-LC erases it when it is dropped; the seed is not kept.
///
/// OpenMLS' own key pair expands the seed at every signature and so takes three times as long.
pub struct LeafSigner {
    pair: Ed25519KeyPair,
}

impl LeafSigner {
    /// The key pair of this seed (RFC 8032 §5.1.5). The caller erases its own copy.
    ///
    /// # Errors
    /// [`InvalidSeed`] if AWS-LC refuses it.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, InvalidSeed> {
        Ok(Self { pair: Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidSeed)? })
    }

    /// The public key, 32 bytes.
    pub fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        // An Ed25519 public key has 32 bytes; were it otherwise, nothing signed with it would verify.
        for (to, from) in key.iter_mut().zip(self.pair.public_key().as_ref()) {
            *to = *from;
        }
        key
    }
}

impl fmt::Debug for LeafSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeafSigner").finish_non_exhaustive()
    }
}

impl Signer for LeafSigner {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.pair.sign(payload).as_ref().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_key_is_the_one_of_rfc_8032_test_1() {
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(LeafSigner::from_seed(&seed).expect("a seed").public_key(), public);
    }

    fn hex(text: &str) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).expect("hex");
        }
        bytes
    }
}

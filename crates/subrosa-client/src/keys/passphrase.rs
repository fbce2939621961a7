//! The key from a passphrase: Argon2id (RFC 9106) with its second recommended parameter set, over the phrase as
//! it was typed (UTF-8).

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE32_NOPAD;
use rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

use super::{KeyError, StoreKey};
use crate::profile::KeySource;

/// 64 MiB and 3 passes: the second choice of RFC 9106 §4.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// A manifest may not make us take more than this.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 16;

/// Parameters for a new passphrase, with a fresh salt.
pub fn parameters() -> KeySource {
    let mut salt = [0; 16];
    OsRng.fill_bytes(&mut salt);
    let salt = BASE32_NOPAD.encode(&salt).to_ascii_lowercase();
    KeySource::Passphrase { salt, memory_kib: MEMORY_KIB, passes: PASSES }
}

pub fn derive(phrase: &str, salt: &str, memory_kib: u32, passes: u32) -> Result<StoreKey, KeyError> {
    if memory_kib > MOST_MEMORY_KIB || passes > MOST_PASSES {
        return Err(KeyError::Parameters);
    }
    let salt = BASE32_NOPAD.decode(salt.to_ascii_uppercase().as_bytes()).map_err(|_| KeyError::Parameters)?;
    let params = Params::new(memory_kib, passes, 1, Some(32)).map_err(|_| KeyError::Parameters)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(phrase.as_bytes(), &salt, &mut *key)
        .map_err(|_| KeyError::Parameters)?;
    Ok(StoreKey(key))
}

//! The vault: an account key sealed under the OPAQUE export key, kept by the server for the account's next device.
//!
//! ```text
//! key   = HKDF-SHA256( salt "", ikm export_key(64), info "subrosa v1 vault" )           RFC 5869
//! vault = 0x01 nonce(12) AES-256-GCM( key, nonce, seed(32), aad = 0x01 account_id(16) )  61 bytes
//! ```
//!
//! The export key never leaves the client. A server that is breached can guess passwords against the vault, one Argon2id
//! a guess; `--no-vault` keeps the account key off the server.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use rand_core::CryptoRngCore;
use subrosa_types::AccountId;
use zeroize::Zeroizing;

use crate::keys::SigningKey;
use crate::password::ExportKey;

const VERSION: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
/// Length of a vault, in bytes.
pub const VAULT: usize = 1 + NONCE + 32 + TAG;

/// Why a vault was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Made by a newer version, or no vault at all. The server is to blame.
    #[error("the account's vault has an unknown form; a newer version may have written it")]
    UnknownForm,
    /// Sealed under another password or for another account, or damaged. The server is to blame: the password was right.
    #[error("the account's vault does not open; the server may have changed it")]
    Damaged,
    /// The cryptographic library failed. We are to blame.
    #[error("the account's vault could not be sealed")]
    Internal,
}

/// Seals an account key.
///
/// # Errors
/// [`VaultError::Internal`] if the cryptographic library fails.
pub fn seal(
    account_key: &SigningKey,
    export_key: &ExportKey,
    account: AccountId,
    rng: &mut dyn CryptoRngCore,
) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE];
    rng.fill_bytes(&mut nonce);
    let mut sealed = Zeroizing::new(account_key.seed().to_vec());
    sealed.reserve_exact(TAG);
    vault_key(export_key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad(account)), &mut *sealed)
        .map_err(|_| VaultError::Internal)?;
    let mut vault = Vec::with_capacity(VAULT);
    vault.push(VERSION);
    vault.extend_from_slice(&nonce);
    vault.extend_from_slice(&sealed);
    Ok(vault)
}

/// Opens a vault.
///
/// # Errors
/// See [`VaultError`].
pub fn open(vault: &[u8], export_key: &ExportKey, account: AccountId) -> Result<SigningKey, VaultError> {
    let [VERSION, rest @ ..] = vault else { return Err(VaultError::UnknownForm) };
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(VaultError::UnknownForm)?;
    if vault.len() != VAULT {
        return Err(VaultError::UnknownForm);
    }
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let seed = vault_key(export_key)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad(account)), &mut sealed)
        .map_err(|_| VaultError::Damaged)?;
    let seed = Zeroizing::new(<[u8; 32]>::try_from(&*seed).map_err(|_| VaultError::Damaged)?);
    Ok(SigningKey::from_seed(&seed))
}

fn aad(account: AccountId) -> [u8; 17] {
    let mut aad = [VERSION; 17];
    aad[1..].copy_from_slice(account.as_bytes());
    aad
}

fn vault_key(export_key: &ExportKey) -> Result<LessSafeKey, VaultError> {
    let secret = Salt::new(HKDF_SHA256, &[]).extract(export_key.as_bytes());
    let key = secret.expand(&[b"subrosa v1 vault"], &AES_256_GCM).map_err(|_| VaultError::Internal)?;
    Ok(LessSafeKey::new(UnboundKey::from(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::rng;

    const ACCOUNT: AccountId = AccountId::from_bytes([3; 16]);

    fn sealed() -> (SigningKey, ExportKey, Vec<u8>) {
        let (key, export_key) = (SigningKey::generate(&mut rng(1)), ExportKey::from_bytes([8; 64]));
        let vault = seal(&key, &export_key, ACCOUNT, &mut rng(2)).unwrap();
        (key, export_key, vault)
    }

    #[test]
    fn a_vault_opens_with_its_password_for_its_account() {
        let (key, export_key, vault) = sealed();
        assert_eq!(vault.len(), VAULT);
        assert_eq!(open(&vault, &export_key, ACCOUNT).unwrap().public(), key.public());
        assert!(!vault.windows(32).any(|window| window == key.seed().as_slice()));
    }

    #[test]
    fn a_vault_of_another_account_or_password_does_not_open() {
        let (_, export_key, vault) = sealed();
        let other = AccountId::from_bytes([4; 16]);
        assert_eq!(open(&vault, &export_key, other).unwrap_err(), VaultError::Damaged);
        assert_eq!(open(&vault, &ExportKey::from_bytes([9; 64]), ACCOUNT).unwrap_err(), VaultError::Damaged);
    }

    #[test]
    fn every_changed_byte_of_a_vault_shows() {
        let (_, export_key, vault) = sealed();
        for index in 0..vault.len() {
            let mut changed = vault.clone();
            changed[index] ^= 1;
            let expected = if index == 0 { VaultError::UnknownForm } else { VaultError::Damaged };
            assert_eq!(open(&changed, &export_key, ACCOUNT).unwrap_err(), expected);
        }
        for length in 0..vault.len() {
            assert_eq!(open(&vault[..length], &export_key, ACCOUNT).unwrap_err(), VaultError::UnknownForm);
        }
    }

    #[test]
    fn the_stored_form_is_frozen() {
        // Opened once more with another implementation.
        let (_, _, vault) = sealed();
        let hex = data_encoding::HEXLOWER.encode(&vault);
        assert_eq!(
            hex,
            "018e0bb7534fcf4f12ac7458fb6e7e913b5ed34042389269bcb7e6c5fa7201ee38637fb41fa82fdd7fb6896b4c2918c83e92204e07fd4a6859eecd3676"
        );
    }
}

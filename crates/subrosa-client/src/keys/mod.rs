//! The key of the store, and where it is kept.
//!
//! 1. The platform's keyring, if it answers (`keyring`).
//! 2. A passphrase, when the profile was made with one (`passphrase`).
//! 3. A 0600 file in the profile folder: machines without a desktop session (`key_file`).
//!
//! The choice is made once, when the profile is made, and stands in its manifest; it is never changed silently. The key
//! is written before the manifest, and the manifest before the store: whatever is cut off in between is made again.

mod key_file;
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "ios", windows))]
mod keyring;
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "ios", windows)))]
#[path = "no_keyring.rs"]
mod keyring;
mod passphrase;

use std::sync::Arc;

use data_encoding::HEXLOWER;
use rand_core::{OsRng, RngCore};
use subrosa_engine::api::Failure;
use zeroize::Zeroizing;

use crate::profile::{KeySource, Manifest, Profile, ProfileError};

/// Set to `off`, it keeps new profiles away from the platform's keyring.
pub const KEYRING_SWITCH: &str = "SUBROSA_KEYRING";

/// 32 bytes that open the store. Wiped when dropped.
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    fn generate() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(&mut *key);
        Self(key)
    }

    fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&*self.0))
    }

    fn from_hex(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(HEXLOWER.decode(text.trim().as_bytes()).ok()?);
        let mut key = Zeroizing::new([0; 32]);
        (bytes.len() == key.len()).then(|| {
            key.copy_from_slice(&bytes);
            Self(key)
        })
    }

    /// The `PRAGMA key` that hands it to SQLCipher as it is, without another derivation.
    pub(crate) fn to_pragma(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("PRAGMA key = \"x'{}'\";", *self.to_hex()))
    }
}

/// What a passphrase is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// To open the store.
    ToOpen,
    /// For a new store: to be asked twice.
    ForNew,
}

/// Gets a passphrase from a person or a file. A refusal says which flag or variable gives it.
pub type AskPassphrase = Arc<dyn Fn(Asking) -> Result<Zeroizing<String>, Failure> + Send + Sync>;

/// How the key of a new profile is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyChoice {
    /// The keyring if it answers, else a key file.
    #[default]
    Platform,
    /// A passphrase.
    Passphrase,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The keyring does not answer, is locked, or says no.
    #[error(
        "the key of this profile is in the system's keyring, which does not give it ({0}); log in to the desktop \
             session or unlock the keyring, then try again"
    )]
    Keyring(String),
    /// The keyring has no such entry, or another text than a key.
    #[error("the key of this profile is no longer in the system's keyring; restore the keyring or the profile")]
    KeyringEmpty,
    /// The key file is missing or damaged.
    #[error("the key file {path} is {what}; restore it, or the profile, from a backup")]
    KeyFile {
        /// Where it should be.
        path: String,
        /// Missing, damaged.
        what: &'static str,
    },
    /// The manifest's parameters are out of bounds.
    #[error("profile.json has impossible passphrase parameters; restore it from a backup")]
    Parameters,
    /// Nobody gave a passphrase.
    #[error(transparent)]
    Asked(#[from] Failure),
    /// The folder.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// The key of an existing profile.
///
/// # Errors
/// See [`KeyError`].
pub fn obtain(profile: &Profile, source: &KeySource, ask: &AskPassphrase) -> Result<StoreKey, KeyError> {
    match source {
        KeySource::Keyring { entry } => keyring::load(entry),
        KeySource::Passphrase { salt, memory_kib, passes } => {
            passphrase::derive(&ask(Asking::ToOpen)?, salt, *memory_kib, *passes)
        }
        KeySource::KeyFile => key_file::load(profile),
    }
}

/// Makes a key for a new profile, keeps it, and writes the manifest.
///
/// # Errors
/// See [`KeyError`].
pub fn create(profile: &Profile, choice: KeyChoice, ask: &AskPassphrase) -> Result<(KeySource, StoreKey), KeyError> {
    let (source, key) = match choice {
        KeyChoice::Passphrase => {
            let phrase = ask(Asking::ForNew)?;
            let source = passphrase::parameters();
            let KeySource::Passphrase { salt, memory_kib, passes } = &source else { return Err(KeyError::Parameters) };
            let key = passphrase::derive(&phrase, salt, *memory_kib, *passes)?;
            (source, key)
        }
        KeyChoice::Platform => {
            let key = StoreKey::generate();
            match keyring::keep(&key) {
                Some(entry) => (KeySource::Keyring { entry }, key),
                None => {
                    key_file::keep(profile, &key)?;
                    (KeySource::KeyFile, key)
                }
            }
        }
    };
    Manifest::new(source.clone()).save(profile)?;
    Ok((source, key))
}

fn random_name() -> String {
    let mut bytes = [0; 10];
    OsRng.fill_bytes(&mut bytes);
    data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks_for(phrase: &'static str) -> AskPassphrase {
        Arc::new(move |_| Ok(Zeroizing::new(phrase.to_owned())))
    }

    #[test]
    fn a_key_file_gives_the_same_key_again() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::at(folder.path());
        let key = StoreKey::generate();
        key_file::keep(&profile, &key).unwrap();
        assert!(profile.exposed().unwrap().iter().all(|path| *path != profile.key_file()));
        let again = obtain(&profile, &KeySource::KeyFile, &asks_for("")).unwrap();
        assert_eq!(*again.0, *key.0);
    }

    #[test]
    fn a_lost_or_damaged_key_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::at(folder.path());
        let load = || obtain(&profile, &KeySource::KeyFile, &asks_for(""));
        assert!(matches!(load(), Err(KeyError::KeyFile { what: "missing", .. })));
        std::fs::write(profile.key_file(), "v1 00ff").unwrap();
        assert!(matches!(load(), Err(KeyError::KeyFile { what: "damaged", .. })));
    }

    #[test]
    fn a_passphrase_gives_the_same_key_again_and_another_one_another() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::at(folder.path());
        let (source, key) = create(&profile, KeyChoice::Passphrase, &asks_for("nine green apples")).unwrap();
        assert_eq!(source.word(), "passphrase");
        let again = obtain(&profile, &source, &asks_for("nine green apples")).unwrap();
        assert_eq!(*again.0, *key.0);
        let other = obtain(&profile, &source, &asks_for("nine green apple")).unwrap();
        assert_ne!(*other.0, *key.0);
        assert!(!profile.key_file().exists());
        assert_eq!(Manifest::load(&profile).unwrap().unwrap().store_key, source);
    }

    #[test]
    fn impossible_parameters_are_refused_before_memory_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::at(folder.path());
        let source =
            KeySource::Passphrase { salt: "aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(), memory_kib: u32::MAX, passes: 3 };
        assert!(matches!(obtain(&profile, &source, &asks_for("x")), Err(KeyError::Parameters)));
    }
}

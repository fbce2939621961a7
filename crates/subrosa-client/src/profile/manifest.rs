//! `profile.json`: what must be known before the store can be opened. No secret stands in it.

use std::io;

use serde::{Deserialize, Serialize};

use super::{Profile, ProfileError, replace_private};

/// The version that this program writes and reads.
const VERSION: u32 = 1;

/// Where the store's key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum KeySource {
    /// The platform's keyring, under this name.
    Keyring {
        /// Name of the entry.
        entry: String,
    },
    /// A passphrase, by Argon2id with these parameters.
    Passphrase {
        /// 16 bytes, base32.
        salt: String,
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over the memory.
        passes: u32,
    },
    /// The file `store.key`.
    KeyFile,
}

impl KeySource {
    /// For people: "the store's key comes from …".
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Keyring { .. } => "the system's keyring",
            Self::Passphrase { .. } => "a passphrase",
            Self::KeyFile => "a key file in the profile folder",
        }
    }

    /// For scripts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Keyring { .. } => "keyring",
            Self::Passphrase { .. } => "passphrase",
            Self::KeyFile => "key_file",
        }
    }
}

/// The content of `profile.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format.
    v: u32,
    /// Where the store's key comes from.
    pub store_key: KeySource,
}

#[derive(Deserialize)]
struct OnlyVersion {
    v: u32,
}

impl Manifest {
    /// A manifest of this version.
    pub const fn new(store_key: KeySource) -> Self {
        Self { v: VERSION, store_key }
    }

    /// Reads it; `None` when there is none.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`], [`ProfileError::Newer`], [`ProfileError::Io`].
    pub fn load(profile: &Profile) -> Result<Option<Self>, ProfileError> {
        let path = profile.manifest();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ProfileError::Io { path, source }),
        };
        let damaged =
            |error: serde_json::Error| ProfileError::Damaged { path: path.clone(), reason: error.to_string() };
        let OnlyVersion { v } = serde_json::from_str(&text).map_err(damaged)?;
        if v > VERSION {
            return Err(ProfileError::Newer(path));
        }
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`ProfileError::Io`].
    pub fn save(&self, profile: &Profile) -> Result<(), ProfileError> {
        let path = profile.manifest();
        let mut text = serde_json::to_string(self)
            .map_err(|error| ProfileError::Damaged { path: path.clone(), reason: error.to_string() })?;
        text.push('\n');
        replace_private(&path, text.as_bytes()).map_err(ProfileError::io(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_frozen_form() {
        let forms = [
            (KeySource::KeyFile, r#"{"v":1,"store_key":{"source":"key_file"}}"#),
            (
                KeySource::Keyring { entry: "abc".to_owned() },
                r#"{"v":1,"store_key":{"source":"keyring","entry":"abc"}}"#,
            ),
            (
                KeySource::Passphrase { salt: "def".to_owned(), memory_kib: 65_536, passes: 3 },
                r#"{"v":1,"store_key":{"source":"passphrase","salt":"def","memory_kib":65536,"passes":3}}"#,
            ),
        ];
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::at(folder.path());
        assert_eq!(Manifest::load(&profile).unwrap(), None);
        for (source, form) in forms {
            let manifest = Manifest::new(source);
            manifest.save(&profile).unwrap();
            assert_eq!(std::fs::read_to_string(profile.manifest()).unwrap().trim_end(), form);
            assert_eq!(Manifest::load(&profile).unwrap(), Some(manifest));
        }
    }

    #[test]
    fn a_newer_and_a_damaged_manifest_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::at(folder.path());
        std::fs::write(profile.manifest(), r#"{"v":2,"store_key":{"source":"moon"}}"#).unwrap();
        assert!(matches!(Manifest::load(&profile), Err(ProfileError::Newer(_))));
        std::fs::write(profile.manifest(), r#"{"v":1,"store_key":{"source":"moon"}}"#).unwrap();
        assert!(matches!(Manifest::load(&profile), Err(ProfileError::Damaged { .. })));
        std::fs::write(profile.manifest(), "").unwrap();
        assert!(matches!(Manifest::load(&profile), Err(ProfileError::Damaged { .. })));
    }
}

//! The key in a 0600 file: `v1 ` and 64 hexadecimal digits. Whoever can read the folder can read the store.

use std::io;

use zeroize::Zeroizing;

use super::{KeyError, StoreKey};
use crate::profile::{Profile, ProfileError, replace_private};

const PREFIX: &str = "v1 ";

pub fn keep(profile: &Profile, key: &StoreKey) -> Result<(), KeyError> {
    let path = profile.key_file();
    let text = Zeroizing::new(format!("{PREFIX}{}\n", *key.to_hex()));
    replace_private(&path, text.as_bytes()).map_err(ProfileError::io(&path))?;
    Ok(())
}

pub fn load(profile: &Profile) -> Result<StoreKey, KeyError> {
    let path = profile.key_file();
    let faulty = |what| KeyError::KeyFile { path: path.display().to_string(), what };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(faulty("missing")),
        Err(source) => return Err(ProfileError::Io { path, source }.into()),
    };
    text.strip_prefix(PREFIX).and_then(StoreKey::from_hex).ok_or_else(|| faulty("damaged"))
}

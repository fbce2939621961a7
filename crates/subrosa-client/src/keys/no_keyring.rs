//! Platforms whose keyring is not known: nothing is kept there.

use super::{KeyError, StoreKey};

pub fn keep(_key: &StoreKey) -> Option<String> {
    None
}

pub fn load(_name: &str) -> Result<StoreKey, KeyError> {
    Err(KeyError::Keyring("subrosa knows no keyring on this system".to_owned()))
}

//! The key in the platform's keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! A keyring may wait for a dialog that nobody sees. So each question is asked on a thread of its own and answered within
//! [`PATIENCE`], or counts as not answered; and on a machine without a desktop session nothing is asked.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use keyring::{Entry, Error};
use tracing::debug;
use zeroize::Zeroizing;

use super::{KEYRING_SWITCH, KeyError, StoreKey, random_name};

/// How long the keyring may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Under this name people find the entries in their keyring.
const SERVICE: &str = "subrosa";

/// Keeps the key under a fresh name, if there is a keyring that gives it back. `None`: there is none.
pub fn keep(key: &StoreKey) -> Option<String> {
    if std::env::var(KEYRING_SWITCH).is_ok_and(|word| word == "off") || !has_session() {
        return None;
    }
    let name = random_name();
    let (entry, text) = (name.clone(), key.to_hex());
    let kept = in_time(move || {
        let entry = Entry::new(SERVICE, &entry)?;
        entry.set_password(&text)?;
        // Some keyrings take a secret and lose it with the session; what comes back at least was taken.
        Ok(Zeroizing::new(entry.get_password()?) == text)
    });
    match kept {
        Ok(true) => Some(name),
        Ok(false) => None,
        Err(reason) => {
            debug!(?reason, "the keyring is not used");
            None
        }
    }
}

/// Reads the key of this name.
pub fn load(name: &str) -> Result<StoreKey, KeyError> {
    if !has_session() {
        return Err(KeyError::Keyring("there is no desktop session".to_owned()));
    }
    let name = name.to_owned();
    match in_time(move || Entry::new(SERVICE, &name)?.get_password().map(Zeroizing::new)) {
        Ok(text) => StoreKey::from_hex(&text).ok_or(KeyError::KeyringEmpty),
        Err(Reason::Said(Error::NoEntry)) => Err(KeyError::KeyringEmpty),
        Err(Reason::Said(error)) => Err(KeyError::Keyring(error.to_string())),
        Err(Reason::Silent) => Err(KeyError::Keyring("it does not answer".to_owned())),
    }
}

#[derive(Debug)]
enum Reason {
    Said(Error),
    Silent,
}

fn in_time<T: Send + 'static>(ask: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Reason> {
    let (answer, answers) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("keyring".to_owned())
        .spawn(move || {
            // Nobody listens any more if it took too long.
            let _late = answer.send(ask());
        })
        .map_err(|_| Reason::Silent)?;
    answers.recv_timeout(PATIENCE).map_err(|_| Reason::Silent)?.map_err(Reason::Said)
}

/// Whether a Secret Service could be there at all: it lives on the session's D-Bus.
#[cfg(target_os = "linux")]
fn has_session() -> bool {
    let by_address = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|address| !address.is_empty());
    by_address
        || std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| std::path::Path::new(&folder).join("bus").exists())
}

#[cfg(not(target_os = "linux"))]
const fn has_session() -> bool {
    true
}

//! This process as the engine of the profile: store, engine thread, link and socket together.

use subrosa_engine::api::{Failure, Told};
use tokio::sync::{Mutex, broadcast, oneshot};

use crate::client::Opening;
use crate::drive::{self, Calls};
use crate::failure::{environment, no_socket};
use crate::keys::{self, KeyChoice, StoreKey};
use crate::profile::{KeySource, Lock, Manifest, Profile, ProfileError};
use crate::socket::Listener;
use crate::store::{self, StoreError};

/// A running engine of ours.
#[derive(Debug)]
pub struct Host {
    pub calls: Calls,
    pub events: broadcast::Sender<Told>,
    ending: Mutex<Option<Ending>>,
}

#[derive(Debug)]
struct Ending {
    listener: Listener,
    ended: oneshot::Receiver<()>,
}

impl Host {
    /// Opens the store, starts the engine and serves the socket. The profile's lock is taken.
    ///
    /// # Errors
    /// No key, no store, or no socket.
    pub async fn start(opening: &Opening, lock: Lock) -> Result<Self, Failure> {
        let own = opening.clone();
        let engine = tokio::task::spawn_blocking(move || {
            let (source, key) = store_key(&own)?;
            let store = store::open(&own.profile, &key).map_err(|error| not_opened(error, &source))?;
            drive::open(store)
        })
        .await
        .map_err(|_| environment("store_unavailable", "the store could not be opened"))??;
        let running = drive::start(engine, lock)?;
        let listener = Listener::bind(&opening.profile, running.calls.clone(), running.events.clone())
            .map_err(|error| no_socket(&error))?;
        let ending = Mutex::new(Some(Ending { listener, ended: running.ended }));
        Ok(Self { calls: running.calls, events: running.events, ending })
    }

    /// Answers what other processes asked, ends the engine and lets go of the lock.
    pub async fn close(&self) {
        let Some(ending) = self.ending.lock().await.take() else { return };
        ending.listener.close().await;
        self.calls.stop().await;
        let _ended_already = ending.ended.await;
    }
}

/// The key of the store; of a new one, if there is none and one may be made.
fn store_key(opening: &Opening) -> Result<(KeySource, StoreKey), Failure> {
    let Opening { profile, create, ask } = opening;
    match (Manifest::load(profile)?, create) {
        (Some(Manifest { store_key, .. }), Some(KeyChoice::Passphrase))
            if !matches!(store_key, KeySource::Passphrase { .. }) =>
        {
            let message = format!(
                "the key of this profile is in {}; a passphrase is chosen when a profile is made, so use a fresh --home",
                store_key.as_str()
            );
            Err(Failure::usage("no_passphrase", message))
        }
        (Some(Manifest { store_key, .. }), _) => {
            let key = keys::obtain(profile, &store_key, ask)?;
            Ok((store_key, key))
        }
        (None, _) if has_store(profile)? => Err(ProfileError::NoManifest(profile.home().to_owned()).into()),
        (None, Some(choice)) => Ok(keys::create(profile, *choice, ask)?),
        (None, None) => Err(no_account()),
    }
}

fn has_store(profile: &Profile) -> Result<bool, ProfileError> {
    profile.store().try_exists().map_err(ProfileError::io(&profile.store()))
}

fn not_opened(error: StoreError, source: &KeySource) -> Failure {
    match (&error, source) {
        (StoreError::WrongKey(_), KeySource::Passphrase { .. }) => {
            Failure::usage("wrong_passphrase", "the passphrase of this profile is wrong; try again")
        }
        _ => error.into(),
    }
}

/// There is no profile in the folder.
pub fn no_account() -> Failure {
    Failure::usage("not_logged_in", "this profile has no account yet; use 'subrosa signup' or 'subrosa login' first")
}

//! The way of a session into a profile that may not be there yet: it is made by a sign-up or a login, and opened by the first
//! question that needs it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use subrosa_engine::api::{Command, Failure, Reply};
use tokio::sync::Mutex;

use super::own::ProfileState;
use crate::client::{Client, Opening};
use crate::host::no_account;
use crate::keys::{AskPassphrase, KeyChoice};
use crate::profile::Profile;
use crate::room::KnownServers;

/// Starts the server in a profile's folder.
pub trait OwnServer: Send + Sync {
    /// Starts it, if it does not run already; tells its link.
    fn start(&self) -> BoxFuture<'_, Result<String, Failure>>;
}

/// A door of a profile. Clones are the same.
#[derive(Clone)]
pub struct Door {
    inner: Arc<Inner>,
}

struct Inner {
    profile: Profile,
    choice: KeyChoice,
    ask: AskPassphrase,
    server: Option<Arc<dyn OwnServer>>,
    client: Mutex<Option<Client>>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("profile", &self.inner.profile).finish_non_exhaustive()
    }
}

impl Door {
    /// The door of a profile; a new one keeps its key like this. `server`: how its own server is started, if it may be.
    pub fn new(profile: Profile, choice: KeyChoice, ask: AskPassphrase, server: Option<Arc<dyn OwnServer>>) -> Self {
        Self { inner: Arc::new(Inner { profile, choice, ask, server, client: Mutex::new(None) }) }
    }

    /// The profile, opened; made if this command makes profiles.
    ///
    /// # Errors
    /// There is no profile, or it cannot be opened.
    pub async fn client_for(&self, command: &Command) -> Result<Client, Failure> {
        let makes = matches!(command, Command::SignUp { .. } | Command::LogIn { .. });
        self.open(makes.then_some(self.inner.choice)).await
    }

    /// The profile, opened; it must be there.
    ///
    /// # Errors
    /// There is no profile, or it cannot be opened.
    pub async fn client(&self) -> Result<Client, Failure> {
        self.open(None).await
    }

    async fn open(&self, create: Option<KeyChoice>) -> Result<Client, Failure> {
        let mut client = self.inner.client.lock().await;
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let Inner { profile, ask, .. } = &*self.inner;
        if create.is_none() && !profile.exists()? {
            return Err(no_account());
        }
        let opened = Client::open(Opening { profile: profile.clone(), create, ask: ask.clone() }).await?;
        Ok(client.insert(opened).clone())
    }

    /// Whether there is an account.
    ///
    /// # Errors
    /// The profile cannot be opened.
    pub async fn state(&self) -> Result<ProfileState, Failure> {
        if !self.inner.profile.exists()? {
            return Ok(ProfileState::None);
        }
        match self.client().await?.call(Command::Status).await? {
            Reply::Status(status) if status.enrolled => Ok(ProfileState::Enrolled),
            _ => Ok(ProfileState::LoggedOut),
        }
    }

    /// How the profile's own server is started, if it may be.
    pub fn server(&self) -> Option<&Arc<dyn OwnServer>> {
        self.inner.server.as_ref()
    }

    /// The servers that rooms were entered on.
    pub fn known_servers(&self) -> KnownServers {
        KnownServers::of(self.inner.profile.clone())
    }

    /// Ends this process's part in the profile, if it was opened.
    pub async fn close(&self) {
        if let Some(client) = self.inner.client.lock().await.take() {
            client.close().await;
        }
    }
}

/// The name of this machine, for the list of devices.
pub fn machine_name() -> String {
    let spoken = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let told = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    spoken
        .or_else(told)
        .map(|name| name.trim().chars().filter(|c| !c.is_control()).take(32).collect::<String>())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| std::env::consts::OS.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_name_that_a_device_may_have() {
        machine_name().parse::<subrosa_types::DeviceName>().unwrap();
    }
}

//! Systems without Unix sockets: the first process has the profile alone, and a second one is told so.

use std::io;
use std::path::{Path, PathBuf};

use subrosa_engine::api::{Command, Event, Failure, Reply};
use tokio::sync::broadcast;

use crate::client::Notice;
use crate::drive::Calls;
use crate::profile::Profile;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    Leaving,
    Lost,
    Unsent(Failure),
}

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        crate::failure::engine_gone()
    }
}

#[derive(Debug)]
pub struct Listener;

impl Listener {
    pub fn bind(_: &Profile, _: Calls, _: broadcast::Sender<Event>) -> io::Result<Self> {
        Ok(Self)
    }

    pub async fn close(self) {}
}

/// Never made.
#[derive(Debug)]
pub enum Remote {}

impl Remote {
    pub async fn connect(_: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn is_alive(&self) -> bool {
        match *self {}
    }

    pub async fn submit(&self, _: &Command) -> Result<Asked, Gone> {
        match *self {}
    }

    pub async fn subscribe(&self) -> Result<broadcast::Receiver<Notice>, Gone> {
        match *self {}
    }
}

/// Never made.
#[derive(Debug)]
pub enum Asked {}

impl Asked {
    pub async fn answer(self) -> Result<Result<Reply, Failure>, Gone> {
        match self {}
    }
}

pub fn socket_path(profile: &Profile) -> io::Result<PathBuf> {
    Ok(profile.home().join("subrosa.sock"))
}

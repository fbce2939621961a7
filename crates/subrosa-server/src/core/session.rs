//! A connection as the protocol sees it.
//!
//! ```text
//!  Fresh ──Hello──▶ Greeted ──RegisterStart──▶ Registering ──RegisterFinish──┐
//!                      │ ───PasswordStart───▶ ProvingPassword                │
//!                      │                        └PasswordFinish▶ Proved ──EnrolDevice, ResetAccount──▶ LoggedIn
//!                      └──────────────────────DeviceLogin───────────────────────────────────────────▶ LoggedIn
//! ```
//!
//! A `…Start` may come again until the connection is logged in. What is not in the picture ends the connection. A session
//! knows no socket: the gate has one for each connection, the simulation makes its own.

use std::collections::BTreeMap;
use std::net::IpAddr;

use subrosa_crypto::Channel;
use subrosa_types::name::Username;
use subrosa_types::{AccountId, DeviceId};

use super::in_order::InOrder;
use super::rate::Bucket;
use crate::store::{AccountNo, DeviceNo};

/// Names a connection as long as the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Where it comes from; for limits only, never stored.
    pub address: IpAddr,
    /// What TLS exports for this connection (RFC 8446 §7.5).
    pub tls_exporter: [u8; 32],
}

/// Proof that a session is logged in, and as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) device: DeviceNo,
    pub(crate) device_id: DeviceId,
    pub(crate) account: AccountNo,
    pub(crate) account_id: AccountId,
}

/// How far a session is.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    Fresh,
    Greeted(Box<Channel>),
    Registering(Box<Channel>, Box<Username>),
    ProvingPassword(Box<Channel>, Box<Attempt>),
    Proved(Box<Channel>, AccountNo),
    LoggedIn(Login),
    /// The end was told; what still comes is ignored.
    Ended,
}

/// A password login between its two requests.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// `None`: no such account. The attempt goes on all the same and fails at its end.
    pub(crate) account: Option<AccountNo>,
    /// The server's half of OPAQUE.
    pub(crate) state: zeroize::Zeroizing<Vec<u8>>,
}

/// One connection.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) peer: Peer,
    pub(crate) stage: Stage,
    /// What this device may still send.
    pub(crate) messages: Bucket,
    /// What else it may ask for that costs.
    pub(crate) changes: Bucket,
    /// Where messages were refused for now, and which comes next.
    pub(crate) in_order: InOrder,
}

/// All connections, and which device is on which.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: BTreeMap<SessionId, Session>,
    online: std::collections::HashMap<DeviceNo, SessionId>,
    /// Stages from before the batch that runs, for its rollback.
    undo: Vec<(SessionId, Stage)>,
    /// Ended in the batch that runs, and who was logged in.
    ended: Vec<(SessionId, Option<Login>)>,
}

impl Sessions {
    pub(crate) fn connect(&mut self, id: SessionId, peer: Peer) {
        let (messages, changes, in_order) = (Bucket::default(), Bucket::default(), InOrder::default());
        self.all.insert(id, Session { peer, stage: Stage::Fresh, messages, changes, in_order });
    }

    /// Forgets a session; returns who was logged in.
    pub(crate) fn disconnect(&mut self, id: SessionId) -> Option<Login> {
        let session = self.all.remove(&id)?;
        let Stage::LoggedIn(login) = session.stage else { return None };
        if self.online.get(&login.device) == Some(&id) {
            self.online.remove(&login.device);
        }
        Some(login)
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<&Session> {
        self.all.get(&id)
    }

    pub(crate) fn find_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.all.get_mut(&id)
    }

    /// The session of a device, if it is online.
    pub(crate) fn of_device(&self, device: DeviceNo) -> Option<SessionId> {
        self.online.get(&device).copied()
    }

    /// All sessions that are logged in, in the order of their ids.
    pub(crate) fn logged_in(&self) -> impl Iterator<Item = (SessionId, Login)> {
        self.all.iter().filter_map(|(id, session)| match session.stage {
            Stage::LoggedIn(login) => Some((*id, login)),
            _ => None,
        })
    }

    /// Takes a session to its next stage. Undone if the batch is rolled back.
    pub(crate) fn advance(&mut self, id: SessionId, stage: Stage) {
        let Some(session) = self.all.get_mut(&id) else { return };
        if let Stage::LoggedIn(login) = &stage {
            self.online.insert(login.device, id);
        }
        if matches!(stage, Stage::Ended) {
            let login = match session.stage {
                Stage::LoggedIn(login) => Some(login),
                _ => None,
            };
            if let Some(login) = login
                && self.online.get(&login.device) == Some(&id)
            {
                self.online.remove(&login.device);
            }
            self.ended.push((id, login));
        }
        let before = std::mem::replace(&mut session.stage, stage);
        self.undo.push((id, before));
    }

    /// The batch is on disk. Returns who is gone.
    pub(crate) fn commit(&mut self) -> Vec<Login> {
        self.undo.clear();
        let mut gone = Vec::new();
        for (id, login) in self.ended.drain(..) {
            self.all.remove(&id);
            gone.extend(login);
        }
        gone
    }

    /// The batch is rolled back: every session is where it was before.
    pub(crate) fn roll_back(&mut self) {
        self.ended.clear();
        if self.undo.is_empty() {
            return;
        }
        while let Some((id, stage)) = self.undo.pop() {
            if let Some(session) = self.all.get_mut(&id) {
                session.stage = stage;
            }
        }
        self.online = self.logged_in().map(|(id, login)| (login.device, id)).collect();
    }
}

//! The delivery service itself: synchronous, deterministic, without sockets, clock or randomness of its own.
//!
//! ```text
//!            jobs (session, request)                 frames for sessions
//!                   │                                        ▲
//!   execute(batch) ─┴─▶ one transaction ─▶ Staged ─commit()──┘
//!                                             └─drop: rolled back, as if the batch had never come
//! ```
//!
//! Two things drive a [`Core`]: the writer thread of the real server, and the simulation. Both get answers out of it in one
//! way only, [`Staged::commit`], so "acknowledged only after it is on disk" is a matter of types.
//!
//! - A batch is one transaction; a request that is refused leaves nothing behind, whatever the others do.
//! - Everything in memory here can be rebuilt from the store, and is, when a batch is rolled back.
//! - When the disk is full, requests that write are refused with `STORE_UNAVAILABLE` and the others still answered. Any
//!   other failure of the store is an `Err`: the caller stops the service and never tries again.

mod conversation;
mod delivery;
mod directory;
mod dispatch;
mod effects;
mod failure;
mod faults;
mod greeting;
mod identity;
mod in_order;
mod ordering;
mod rate;
mod removal;
mod requests;
mod roles;
mod session;
mod staged;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod turn;

use std::sync::Arc;

use rand_core::CryptoRngCore;
use rusqlite::Connection;
use subrosa_crypto::{RoleLog, SigningKey, VerifyingKey};
use subrosa_types::Timestamp;
use subrosa_wire::proto::{self, ClientFrame};

pub use delivery::{Emission, Released};
pub use effects::Event;
pub use faults::Faults;
pub(crate) use rate::{Bucket, Table as RateTable};
pub use rate::{Rate, Rates};
pub use session::{Peer, SessionId};
pub use staged::Staged;

pub(crate) use failure::Failure;
pub(crate) use requests::fetch_log::log_page;

use crate::relay::{Passes as RelayPasses, RelayMode};
use crate::rooms::Passes;
use crate::store::{self, StoreError};
use conversation::Cache;
use identity::Identity;
use session::Sessions;

/// Log entries that one step of pruning deletes at most.
const PRUNE_STEP: usize = 2_000;

/// Who may sign up. The first account always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signup {
    /// Everybody.
    #[default]
    Open,
    /// Who has an invitation.
    Invite,
    /// Nobody.
    Closed,
}

/// What the operator decides, as far as the core needs to know.
#[derive(Debug, Clone)]
pub struct CoreConfig {
    /// Who may sign up.
    pub signup: Signup,
    /// Whether the first sign-up needs the one-time setup code: on every address that is not loopback.
    pub setup_code: bool,
    /// Days for which log entries are kept.
    pub retention_days: u32,
    /// Limits in time.
    pub rates: Rates,
    /// Whom the server's relay admits; off: there is none.
    pub relay: RelayMode,
    /// Bytes of memory for conversations, about.
    pub cache_bytes: usize,
    /// Where passes for rooms are kept; `None`: this server has no rooms.
    pub passes: Option<Arc<Passes>>,
    /// Bugs to plant (none unless the feature `planted-faults` is on).
    pub faults: Faults,
}

impl Default for CoreConfig {
    fn default() -> Self {
        Self {
            signup: Signup::Open,
            setup_code: false,
            retention_days: subrosa_types::limits::RETENTION_DAYS,
            rates: Rates::default(),
            relay: RelayMode::Off,
            cache_bytes: 64 * 1024 * 1024,
            passes: None,
            faults: Faults::NONE,
        }
    }
}

/// What a session asks for.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly all are frames; a box each would cost more than it saves")]
pub enum Request {
    /// A frame of its client.
    Frame(ClientFrame),
    /// Its connection is drained again after pushes were left out: tell it where everything stands.
    Resync,
}

/// One request of a batch.
#[derive(Debug, Clone)]
pub struct Job {
    /// Who asks.
    pub session: SessionId,
    /// For what.
    pub request: Request,
}

/// Everything but the store.
pub(crate) struct State {
    pub(crate) config: CoreConfig,
    pub(crate) identity: Identity,
    pub(crate) roles: RoleLog,
    pub(crate) roles_changed: bool,
    pub(crate) sessions: Sessions,
    pub(crate) conversations: Cache,
    pub(crate) attempts_by_account: rate::Table<String>,
    pub(crate) attempts_by_address: rate::Table<std::net::IpAddr>,
    pub(crate) relay_passes_by_device: rate::Table<store::DeviceNo>,
    /// What its relay is shown, where it asks for anything.
    pub(crate) relay_passes: RelayPasses,
    /// The one-time code for the first sign-up, while there is no account and one is needed.
    pub(crate) setup_code: Option<String>,
}

/// The delivery service of one server.
pub struct Core {
    store: Connection,
    state: State,
}

impl Core {
    /// Opens the service over a database file: brings it to this version's form, checks that committed means durable,
    /// and makes the server's identity at the first start.
    ///
    /// # Errors
    /// [`StoreError`]; in particular [`StoreError::NotDurable`] for a database that is not in WAL mode with
    /// `synchronous=FULL`.
    pub fn open(
        store: Connection,
        config: CoreConfig,
        now: Timestamp,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Self, StoreError> {
        Self::with(store::prepare(store, true)?, config, now, rng)
    }

    /// The same over a database in memory, which cannot have a write-ahead log. Nothing is durable: for the simulation and
    /// for tests.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn danger_open_volatile(
        store: Connection,
        config: CoreConfig,
        now: Timestamp,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Self, StoreError> {
        Self::with(store::prepare(store, false)?, config, now, rng)
    }

    fn with(
        store: Connection,
        config: CoreConfig,
        now: Timestamp,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Self, StoreError> {
        let identity = Identity::load_or_make(&store, now, rng)?;
        let roles = roles::load(&store)?;
        let setup_code = (config.setup_code && !store::accounts::any(&store)?).then(|| turn::code(rng));
        let state = State {
            conversations: Cache::new(config.cache_bytes),
            relay_passes: RelayPasses::of(&identity.key),
            config,
            identity,
            roles,
            roles_changed: false,
            sessions: Sessions::default(),
            attempts_by_account: rate::Table::default(),
            attempts_by_address: rate::Table::default(),
            relay_passes_by_device: rate::Table::default(),
            setup_code,
        };
        Ok(Self { store, state })
    }

    /// The server's public identity key.
    pub fn server_key(&self) -> VerifyingKey {
        self.state.identity.public
    }

    /// The server's identity key, for the certificate of its TLS endpoint.
    pub fn identity_key(&self) -> &SigningKey {
        &self.state.identity.key
    }

    /// The server's identity key as the one external sender of groups.
    pub(crate) fn external_sender(&self) -> Result<subrosa_mls::LeafSigner, StoreError> {
        Identity::external_sender(&self.state.identity.key)
    }

    /// The one-time code that the first sign-up needs; `None` if it needs none.
    pub fn setup_code(&self) -> Option<&str> {
        self.state.setup_code.as_deref()
    }

    /// A connection came. Nothing is known of it but where it comes from.
    pub fn connect(&mut self, session: SessionId, peer: Peer) {
        self.state.sessions.connect(session, peer);
    }

    /// A connection is gone.
    pub fn disconnect(&mut self, session: SessionId) -> Option<Event> {
        self.state.sessions.disconnect(session).map(|login| Event::Left(login.account_id))
    }

    /// Executes a batch in one transaction that stays open until [`Staged::commit`].
    ///
    /// Requests of one session must be in the order in which they came.
    pub fn execute<'a>(&'a mut self, batch: Vec<Job>, now: Timestamp, rng: &'a mut dyn CryptoRngCore) -> Staged<'a> {
        Staged::run(self, batch, now, rng)
    }

    /// Deletes log entries that are older than the retention, a bounded number at a time. `true`: there may be more.
    ///
    /// # Errors
    /// [`StoreError`]; one that is passing means: later.
    pub fn prune(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let days = i64::from(self.state.config.retention_days);
        let before = now.plus_millis(-days * 24 * 60 * 60 * 1000);
        self.finish_delayed()?;
        let transaction = self.store.transaction()?;
        let mut left = PRUNE_STEP;
        for conversation in store::log::with_entries_before(&transaction, before)? {
            let gone = store::log::prune(&transaction, conversation, before, left)?;
            let id = store::conversations::by_number(&transaction, conversation)?.id;
            self.state.conversations.forget(id);
            left = left.saturating_sub(gone);
            if left == 0 {
                break;
            }
        }
        store::invites::prune(&transaction, now)?;
        store::inbox::prune_welcomes(&transaction)?;
        transaction.commit()?;
        Ok(left == 0)
    }

    /// Moves what is in the write-ahead log into the database file. For a clean stop.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.finish_delayed()?;
        self.store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// The store, for checks in tests and in the simulation.
    pub fn danger_store(&self) -> &Connection {
        &self.store
    }

    /// Reads the role log again if a batch that changed it was rolled back.
    fn reload_roles(&mut self) -> Result<(), StoreError> {
        if self.state.roles_changed {
            self.state.roles = roles::load(&self.store)?;
            self.state.roles_changed = false;
        }
        Ok(())
    }

    /// Ends a transaction that the planted bug `acknowledge_before_write` left open.
    fn finish_delayed(&mut self) -> Result<(), StoreError> {
        if self.store.is_autocommit() { Ok(()) } else { Ok(self.store.execute_batch("COMMIT")?) }
    }
}

/// An answer's body for "done, and nothing to say".
pub(crate) fn done() -> proto::answer::Body {
    proto::answer::Body::Done(proto::Done {})
}

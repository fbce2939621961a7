//! The engine's skeleton: inputs, one transaction an input, and outputs that leave only after the commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use rand_core::CryptoRngCore;
use rusqlite::Connection;
use subrosa_crypto::{PasswordCost, RoleLog};
use subrosa_mls::{Group, Identity, LeafSigner, Mls};
use subrosa_types::{AccountId, ConversationId, Timestamp};
use subrosa_wire::ServerLink;
use subrosa_wire::proto::client_frame;

use crate::api::{Command, Event, Failure, FailureCode, Reply, Told};
use crate::commands::Running;
use crate::direct::{Direct, RoadId, RoadOrder};
use crate::fault::{Fault, Outcome};
use crate::outgoing::Outgoing;
use crate::people::VerifiedLeaves;
use crate::requests::{Pending, Requests};
use crate::session::Session;
use crate::store::profile::Profile;
use crate::store::{self, StoreError};
use crate::sync::{Sync, Untold};

/// How often the pumps run after one input at most: a command takes few steps without an answer from the server.
const SETTLING_ROUNDS: u32 = 16;

/// What does not change while an engine runs.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Cost of password hashing: a fixed constant of the protocol for real accounts.
    pub password_cost: PasswordCost,
    /// Bugs to plant, for the tests that prove that the simulation catches them.
    #[cfg(feature = "planted-faults")]
    pub faults: Faults,
}

/// Bugs that can be switched on to see that the checks of the simulation catch them. Never compiled into the program.
#[cfg(feature = "planted-faults")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Merge a commit before the server accepted it.
    pub merge_before_acceptance: bool,
    /// Do not check the committer's role.
    pub skip_role_check: bool,
    /// Do not check device certificates against the account key of the role log.
    pub skip_device_check: bool,
    /// Take log entries as they come, in whatever order.
    pub skip_order_check: bool,
    /// Use another idempotency key for each try.
    pub forget_idempotency_key: bool,
    /// Send to a changed key without asking.
    pub ignore_changed_key: bool,
    /// Advance the cursor in another transaction than the message.
    pub advance_before_store: bool,
    /// Take in what comes over a link before what the log had at that time.
    pub take_direct_early: bool,
    /// Take in commits and proposals that come over a link.
    pub order_over_link: bool,
    /// Count a message as delivered as soon as it is sent over a link.
    pub trust_link: bool,
}

/// Names a command until its answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// What the engine wants done or told.
#[derive(Debug, Clone)]
pub enum Output {
    /// Make a link to this server. Asked again by the engine itself after [`Engine::link_down`], with a back-off.
    Connect(ServerLink),
    /// End the link.
    Disconnect,
    /// Send this frame.
    Transmit(Bytes),
    /// Something is wanted of a direct link.
    Road(RoadId, RoadOrder),
    /// For who watches.
    Event(Told),
    /// The answer to a command.
    Finished(CommandId, Result<Reply, Failure>),
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store says no, is of a newer version, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One profile's engine. See the crate's documentation for its life.
pub struct Engine {
    pub(crate) connection: Connection,
    pub(crate) config: Config,
    pub(crate) rng: Box<dyn CryptoRngCore + Send>,
    pub(crate) profile: Option<Profile>,
    pub(crate) identity: Option<Identity>,
    pub(crate) roles: RoleLog,
    pub(crate) groups: BTreeMap<ConversationId, Group>,
    pub(crate) leaves: VerifiedLeaves,
    pub(crate) session: Session,
    pub(crate) requests: Requests,
    pub(crate) sync: Sync,
    pub(crate) outgoing: Outgoing,
    pub(crate) direct: Direct,
    pub(crate) running: BTreeMap<CommandId, Running>,
    next_command: u64,
    /// The time of the last input.
    pub(crate) last: Timestamp,
    pub(crate) staged: Vec<Output>,
    /// The senders of the messages among `staged`, in their order.
    pub(crate) announced: Vec<AccountId>,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// Opens the engine on a store that is already keyed (a new one is prepared).
    ///
    /// # Errors
    /// [`OpenError::Store`] when the store cannot be read or written, or is of a newer version.
    pub fn open(
        mut connection: Connection,
        config: Config,
        rng: Box<dyn CryptoRngCore + Send>,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        store::migrate(&mut connection)?;
        let mut engine = Self {
            connection,
            config,
            rng,
            profile: None,
            identity: None,
            roles: RoleLog::new(),
            groups: BTreeMap::new(),
            leaves: HashMap::new(),
            session: Session::default(),
            requests: Requests::default(),
            sync: Sync::default(),
            outgoing: Outgoing::default(),
            direct: Direct::default(),
            running: BTreeMap::new(),
            next_command: 0,
            last: now,
            staged: Vec::new(),
            announced: Vec::new(),
            outputs: VecDeque::new(),
        };
        engine.load()?;
        engine.session.reconnect_at(now);
        Ok(engine)
    }

    /// Whether this profile belongs to an account.
    pub const fn is_enrolled(&self) -> bool {
        self.profile.is_some()
    }

    /// Starts a command; its answer comes as [`Output::Finished`].
    pub fn command(&mut self, command: Command, now: Timestamp) -> CommandId {
        self.next_command += 1;
        let id = CommandId(self.next_command);
        // First: how long this command waits is counted from now.
        self.follow_clock(now);
        self.running.insert(id, Running::new(command, now));
        self.input(now, |_| Ok(()));
        id
    }

    /// Nobody waits for this command's answer any more. What is in the outbox stays there.
    pub fn cancel(&mut self, id: CommandId) {
        self.running.remove(&id);
    }

    /// A link is there: TLS is done and the server's key is the pinned one.
    pub fn link_up(&mut self, tls_exporter: [u8; 32], now: Timestamp) {
        self.input(now, |engine| {
            engine.session_link_up(tls_exporter);
            Ok(())
        });
    }

    /// The link ended, or could not be made.
    pub fn link_down(&mut self, reason: &str, now: Timestamp) {
        self.input(now, |engine| {
            engine.session_link_down(reason, now);
            Ok(())
        });
    }

    /// A frame came.
    pub fn frame(&mut self, frame: Bytes, now: Timestamp) {
        self.input(now, |engine| engine.session_frame(frame, now));
    }

    /// The time that [`Engine::next_timeout`] named is reached.
    pub fn timeout(&mut self, now: Timestamp) {
        self.input(now, |engine| {
            engine.session_timeout(now);
            Ok(())
        });
    }

    /// When the engine wants [`Engine::timeout`] to be called. It has to be called soon, too, when the clock was set back.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        [
            self.session_target().and_then(|_| self.session.next_timeout()),
            self.requests.deadline(),
            self.outgoing.next_timeout(),
            self.direct.next_timeout(),
            self.running.values().map(Running::deadline).min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether nothing that went to the server waits for its answer. A process that ends before leaves work to the next one.
    pub fn is_idle(&self) -> bool {
        (!self.session.is_online() || self.requests.is_empty()) && !self.direct.is_busy()
    }

    /// The next thing to do or tell. Call until `None` after every input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// One input, one transaction. What `handle` stages leaves only if the commit succeeds.
    pub(crate) fn input(&mut self, now: Timestamp, handle: impl FnOnce(&mut Self) -> Outcome) {
        self.follow_clock(now);
        let before = (self.running.keys().copied().collect(), self.sync.untold());
        if let Err(fault) = self.transaction(now, handle) {
            self.recover(&fault, before, now);
        }
    }

    /// A clock that was set back takes the deadlines with it: what was to be waited for is waited for, and no longer.
    fn follow_clock(&mut self, now: Timestamp) {
        let back = self.last.millis_since(now);
        if back > 0 {
            self.session.set_back(back);
            self.requests.set_back(back);
            self.outgoing.set_back(back);
            self.direct.set_back(back);
            self.running.values_mut().for_each(|running| running.set_back(back));
        }
        self.last = now;
    }

    fn transaction(&mut self, now: Timestamp, handle: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        handle(self)?;
        self.settle(now)?;
        self.keep_events()?;
        self.connection.execute_batch("COMMIT")?;
        self.outputs.extend(self.staged.drain(..));
        Ok(())
    }

    /// Whatever follows from the state as it is now: requests to make, things to send, commands to answer.
    fn settle(&mut self, now: Timestamp) -> Outcome {
        self.drive_session(now);
        self.drive_commands(now)?;
        // Pumps make work for each other, so each runs twice; and as long as that lets a command move, which may make work
        // for them, they run again. Whatever were left undone here would wait for an input that may never come.
        for round in 0..SETTLING_ROUNDS {
            self.drive_sync(now)?;
            self.drive_direct(now)?;
            self.drive_outgoing(now)?;
            if !self.drive_commands(now)? && round > 0 {
                break;
            }
        }
        // Somebody may have come to wait for a link.
        self.drive_session(now);
        for frame in self.requests.transmit(now) {
            self.staged.push(Output::Transmit(frame));
        }
        Ok(())
    }

    /// Nothing of the input happened. The store is as before it; everything in memory is made from it again. Whoever waited
    /// for an answer before it gets this one, also where the input had made another that is not true now.
    fn recover(&mut self, fault: &Fault, (awaited, untold): (Vec<CommandId>, Untold), now: Timestamp) {
        if !self.connection.is_autocommit() {
            // If even this fails, the connection is unusable and the next input says so again.
            let _rolled_back = self.connection.execute_batch("ROLLBACK");
        }
        self.staged.clear();
        self.announced.clear();
        tracing::warn!(%fault, "an input was not taken in");
        let (code, kind, message) = match fault {
            Fault::Store(_) => (
                FailureCode::Environment,
                "store_unavailable",
                format!("{fault}; nothing was half-done: make room or give access, then try again"),
            ),
            Fault::Mls(_) => (FailureCode::Unexpected, "group_engine", format!("{fault}; nothing was half-done")),
            Fault::Lie(_) => (
                FailureCode::Untrusted,
                "server_contradiction",
                format!("{fault}; nothing it said was taken over: ask its operator before you go on"),
            ),
            Fault::Protocol(_) => (FailureCode::Environment, "protocol", format!("{fault}; try again later")),
        };
        let failure = Failure::new(code, kind, message);
        // The store cannot keep it now.
        let event = Event::Warning { code: kind.to_owned(), message: failure.message.clone() };
        self.outputs.push_back(Output::Event(Told { cursor: None, event }));
        self.running.clear();
        for id in awaited {
            self.outputs.push_back(Output::Finished(id, Err(failure.clone())));
        }
        self.requests.clear();
        self.sync = Sync::with(untold);
        self.outgoing = Outgoing::default();
        for id in self.direct.forget_links() {
            self.outputs.push_back(Output::Road(id, RoadOrder::Close));
        }
        if self.session.end(now) {
            self.outputs.push_back(Output::Disconnect);
        }
        if let Err(error) = self.load() {
            tracing::error!(%error, "the store cannot be read");
            self.profile = None;
            self.identity = None;
        }
    }

    /// Makes the state in memory from the store.
    pub(crate) fn load(&mut self) -> Result<(), StoreError> {
        self.groups.clear();
        self.leaves.clear();
        self.profile = store::profile::load(&self.connection)?;
        self.identity = match &self.profile {
            Some(profile) => {
                let signer =
                    LeafSigner::from_seed(profile.device_key.seed()).map_err(|_| StoreError::Damaged("device key"))?;
                Some(Identity { credential: profile.certificate.clone(), signer })
            }
            None => None,
        };
        self.roles = store::role_log::load(&self.connection)?;
        self.load_policy()
    }

    pub(crate) fn stage(&mut self, output: Output) {
        self.staged.push(output);
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.staged.push(Output::Event(Told { cursor: None, event }));
    }

    pub(crate) fn warn(&mut self, code: &str, message: impl Into<String>) {
        self.emit(Event::Warning { code: code.to_owned(), message: message.into() });
    }

    pub(crate) fn request(&mut self, request: client_frame::Request, what: Pending) {
        self.requests.push(request, what);
    }

    /// Makes a request unless one for the same thing is under way.
    pub(crate) fn request_once(&mut self, request: client_frame::Request, what: Pending) {
        if !self.requests.has(&what) {
            self.requests.push(request, what);
        }
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// The group of a conversation, loaded once, and what is needed to work with it. `None`: there is none here.
    pub(crate) fn with_group<T, E>(
        &mut self,
        conversation: ConversationId,
        work: impl FnOnce(&Mls<'_>, &mut Group) -> Result<T, E>,
    ) -> Outcome<Option<Result<T, E>>> {
        let Some(identity) = &self.identity else { return Ok(None) };
        let mls = Mls::new(&self.connection, &mut *self.rng, identity)?;
        if let Entry::Vacant(entry) = self.groups.entry(conversation) {
            let Some(group) = Group::load(&mls, conversation)? else { return Ok(None) };
            entry.insert(group);
        }
        let Some(group) = self.groups.get_mut(&conversation) else { return Ok(None) };
        Ok(Some(work(&mls, group)))
    }

    /// The group of a conversation to look at.
    pub(crate) fn group(&mut self, conversation: ConversationId) -> Outcome<Option<&Group>> {
        self.with_group(conversation, |_, _| Ok::<_, Fault>(()))?;
        Ok(self.groups.get(&conversation))
    }

    /// Forgets the keys of a conversation.
    pub(crate) fn delete_group(&mut self, conversation: ConversationId) -> Outcome {
        self.groups.remove(&conversation);
        subrosa_mls::delete_group(&self.connection, conversation)?;
        Ok(())
    }
}

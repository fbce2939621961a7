//! A gentle world: one server and some devices, a perfect network, virtual time. For tests that say what should happen.
//!
//! ```
//! # use testkit::harness::Harness;
//! let mut world = Harness::new(1);
//! let alice = world.sign_up("alice");
//! let bob = world.sign_up("bob");
//! world.say(alice, "@bob", "hello").unwrap();
//! assert_eq!(world.read(bob, "@alice"), ["alice: hello"]);
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use subrosa_crypto::PasswordCost;
use subrosa_engine::api::{Command, Event, Failure, Reply, Secret, Target, Wait};
use subrosa_engine::{CommandId, Config, Engine, Output};
use subrosa_server::core::{Core, CoreConfig, Emission, Job, Peer, SessionId};
use subrosa_types::Timestamp;
use subrosa_wire::ServerLink;

use crate::database::Database;
use crate::gate::Gate;
use crate::rng::SharedRng;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// A device of this world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceNumber(usize);

struct Device {
    engine: Engine,
    database: Database,
    rng: SharedRng,
    session: Option<SessionId>,
    finished: BTreeMap<CommandId, Result<Reply, Failure>>,
    events: Vec<Event>,
}

/// The world.
pub struct Harness {
    seed: u64,
    now: Timestamp,
    core: Core,
    gate: Gate,
    rng: SharedRng,
    devices: Vec<Device>,
    sessions: u64,
    to_server: VecDeque<(SessionId, Bytes)>,
    link: String,
}

/// Rounds of frames to and fro in which everything that follows from one thing has to be said.
const ROUNDS: u32 = 5_000;
/// Virtual milliseconds that a command may take.
const PATIENCE_MS: i64 = 300_000;

impl Harness {
    /// An empty server that anybody may sign up to.
    ///
    /// # Panics
    /// If the server cannot be opened in memory.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, CoreConfig::default())
    }

    /// An empty server of this configuration.
    ///
    /// # Panics
    /// If the server cannot be opened in memory.
    pub fn with(seed: u64, config: CoreConfig) -> Self {
        let mut rng = SharedRng::new(seed, 0);
        let now = Timestamp(1_800_000_000_000);
        let store = rusqlite::Connection::open_in_memory().expect("a database in memory");
        let core = Core::danger_open_volatile(store, config, now, &mut rng).expect("an empty store opens");
        let link = ServerLink { host: "127.0.0.1".into(), port: 5535, fingerprint: core.server_key().fingerprint() }
            .to_string();
        Self {
            seed,
            now,
            core,
            gate: Gate::default(),
            rng,
            devices: Vec::new(),
            sessions: 0,
            to_server: VecDeque::new(),
            link,
        }
    }

    /// The link of the server.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// The server.
    pub const fn core(&self) -> &Core {
        &self.core
    }

    /// A new device with an empty profile.
    ///
    /// # Panics
    /// If its store cannot be opened in memory.
    pub fn device(&mut self) -> DeviceNumber {
        let number = self.devices.len();
        let database = Database::new().expect("a database in memory");
        let rng = SharedRng::new(self.seed, 1 + number as u64);
        let engine = open(&database, &rng, self.now);
        self.devices.push(Device {
            engine,
            database,
            rng,
            session: None,
            finished: BTreeMap::new(),
            events: Vec::new(),
        });
        DeviceNumber(number)
    }

    /// The engine of a device.
    pub fn engine(&mut self, device: DeviceNumber) -> &mut Engine {
        &mut self.devices[device.0].engine
    }

    /// Makes an account with its first device.
    ///
    /// # Panics
    /// If that is refused.
    pub fn sign_up(&mut self, name: &str) -> DeviceNumber {
        let device = self.device();
        let command = self.sign_up_command(name);
        self.run(device, command).expect("the sign-up is accepted");
        device
    }

    /// A sign-up to this server.
    pub fn sign_up_command(&self, name: &str) -> Command {
        Command::SignUp {
            server: self.link.clone(),
            username: name.into(),
            password: Secret(PASSWORD.into()),
            email: None,
            invite: None,
            setup: None,
            vault: true,
            device: format!("{name}'s laptop"),
        }
    }

    /// A login to this server.
    pub fn log_in_command(&self, name: &str, reset: bool) -> Command {
        Command::LogIn {
            server: Some(self.link.clone()),
            username: name.into(),
            password: Secret(PASSWORD.into()),
            device: format!("{name}'s phone"),
            danger_reset_key: reset,
        }
    }

    /// Enrols a further device of an account.
    ///
    /// # Panics
    /// If that is refused.
    pub fn log_in(&mut self, name: &str) -> DeviceNumber {
        let device = self.device();
        let command = self.log_in_command(name, false);
        self.run(device, command).expect("the login is accepted");
        device
    }

    /// Gives a command and waits for its answer; then lets everything that follows from it happen.
    ///
    /// # Errors
    /// The command's failure.
    ///
    /// # Panics
    /// If there is no answer within five virtual minutes.
    pub fn run(&mut self, device: DeviceNumber, command: Command) -> Result<Reply, Failure> {
        let what = format!("{command:?}");
        let now = self.now;
        let id = self.devices[device.0].engine.command(command, now);
        self.carry(device);
        let deadline = self.now.plus_millis(PATIENCE_MS);
        loop {
            self.exchange();
            if let Some(answer) = self.devices[device.0].finished.remove(&id) {
                self.exchange();
                return answer;
            }
            assert!(self.now < deadline && self.step_clock(deadline), "no answer to {what}");
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// The command's failure.
    ///
    /// # Panics
    /// If `to` is no target.
    pub fn say(&mut self, device: DeviceNumber, to: &str, text: &str) -> Result<Reply, Failure> {
        let to = to.parse().expect("a target");
        self.run(device, Command::Send { to, text: text.into(), id: None, wait: Wait::Accepted })
    }

    /// Everything in a chat, each message as `name: text`.
    ///
    /// # Panics
    /// If the command fails.
    pub fn read(&mut self, device: DeviceNumber, chat: &str) -> Vec<String> {
        let chat: Target = chat.parse().expect("a target");
        match self.run(device, Command::Read { chat: Some(chat), all: true, limit: None, since: None }) {
            Ok(Reply::Messages(rows)) => rows.iter().map(|row| format!("{}: {}", row.from, row.text)).collect(),
            other => panic!("read: {other:?}"),
        }
    }

    /// What the device told since the last call.
    pub fn events(&mut self, device: DeviceNumber) -> Vec<Event> {
        std::mem::take(&mut self.devices[device.0].events)
    }

    /// Lets virtual time pass.
    pub fn wait(&mut self, milliseconds: i64) {
        let until = self.now.plus_millis(milliseconds);
        while self.step_clock(until) {
            self.exchange();
        }
        self.now = until;
    }

    /// Cuts a device off, or ends what it was doing. It connects again by itself.
    pub fn cut(&mut self, device: DeviceNumber) {
        if let Some(session) = self.devices[device.0].session.take() {
            self.core.disconnect(session);
            self.gate.gone(session);
            let now = self.now;
            self.devices[device.0].engine.link_down("the cable was cut", now);
            self.carry(device);
        }
    }

    /// Kills a device's program and starts it again on its store.
    pub fn restart(&mut self, device: DeviceNumber) {
        if let Some(session) = self.devices[device.0].session.take() {
            self.core.disconnect(session);
            self.gate.gone(session);
        }
        let now = self.now;
        let entry = &mut self.devices[device.0];
        // The old connection is closed before the store is opened again.
        entry.engine = Engine::open(
            rusqlite::Connection::open_in_memory().expect("a database in memory"),
            config(),
            Box::new(entry.rng.clone()),
            now,
        )
        .expect("an empty store opens");
        entry.engine = open(&entry.database, &entry.rng, now);
        entry.engine.timeout(now);
        self.carry(device);
        self.exchange();
    }

    /// Carries out what an engine wants.
    fn carry(&mut self, device: DeviceNumber) {
        while let Some(output) = self.devices[device.0].engine.poll() {
            match output {
                Output::Connect(_) => self.connect(device),
                Output::Disconnect => {
                    if let Some(session) = self.devices[device.0].session.take() {
                        // What was sent before is still read.
                        self.serve();
                        self.core.disconnect(session);
                        self.gate.gone(session);
                    }
                }
                Output::Transmit(frame) => {
                    if let Some(session) = self.devices[device.0].session {
                        self.to_server.push_back((session, frame));
                    }
                }
                // Nobody follows these devices, so they never ask for a link.
                Output::Road(..) => {}
                Output::Event(told) => self.devices[device.0].events.push(told.event),
                Output::Finished(id, answer) => {
                    self.devices[device.0].finished.insert(id, answer);
                }
            }
        }
    }

    fn connect(&mut self, device: DeviceNumber) {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        let tls_exporter = self.rng.bytes();
        self.core.connect(session, Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), tls_exporter });
        let now = self.now;
        let entry = &mut self.devices[device.0];
        entry.session = Some(session);
        entry.engine.link_up(tls_exporter, now);
    }

    /// Frames go to and fro until nobody has anything more to say.
    fn exchange(&mut self) {
        let mut rounds = 0;
        while !self.to_server.is_empty() {
            rounds += 1;
            assert!(rounds < ROUNDS, "they go on talking for ever: {:?}", self.to_server);
            self.serve();
        }
    }

    fn serve(&mut self) {
        let mut batch: Vec<Job> = Vec::new();
        for (session, frame) in std::mem::take(&mut self.to_server) {
            if let Ok(Some(job)) = self.gate.frame(session, &frame) {
                batch.push(job);
            }
        }
        if batch.is_empty() {
            return;
        }
        let staged = self.core.execute(batch, self.now, &mut self.rng);
        let released = staged.commit().expect("the server's store works");
        for emission in released.emissions {
            self.gate.emitted(&emission);
            match emission {
                Emission::Answer { session, frame, .. } => self.deliver(session, &frame),
                Emission::Push { sessions, frame } => {
                    for session in sessions {
                        self.deliver(session, &frame);
                    }
                }
                Emission::LoggedIn { .. } => {}
                Emission::End { session, frame } => {
                    self.deliver(session, &frame);
                    self.core.disconnect(session);
                    self.gate.gone(session);
                    if let Some(device) = self.devices.iter().position(|device| device.session == Some(session)) {
                        self.devices[device].session = None;
                        let now = self.now;
                        self.devices[device].engine.link_down("the server ended the connection", now);
                        self.carry(DeviceNumber(device));
                    }
                }
            }
        }
    }

    fn deliver(&mut self, session: SessionId, frame: &Bytes) {
        let Some(device) = self.devices.iter().position(|device| device.session == Some(session)) else { return };
        let now = self.now;
        self.devices[device].engine.frame(frame.clone(), now);
        self.carry(DeviceNumber(device));
    }

    /// Moves the clock to the next thing that is due, at most to `until`; `false` if there is none.
    fn step_clock(&mut self, until: Timestamp) -> bool {
        let next = self.devices.iter().filter_map(|device| device.engine.next_timeout()).min();
        let Some(next) = next.filter(|next| *next <= until) else { return false };
        self.now = self.now.max(next);
        for device in 0..self.devices.len() {
            if self.devices[device].engine.next_timeout().is_some_and(|due| due <= self.now) {
                let now = self.now;
                self.devices[device].engine.timeout(now);
                let next = self.devices[device].engine.next_timeout();
                assert!(next.is_none_or(|next| next > now), "an engine wants to be woken again at once");
                self.carry(DeviceNumber(device));
            }
        }
        true
    }
}

fn config() -> Config {
    Config { password_cost: PasswordCost::danger_fast(), ..Config::default() }
}

fn open(database: &Database, rng: &SharedRng, now: Timestamp) -> Engine {
    let connection = database.open().expect("a database in memory");
    Engine::open(connection, config(), Box::new(rng.clone()), now).expect("the store opens")
}

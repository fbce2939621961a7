//! The World: real engines, the real delivery service and real MLS in one process and virtual time, and everything that can
//! go wrong between them, chosen by one number.
//!
//! ```text
//!   seed ─► plan (who, what goes wrong, how the server lies)
//!        ─► work: people's commands and troubles at chosen times ─► heal: no more trouble, everybody connects
//!        ─► rest: nobody has anything to do ─► check ─► one more message in every chat ─► check again
//! ```
//!
//! - [`plan`] what a seed chooses · [`workload`] what people do · [`trouble`] what goes wrong · [`liar`] what a server says
//!   that is not so · `intruder` what a changed client tries · [`roads`] direct links · [`clock`], [`network`], [`node`], [`server`] the parts · `oracle` what must be true, from outside ·
//!   `invariants` what is checked · [`trace`] what happened.
//!
//! The same seed gives the same trace, byte for byte: nothing here reads a clock, a thread or the order of a hash table.

pub mod clock;
mod forge;
mod intruder;
mod invariants;
pub mod liar;
pub mod network;
pub mod node;
mod oracle;
pub mod plan;
pub mod roads;
pub mod seeds;
pub mod server;
pub mod trace;
pub mod trouble;
pub mod workload;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use subrosa_engine::Faults as EngineFaults;
use subrosa_engine::api::Command;
use subrosa_server::core::{CoreConfig, Faults as ServerFaults, SessionId};

use crate::rng::SharedRng;
use clock::Clock;
use liar::{Liar, Lie};
use network::Network;
use node::Node;
use oracle::Oracle;
use plan::Plan;
use roads::{End, Roads};
use server::Server;
use trace::Trace;
use trouble::Relief;
use workload::Purpose;

/// When a world begins, in milliseconds since 1970.
const BEGINNING: i64 = 1_800_000_000_000;
/// Virtual milliseconds in which a healed world has to come to rest.
const PATIENCE_MS: i64 = 15 * 60_000;
/// Things that may happen until then.
const PATIENCE_STEPS: u32 = 60_000;
/// And so long is waited for a device that the server lied to before it is left alone.
const PATIENCE_WITH_THE_FOOLED_MS: i64 = 2 * 60_000;

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Event {
    /// A frame arrives at the server.
    ToServer(SessionId, Bytes),
    /// A frame arrives at a device.
    ToDevice(SessionId, Bytes),
    /// A device finds out whether its connection came about.
    Dialled(SessionId, bool),
    /// The server notices that a connection is gone.
    ServerSeesEnd(SessionId),
    /// A device notices that its connection is gone.
    DeviceSeesEnd(SessionId, &'static str),
    /// The server takes a batch from its queue.
    ServerTurn,
    /// The server's process starts.
    ServerStarts,
    /// A device wanted to be woken; the number tells whether it still does.
    Wake(usize, u64),
    /// A device's process starts.
    NodeStarts(usize),
    /// Somebody tries again to sign up or to log in.
    Access(usize),
    /// Somebody does something.
    Work,
    /// Something goes wrong.
    Trouble,
    /// A trouble ends.
    Relief(Relief),
    /// A slow connection is drained.
    Resync(SessionId),
    /// An endpoint knows how it is found.
    RoadReady(End),
    /// One end of a direct link is up.
    RoadUp(End),
    /// A frame arrives over a direct link.
    RoadFrame(u64, End, Bytes),
    /// One end of a direct link notices that it is gone.
    RoadDown(End, &'static str),
}

/// What a run may be told besides its seed.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bugs planted in every engine.
    pub engine_faults: EngineFaults,
    /// Bugs planted in the server.
    pub server_faults: ServerFaults,
    /// Whether and how the server lies, whatever the seed says.
    pub lie: Option<Option<Lie>>,
    /// Say aloud what happens.
    pub aloud: bool,
}

/// What a world came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Hash of everything that happened.
    pub trace: [u8; 32],
    /// Lines of the trace.
    pub lines: u64,
    /// Messages that people meant to send.
    pub messages: usize,
    /// How the server lied.
    pub lie: Option<Lie>,
    /// Lies that were told. Illegal commits are not counted.
    pub lies: u32,
    /// Frames that came over direct links.
    pub carried: u32,
}

/// What a world found wrong.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The seed.
    pub seed: u64,
    /// What must not be.
    pub what: String,
    /// The last lines of the trace.
    pub last: Vec<String>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.last {
            writeln!(f, "    {line}")?;
        }
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        write!(
            f,
            "again: SUBROSA_SEED_FROM={} SUBROSA_SEEDS=1 SUBROSA_TRACE=1 cargo test --release -p testkit --test world",
            self.seed
        )
    }
}

/// Lives through the world of one seed.
///
/// # Errors
/// What was found wrong; a panic counts.
pub fn run(seed: u64, options: &Options) -> Result<Summary, Box<Violation>> {
    let trace = Trace::new(options.aloud);
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, options, trace.clone())?;
        world.live();
        match world.violation.take() {
            Some(what) => Err(what),
            None => Ok(Summary {
                trace: trace.hash(),
                lines: trace.lines(),
                messages: world.oracle.intents.len(),
                lie: world.plan.lie,
                lies: world.liar.lies,
                carried: world.roads.carried,
            }),
        }
    }));
    let what = match lived {
        Ok(Ok(summary)) => return Ok(summary),
        Ok(Err(what)) => what,
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            format!("a panic: {}", said.unwrap_or_default())
        }
    };
    Err(Box::new(Violation { seed, what, last: trace.last() }))
}

/// A world.
pub struct World {
    plan: Plan,
    trace: Trace,
    rng: SharedRng,
    clock: Clock<Event>,
    network: Network,
    roads: Roads,
    server: Server,
    nodes: Vec<Node>,
    oracle: Oracle,
    liar: Liar,
    engine_faults: EngineFaults,
    honest_faults: ServerFaults,
    healing: bool,
    most_waiting: usize,
    violation: Option<String>,
}

impl World {
    fn new(seed: u64, options: &Options, trace: Trace) -> Result<Self, String> {
        let mut rng = SharedRng::new(seed, 0);
        let plan = Plan::new(&mut rng, options.lie);
        let mut config = CoreConfig { faults: options.server_faults, ..CoreConfig::default() };
        if plan.lie == Some(Lie::IllegalCommit) {
            config.faults.skip_role_check = true;
        }
        let nodes = plan.devices.iter().enumerate();
        let nodes: Result<Vec<Node>, _> =
            nodes.map(|(index, account)| Node::new(*account, SharedRng::new(seed, 100 + index as u64))).collect();
        let victim = usize::try_from(rng.below(plan.devices.len() as u64)).unwrap_or(0);
        Ok(Self {
            network: Network::new(plan.quality, SharedRng::new(seed, 1)),
            roads: Roads::new(SharedRng::new(seed, 4)),
            server: Server::new(config, SharedRng::new(seed, 2)).map_err(|error| error.to_string())?,
            liar: Liar::new(plan.lie, victim, SharedRng::new(seed, 3)),
            nodes: nodes.map_err(|error| error.to_string())?,
            trace,
            rng,
            clock: Clock::new(BEGINNING),
            oracle: Oracle::default(),
            engine_faults: options.engine_faults,
            honest_faults: options.server_faults,
            healing: false,
            most_waiting: 0,
            violation: None,
            plan,
        })
    }

    fn live(&mut self) {
        self.note(|| "---- work ----".into());
        self.start_server();
        for index in 0..self.nodes.len() {
            self.start_node(index);
        }
        for index in 0..self.plan.accounts {
            // All at once: which is first is for the server to decide.
            let soon = self.rng.between(0, 400);
            self.clock.after(soon, Event::Access(index));
        }
        self.clock.after(2_000, Event::Work);
        if !self.plan.troubles.is_empty() {
            self.clock.after(3_000, Event::Trouble);
        }
        let end = BEGINNING + self.plan.work_ms;
        while self.violation.is_none() && self.clock.now() < end && self.step() {}
        self.heal();
        self.come_to_rest();
        self.check_all();
        if self.violation.is_none() {
            self.probe();
            self.come_to_rest();
            self.check_all();
        }
    }

    /// The next thing happens; `false` if there is none.
    fn step(&mut self) -> bool {
        let nodes = &self.nodes;
        let still_wanted = |event: &Event| match event {
            Event::Wake(index, planned) => nodes[*index].wakes_at(*planned),
            _ => true,
        };
        let Some(event) = self.clock.next(still_wanted) else { return false };
        match event {
            Event::ToServer(session, frame) => self.arrived_at_server(session, &frame),
            Event::ToDevice(session, frame) => self.arrived_at_device(session, frame),
            Event::Dialled(session, fine) => self.dialled(session, fine),
            Event::ServerSeesEnd(session) => self.forget_session(session),
            Event::DeviceSeesEnd(session, reason) => self.device_sees_end(session, reason),
            Event::ServerTurn => self.server_turn(),
            Event::ServerStarts => self.start_server(),
            Event::Wake(index, _) => self.input(index, subrosa_engine::Engine::timeout),
            Event::NodeStarts(index) => self.start_node(index),
            Event::Access(index) => {
                if self.nodes[index].engine.as_ref().is_some_and(|engine| !engine.is_enrolled()) && !self.healing {
                    self.seek_access(index);
                }
            }
            Event::Work => {
                if !self.healing {
                    self.work();
                    let next = self.rng.between(1, 2 * self.plan.pace_ms);
                    self.clock.after(next, Event::Work);
                }
            }
            Event::Trouble => {
                if !self.healing {
                    self.trouble();
                    let next = self.rng.between(1, 2 * self.plan.trouble_ms);
                    self.clock.after(next, Event::Trouble);
                }
            }
            Event::Relief(relief) => self.relieve(relief),
            Event::Resync(session) => self.resync(session),
            Event::RoadReady(end) => self.road_ready(end),
            Event::RoadUp(end) => self.road_up(end),
            Event::RoadFrame(number, end, frame) => self.road_frame(number, end, &frame),
            Event::RoadDown(end, reason) => self.road_down(end, reason),
        }
        true
    }

    /// Until nobody has anything to do any more.
    fn come_to_rest(&mut self) {
        let began = self.clock.now();
        let mut steps = 0;
        while self.violation.is_none() && self.step() {
            let waited = self.clock.now() - began;
            steps += 1;
            if waited > PATIENCE_WITH_THE_FOOLED_MS || steps > PATIENCE_STEPS / 2 {
                self.leave_the_fooled_alone();
            }
            if waited > PATIENCE_MS || steps > PATIENCE_STEPS {
                self.violate("a healed world does not come to rest".into());
            }
        }
        for index in 0..self.nodes.len() {
            if self.violation.is_none() && self.nodes[index].is_enrolled() && !self.is_fooled(index) {
                self.command(index, Command::Status, Purpose::Status);
            }
        }
    }

    fn note(&self, line: impl FnOnce() -> String) {
        self.trace.note(format!("{:>9} {}", self.clock.now() - BEGINNING, line()));
    }

    fn violate(&mut self, what: String) {
        self.note(|| format!("VIOLATION: {what}"));
        self.violation.get_or_insert(what);
    }
}

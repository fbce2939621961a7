//! A device: a real engine on a database that survives its crashes, with a clock of its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use subrosa_crypto::PasswordCost;
use subrosa_engine::api::{Event as Told, Via};
use subrosa_engine::{CommandId, Config, Engine, Output};
use subrosa_server::core::SessionId;
use subrosa_types::{DeviceId, IdempotencyKey, MessageId, Timestamp};

use super::clock::Clock;
use super::network::{Fate, Way};
use super::workload::Purpose;
use super::{Event, World};
use crate::database::Database;
use crate::rng::SharedRng;

/// A device.
pub struct Node {
    /// Whose: a place in the list of names.
    pub account: usize,
    pub(super) database: Database,
    rng: SharedRng,
    pub(super) engine: Option<Engine>,
    pub(super) connection: Option<SessionId>,
    /// How far its clock is ahead.
    pub(super) skew: i64,
    pub(super) full: bool,
    wakes: u64,
    /// Commands without answer.
    pub(super) commands: BTreeMap<CommandId, Purpose>,
    /// Its account's name is taken: by itself, though the answer was lost.
    pub(super) taken: bool,
    /// Warnings that it told, by their stable words.
    pub(super) warnings: Vec<String>,
    /// Messages that it told of, and how often.
    pub(super) told: BTreeMap<MessageId, u32>,
    /// How often it was ended.
    pub(super) ended: u32,
    /// How often its program started.
    pub(super) lives: u32,
}

impl Node {
    pub(super) fn new(account: usize, rng: SharedRng) -> rusqlite::Result<Self> {
        Ok(Self {
            account,
            database: Database::new()?,
            rng,
            engine: None,
            connection: None,
            skew: 0,
            full: false,
            wakes: 0,
            commands: BTreeMap::new(),
            taken: false,
            warnings: Vec::new(),
            told: BTreeMap::new(),
            ended: 0,
            lives: 0,
        })
    }

    /// Whether its program runs and belongs to an account.
    pub fn is_enrolled(&self) -> bool {
        self.engine.as_ref().is_some_and(Engine::is_enrolled)
    }

    /// Whether it still wants to be woken as it was planned then.
    pub(super) const fn wakes_at(&self, planned: u64) -> bool {
        self.wakes == planned
    }

    /// It is woken then, too, if nothing happens before.
    pub(super) fn also_wakes(&self, clock: &mut Clock<Event>, index: usize, milliseconds: i64) {
        clock.after(milliseconds, Event::Wake(index, self.wakes));
    }

    /// It does not want to be woken any more.
    pub(super) const fn sleep(&mut self) {
        self.wakes += 1;
    }

    /// The device that the server knows it as.
    pub(super) fn device_id(&self) -> Option<DeviceId> {
        let id: Vec<u8> = self.database.look().query_row("SELECT device FROM profile", [], |row| row.get(0)).ok()?;
        DeviceId::from_slice(&id).ok()
    }

    /// No more room on its disk than there is now, or as much as it likes.
    pub(super) fn set_full(&mut self, full: bool) -> rusqlite::Result<()> {
        self.full = full;
        self.engine.as_ref().map_or(Ok(()), |engine| super::server::limit_pages(engine.danger_store(), full))
    }
}

impl World {
    pub(super) fn time_of(&self, node: usize) -> Timestamp {
        Timestamp(self.clock.now() + self.nodes[node].skew)
    }

    /// The device's program starts on what its disk holds.
    pub(super) fn start_node(&mut self, index: usize) {
        let now = self.time_of(index);
        let faults = self.engine_faults;
        let node = &mut self.nodes[index];
        if node.engine.is_some() {
            return;
        }
        let config = Config { password_cost: PasswordCost::danger_fast(), faults };
        let opened = node.database.open().map_err(|error| error.to_string()).and_then(|connection| {
            Engine::open(connection, config, Box::new(node.rng.clone()), now).map_err(|error| error.to_string())
        });
        match opened {
            Ok(engine) => {
                node.engine = Some(engine);
                node.full = false;
                node.lives += 1;
                self.note(|| format!("{index}: starts"));
                self.input(index, Engine::timeout);
                self.follow(index);
            }
            Err(error) => self.violate(format!("device {index} does not start again: {error}")),
        }
    }

    /// The device's program is killed, with everything that it had in memory.
    pub(super) fn kill_node(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.engine.take().is_none() {
            return;
        }
        node.commands.clear();
        node.wakes += 1;
        let connection = node.connection.take();
        self.end_roads_of(index);
        self.note(|| format!("{index}: is killed"));
        if let Some(session) = connection {
            self.close_by_device(session);
        }
        let back = self.rng.between(20, 8_000);
        self.clock.after(back, Event::NodeStarts(index));
    }

    /// Something happens to a device. It is one step of its store; when the plug is pulled in it, nothing comes out.
    pub(super) fn input(&mut self, index: usize, what: impl FnOnce(&mut Engine, Timestamp)) {
        let now = self.time_of(index);
        let Some(engine) = self.nodes[index].engine.as_mut() else { return };
        what(engine, now);
        self.after_input(index);
    }

    pub(super) fn after_input(&mut self, index: usize) {
        let now = self.time_of(index);
        let node = &mut self.nodes[index];
        let Some(engine) = node.engine.as_ref() else { return };
        if node.database.power().is_off() {
            self.note(|| format!("{index}: the plug is pulled"));
            self.kill_node(index);
            return;
        }
        let (due, waiting) = (engine.next_timeout(), engine.waiting_in_memory());
        if due.is_some_and(|due| due <= now) {
            self.violate(format!("device {index} wants to be woken at a time that is past"));
        }
        self.most_waiting = self.most_waiting.max(waiting);
        let mut outputs = Vec::new();
        while let Some(output) = self.nodes[index].engine.as_mut().and_then(Engine::poll) {
            outputs.push(output);
        }
        for output in outputs {
            self.carry(index, output);
        }
        self.plan_wake(index);
    }

    fn carry(&mut self, index: usize, output: Output) {
        match output {
            Output::Connect(_) => self.dial(index),
            Output::Disconnect => {
                if let Some(session) = self.nodes[index].connection.take() {
                    self.close_by_device(session);
                }
            }
            Output::Transmit(frame) => self.send_up(index, frame),
            Output::Road(road, order) => self.order_road(index, road, order),
            Output::Event(told) => self.told(index, told.event),
            Output::Finished(id, answer) => self.finished(index, id, answer),
        }
    }

    fn told(&mut self, index: usize, event: Told) {
        self.note(|| format!("{index}: {event:?}"));
        match event {
            Told::Warning { code, .. } => self.nodes[index].warnings.push(code),
            Told::LoggedOut { .. } => {
                let node = &mut self.nodes[index];
                node.ended += 1;
                node.told.clear();
            }
            Told::Message(row) => {
                let times = self.nodes[index].told.entry(row.id).or_default();
                *times += 1;
                if *times > 1 {
                    self.violate(format!("device {index} tells twice of {:?}", row.text));
                }
                if row.via == Via::Direct && !row.own {
                    // Its device may be logged out later, and nobody else may ever have had it.
                    self.oracle.shown.insert(IdempotencyKey::from_bytes(*row.id.as_bytes()));
                }
                self.check_shown(index, &row);
            }
            _ => {}
        }
    }

    pub(super) fn plan_wake(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.wakes += 1;
        if let Some(due) = node.engine.as_ref().and_then(Engine::next_timeout) {
            self.clock.at(due.0 - node.skew, Event::Wake(index, node.wakes));
        }
    }

    // ---- Its end of a connection ---------------------------------------------------------------------------------

    fn dial(&mut self, index: usize) {
        let session = self.network.dial(index);
        self.nodes[index].connection = Some(session);
        let (time, fine) = self.network.attempt();
        self.clock.after(time, Event::Dialled(session, fine));
    }

    pub(super) fn dialled(&mut self, session: SessionId, fine: bool) {
        let Some(connection) = self.network.find(session) else { return };
        let (index, gone) = (connection.node, connection.device_closed);
        let exporter = if fine && !gone { self.accept(session) } else { None };
        match exporter {
            Some(exporter) => self.input(index, |engine, now| engine.link_up(exporter, now)),
            None => {
                self.network.forget(session);
                if self.nodes[index].connection == Some(session) {
                    self.nodes[index].connection = None;
                    self.input(index, |engine, now| engine.link_down("nobody answers there", now));
                }
            }
        }
    }

    fn send_up(&mut self, index: usize, frame: Bytes) {
        self.check_sent(index, &frame);
        let Some(session) = self.nodes[index].connection else { return };
        self.note(|| format!("{index}: sends {} bytes", frame.len()));
        match self.network.send(session, Way::Up, self.clock.now(), false) {
            Fate::Arrives(at) => self.clock.at(at, Event::ToServer(session, frame)),
            Fate::Lost(notice) => self.break_at(session, notice),
            Fate::Vanishes => {}
        }
    }

    pub(super) fn arrived_at_device(&mut self, session: SessionId, frame: Bytes) {
        let Some(connection) = self.network.find(session) else { return };
        let index = connection.node;
        if connection.device_closed || self.nodes[index].connection != Some(session) {
            return;
        }
        self.note(|| format!("{index}: gets {} bytes", frame.len()));
        self.input(index, |engine, now| engine.frame(frame, now));
    }

    /// The device ended a connection: what it sent before still arrives.
    fn close_by_device(&mut self, session: SessionId) {
        let when = self.network.drained(session, Way::Up, self.clock.now());
        if let Some(connection) = self.network.find(session) {
            connection.device_closed = true;
            self.clock.at(when, Event::ServerSeesEnd(session));
        }
        self.forget_if_closed(session);
    }

    pub(super) fn close_by_server(&mut self, session: SessionId) {
        self.server.gate.gone(session);
        let when = self.network.drained(session, Way::Down, self.clock.now());
        if let Some(connection) = self.network.find(session) {
            connection.server_closed = true;
            self.clock.at(when + 1, Event::DeviceSeesEnd(session, "the server ended the connection"));
        }
    }

    pub(super) fn device_sees_end(&mut self, session: SessionId, reason: &'static str) {
        let Some(connection) = self.network.find(session) else { return };
        let index = connection.node;
        connection.device_closed = true;
        if self.nodes[index].connection == Some(session) {
            self.nodes[index].connection = None;
            self.note(|| format!("{index}: {reason}"));
            self.input(index, |engine, now| engine.link_down(reason, now));
        }
        self.forget_if_closed(session);
    }

    /// Both ends will notice at about this time that nothing comes through.
    pub(super) fn break_at(&mut self, session: SessionId, notice: i64) {
        self.note(|| format!("a frame of {} is lost", session.0));
        let other = notice + self.rng.between(-1_000, 1_000);
        self.clock.at(notice, Event::DeviceSeesEnd(session, "the connection timed out"));
        self.clock.at(other, Event::ServerSeesEnd(session));
    }

    pub(super) fn forget_if_closed(&mut self, session: SessionId) {
        if self.network.find(session).is_some_and(|connection| connection.device_closed && connection.server_closed) {
            self.network.forget(session);
        }
    }
}

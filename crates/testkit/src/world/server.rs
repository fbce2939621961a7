//! The one server: the real delivery core behind a queue, on a database that survives its crashes.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use subrosa_server::core::{Core, CoreConfig, Emission, Job, Peer, Request, SessionId};
use subrosa_types::{DeviceId, Timestamp};
use subrosa_wire::proto::client_frame;

use super::clock::Clock;
use super::network::{Fate, Way};
use super::{Event, World};
use crate::database::Database;
use crate::gate::{Gate, Refused};
use crate::rng::SharedRng;

/// Pages of a database that is as good as unlimited.
const NO_LIMIT: i64 = 1 << 30;

/// The moment of a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The batch is executed and not on disk.
    BeforeCommit,
    /// The batch is on disk and nobody has an answer.
    AfterCommit,
}

/// The server.
pub struct Server {
    pub(super) database: Database,
    pub(super) core: Option<Core>,
    pub(super) gate: Gate,
    queue: VecDeque<Job>,
    turn_planned: bool,
    pub(super) rng: SharedRng,
    pub(super) config: CoreConfig,
    pub(super) skew: i64,
    /// It jumped.
    pub(super) jumped: bool,
    pub(super) crash: Option<Crash>,
    pub(super) full: bool,
    /// The link to it.
    pub link: String,
    /// Batches that were written.
    pub batches: u64,
}

impl Server {
    pub(super) fn new(config: CoreConfig, rng: SharedRng) -> rusqlite::Result<Self> {
        Ok(Self {
            database: Database::new()?,
            core: None,
            gate: Gate::default(),
            queue: VecDeque::new(),
            turn_planned: false,
            rng,
            config,
            skew: 0,
            jumped: false,
            crash: None,
            full: false,
            link: String::new(),
            batches: 0,
        })
    }

    /// The clock on the server's wall.
    pub(super) const fn time(&self, clock: &Clock<Event>) -> Timestamp {
        Timestamp(clock.now() + self.skew)
    }

    /// No more room than there is now, or as much as it likes.
    pub(super) fn set_full(&mut self, full: bool) -> rusqlite::Result<()> {
        self.full = full;
        let Some(core) = &self.core else { return Ok(()) };
        limit_pages(core.danger_store(), full)
    }
}

/// Lets a database have no more pages than it has, or as many as it likes.
pub(super) fn limit_pages(store: &rusqlite::Connection, full: bool) -> rusqlite::Result<()> {
    let pages: i64 = store.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let pages = if full { pages.max(1) } else { NO_LIMIT };
    store.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
}

impl World {
    /// The server's process starts on what its disk holds.
    pub(super) fn start_server(&mut self) {
        if self.server.core.is_some() {
            return;
        }
        let now = self.server.time(&self.clock);
        let opened = self.server.database.open().map_err(|error| error.to_string()).and_then(|connection| {
            Core::danger_open_volatile(connection, self.server.config.clone(), now, &mut self.server.rng)
                .map_err(|error| error.to_string())
        });
        match opened {
            Ok(core) => {
                let fingerprint = core.server_key().fingerprint();
                let link = subrosa_wire::ServerLink { host: "127.0.0.1".into(), port: 5535, fingerprint };
                self.server.link = link.to_string();
                self.server.core = Some(core);
                self.note(|| "server: starts".into());
            }
            Err(error) => self.violate(format!("the server does not start again: {error}")),
        }
    }

    /// The server's process is killed. What it sent is still on its way; its connections die.
    pub(super) fn crash_server(&mut self) {
        if self.server.core.take().is_none() {
            return;
        }
        self.note(|| "server: crashes".into());
        self.server.crash = None;
        self.server.queue.clear();
        self.server.gate = Gate::default();
        for id in self.network.ids() {
            let notice = self.clock.now() + self.rng.between(5, 4_000);
            if let Some(connection) = self.network.find(id) {
                connection.server_closed = true;
                self.clock.at(notice, Event::DeviceSeesEnd(id, "the connection was reset"));
            }
        }
        let back = self.rng.between(50, 6_000);
        self.clock.after(back, Event::ServerStarts);
    }

    /// A frame of a device arrived at the server.
    pub(super) fn arrived_at_server(&mut self, session: SessionId, frame: &Bytes) {
        let open = self.network.find(session).is_some_and(|connection| connection.open && !connection.server_closed);
        if !open || self.server.core.is_none() {
            return;
        }
        self.note(|| format!("server: {} bytes from {}", frame.len(), session.0));
        if self.replays() {
            self.note(|| "and again".into());
            self.clock.after(40, Event::ToServer(session, frame.clone()));
        }
        match self.server.gate.frame(session, frame) {
            Ok(Some(job)) => self.enqueue(job),
            Ok(None) => {}
            Err(Refused) => self.violate(format!("an honest device sent what the gate refuses, on {}", session.0)),
        }
    }

    pub(super) fn enqueue(&mut self, job: Job) {
        self.oracle.saw_request(&job);
        self.server.queue.push_back(job);
        if !self.server.turn_planned {
            self.server.turn_planned = true;
            let soon = self.rng.between(0, 8);
            self.clock.after(soon, Event::ServerTurn);
        }
    }

    /// The server takes a batch from its queue.
    pub(super) fn server_turn(&mut self) {
        self.server.turn_planned = false;
        let whole = self.server.queue.len() as u64;
        let now = self.server.time(&self.clock);
        if whole == 0 || self.server.core.is_none() {
            return;
        }
        let size = if self.rng.chance(70) { whole } else { 1 + self.rng.below(whole) };
        let batch: Vec<Job> = self.server.queue.drain(..usize::try_from(size).unwrap_or(1)).collect();
        let reads: Vec<(SessionId, u64)> = batch.iter().filter_map(read_request).collect();
        if !self.server.queue.is_empty() {
            self.server.turn_planned = true;
            self.clock.after(1, Event::ServerTurn);
        }
        let Server { core, rng, crash, .. } = &mut self.server;
        let Some(core) = core.as_mut() else { return };
        let staged = core.execute(batch, now, rng);
        let released = match *crash {
            Some(Crash::BeforeCommit) => {
                drop(staged);
                Ok(None)
            }
            Some(Crash::AfterCommit) => staged.commit().map(|_lost| None),
            None => staged.commit().map(Some),
        };
        self.server.batches += 1;
        match released {
            Ok(Some(released)) => {
                for emission in released.emissions {
                    self.emit(emission, &reads);
                }
            }
            Ok(None) => self.crash_server(),
            Err(error) => self.violate(format!("the server's store failed: {error}")),
        }
        self.watch_server();
    }

    fn emit(&mut self, emission: Emission, reads: &[(SessionId, u64)]) {
        if let Emission::Answer { session, frame, id, .. } = &emission
            && self.is_for_intruder(*session, *id, frame)
        {
            return;
        }
        self.server.gate.emitted(&emission);
        match emission {
            Emission::Answer { session, frame, id, .. } => {
                // The reader thread answers page reads: they may come later than what was done after them.
                let besides = reads.contains(&(session, id)) && self.rng.chance(30);
                self.send_down(session, frame, besides);
            }
            Emission::Push { sessions, frame } => {
                for session in sessions {
                    let now = self.clock.now();
                    let Some(connection) = self.network.find(session) else { continue };
                    if connection.slow_until > now {
                        connection.missed = true;
                        self.note(|| format!("server: a push to {} is left out", session.0));
                    } else if connection.missed {
                        // The queue has room again: from here on the device reads from the log.
                    } else {
                        self.send_down(session, frame.clone(), false);
                    }
                }
            }
            Emission::LoggedIn { session, device } => {
                self.note(|| format!("server: {} is logged in", session.0));
                let id =
                    self.server
                        .database
                        .look()
                        .query_row("SELECT id FROM device WHERE no = ?1", [device.0], |row| row.get::<_, Vec<u8>>(0));
                if let Some(connection) = self.network.find(session) {
                    connection.device = id.ok().and_then(|id| DeviceId::from_slice(&id).ok());
                }
            }
            Emission::End { session, frame } => {
                self.send_down(session, frame, false);
                self.close_by_server(session);
            }
        }
    }

    /// A frame of the server goes to a device, through whatever the liar makes of it.
    fn send_down(&mut self, session: SessionId, frame: Bytes, besides: bool) {
        let Some((node, device)) = self.network.find(session).map(|connection| (connection.node, connection.device))
        else {
            return;
        };
        if let Some(device) = device
            && let Err(why) = self.oracle.saw_frame(session, device, &frame)
        {
            self.violate(why);
        }
        for (frame, extra) in self.alter(session, node, frame) {
            match self.network.send(session, Way::Down, self.clock.now(), besides) {
                Fate::Arrives(at) => self.clock.at(at + extra, Event::ToDevice(session, frame)),
                Fate::Lost(notice) => self.break_at(session, notice),
                Fate::Vanishes => {}
            }
        }
    }

    /// The connection of a slow device is drained again.
    pub(super) fn resync(&mut self, session: SessionId) {
        let missed = self.network.find(session).is_some_and(|connection| {
            connection.slow_until = 0;
            !connection.server_closed && std::mem::take(&mut connection.missed)
        });
        if missed && self.server.core.is_some() {
            self.enqueue(Job { session, request: Request::Resync });
        }
    }

    /// A device's connection reached the server.
    pub(super) fn accept(&mut self, session: SessionId) -> Option<[u8; 32]> {
        let core = self.server.core.as_mut()?;
        let connection = self.network.find(session)?;
        connection.open = true;
        let exporter = connection.exporter;
        core.connect(session, Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), tls_exporter: exporter });
        Some(exporter)
    }

    /// The server noticed that a connection is gone.
    pub(super) fn forget_session(&mut self, session: SessionId) {
        if let Some(core) = &mut self.server.core {
            core.disconnect(session);
        }
        self.server.gate.gone(session);
        if let Some(connection) = self.network.find(session) {
            connection.server_closed = true;
        }
        self.forget_if_closed(session);
    }
}

fn read_request(job: &Job) -> Option<(SessionId, u64)> {
    match &job.request {
        Request::Frame(frame) if matches!(frame.request, Some(client_frame::Request::FetchLog(_))) => {
            Some((job.session, frame.id))
        }
        _ => None,
    }
}

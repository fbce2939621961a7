//! Connections between devices and the server, each direction with delays and losses of its own.
//!
//! What TCP and TLS promise holds here, too: a direction delivers in order, once, or the connection ends. A lost frame stops
//! its direction, and both ends notice after a while. (What a lying server does to frames happens before they come here.)

use std::collections::BTreeMap;

use subrosa_server::core::SessionId;
use subrosa_types::DeviceId;

use crate::rng::SharedRng;

/// How good a network is.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// Shortest and longest delay of a frame in milliseconds.
    pub delay: (i64, i64),
    /// Of a thousand frames, how many are late by seconds.
    pub late: u64,
    /// Of a thousand frames, how many are lost, and the connection with them.
    pub loss: u64,
    /// Of a hundred attempts to connect, how many fail.
    pub refused: u64,
}

impl Quality {
    /// A network on which nothing goes wrong.
    pub const PERFECT: Self = Self { delay: (1, 20), late: 0, loss: 0, refused: 0 };
}

/// Which way a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// To the device.
    Down,
}

#[derive(Debug, Default)]
struct Direction {
    /// When the last frame arrives: the next one comes later.
    last: i64,
    /// A frame was lost: nothing comes any more.
    stopped: bool,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// Whose device.
    pub node: usize,
    /// What TLS exports for it.
    pub exporter: [u8; 32],
    /// The device that is logged in.
    pub device: Option<DeviceId>,
    /// Both ends know of it.
    pub open: bool,
    /// The device's end is closed.
    pub device_closed: bool,
    /// The server's end is closed.
    pub server_closed: bool,
    /// Pushes are left out until this time, because the device does not keep up.
    pub slow_until: i64,
    /// Pushes were left out since the last resync.
    pub missed: bool,
    up: Direction,
    down: Direction,
}

/// What becomes of a frame that was sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives at this time.
    Arrives(i64),
    /// It is lost; both ends notice at about this time that the connection is dead.
    Lost(i64),
    /// Nothing comes through any more.
    Vanishes,
}

/// All connections.
#[derive(Debug)]
pub struct Network {
    connections: BTreeMap<SessionId, Connection>,
    last: u64,
    quality: Quality,
    rng: SharedRng,
}

impl Network {
    /// A network without connections.
    pub const fn new(quality: Quality, rng: SharedRng) -> Self {
        Self { connections: BTreeMap::new(), last: 0, quality, rng }
    }

    /// From now on it is as good as this.
    pub const fn become_as_good_as(&mut self, quality: Quality) {
        self.quality = quality;
    }

    /// A device dials. The name of the connection that may come of it.
    pub fn dial(&mut self, node: usize) -> SessionId {
        self.last += 1;
        let id = SessionId(self.last);
        let connection = Connection {
            node,
            exporter: self.rng.bytes(),
            device: None,
            open: false,
            device_closed: false,
            server_closed: false,
            slow_until: 0,
            missed: false,
            up: Direction::default(),
            down: Direction::default(),
        };
        self.connections.insert(id, connection);
        id
    }

    /// How long it takes to find out whether a connection comes about, and whether it does.
    pub fn attempt(&mut self) -> (i64, bool) {
        let fine = !self.rng.chance(self.quality.refused);
        (2 * self.delay(), fine)
    }

    /// A delay of one frame.
    pub fn delay(&mut self) -> i64 {
        let (low, high) = self.quality.delay;
        let late = if self.rng.rarely(self.quality.late) { self.rng.between(500, 6_000) } else { 0 };
        self.rng.between(low, high) + late
    }

    /// The connection, unless both ends forgot it.
    pub fn find(&mut self, id: SessionId) -> Option<&mut Connection> {
        self.connections.get_mut(&id)
    }

    /// Every connection.
    pub fn ids(&self) -> Vec<SessionId> {
        self.connections.keys().copied().collect()
    }

    /// Forgets a connection.
    pub fn forget(&mut self, id: SessionId) {
        self.connections.remove(&id);
    }

    /// Sends a frame: when does it arrive? `besides`: not in the order of the others (answers that another thread gives).
    pub fn send(&mut self, id: SessionId, way: Way, now: i64, besides: bool) -> Fate {
        let arrival = now + self.delay();
        let lost = self.rng.rarely(self.quality.loss);
        let notice = now + self.rng.between(2_000, 40_000);
        let Some(connection) = self.connections.get_mut(&id) else { return Fate::Vanishes };
        let direction = match way {
            Way::Up => &mut connection.up,
            Way::Down => &mut connection.down,
        };
        if direction.stopped {
            return Fate::Vanishes;
        }
        if lost {
            direction.stopped = true;
            return Fate::Lost(notice);
        }
        if besides {
            return Fate::Arrives(arrival + 200);
        }
        direction.last = direction.last.max(arrival);
        Fate::Arrives(direction.last)
    }

    /// When the last frame of a direction that is not lost has arrived.
    pub fn drained(&mut self, id: SessionId, way: Way, now: i64) -> i64 {
        let after = now + self.delay();
        self.connections.get(&id).map_or(after, |connection| {
            let last = match way {
                Way::Up => connection.up.last,
                Way::Down => connection.down.last,
            };
            after.max(last)
        })
    }
}

//! What goes wrong: cables, crashes, full disks, clocks, readers that are too slow, and intruders.

use super::network::Quality;
use super::server::Crash;
use super::{Event, World};

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A device loses its connection.
    Cut,
    /// A device's plug is pulled at one of its next commits, before or after it.
    Unplug,
    /// A device's program is killed between two steps.
    Kill,
    /// The server is killed between two batches.
    ServerCrash,
    /// The server is killed in a batch, before or after its commit.
    ServerCrashInBatch,
    /// The server's disk is full for a while.
    ServerFull,
    /// A device's disk is full for a while.
    DeviceFull,
    /// Somebody's clock jumps.
    ClockJump,
    /// The network is bad for a while.
    BadNetwork,
    /// A device does not keep up with what it is sent.
    SlowReader,
    /// A direct link breaks.
    LinkBreaks,
    /// One end of a direct link is a changed program.
    LinkMeddler,
    /// A device's program was changed, and meddles with conversations that are not its own.
    Intruder,
}

impl Trouble {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Cut,
        Self::Unplug,
        Self::Kill,
        Self::ServerCrash,
        Self::ServerCrashInBatch,
        Self::ServerFull,
        Self::DeviceFull,
        Self::ClockJump,
        Self::BadNetwork,
        Self::SlowReader,
        Self::Intruder,
        Self::LinkBreaks,
        Self::LinkMeddler,
    ];
}

/// The end of a trouble.
#[derive(Debug, Clone, Copy)]
pub enum Relief {
    /// There is room on the server's disk again.
    ServerHasRoom,
    /// There is room on this device's disk again.
    DeviceHasRoom(usize),
    /// The network is as it was.
    Network,
}

impl World {
    /// Something goes wrong.
    pub(super) fn trouble(&mut self) {
        let Some(kind) = self.rng.choose(&self.plan.troubles).copied() else { return };
        let node = usize::try_from(self.rng.below(self.nodes.len() as u64)).unwrap_or(0);
        let lasts = self.rng.between(500, 15_000);
        self.note(|| format!("trouble: {kind:?} {node}"));
        match kind {
            Trouble::Cut => {
                if let Some(session) = self.nodes[node].connection {
                    let later = self.rng.between(0, 20_000);
                    self.device_sees_end(session, "the cable was cut");
                    self.clock.after(later, Event::ServerSeesEnd(session));
                }
            }
            Trouble::Unplug => {
                let (commits, before) = (1 + self.rng.below(4), self.rng.chance(50));
                self.nodes[node].database.power().fail_at(commits, before);
            }
            Trouble::Kill => self.kill_node(node),
            Trouble::ServerCrash => self.crash_server(),
            Trouble::ServerCrashInBatch => {
                let when = if self.rng.chance(50) { Crash::BeforeCommit } else { Crash::AfterCommit };
                self.server.crash = Some(when);
            }
            Trouble::ServerFull => {
                if self.server.set_full(true).is_err() {
                    self.violate("the server's disk cannot be filled".into());
                }
                self.clock.after(lasts, Event::Relief(Relief::ServerHasRoom));
            }
            Trouble::DeviceFull => {
                if self.nodes[node].set_full(true).is_err() {
                    self.violate("a device's disk cannot be filled".into());
                }
                self.clock.after(lasts, Event::Relief(Relief::DeviceHasRoom(node)));
            }
            Trouble::ClockJump => self.clock_jump(node),
            Trouble::Intruder => self.intrude(node),
            Trouble::LinkBreaks => self.break_some_link(),
            Trouble::LinkMeddler => self.meddle_with_some_link(),
            Trouble::BadNetwork => {
                self.network.become_as_good_as(Quality { delay: (20, 4_000), late: 100, loss: 40, refused: 50 });
                self.clock.after(lasts, Event::Relief(Relief::Network));
            }
            Trouble::SlowReader => {
                if let Some(session) = self.nodes[node].connection
                    && let Some(connection) = self.network.find(session)
                {
                    connection.slow_until = self.clock.now() + lasts;
                    self.clock.after(lasts, Event::Resync(session));
                }
            }
        }
    }

    fn clock_jump(&mut self, node: usize) {
        let most = [2_000, 60_000, 3_600_000, 40 * 86_400_000_i64];
        let jump = self.rng.choose(&most).copied().unwrap_or(0);
        let jump = self.rng.between(-jump, jump);
        if self.rng.chance(25) {
            self.server.skew += jump;
            self.server.jumped = true;
            self.note(|| format!("the server's clock jumps by {jump}"));
        } else {
            self.nodes[node].skew += jump;
            self.note(|| format!("the clock of {node} jumps by {jump}"));
            self.plan_wake(node);
            if jump < 0 {
                // Who drives an engine looks at the clock every half a minute.
                let looks = self.rng.between(1, 30_000);
                self.nodes[node].also_wakes(&mut self.clock, node, looks);
            }
        }
    }

    pub(super) fn relieve(&mut self, relief: Relief) {
        let relieved = match relief {
            Relief::ServerHasRoom => self.server.set_full(false),
            Relief::DeviceHasRoom(node) => self.nodes[node].set_full(false),
            Relief::Network => {
                let quality = if self.healing { Quality::PERFECT } else { self.plan.quality };
                self.network.become_as_good_as(quality);
                Ok(())
            }
        };
        if relieved.is_err() {
            self.violate("a disk cannot be given room".into());
        }
    }

    /// All trouble ends, and everybody connects anew.
    pub(super) fn heal(&mut self) {
        self.note(|| "---- healing ----".into());
        self.healing = true;
        self.liar.stop();
        self.network.become_as_good_as(Quality::PERFECT);
        self.server.crash = None;
        self.server.config.faults = self.honest_faults;
        self.relieve(Relief::ServerHasRoom);
        for node in 0..self.nodes.len() {
            self.nodes[node].database.power().hold();
            self.relieve(Relief::DeviceHasRoom(node));
        }
        // A process that was configured to lie is replaced by one that does not.
        self.crash_server();
        for node in 0..self.nodes.len() {
            self.want_no_more_than_needed(node);
        }
        for session in self.network.ids() {
            self.device_sees_end(session, "the network is repaired");
            self.forget_session(session);
        }
    }
}

//! Direct links between devices: endpoints that are found by their key, with delays and losses of their own.
//!
//! A link delivers in order and once, or it ends, and each side notices after a while. Devices that may not know each
//! other's addresses must never meet here: a link between accounts of which one has not accepted the other is a violation.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use subrosa_crypto::SigningKey;
use subrosa_engine::api::Command;
use subrosa_engine::{DirectPolicy, RoadId, RoadOrder};
use subrosa_wire::proto::{QuicWay, RoadFrame, RoadMessage, road_frame};

use super::workload::Purpose;
use super::{Event, World};
use super::{forge, oracle};
use crate::rng::SharedRng;

/// One end of a link: whose, in which life of its program, and what that calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub(super) node: usize,
    pub(super) life: u32,
    pub(super) road: RoadId,
}

/// An endpoint that waits to be dialled.
#[derive(Debug)]
struct Waiting {
    end: End,
    admits: [u8; 32],
}

#[derive(Debug)]
struct Link {
    ends: [End; 2],
    /// When the last frame to each end arrives.
    last: [i64; 2],
    /// Nothing comes through any more.
    dead: bool,
    /// What was sent to each end.
    said: [Vec<Bytes>; 2],
}

/// All endpoints and links.
#[derive(Debug)]
pub struct Roads {
    /// Whether anybody makes links in this world.
    pub(super) used: bool,
    /// Messages that came over links.
    pub(super) carried: u32,
    waiting: BTreeMap<[u8; 32], Waiting>,
    links: BTreeMap<u64, Link>,
    of: BTreeMap<End, u64>,
    last: u64,
    rng: SharedRng,
}

impl Roads {
    pub(super) fn new(mut rng: SharedRng) -> Self {
        let used = rng.chance(75);
        let (waiting, links, of) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { used, carried: 0, waiting, links, of, last: 0, rng }
    }
}

fn public(seed: &[u8; 32]) -> [u8; 32] {
    *SigningKey::from_seed(seed).public().as_bytes()
}

impl World {
    /// Whoever uses this device follows it, and may think about direct links as they like.
    pub(super) fn follow(&mut self, index: usize) {
        if self.roads.used {
            self.command(index, Command::Follow, Purpose::Other);
            if self.healing {
                self.want_no_more_than_needed(index);
            } else if self.roads.rng.chance(30) {
                let all = [DirectPolicy::Never, DirectPolicy::Contacts, DirectPolicy::Always];
                let policy = self.roads.rng.choose(&all).copied().unwrap_or_default();
                self.command(index, Command::Direct { policy: Some(policy) }, Purpose::Other);
            }
        }
    }

    /// Who wants links always never comes to rest.
    pub(super) fn want_no_more_than_needed(&mut self, index: usize) {
        if self.roads.used {
            self.command(index, Command::Direct { policy: Some(DirectPolicy::Contacts) }, Purpose::Other);
        }
    }

    pub(super) fn order_road(&mut self, index: usize, road: RoadId, order: RoadOrder) {
        let end = End { node: index, life: self.nodes[index].lives, road };
        match order {
            RoadOrder::Listen { seed, peer, .. } => {
                self.note(|| format!("{index}: listens for link {}", road.0));
                self.roads.waiting.insert(public(&seed), Waiting { end, admits: peer });
                let later = self.roads.rng.between(1, 400);
                self.clock.after(later, Event::RoadReady(end));
            }
            RoadOrder::Dial { seed, peer, .. } => self.dial_road(end, public(&seed), peer),
            RoadOrder::Send(frame) => self.send_on_road(end, frame),
            RoadOrder::Close => {
                self.note(|| format!("{index}: ends link {}", road.0));
                self.roads.waiting.retain(|_, waiting| waiting.end != end);
                self.end_link(end);
            }
        }
    }

    fn dial_road(&mut self, end: End, own: [u8; 32], peer: [u8; 32]) {
        let later = self.roads.rng.between(5, 800);
        let fine = self.healing || !self.roads.rng.chance(15);
        let found = self.roads.waiting.get(&peer).filter(|waiting| fine && waiting.admits == own);
        let Some(other) = found.map(|waiting| waiting.end) else {
            self.note(|| format!("{}: finds nobody at the end of link {}", end.node, end.road.0));
            self.clock.after(later, Event::RoadDown(end, "nobody answers"));
            return;
        };
        self.roads.waiting.remove(&peer);
        self.check_acquaintance(end.node, other.node);
        self.roads.last += 1;
        let number = self.roads.last;
        self.note(|| format!("link {number} between {} and {}", end.node, other.node));
        self.roads
            .links
            .insert(number, Link { ends: [end, other], last: [0; 2], dead: false, said: Default::default() });
        for end in [end, other] {
            self.roads.of.insert(end, number);
            let later = self.roads.rng.between(5, 800);
            if let Some(link) = self.roads.links.get_mut(&number) {
                let side = usize::from(link.ends[1] == end);
                link.last[side] = self.clock.now() + later;
            }
            self.clock.after(later, Event::RoadUp(end));
        }
    }

    fn send_on_road(&mut self, end: End, frame: Bytes) {
        let Some(number) = self.roads.of.get(&end).copied() else { return };
        let lost = !self.healing && self.roads.rng.rarely(12);
        // Between two machines it is never far.
        let delay =
            if self.roads.rng.chance(5) { self.roads.rng.between(100, 4_000) } else { self.roads.rng.between(1, 60) };
        let now = self.clock.now();
        let Some(link) = self.roads.links.get_mut(&number).filter(|link| !link.dead) else { return };
        if lost {
            self.break_link(number);
            return;
        }
        let to = usize::from(link.ends[0] == end);
        let at = (now + delay).max(link.last[to]);
        link.last[to] = at;
        let other = link.ends[to];
        link.said[to].push(frame.clone());
        self.clock.at(at, Event::RoadFrame(number, other, frame));
    }

    /// One end of a link is a changed program: it says again what it said, or what is no message, or it hands on from the
    /// server's logs what only the server may order. The other end must take nothing of it.
    pub(super) fn meddle_with_some_link(&mut self) {
        let links: Vec<u64> = self.roads.links.iter().filter(|(_, link)| !link.dead).map(|(id, _)| *id).collect();
        let Some(number) = self.roads.rng.choose(&links).copied() else { return };
        let to = usize::try_from(self.roads.rng.below(2)).unwrap_or(0);
        let Some(link) = self.roads.links.get(&number) else { return };
        let (victim, said) = (link.ends[to], link.said[to].clone());
        let entries = oracle::handshakes(self.server.database.look()).unwrap_or_default();
        let forged = self.commit_for(victim.node);
        let wrap = |message: Vec<u8>, number, series| {
            let said = RoadMessage { number, message, after: 0, series };
            Bytes::from(RoadFrame { body: Some(road_frame::Body::Message(said)) }.encode_to_vec())
        };
        let frame = match self.roads.rng.below(4) {
            0 => self.roads.rng.choose(&said).cloned(),
            1 => Some(Bytes::copy_from_slice(&self.roads.rng.bytes::<40>())),
            2 => self.roads.rng.choose(&entries).map(|entry| wrap(entry.clone(), 1 << 40, 1 << 40)),
            _ => forged.map(|commit| wrap(commit, 1 << 40, 1 << 40)),
        };
        let (Some(frame), true) = (frame, self.lives(victim) && self.roads.of.contains_key(&victim)) else { return };
        self.note(|| {
            format!("{}: is told {} bytes over link {} by a changed program", victim.node, frame.len(), victim.road.0)
        });
        let ids = oracle::conversations(self.server.database.look()).unwrap_or_default();
        let epochs = |world: &mut Self| -> Vec<Option<_>> {
            let engine = world.nodes[victim.node].engine.as_mut();
            engine.map(|engine| ids.iter().map(|id| engine.epoch_authenticator(*id)).collect()).unwrap_or_default()
        };
        let before = epochs(self);
        self.input(victim.node, |engine, now| engine.road_frame(victim.road, &frame, now));
        let after = epochs(self);
        if !after.is_empty() && before != after {
            self.violate(format!("device {} took a change of a group from a direct link", victim.node));
        }
    }

    /// A commit for the present epoch of a private chat of this device, that the server never saw.
    fn commit_for(&mut self, node: usize) -> Option<Vec<u8>> {
        let chats: Vec<_> = self.rows(node).into_iter().filter(|row| row.private && row.state == 4).collect();
        let chat = self.roads.rng.choose(&chats)?.id;
        let mut rng = self.roads.rng.clone();
        forge::ghost_commit(self.server.database.look(), chat, None, &self.oracle.roles, &mut rng)
    }

    /// Nothing comes through any more; each side notices by itself.
    pub(super) fn break_link(&mut self, number: u64) {
        let Some(link) = self.roads.links.get_mut(&number).filter(|link| !link.dead) else { return };
        link.dead = true;
        let ends = link.ends;
        self.note(|| format!("link {number} breaks"));
        for end in ends {
            let later = self.roads.rng.between(200, 6_000);
            self.clock.after(later, Event::RoadDown(end, "the link broke"));
        }
    }

    /// Some link breaks.
    pub(super) fn break_some_link(&mut self) {
        let links: Vec<u64> = self.roads.links.keys().copied().collect();
        if let Some(number) = self.roads.rng.choose(&links).copied() {
            self.break_link(number);
        }
    }

    /// One side ended its link, or its program is gone: the other one hears of it.
    fn end_link(&mut self, end: End) {
        let Some(number) = self.roads.of.remove(&end) else { return };
        let Some(link) = self.roads.links.remove(&number) else { return };
        let other = if link.ends[0] == end { link.ends[1] } else { link.ends[0] };
        if self.roads.of.remove(&other).is_some() && !link.dead {
            let later = self.roads.rng.between(5, 5_000);
            self.clock.after(later, Event::RoadDown(other, "the other side ended the link"));
        }
    }

    /// Somebody to whom a link is there: people who talk go on talking.
    pub(super) fn somebody_linked(&mut self, index: usize) -> Option<usize> {
        let ends = |link: &Link| match link.ends.map(|end| end.node) {
            [one, other] if one == index => Some(other),
            [one, other] if other == index => Some(one),
            _ => None,
        };
        let others = self.roads.links.values().filter(|link| !link.dead).filter_map(ends);
        let others = others.map(|other| self.nodes[other].account).filter(|other| *other != self.nodes[index].account);
        let others: Vec<usize> = others.collect();
        if self.roads.rng.chance(70) { self.roads.rng.choose(&others).copied() } else { None }
    }

    /// A device's program is gone, with all its endpoints.
    pub(super) fn end_roads_of(&mut self, index: usize) {
        self.roads.waiting.retain(|_, waiting| waiting.end.node != index);
        let ends: Vec<End> = self.roads.of.keys().filter(|end| end.node == index).copied().collect();
        for end in ends {
            self.end_link(end);
        }
    }

    fn lives(&self, end: End) -> bool {
        self.nodes[end.node].lives == end.life && self.nodes[end.node].engine.is_some()
    }

    pub(super) fn road_ready(&mut self, end: End) {
        if self.lives(end) && self.roads.waiting.values().any(|waiting| waiting.end == end) {
            let way = QuicWay { relay: None, addresses: vec![format!("10.0.0.{}:1", end.node)] };
            self.input(end.node, |engine, now| engine.road_ready(end.road, way, now));
        }
    }

    pub(super) fn road_up(&mut self, end: End) {
        if self.lives(end) && self.roads.of.contains_key(&end) {
            self.note(|| format!("{}: link {} is up", end.node, end.road.0));
            self.input(end.node, |engine, now| engine.road_up(end.road, now));
        }
    }

    pub(super) fn road_frame(&mut self, number: u64, end: End, frame: &Bytes) {
        if self.lives(end) && self.roads.links.get(&number).is_some_and(|link| !link.dead) {
            self.note(|| format!("{}: gets {} bytes over link {}", end.node, frame.len(), end.road.0));
            self.roads.carried += 1;
            self.input(end.node, |engine, now| engine.road_frame(end.road, frame, now));
        }
    }

    pub(super) fn road_down(&mut self, end: End, reason: &str) {
        if self.lives(end) {
            if let Some(number) = self.roads.of.remove(&end)
                && self
                    .roads
                    .links
                    .get(&number)
                    .is_some_and(|link| link.ends.iter().all(|end| !self.roads.of.contains_key(end)))
            {
                self.roads.links.remove(&number);
            }
            self.note(|| format!("{}: link {} is down: {reason}", end.node, end.road.0));
            self.input(end.node, |engine, now| engine.road_down(end.road, reason, now));
        }
    }

    /// Both accepted the other's chat: a chat that was since left is no reproach.
    fn check_acquaintance(&mut self, one: usize, other: usize) {
        let (a, b) = (self.nodes[one].account, self.nodes[other].account);
        let Ok(accounts) = self.accounts() else { return };
        let id = |of: usize| accounts.iter().find(|(_, account)| **account == of).map(|(id, _)| id.to_vec());
        for (node, peer) in [(one, b), (other, a)] {
            if a == b {
                continue;
            }
            let states: rusqlite::Result<Vec<u8>> = (|| {
                let look = self.nodes[node].database.look();
                let mut statement =
                    look.prepare_cached("SELECT state FROM conversations WHERE kind = 1 AND peer = ?1")?;
                let rows = statement.query_map([id(peer)], |row| row.get(0))?;
                rows.collect()
            })();
            if !states.is_ok_and(|states| states.iter().any(|state| matches!(state, 4 | 6))) {
                self.violate(format!("device {node} shows its address to an account that it did not accept"));
            }
        }
    }
}

//! A server that lies. It is the honest one with somebody in front of it who changes what one device (the victim) is told;
//! only [`Lie::Unreliable`] is told to everybody, and for [`Lie::IllegalCommit`] the orderer itself looks away.
//!
//! A lie is believed if a device acts on it. What must come of it instead is said at each kind.

use std::collections::BTreeMap;

use bytes::Bytes;
use subrosa_server::core::SessionId;
use subrosa_types::ConversationId;
use subrosa_wire::proto::{self, answer, server_frame};
use subrosa_wire::{decode_server_frame, encode};

use super::World;
use super::forge;
use crate::rng::SharedRng;

/// How a server lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Frames are dropped, replayed and put out of order. Everything heals afterwards.
    Unreliable,
    /// A commit by who may not change members is ordered. Nobody merges it; the conversation stops.
    IllegalCommit,
    /// The directory says another account key, rightly attested. Nothing is sent to it.
    SwappedKey,
    /// A key package of a device that its account never certified. Nobody is added.
    GhostPackage,
    /// A commit by which an uncertified device enters. It is not merged; the conversation stops.
    GhostCommit,
    /// The victim gets an old message in the place of another one. It shows nothing twice, and nothing wrong.
    Replaced,
    /// A promotion that nobody ordered. The victim does not believe it and hangs up.
    Promotion,
    /// The victim is shown an account that others are not. It never agrees to two logs.
    ForkedRoles,
    /// Pushes about conversations that do not exist and places that are far away. Memory stays bounded.
    Flood,
}

impl Lie {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Unreliable,
        Self::IllegalCommit,
        Self::SwappedKey,
        Self::GhostPackage,
        Self::GhostCommit,
        Self::Replaced,
        Self::Promotion,
        Self::ForkedRoles,
        Self::Flood,
    ];
}

/// Who tells the lies.
#[derive(Debug)]
pub(super) struct Liar {
    lie: Option<Lie>,
    victim: usize,
    rng: SharedRng,
    /// How many were told.
    pub(super) lies: u32,
    stopped: bool,
    /// What the victim gets in place of log entries, for good.
    replaced: BTreeMap<(ConversationId, u64), Bytes>,
    /// What the victim saw of each log.
    seen: BTreeMap<ConversationId, Vec<(u64, Bytes)>>,
}

impl Liar {
    pub(super) const fn new(lie: Option<Lie>, victim: usize, rng: SharedRng) -> Self {
        Self { lie, victim, rng, lies: 0, stopped: false, replaced: BTreeMap::new(), seen: BTreeMap::new() }
    }

    pub(super) const fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether something was said that leaves traces for good.
    pub(super) fn is_told(&self) -> bool {
        match self.lie {
            Some(Lie::IllegalCommit) => true,
            Some(Lie::GhostCommit | Lie::Replaced | Lie::Promotion | Lie::ForkedRoles) => self.lies > 0,
            Some(Lie::Unreliable | Lie::SwappedKey | Lie::GhostPackage | Lie::Flood) | None => false,
        }
    }
}

impl World {
    /// Whether this device was told something for good that others were not: it need not agree with them any more.
    pub(super) fn is_fooled(&self, node: usize) -> bool {
        self.liar.is_told() && node == self.liar.victim && self.liar.lie != Some(Lie::IllegalCommit)
    }

    /// A device that will never believe this server again goes on trying; that is right, and nobody waits for it.
    pub(super) fn leave_the_fooled_alone(&mut self) {
        let victim = self.liar.victim;
        if self.is_fooled(victim) && self.nodes[victim].engine.take().is_some() {
            self.note(|| format!("{victim}: is left alone"));
            self.nodes[victim].commands.clear();
            self.nodes[victim].sleep();
        }
    }

    /// What a device is told instead of this frame: frames, and by how many milliseconds each is late.
    pub(super) fn alter(&mut self, session: SessionId, node: usize, frame: Bytes) -> Vec<(Bytes, i64)> {
        let Some(lie) = self.liar.lie.filter(|_| !self.liar.stopped) else { return vec![(frame, 0)] };
        if lie == Lie::Unreliable {
            return self.unreliable(session, frame);
        }
        if node != self.liar.victim {
            return vec![(frame, 0)];
        }
        let Ok(decoded) = decode_server_frame(frame.clone()) else { return vec![(frame, 0)] };
        let lied = match (lie, decoded.body) {
            (Lie::SwappedKey, Some(server_frame::Body::Answer(answer))) => self.swap_key(answer),
            (Lie::GhostPackage, Some(server_frame::Body::Answer(answer))) => self.ghost_package(answer),
            (Lie::GhostCommit, Some(server_frame::Body::Deliver(deliver))) => {
                return self.ghost_commit(frame, &deliver);
            }
            (Lie::Replaced, Some(body)) => self.replace(body),
            (Lie::Promotion | Lie::ForkedRoles, Some(server_frame::Body::RoleLogGrew(grew))) => {
                self.false_roles(lie, &grew)
            }
            (Lie::Flood, Some(server_frame::Body::Deliver(_))) => return self.flood(frame),
            _ => None,
        };
        match lied {
            Some(body) => {
                self.lied(lie);
                vec![(encode(&proto::ServerFrame { body: Some(body) }), 0)]
            }
            None => vec![(frame, 0)],
        }
    }

    /// Whether a frame of a device comes twice to the server, because what stands before it replays it.
    pub(super) fn replays(&mut self) -> bool {
        let may = self.liar.lie == Some(Lie::Unreliable) && !self.liar.stopped;
        may && self.liar.rng.chance(4)
    }

    fn lied(&mut self, lie: Lie) {
        self.liar.lies += 1;
        let victim = self.liar.victim;
        self.note(|| format!("the server lies to {victim}: {lie:?}"));
    }

    fn unreliable(&mut self, session: SessionId, frame: Bytes) -> Vec<(Bytes, i64)> {
        match self.liar.rng.below(100) {
            0..3 => {
                self.note(|| format!("a frame to {} is dropped", session.0));
                self.liar.lies += 1;
                Vec::new()
            }
            3..8 => {
                let later = self.liar.rng.between(0, 5_000);
                self.note(|| format!("a frame to {} is doubled", session.0));
                self.liar.lies += 1;
                vec![(frame.clone(), 0), (frame, later)]
            }
            8..16 => {
                let later = self.liar.rng.between(1, 3_000);
                self.note(|| format!("a frame to {} is late", session.0));
                self.liar.lies += 1;
                vec![(frame, later)]
            }
            _ => vec![(frame, 0)],
        }
    }

    fn swap_key(&mut self, mut answer: proto::Answer) -> Option<server_frame::Body> {
        let entry = match &mut answer.body {
            Some(answer::Body::DirectoryEntry(entry)) => entry,
            Some(answer::Body::KeyPackages(packages)) => packages.owner.as_mut()?,
            _ => return None,
        };
        if self.liar.rng.chance(50) {
            return None;
        }
        let server = self.server.core.as_ref()?.identity_key();
        *entry = forge::swapped_entry(entry, server, &mut self.liar.rng)?;
        Some(server_frame::Body::Answer(answer))
    }

    fn ghost_package(&mut self, mut answer: proto::Answer) -> Option<server_frame::Body> {
        let Some(answer::Body::KeyPackages(packages)) = &mut answer.body else { return None };
        let ghost = forge::ghost_package(packages.owner.as_ref()?, &mut self.liar.rng)?;
        if self.liar.rng.chance(50) {
            // In the place of the rightful one, under its name.
            if let Some(first) = packages.packages.first_mut() {
                first.key_package = ghost.key_package;
            }
        } else {
            packages.packages.push(ghost);
        }
        Some(server_frame::Body::Answer(answer))
    }

    fn ghost_commit(&mut self, frame: Bytes, deliver: &proto::Deliver) -> Vec<(Bytes, i64)> {
        let forged = deliver.entries.last().filter(|_| self.liar.rng.chance(20)).and_then(|last| {
            let id = ConversationId::from_slice(&deliver.conversation_id).ok()?;
            let store = self.server.database.look();
            let message = forge::ghost_commit(store, id, Some(last.sequence), &self.oracle.roles, &mut self.liar.rng)?;
            let key = self.liar.rng.bytes::<16>().to_vec();
            let entry = proto::LogEntry {
                sequence: last.sequence + 1,
                at: last.at,
                message: message.into(),
                idempotency_key: key,
            };
            let deliver = proto::Deliver { conversation_id: deliver.conversation_id.clone(), entries: vec![entry] };
            Some(encode(&proto::ServerFrame { body: Some(server_frame::Body::Deliver(deliver)) }))
        });
        match forged {
            Some(forged) => {
                self.lied(Lie::GhostCommit);
                vec![(frame, 0), (forged, 0)]
            }
            None => vec![(frame, 0)],
        }
    }

    fn replace(&mut self, mut body: server_frame::Body) -> Option<server_frame::Body> {
        let (id, entries) = match &mut body {
            server_frame::Body::Deliver(deliver) => (deliver.conversation_id.clone(), &mut deliver.entries),
            server_frame::Body::Answer(proto::Answer { body: Some(answer::Body::LogPage(page)), .. }) => {
                (page.conversation_id.clone(), &mut page.entries)
            }
            _ => return None,
        };
        let id = ConversationId::from_slice(&id).ok()?;
        let liar = &mut self.liar;
        let mut any = false;
        for entry in entries {
            let place = (id, entry.sequence);
            let seen = liar.seen.entry(id).or_default();
            if !liar.replaced.contains_key(&place)
                && !seen.iter().any(|(sequence, _)| *sequence == entry.sequence)
                && liar.rng.chance(12)
                && let Some((_, old)) = liar.rng.choose(seen).cloned()
            {
                liar.replaced.insert(place, old);
            }
            seen.push((entry.sequence, entry.message.clone()));
            if let Some(old) = liar.replaced.get(&place) {
                entry.message = old.clone();
                entry.idempotency_key = liar.rng.bytes::<16>().to_vec();
                any = true;
            }
        }
        any.then_some(body)
    }

    fn false_roles(&mut self, lie: Lie, grew: &proto::RoleLogGrew) -> Option<server_frame::Body> {
        if self.liar.rng.chance(60) {
            return None;
        }
        let server = self.server.core.as_ref()?.identity_key();
        let now = self.server.time(&self.clock);
        let forged = match lie {
            Lie::Promotion => forge::promotion(&self.oracle.roles, server, now, &mut self.liar.rng)?,
            _ => forge::another_account(&self.oracle.roles, server, now, &mut self.liar.rng),
        };
        let mut entries = grew.entries.clone();
        entries.push(forged);
        Some(server_frame::Body::RoleLogGrew(proto::RoleLogGrew { entries }))
    }

    fn flood(&mut self, frame: Bytes) -> Vec<(Bytes, i64)> {
        if self.liar.rng.chance(70) {
            return vec![(frame, 0)];
        }
        self.lied(Lie::Flood);
        let mut frames = vec![(frame, 0)];
        for _ in 0..40 {
            let (id, first) = (self.liar.rng.bytes::<16>(), self.liar.rng.below(1 << 40));
            let entries = (0..200)
                .map(|number| proto::LogEntry {
                    sequence: first + number,
                    at: 0,
                    message: Bytes::from_static(&[7; 300]),
                    idempotency_key: vec![0; 16],
                })
                .collect();
            let deliver = proto::Deliver { conversation_id: id.to_vec(), entries };
            frames.push((encode(&proto::ServerFrame { body: Some(server_frame::Body::Deliver(deliver)) }), 0));
        }
        frames
    }
}

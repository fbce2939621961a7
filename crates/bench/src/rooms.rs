//! What one more guest costs a room: who joins, each who is in, and the server, in processor time and bytes.
//!
//! The room is filled as it is in life, by external commits one after the other, so that its tree is what such a room's tree
//! is. One of the members follows all of it; what it spends is what each of them spends. The network is left out.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rand_core::OsRng;
use rusqlite::Connection;
use subrosa_crypto::SigningKey;
use subrosa_crypto::room::{self, Guest};
use subrosa_mls::follower::{Follower, Inspected};
use subrosa_mls::{Group, Identity, LeafSigner, Mls, Processed, SCHEMA};
use subrosa_types::ConversationId;

use crate::machine;
use crate::report::{Figure, Figures};

/// Joins over which a figure is taken, the last of which makes the room as large as it says.
const JOINS: usize = 5;

/// One join, or the sum of some.
#[derive(Default, Clone, Copy)]
struct Cost {
    joiner: Duration,
    member: Duration,
    server: Duration,
    to_joiner: usize,
    to_member: usize,
}

/// Fills a room up to the largest of `sizes`, and adds what joining cost at each.
///
/// # Errors
/// When MLS fails, or a size has no name in the table.
pub fn measure(sizes: &[usize], figures: &mut Figures) -> Result<()> {
    let mut room = Room::new()?;
    for size in 2..=sizes.iter().copied().max().unwrap_or(0) {
        let cost = room.join(size)?;
        let Some(goal) = sizes.iter().find(|goal| (size..size + JOINS).contains(goal)) else { continue };
        room.sum.add(cost);
        if size == *goal {
            let sum = std::mem::take(&mut room.sum);
            add(*goal, sum, figures)?;
        }
    }
    Ok(())
}

fn add(size: usize, sum: Cost, figures: &mut Figures) -> Result<()> {
    let name = match size {
        10 => "joining a room of 10",
        100 => "joining a room of 100",
        200 => "joining a room of 200",
        _ => bail!("a room of {size} has no name in the table"),
    };
    let time = |time: Duration| time.as_secs_f64() * 1e3 / JOINS as f64;
    let bytes = |bytes: usize| bytes as f64 / 1024.0 / JOINS as f64;
    for (unit, subrosa) in [
        ("ms CPU of who joins", time(sum.joiner)),
        ("ms CPU of each who is in", time(sum.member)),
        ("ms CPU of the server", time(sum.server)),
        ("KiB to who joins", bytes(sum.to_joiner)),
        ("KiB to each who is in", bytes(sum.to_member)),
    ] {
        figures.add(Figure { name, unit, subrosa, floor: None });
    }
    Ok(())
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.joiner += other.joiner;
        self.member += other.member;
        self.server += other.server;
        self.to_joiner += other.to_joiner;
        self.to_member += other.to_member;
    }
}

struct Visitor {
    store: Connection,
    identity: Identity,
}

impl Visitor {
    fn new(name: &str) -> Result<Self> {
        let store = Connection::open_in_memory()?;
        store.execute_batch(SCHEMA)?;
        let guest = Guest { name: name.parse()?, member: false };
        let signer = LeafSigner::from_seed(SigningKey::generate(&mut OsRng).seed())?;
        Ok(Self { store, identity: Identity { credential: guest.credential(), signer } })
    }

    fn mls<T>(&self, act: impl FnOnce(&Mls<'_>) -> Result<T>) -> Result<T> {
        act(&Mls::volatile(&self.store, &mut OsRng, &self.identity)?)
    }
}

struct Room {
    member: Visitor,
    group: Group,
    follower: Follower,
    group_info: Vec<u8>,
    /// Of the joins that are being taken together.
    sum: Cost,
}

impl Room {
    fn new() -> Result<Self> {
        let server = SigningKey::generate(&mut OsRng).public();
        let id = ConversationId::from_bytes([7; 16]);
        let context = room::context(&server, id, &"lobby".parse()?);
        let member = Visitor::new("guest1")?;
        let group = member.mls(|mls| Ok(Group::create(mls, id, &context, server.as_bytes())?))?;
        let group_info = member.mls(|mls| Ok(group.group_info(mls)?))?;
        let follower = Follower::found(&group_info, &group.ratchet_tree()?)?;
        Ok(Self { member, group, follower, group_info, sum: Cost::default() })
    }

    /// One more comes in; what the server, the first guest and it do.
    fn join(&mut self, number: usize) -> Result<Cost> {
        let visitor = Visitor::new(&format!("guest{number}"))?;
        let (tree, exported) = timed(|| Ok(self.follower.ratchet_tree()?))?;
        let to_joiner = tree.len() + self.group_info.len();
        let ((_, commit, group_info), joiner) =
            timed(|| visitor.mls(|mls| Ok(Group::join_external(mls, &self.group_info, &tree, b"")?)))?;
        let ((), ordered) = timed(|| {
            let Inspected::Commit(inspected) = self.follower.inspect(&commit)? else { bail!("no commit") };
            let _to_go_back_to = self.follower.save();
            self.follower.merge(*inspected)?;
            Ok(self.follower.verify_group_info(&group_info)?)
        })?;
        let group = &mut self.group;
        let ((), member) = timed(|| {
            self.member.mls(|mls| match group.process(mls, &commit)? {
                Processed::Commit(staged) => Ok(group.merge(mls, *staged)?),
                _ => bail!("no commit"),
            })
        })?;
        self.group_info = group_info;
        Ok(Cost { joiner, member, server: exported + ordered, to_joiner, to_member: commit.len() })
    }
}

/// Does something; how much processor time it took.
fn timed<T>(act: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let before = machine::own_cpu_time();
    let done = act().context("a step of a join failed")?;
    Ok((done, machine::own_cpu_time().saturating_sub(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_has_a_cost_for_each_side() {
        let mut figures = Figures::new(String::new());
        measure(&[10], &mut figures).unwrap();
        let shown = format!("{figures:?}");
        for unit in ["who joins", "each who is in", "the server", "KiB to who joins"] {
            assert!(shown.contains(unit), "{shown}");
        }
    }
}

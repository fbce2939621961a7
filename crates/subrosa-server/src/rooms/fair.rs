//! Whose turn is next, so that one address cannot keep the turns of a room for itself.
//!
//! - Of those who wait, the one goes first whose address had a turn longest ago; of one address, who waits longest.
//! - Of those who are in, the next behind the last one that committed is asked to remove; an address from which a turn to
//!   remove was let pass is asked only when there is nobody else, until somebody there commits one.
//!
//! Invariant: it remembers a bounded number of addresses. What it forgets costs fairness for a while, nothing else.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use crate::core::SessionId;

/// Addresses that are remembered of one room, of each kind.
const REMEMBERED: usize = 2048;

/// Where a guest comes from, as far as it counts: an IPv4 address, or the 64 bits of an IPv6 address that one line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
            other => other,
        })
    }

    /// This machine: everybody on it shares the address.
    pub(super) const fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }
}

/// What one room remembers of turns.
#[derive(Debug, Default)]
pub(super) struct Fair {
    turns: u64,
    /// The last turn to enter of an address.
    entered: HashMap<Source, u64>,
    /// A turn to remove was let pass there.
    slow: HashSet<Source>,
    last_committer: Option<SessionId>,
}

impl Fair {
    /// Takes out who enters next.
    pub(super) fn next_in(
        &mut self,
        waiting: &mut VecDeque<SessionId>,
        source: impl Fn(SessionId) -> Option<Source>,
    ) -> Option<SessionId> {
        let last = |session: SessionId| source(session).and_then(|source| self.entered.get(&source)).copied();
        // Of equals the first.
        let place = waiting.iter().enumerate().min_by_key(|(_, session)| last(**session)).map(|(place, _)| place)?;
        let session = waiting.remove(place)?;
        self.turns += 1;
        if self.entered.len() >= REMEMBERED {
            self.entered.clear();
        }
        self.entered.extend(source(session).map(|source| (source, self.turns)));
        Some(session)
    }

    /// Who of those inside, in the order of sessions, is asked to remove: behind `last`, or behind the last that committed.
    pub(super) fn next_remover(
        &self,
        last: Option<SessionId>,
        inside: impl Iterator<Item = (SessionId, Source)> + Clone,
    ) -> Option<SessionId> {
        let last = last.or(self.last_committer);
        let next = |wanted: &dyn Fn(Source) -> bool| {
            let mut row = inside.clone().filter(|(_, source)| wanted(*source)).map(|(session, _)| session);
            let first = row.next()?;
            let behind = |session: &SessionId| last.is_none_or(|last| *session > last);
            std::iter::once(first).chain(row).find(behind).or(Some(first))
        };
        next(&|source| !self.slow.contains(&source)).or_else(|| next(&|_| true))
    }

    /// Somebody committed a removal.
    pub(super) fn committed(&mut self, session: SessionId, source: Source) {
        self.last_committer = Some(session);
        self.slow.remove(&source);
    }

    /// Somebody let a turn to remove pass.
    pub(super) fn lost(&mut self, source: Source) {
        if self.slow.len() >= REMEMBERED {
            self.slow.clear();
        }
        self.slow.insert(source);
    }
}

//! Rate limits as token buckets, and a bounded table of them.
//!
//! A bucket fills by one token every so many milliseconds up to its burst. The table forgets full buckets first, then
//! those that were used longest ago, so that an attacker with many addresses can make it forget an address but not grow
//! it.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Deserialize;
use subrosa_types::{Timestamp, limits};

/// Buckets that one table holds.
const TABLE: usize = 16 * 1024;

/// How much may come at once, and how fast it fills up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// What may come at once.
    pub burst: u32,
    /// Milliseconds until one more is allowed. 0: no limit.
    pub refill_ms: u64,
}

impl Rate {
    /// No limit.
    pub const OFF: Self = Self { burst: 0, refill_ms: 0 };
}

/// The limits that a server enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Password logins of one account, from wherever.
    pub login_per_account: Rate,
    /// Password logins and sign-ups from one address.
    pub login_per_address: Rate,
    /// The same from a loopback address: people on this machine share it, and so do tests.
    pub login_from_loopback: Rate,
    /// Messages of one device.
    pub messages: Rate,
    /// Requests of one device that cost more than a message: commits, founding, key packages, look-ups of people.
    pub changes: Rate,
    /// Passes for the relay, of one device.
    pub relay_passes: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        let login = Rate { burst: limits::LOGIN_BURST, refill_ms: limits::LOGIN_REFILL_MS };
        Self {
            login_per_account: login,
            login_per_address: login,
            login_from_loopback: Rate { burst: 500, refill_ms: 100 },
            messages: Rate { burst: limits::MESSAGE_BURST, refill_ms: 1000 / limits::MESSAGES_PER_SECOND as u64 },
            changes: Rate { burst: 2_000, refill_ms: 50 },
            // A client that comes up asks for its links at once, of which it has 64 at most.
            relay_passes: Rate { burst: 64, refill_ms: 1_000 },
        }
    }
}

impl Rates {
    /// No limits at all, for the load generator.
    pub const fn off() -> Self {
        Self {
            login_per_account: Rate::OFF,
            login_per_address: Rate::OFF,
            login_from_loopback: Rate::OFF,
            messages: Rate::OFF,
            changes: Rate::OFF,
            relay_passes: Rate::OFF,
        }
    }
}

/// One limit's state: how much was used, in milliseconds of refilling, at a time. The default is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bucket {
    /// When it is (or was) full again, in milliseconds since 1970.
    full_at: i64,
}

impl Bucket {
    /// Takes one token, or says in how many milliseconds there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), u64> {
        if rate.refill_ms == 0 {
            return Ok(());
        }
        let refill = i64::try_from(rate.refill_ms).unwrap_or(i64::MAX);
        let window = refill.saturating_mul(i64::from(rate.burst.max(1)));
        // A clock that was set back must not lock anybody out for longer than the whole burst.
        let full_at = self.full_at.clamp(now.0, now.0.saturating_add(window));
        let after = full_at.saturating_add(refill);
        let wait = after.saturating_sub(now.0.saturating_add(window));
        if wait > 0 {
            return Err(u64::try_from(wait).unwrap_or(0));
        }
        self.full_at = after;
        Ok(())
    }
}

/// A bucket a key.
#[derive(Debug)]
pub(crate) struct Table<K> {
    buckets: HashMap<K, Bucket>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { buckets: HashMap::new() }
    }
}

impl<K: Eq + Hash + Clone> Table<K> {
    pub(crate) fn take(&mut self, key: &K, rate: Rate, now: Timestamp) -> Result<(), u64> {
        if rate.refill_ms == 0 {
            return Ok(());
        }
        if self.buckets.len() >= TABLE && !self.buckets.contains_key(key) {
            self.make_room(now);
        }
        self.buckets.entry(key.clone()).or_default().take(rate, now)
    }

    fn make_room(&mut self, now: Timestamp) {
        self.buckets.retain(|_, bucket| bucket.full_at > now.0);
        if self.buckets.len() >= TABLE {
            let mut times: Vec<i64> = self.buckets.values().map(|bucket| bucket.full_at).collect();
            let middle = times.len() / 2;
            let (_, median, _) = times.select_nth_unstable(middle);
            let median = *median;
            self.buckets.retain(|_, bucket| bucket.full_at > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 5, refill_ms: 10_000 };

    #[test]
    fn five_at_once_then_one_every_ten_seconds() {
        let mut bucket = Bucket::default();
        for _ in 0..5 {
            assert_eq!(bucket.take(RATE, Timestamp(1_000_000)), Ok(()));
        }
        assert_eq!(bucket.take(RATE, Timestamp(1_000_000)), Err(10_000));
        assert_eq!(bucket.take(RATE, Timestamp(1_004_000)), Err(6_000));
        assert_eq!(bucket.take(RATE, Timestamp(1_010_000)), Ok(()));
        assert_eq!(bucket.take(RATE, Timestamp(1_010_000)), Err(10_000));
        // After a long rest the burst is there again, and no more than it.
        let later = Timestamp(9_000_000);
        assert_eq!((0..6).filter(|_| bucket.take(RATE, later).is_ok()).count(), 5);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out_for_long() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(RATE, Timestamp(1_000_000_000)), Ok(()));
        assert_eq!(bucket.take(RATE, Timestamp(0)), Err(10_000));
    }

    #[test]
    fn the_table_does_not_grow_without_bound() {
        let mut table = Table::default();
        for address in 0..100_000_u32 {
            let _ = table.take(&address, RATE, Timestamp(1_000_000));
        }
        assert!(table.buckets.len() <= TABLE);
    }

    #[test]
    fn a_rate_that_is_off_limits_nothing() {
        let mut bucket = Bucket::default();
        assert!((0..10_000).all(|_| bucket.take(Rate::OFF, Timestamp(0)).is_ok()));
    }
}

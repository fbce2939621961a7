//! How much one client may send: a bucket of bytes that fills up again with time. Time comes in as an argument.

use std::time::Duration;

use tokio::time::Instant;

/// A small message costs as much as this many bytes, so that a client cannot send more of them than it costs to handle.
const LEAST: u64 = 256;

/// A client's bucket.
#[derive(Debug)]
pub(super) struct Allowance {
    per_second: u64,
    burst: u64,
    /// What is left; below zero by the last message, at most.
    left: i64,
    at: Instant,
}

impl Allowance {
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = u64::from(burst.max(1));
        Self { per_second: u64::from(per_second.max(1)), burst, left: signed(burst), at: now }
    }

    /// Books a message that came.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) {
        self.fill(now);
        self.left = self.left.saturating_sub(signed((bytes as u64).max(LEAST)));
    }

    /// How long nothing more may be read.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.fill(now);
        let debt = u64::try_from(self.left.saturating_neg()).ok().filter(|debt| *debt > 0)?;
        Some(Duration::from_nanos(debt.saturating_mul(1_000_000_000).div_ceil(self.per_second)))
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        let more = passed.as_micros().saturating_mul(u128::from(self.per_second)) / 1_000_000;
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        self.left = self.left.saturating_add(signed(more)).min(signed(self.burst));
        if self.left == signed(self.burst) {
            self.at = now;
        } else {
            // What was too short for a further byte counts next time.
            self.at += Duration::from_nanos(more.saturating_mul(1_000_000_000).div_ceil(self.per_second));
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burst_is_free_and_then_the_rate_holds() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(1_000_000, 50_000, now);
        let mut sent = 0_u64;
        let start = now;
        while now - start < Duration::from_secs(10) {
            match allowance.wait(now) {
                Some(wait) => now += wait,
                None => {
                    allowance.spend(1_000, now);
                    sent += 1_000;
                }
            }
        }
        assert!((10_000_000..=10_060_000).contains(&sent), "{sent}");
    }

    #[test]
    fn small_messages_are_counted_as_larger_ones() {
        let now = Instant::now();
        let mut allowance = Allowance::new(1_000, 2_560, now);
        for _ in 0..10 {
            assert_eq!(allowance.wait(now), None);
            allowance.spend(1, now);
        }
        allowance.spend(1, now);
        assert_eq!(allowance.wait(now), Some(Duration::from_millis(256)));
    }

    #[test]
    fn looking_often_does_not_make_it_fill_slower() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(1_000, 1, now);
        allowance.spend(1_001, now);
        let start = now;
        while allowance.wait(now).is_some() {
            now += Duration::from_micros(37);
        }
        assert!((now - start).abs_diff(Duration::from_secs(1)) < Duration::from_millis(10), "{:?}", now - start);
    }
}

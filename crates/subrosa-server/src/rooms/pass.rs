//! Room passes: how an account proves itself in a room without its device key ever being seen there.
//!
//! 1. A logged-in device asks for a pass on its own connection (`core::requests::room_pass`).
//! 2. It is 16 random bytes, good once, for a minute, in memory only. A new one takes the place of the account's last.
//! 3. A guest's connection shows it and enters under the account's name.
//!
//! Reason: a room needs the name and nothing else, so its thread knows no accounts and no store.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand_core::CryptoRngCore;
use subrosa_types::{Timestamp, Username};

/// How long a pass is good, in milliseconds.
const GOOD_FOR_MS: i64 = 60_000;
/// Passes that are kept; with more the oldest is forgotten.
const KEPT: usize = 4096;

/// A pass.
pub(crate) type Pass = [u8; 16];

/// The passes that were given out and not used. Made by who starts a server; only the server looks into them.
#[derive(Default)]
pub struct Passes {
    open: Mutex<HashMap<Pass, (Username, Timestamp)>>,
}

impl std::fmt::Debug for Passes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passes").finish_non_exhaustive()
    }
}

impl Passes {
    /// Makes a pass for an account, and says until when it is good.
    pub(crate) fn issue(&self, name: Username, now: Timestamp, rng: &mut dyn CryptoRngCore) -> (Pass, Timestamp) {
        let mut pass = [0; 16];
        rng.fill_bytes(&mut pass);
        let until = now.plus_millis(GOOD_FOR_MS);
        let mut open = self.lock();
        open.retain(|_, (other, end)| *other != name && *end > now);
        if open.len() >= KEPT
            && let Some(oldest) = open.iter().min_by_key(|(_, (_, end))| *end).map(|(pass, _)| *pass)
        {
            open.remove(&oldest);
        }
        open.insert(pass, (name, until));
        (pass, until)
    }

    /// Whose pass this is. It is good no more.
    pub(crate) fn redeem(&self, pass: &[u8], now: Timestamp) -> Option<Username> {
        let pass: Pass = pass.try_into().ok()?;
        let (name, until) = self.lock().remove(&pass)?;
        (now < until).then_some(name)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pass, (Username, Timestamp)>> {
        // Nothing panics while it holds the lock; were it otherwise, the map would still be whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_pass_is_good_once_for_a_minute_and_only_the_last_one_of_an_account() {
        let (passes, mut rng) = (Passes::default(), ChaCha20Rng::seed_from_u64(1));
        let bob: Username = "bob".parse().unwrap();
        let mut issue = |at| passes.issue(bob.clone(), Timestamp(at), &mut rng).0;
        let first = issue(0);
        assert_eq!(passes.redeem(&first, Timestamp(59_999)), Some(bob.clone()));
        assert_eq!(passes.redeem(&first, Timestamp(59_999)), None, "once");
        let late = issue(0);
        assert_eq!(passes.redeem(&late, Timestamp(60_000)), None, "for a minute");
        let (old, new) = (issue(0), issue(1));
        assert_eq!(passes.redeem(&old, Timestamp(2)), None, "the last one");
        assert_eq!(passes.redeem(&new[..15], Timestamp(2)), None);
        assert_eq!(passes.redeem(&new, Timestamp(2)), Some(bob));
    }

    #[test]
    fn passes_that_nobody_uses_do_not_pile_up() {
        let (passes, mut rng) = (Passes::default(), ChaCha20Rng::seed_from_u64(1));
        for number in 0..2 * KEPT {
            passes.issue(format!("n{number}").parse().unwrap(), Timestamp(0), &mut rng);
        }
        assert_eq!(passes.lock().len(), KEPT);
    }
}

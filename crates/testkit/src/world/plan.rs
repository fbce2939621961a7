//! What a seed chooses before anything happens: who there is, how much goes wrong, and whether the server lies.

use super::liar::Lie;
use super::network::Quality;
use super::trouble::Trouble;
use crate::rng::SharedRng;

/// Names of accounts.
pub const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// The plan of one world.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Accounts.
    pub accounts: usize,
    /// Devices: whose each is. The first ones are the first of their accounts.
    pub devices: Vec<usize>,
    /// Milliseconds in which things happen.
    pub work_ms: i64,
    /// Milliseconds between two commands, on average.
    pub pace_ms: i64,
    /// The network.
    pub quality: Quality,
    /// Milliseconds between two troubles, on average.
    pub trouble_ms: i64,
    /// What may go wrong.
    pub troubles: Vec<Trouble>,
    /// How the server lies.
    pub lie: Option<Lie>,
    /// Whether accounts start over with a new key.
    pub resets: bool,
}

impl Plan {
    /// What this seed's stream of randomness chooses. `lie`: as it likes, or always so.
    pub fn new(rng: &mut SharedRng, lie: Option<Option<Lie>>) -> Self {
        let accounts = usize::try_from(rng.between(3, 5)).unwrap_or(3);
        let all = usize::try_from(rng.between(4, 7)).unwrap_or(4).max(accounts + 1);
        let mut devices: Vec<usize> = (0..accounts).collect();
        while devices.len() < all {
            devices.push(usize::try_from(rng.below(accounts as u64)).unwrap_or(0));
        }
        let quality = match rng.below(4) {
            0 => Quality { delay: (1, 30), late: 0, loss: 0, refused: 0 },
            1 => Quality { delay: (5, 200), late: 20, loss: 2, refused: 5 },
            2 => Quality { delay: (1, 900), late: 50, loss: 5, refused: 15 },
            _ => Quality { delay: (1, 60), late: 5, loss: 15, refused: 10 },
        };
        let troubles: Vec<Trouble> = Trouble::ALL.into_iter().filter(|_| rng.chance(45)).collect();
        let chosen = if rng.chance(22) {
            Lie::ALL.get(usize::try_from(rng.below(Lie::ALL.len() as u64)).unwrap_or(0))
        } else {
            None
        };
        Self {
            accounts,
            devices,
            work_ms: rng.between(40_000, 90_000),
            pace_ms: rng.between(300, 1_200),
            quality,
            trouble_ms: rng.between(1_500, 12_000),
            troubles,
            lie: lie.unwrap_or_else(|| chosen.copied()),
            resets: rng.chance(20),
        }
    }
}

//! Many seeds on a few threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Options, Summary, Violation, run};

/// What many worlds came to.
#[derive(Debug, Default)]
pub struct Harvest {
    /// Each seed's.
    pub summaries: Vec<(u64, Summary)>,
    /// What was found wrong, by seed.
    pub violations: Vec<Violation>,
}

/// Lives through the worlds of `count` seeds from `from`. Stops early when `enough` violations were found.
///
/// # Panics
/// If a thread cannot be started.
pub fn run_all(from: u64, count: u64, threads: usize, enough: usize, options: &Options) -> Harvest {
    let next = AtomicU64::new(from);
    let harvest = Mutex::new(Harvest::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let done = |harvest: &Harvest| harvest.violations.len() >= enough;
                    if seed >= from + count || done(&harvest.lock().unwrap_or_else(|poisoned| poisoned.into_inner())) {
                        return;
                    }
                    let lived = run(seed, options);
                    let mut harvest = harvest.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    match lived {
                        Ok(summary) => harvest.summaries.push((seed, summary)),
                        Err(violation) => harvest.violations.push(*violation),
                    }
                }
            });
        }
    });
    let mut harvest = harvest.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    harvest.summaries.sort_by_key(|(seed, _)| *seed);
    harvest.violations.sort_by_key(|violation| violation.seed);
    harvest
}

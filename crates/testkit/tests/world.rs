//! A thousand worlds: everything that can go wrong goes wrong, and after healing everything that must be true is.
//!
//! `SUBROSA_SEEDS=N` lives through more or fewer, `SUBROSA_SEED_FROM=N` begins elsewhere, `SUBROSA_TRACE=1` says aloud what
//! happens. `SUBROSA_LIE=IllegalCommit` (or another of [`Lie`], or `none`) lets the server lie so in each of them.

use testkit::world::liar::Lie;
use testkit::world::seeds::run_all;
use testkit::world::{Options, run};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// How the server lies, where the environment says so.
fn lie() -> Option<Option<Lie>> {
    let name = std::env::var("SUBROSA_LIE").ok()?;
    let named = Lie::ALL.into_iter().find(|lie| format!("{lie:?}") == name);
    assert!(named.is_some() || name == "none", "there is no such lie: {name}");
    Some(named)
}

#[test]
fn after_every_trouble_everybody_has_every_message_once_and_in_order() {
    let (from, count) = (number("SUBROSA_SEED_FROM", 0), number("SUBROSA_SEEDS", 1_000));
    let aloud = std::env::var_os("SUBROSA_TRACE").is_some();
    let options = Options { lie: lie(), aloud, ..Options::default() };
    let began = std::time::Instant::now();
    let harvest = run_all(from, count, 2, 5, &options);
    let messages: usize = harvest.summaries.iter().map(|(_, summary)| summary.messages).sum();
    let lies: u32 = harvest.summaries.iter().map(|(_, summary)| summary.lies).sum();
    let carried: u32 = harvest.summaries.iter().map(|(_, summary)| summary.carried).sum();
    println!(
        "{} worlds, {messages} messages, {carried} frames over direct links, {lies} lies, {:.1} worlds a second",
        harvest.summaries.len(),
        harvest.summaries.len() as f64 / began.elapsed().as_secs_f64()
    );
    for violation in &harvest.violations {
        eprintln!("{violation}\n");
    }
    assert!(harvest.violations.is_empty(), "{} worlds broke", harvest.violations.len());
    if count >= 1_000 && options.lie.is_none() {
        // Nothing was found: was everything tried?
        assert!(carried > 10_000, "only {carried} frames went over direct links");
        for lie in Lie::ALL.into_iter().filter(|lie| *lie != Lie::IllegalCommit) {
            let told = harvest.summaries.iter().any(|(_, summary)| summary.lie == Some(lie) && summary.lies > 0);
            assert!(told, "in none of {count} worlds the server told a lie of the kind {lie:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let from = number("SUBROSA_SEED_FROM", 0);
    for seed in from..from + 16 {
        let [first, second] = [(); 2].map(|()| run(seed, &Options::default()).map(|summary| summary.trace));
        assert_eq!(first.unwrap(), second.unwrap(), "seed {seed}");
    }
}

//! What becomes of direct links behind address translators: `bench nat`.
//!
//! Each case is a laboratory of network namespaces ([`laboratory`]): a public side with our relay, and two homes behind
//! whatever the case says. In each home this program runs again as a peer ([`peer`]): one listens, the other dials, and
//! numbered frames go there and back while the direct path is cut in the middle ([`trial`]).
//!
//! It needs root, `ip` and `nft`, and Linux. Nothing of it touches the network of the machine itself.

mod laboratory;
mod peer;
mod router;
mod trial;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};

pub use laboratory::{Case, missing};
use laboratory::{DELAY_MS, has_delay};
pub use peer::{PeerArguments, run as run_peer, run_relay};
pub use router::run as run_router;
pub use trial::Trial;

/// Exit code when the machine does not allow it: as test programs elsewhere say "skipped".
const SKIPPED: u8 = 77;

/// `bench nat`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Trials of each case
    #[arg(long, default_value_t = 10)]
    trials: usize,
    /// Only these cases
    #[arg(long, value_name = "CASE", value_enum, value_delimiter = ',')]
    case: Vec<Case>,
    /// One JSON object a trial, and nothing else
    #[arg(long)]
    json: bool,
    /// Let the dialler send one packet to nobody of the laboratory, to see that it is counted
    #[arg(long, hide = true)]
    plant_stray_packet: bool,
}

/// A trial of a case, as it is printed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    /// The case.
    pub case: Case,
    /// What happened.
    #[serde(flatten)]
    pub trial: Trial,
}

/// Runs the laboratory.
///
/// # Errors
/// When a peer fails in a way that no network explains.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(missing) = missing() {
        eprintln!("the laboratory needs {missing}");
        return Ok(SKIPPED.into());
    }
    let cases = if arguments.case.is_empty() { Case::ALL.to_vec() } else { arguments.case.clone() };
    if !arguments.json {
        match has_delay() {
            true => println!("{DELAY_MS} ms from each home to the public side.\n"),
            false => println!("No delay: this kernel cannot make one (sch_netem).\n"),
        }
        println!("| case | direct | first byte | direct at | cut: gap | redials | lost | elsewhere |");
        println!("|---|---|---|---|---|---|---|---|");
    }
    for case in cases {
        let mut trials = Vec::with_capacity(arguments.trials);
        for _ in 0..arguments.trials {
            let trial = trial::run(case, arguments.plant_stray_packet)?;
            if arguments.json {
                println!("{}", serde_json::to_string(&Line { case, trial: trial.clone() })?);
            }
            trials.push(trial);
        }
        if !arguments.json {
            println!("{}", row(case, &trials));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(case: Case, trials: &[Trial]) -> String {
    let direct = trials.iter().filter(|trial| trial.direct_ms.is_some()).count();
    let first = median(trials.iter().map(|trial| trial.first_byte_ms));
    let direct_at = median(trials.iter().filter_map(|trial| trial.direct_ms));
    let gap = median(trials.iter().filter_map(|trial| trial.gap_ms));
    let redials: u64 = trials.iter().map(|trial| trial.redials).sum();
    let lost: u64 = trials.iter().map(|trial| trial.lost).sum();
    let elsewhere: u64 = trials.iter().map(|trial| trial.elsewhere).sum();
    format!(
        "| {case} | {direct}/{} | {} | {} | {} | {redials} | {lost} | {elsewhere} |",
        trials.len(),
        shown(first),
        shown(direct_at),
        shown(gap),
    )
}

fn shown(milliseconds: Option<u64>) -> String {
    milliseconds.map_or_else(|| "–".into(), |milliseconds| format!("{milliseconds} ms"))
}

fn median(figures: impl Iterator<Item = u64>) -> Option<u64> {
    let mut figures: Vec<u64> = figures.collect();
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied()
}

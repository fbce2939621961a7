//! What becomes of direct links behind address translators: `bench nat`.
//!
//! Each case is a laboratory of network namespaces ([`laboratory`]): a public side with our relay, and two homes behind
//! whatever the case says. In each home this program runs again as a peer ([`peer`]): one listens, the other dials, and
//! numbered frames go there and back while the direct path is cut in the middle ([`trial`]).
//!
//! It needs root, `ip` and `nft`, and Linux. Nothing of it touches the network of the machine itself.

mod laboratory;
mod peer;
mod trial;

use anyhow::{Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

pub use laboratory::{Case, missing};
pub use peer::{PeerArguments, run as run_peer, run_relay};
pub use trial::Trial;

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
/// When the machine does not allow it, or a peer fails in a way that no network explains.
pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(missing) = missing() {
        bail!("the laboratory needs {missing}");
    }
    let cases = if arguments.case.is_empty() { Case::ALL.to_vec() } else { arguments.case.clone() };
    if !arguments.json {
        println!("| case | direct | first byte | direct at | cut: gap | redials | lost | elsewhere |");
        println!("|---|---|---|---|---|---|---|---|");
    }
    for case in cases {
        let mut trials = Vec::with_capacity(arguments.trials);
        for _ in 0..arguments.trials {
            let trial = trial::run(case)?;
            if arguments.json {
                println!("{}", serde_json::to_string(&Line { case, trial: trial.clone() })?);
            }
            trials.push(trial);
        }
        if !arguments.json {
            println!("{}", row(case, &trials));
        }
    }
    Ok(())
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

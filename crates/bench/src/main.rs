//! What the server and the client can do, in figures: `cargo xtask bench`.
//!
//! This program is the generator, on one core, and starts itself again as the server under measurement, on another: once
//! as the floor ([`floor`]) and once as the real server ([`serve`]). Both are driven over TLS on loopback in the same
//! way ([`traffic`]), and each figure is given beside the floor's of the same run, because the machine and its mood
//! matter more than most changes.
//!
//! Everything the real server acknowledges is on disk by then; the run refuses to measure anything else.

mod client_cost;
mod dialect;
mod floor;
mod machine;
mod process;
mod protobuf;
mod report;
mod rooms;
mod serve;
mod service;
mod socket;
mod suite;
mod traffic;
mod websocket;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum as _};

use crate::report::Report;
use crate::suite::{Extent, Part};

#[derive(Parser)]
#[command(name = "bench", about = "Measures the server and the client against a floor, in a few minutes")]
struct Arguments {
    #[command(subcommand)]
    serve: Option<Serve>,
    /// A short run: rough figures, no large group
    #[arg(long)]
    quick: bool,
    /// Run only these parts
    #[arg(long, value_name = "PART", value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Write the figures as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the benchmark starts itself as.
#[derive(Subcommand)]
enum Serve {
    /// The floor, until standard input ends
    #[command(hide = true)]
    ServeFloor,
    /// The real server, until standard input ends
    #[command(hide = true)]
    ServeSubrosa {
        /// Its data folder
        folder: PathBuf,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.serve {
        Some(Serve::ServeFloor) => return floor::run(),
        Some(Serve::ServeSubrosa { folder }) => return serve::run(&folder),
        None => {}
    }
    machine::need_two_cores()?;
    let machine = machine::description();
    machine::stay_on_core(machine::GENERATOR_CORE)?;
    machine::allow_many_sockets()?;
    let extent = if arguments.quick { Extent::QUICK } else { Extent::FULL };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let parts = if arguments.only.is_empty() { Part::value_variants() } else { &arguments.only };
    let figures = tokio::task::LocalSet::new().block_on(&runtime, suite::run(&extent, parts))?;
    let report = Report::new(machine, arguments.quick, figures);
    println!("{report}");
    if let Some(file) = arguments.json {
        report.save(&file)?;
    }
    Ok(())
}

/// A folder for a server's or a client's store, removed at the end. Beside this program rather than in the system's
/// temporary folder, which is memory on some machines: nothing there would be durable.
fn scratch_folder() -> Result<tempfile::TempDir> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let beside = program.parent().context("this program lies in no folder")?;
    tempfile::tempdir_in(beside).with_context(|| format!("cannot make a folder in {}", beside.display()))
}

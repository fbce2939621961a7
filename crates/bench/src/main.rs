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
mod nat;
mod page;
mod process;
mod protobuf;
mod relay;
mod report;
mod rooms;
mod serve;
mod service;
mod socket;
mod suite;
mod traffic;
mod tui;
mod websocket;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum as _};

use crate::report::Report;
use crate::suite::{Extent, Part};

#[derive(Parser)]
#[command(name = "bench", about = "Measures the server and the client against a floor, in a few minutes")]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
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

/// A part that runs alone, and what the benchmark starts itself as.
#[derive(Subcommand)]
enum Role {
    /// The floor, until standard input ends
    #[command(hide = true)]
    ServeFloor,
    /// The real server, until standard input ends
    #[command(hide = true)]
    ServeSubrosa {
        /// Its data folder
        folder: PathBuf,
    },
    /// Direct links behind address translators, in network namespaces (needs root, ip and nft)
    Nat(nat::Arguments),
    /// Frames of the full-screen client in a chat of 100,000 messages, and its start
    Tui,
    /// Idle clients of a relay: memory, and whether they are held
    Relay(relay::Arguments),
    /// The web page in a browser, in a chat of 100,000 messages (needs Chromium)
    Page(page::Arguments),
    /// The relay under measurement, until standard input ends
    #[command(hide = true)]
    ServeRelay {
        /// Its data folder
        folder: PathBuf,
    },
    /// The relay of a laboratory, until standard input ends
    #[command(hide = true)]
    NatRelay {
        /// Its data folder
        folder: PathBuf,
    },
    /// A router of a laboratory that opens ports
    #[command(hide = true)]
    NatRouter {
        /// Its inner address
        listen: std::net::SocketAddr,
        /// Its outer address
        outer: std::net::IpAddr,
    },
    /// A peer of a laboratory
    #[command(hide = true)]
    NatPeer(nat::PeerArguments),
}

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::parse();
    match arguments.role.take() {
        Some(Role::ServeFloor) => floor::run()?,
        Some(Role::ServeSubrosa { folder }) => serve::run(&folder)?,
        Some(Role::Nat(arguments)) => return nat::run(&arguments),
        Some(Role::Tui) => return tui::run(),
        Some(Role::Relay(arguments)) => {
            let folder = scratch_folder()?;
            one_thread()?.block_on(relay::run(&arguments, folder.path()))?;
        }
        Some(Role::Page(arguments)) => page::run(&arguments, scratch_folder()?.path())?,
        Some(Role::ServeRelay { folder }) => one_thread()?.block_on(relay::serve(folder))?,
        Some(Role::NatRelay { folder }) => one_thread()?.block_on(nat::run_relay(folder))?,
        Some(Role::NatRouter { listen, outer }) => nat::run_router(listen, outer)?,
        Some(Role::NatPeer(arguments)) => one_thread()?.block_on(nat::run_peer(arguments))?,
        None => measure(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The server and the client against the floor.
fn measure(arguments: &Arguments) -> Result<()> {
    machine::need_two_cores()?;
    let machine = machine::description();
    machine::stay_on_core(machine::GENERATOR_CORE)?;
    machine::allow_many_sockets()?;
    let extent = if arguments.quick { Extent::QUICK } else { Extent::FULL };
    let runtime = one_thread()?;
    let parts = if arguments.only.is_empty() { Part::value_variants() } else { &arguments.only };
    let figures = tokio::task::LocalSet::new().block_on(&runtime, suite::run(&extent, parts))?;
    let report = Report::new(machine, arguments.quick, figures);
    println!("{report}");
    if let Some(file) = &arguments.json {
        report.save(file)?;
    }
    Ok(())
}

fn one_thread() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// A folder for a server's or a client's store, removed at the end. Beside this program rather than in the system's
/// temporary folder, which is memory on some machines: nothing there would be durable.
fn scratch_folder() -> Result<tempfile::TempDir> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let beside = program.parent().context("this program lies in no folder")?;
    tempfile::tempdir_in(beside).with_context(|| format!("cannot make a folder in {}", beside.display()))
}

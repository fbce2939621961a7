//! The project's tasks, as `cargo xtask TASK`.
//!
//! `test` is the whole check and what continuous integration runs: formatting, walls, clippy, documentation, every test
//! with the stories, and the World, in that order; it stops at the first step that fails. The other tasks run one
//! part longer or alone. Everything is built with the release profile, so that the heavy dependencies (OpenSSL, AWS-LC,
//! SQLite) are built once for the program, its tests and the benchmark.

mod cargo;
mod page;
mod pictures;
mod steps;
mod system;
mod walls;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::cargo::Cargo;
use crate::steps::Step;

/// Seeds of `cargo xtask soak`, unless told otherwise.
const SOAK_SEEDS: u64 = 20_000;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that must hold: system needs, formatting, walls, clippy, documentation, all tests
    Test {
        /// Seeds that the World runs (its own default: 1,000)
        #[arg(long, value_name = "N")]
        seeds: Option<u64>,
        /// Run only this step
        #[arg(long, value_name = "STEP", value_parser = steps::NAMES)]
        only: Option<String>,
    },
    /// The walls between the crates, alone
    Walls,
    /// The World, alone: the simulation of clients, server and faults
    World {
        /// How many seeds
        #[arg(long, value_name = "N")]
        seeds: Option<u64>,
        /// The first seed
        #[arg(long, value_name = "SEED")]
        from: Option<u64>,
    },
    /// The World for long
    Soak {
        /// How many seeds
        #[arg(long, value_name = "N", default_value_t = SOAK_SEEDS)]
        seeds: u64,
        /// The first seed
        #[arg(long, value_name = "SEED")]
        from: Option<u64>,
    },
    /// The stories, alone: the real binary, several people
    Stories,
    /// The web page, alone: what is written, and its stories in a browser
    Page,
    /// Copies chosen pictures that the stories of the page drew into the documents
    Pictures,
    /// The benchmark; what follows goes to it (`cargo xtask bench -- --quick`)
    Bench {
        /// Arguments of the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let cargo = Cargo::new(workspace_root()?);
    match task {
        Task::Test { seeds, only } => {
            // Parts of the tests, so only by name.
            let parts = [Step::Stories, Step::Browser].into_iter().filter(|_| only.is_some());
            let every = Step::all().into_iter().chain(parts);
            let steps = every.filter(|step| only.as_deref().is_none_or(|only| only == step.name()));
            Ok(steps::run(steps, &cargo.with_seeds(seeds, None)))
        }
        Task::Walls => Ok(steps::run([Step::Walls], &cargo)),
        Task::World { seeds, from } => Ok(steps::run([Step::Soak], &cargo.with_seeds(seeds, from))),
        Task::Soak { seeds, from } => Ok(steps::run([Step::Soak], &cargo.with_seeds(Some(seeds), from))),
        Task::Stories => Ok(steps::run([Step::Stories], &cargo)),
        Task::Page => Ok(steps::run([Step::Page, Step::Browser], &cargo)),
        Task::Pictures => {
            pictures::choose(cargo.root())?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Bench { arguments } => {
            if arguments.first().is_some_and(|part| part == "page") {
                // It starts the program that lies beside it. Selected as for the tests: see `steps`.
                cargo.run(["build", "--release", "--workspace", "--exclude", "testkit"])?;
            }
            let arguments = arguments.iter().map(String::as_str);
            cargo.run(["run", "--release", "--quiet", "--package", "bench", "--"].into_iter().chain(arguments))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The folder that holds the workspace: the one above this crate's.
fn workspace_root() -> Result<PathBuf> {
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").context("start this with `cargo xtask`")?);
    Ok(manifest.parent().context("the xtask crate lies in the workspace")?.to_owned())
}

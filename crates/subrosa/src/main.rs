//! `subrosa`, the program: the command line and wiring, nothing else.
//!
//! Data goes to standard output, everything else to standard error; the exit code says what kind of failure it was.

mod cli;
mod commands;
mod feed;
mod home_server;
mod keyboard;
mod names;
mod news;
mod output;
mod qr;
mod render;
mod secrets;
mod signals;
mod steps;
mod terminal;
mod time;

use std::process::ExitCode;

use clap::Parser;
use subrosa_client::api::Failure;
use subrosa_types::text::{for_terminal, single_line};

use crate::cli::Cli;
use crate::output::is_stdout_closed;

fn main() -> ExitCode {
    // Before SQLCipher does it: without the exit handler of its OpenSSL, which would take things away from threads that
    // are still ending (a crash at exit, about once in 1,500 commands).
    openssl_sys::init();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse_arguments(&error),
    };
    steps::show(cli.global.verbose);
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(subrosa_client::api::FailureCode::Environment, "no_runtime", error.to_string()))
        .and_then(|runtime| {
            let outcome = runtime.block_on(commands::run(cli));
            // A thread may wait for a line from the keyboard that never comes.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if is_stdout_closed(&failure) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("subrosa: {}", single_line(&failure.message));
            ExitCode::from(failure.code.exit_code())
        }
    }
}

/// Help and version are no errors; wrong use is exit code 1. What was typed is shown, so it is made safe to show.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody reads the help any more: that is their business.
        let _closed = error.print();
        return ExitCode::SUCCESS;
    }
    eprint!("{}", for_terminal(&error.render().to_string()));
    ExitCode::from(1)
}

//! A server under measurement: this program again, as a process on a core of its own.
//!
//! The child prints one JSON line when it listens, and ends when its standard input does, so that it never outlives the
//! benchmark.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::machine;

/// The line that a server prints when it listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// The link of a Subrosa server; empty for the floor.
    pub link: String,
    /// How the store answers `PRAGMA synchronous`; empty for the floor.
    pub synchronous: String,
}

impl Listening {
    /// Prints the line.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn announce(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(self)?)?;
        Ok(out.flush()?)
    }
}

/// Waits until standard input ends, which is when the benchmark does.
pub async fn until_orphaned() {
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // Either way, nobody is there any more.
    drop(ended.await);
}

/// A running server.
pub struct Process {
    child: Child,
    /// What it said when it began to listen.
    pub listening: Listening,
}

impl Process {
    /// Starts this program with a subcommand that serves.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub fn start(subcommand: &str, arguments: &[&OsStr]) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut child = Command::new(program)
            .arg(subcommand)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `bench {subcommand}`"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let listening = serde_json::from_str(&line).with_context(|| format!("`bench {subcommand}` does not listen"))?;
        Ok(Self { child, listening })
    }

    /// Processor time so far.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu_time(&self) -> Result<Duration> {
        machine::cpu_time(self.child.id())
    }

    /// Resident memory, in bytes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn resident_memory(&self) -> Result<u64> {
        machine::resident_memory(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing more to do about it either way.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

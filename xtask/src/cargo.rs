//! How tasks call cargo: in the workspace, with the World's seeds in the environment.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

/// The environment variable with the number of seeds that the World runs.
const SEEDS: &str = "SUBROSA_SEEDS";
/// The environment variable with the World's first seed.
const FROM: &str = "SUBROSA_SEED_FROM";

/// Cargo in this workspace.
pub struct Cargo {
    root: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Cargo {
    /// Cargo for the workspace in `root`.
    pub fn new(root: PathBuf) -> Self {
        Self { root, environment: Vec::new() }
    }

    /// The same with the World's range of seeds; `None` leaves the World's own default.
    pub fn with_seeds(mut self, seeds: Option<u64>, from: Option<u64>) -> Self {
        self.environment.extend(seeds.map(|seeds| (SEEDS, seeds.to_string())));
        self.environment.extend(from.map(|from| (FROM, from.to_string())));
        self
    }

    /// The same with one more environment variable.
    pub fn with(&self, name: &'static str, value: &str) -> Self {
        let mut environment = self.environment.clone();
        environment.push((name, value.to_owned()));
        Self { root: self.root.clone(), environment }
    }

    /// The workspace's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs cargo; its output is ours.
    ///
    /// # Errors
    /// When cargo cannot be started or ends with a failure.
    pub fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let status = self.command(arguments).status().context("cargo does not start")?;
        succeeded(status)
    }

    /// Runs `cargo test` and counts what its harnesses report, while its output goes on to ours.
    ///
    /// # Errors
    /// As [`Cargo::run`].
    pub fn run_tests<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<TestCount> {
        let mut child = self.command(arguments).stdout(Stdio::piped()).spawn().context("cargo does not start")?;
        let mut count = TestCount::default();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = line.context("cargo's output ended badly")?;
                count.add(&String::from_utf8_lossy(&line));
                let mut out = std::io::stdout().lock();
                out.write_all(&line).and_then(|()| out.write_all(b"\n")).context("cannot print")?;
            }
        }
        let status = child.wait().context("cargo does not end")?;
        succeeded(status).with_context(|| count.to_string())?;
        Ok(count)
    }

    fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(arguments)
            .current_dir(&self.root)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn succeeded(status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("cargo ended with {status}");
    }
    Ok(())
}

/// Tests that ran, over all harnesses.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TestCount {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl TestCount {
    /// Adds a harness's `test result: ok. 3 passed; 0 failed; 0 ignored; …`; any other line counts nothing.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.1.split("; ") {
            let Some((number, kind)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for TestCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tests passed, {} failed, {} ignored", self.passed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_harnesses_are_added() {
        let mut count = TestCount::default();
        count.add("running 3 tests");
        count.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        count.add("test a::b ... ok");
        count.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        assert_eq!(count, TestCount { passed: 4, failed: 2, ignored: 1 });
    }
}

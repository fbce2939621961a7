//! The program under measurement and its people: a server, profiles, and `subrosa web`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The program, built beside this one.
pub struct Subrosa(PathBuf);

impl Subrosa {
    /// The one beside this program.
    ///
    /// # Errors
    /// When it was not built.
    pub fn beside() -> Result<Self> {
        let own = std::env::current_exe().context("cannot find this program")?;
        let program = own.with_file_name("subrosa");
        ensure!(program.is_file(), "{} is not built: cargo build --release -p subrosa", program.display());
        Ok(Self(program))
    }

    fn command(&self, home: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command.env("SUBROSA_KEYRING", "off").arg("--home").arg(home).args(arguments);
        command
    }

    /// Runs a command to its end, with this on its standard input.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&self, home: &Path, arguments: &[&str], input: &str) -> Result<()> {
        let mut child = self
            .command(home, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("the program does not start")?;
        child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
        let status = child.wait()?;
        ensure!(status.success(), "subrosa {} ended with {status}", arguments.join(" "));
        Ok(())
    }

    /// Starts a command that goes on, and reads its first line, which is JSON.
    ///
    /// # Errors
    /// When there is no such line.
    pub fn start(&self, home: &Path, arguments: &[&str]) -> Result<Running> {
        let mut command = self.command(home, arguments);
        let mut child =
            Running { child: command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?, first: Value::Null };
        let mut line = String::new();
        BufReader::new(child.child.stdout.take().context("no standard output")?).read_line(&mut line)?;
        child.first = serde_json::from_str(&line).with_context(|| format!("no first line: {line:?}"))?;
        Ok(child)
    }
}

/// A program that goes on; it ends with this value.
pub struct Running {
    child: Child,
    /// Its first line.
    pub first: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

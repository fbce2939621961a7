//! `-v`: the steps, on standard error. Nothing that is logged anywhere has content, names or secrets in it.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::terminal;

/// What stands in front of every step.
static MARK: OnceLock<&str> = OnceLock::new();

/// From now on every step begins with this. Only the first call counts.
pub fn mark(mark: &'static str) {
    let _marked_already = MARK.set(mark);
}

/// Shows warnings; with `-v` the steps as well, with `-vv` everything of our own crates.
pub fn show(verbose: u8) {
    let ours = |level: &str| {
        [
            "subrosa",
            "subrosa_client",
            "subrosa_net",
            "subrosa_direct",
            "subrosa_engine",
            "subrosa_server",
            "subrosa_mls",
        ]
        .map(|name| format!("{name}={level}"))
        .join(",")
    };
    let filter = match verbose {
        // What moves packets of direct links names addresses of people in its errors.
        0 => "error,iroh=off,iroh_relay=off,noq=off,noq_proto=off,noq_udp=off,netwatch=off".to_owned(),
        1 => ours("info"),
        _ => ours("debug"),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(|| Step(Vec::new()))
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    if verbose > 1 {
        lines.init();
    } else {
        lines.without_time().with_target(false).compact().init();
    }
}

/// One line, written when it is whole: somebody may be typing on the terminal.
struct Step(Vec<u8>);

impl Write for Step {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.0);
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        let line = &format!("{}{line}", MARK.get().unwrap_or(&""));
        if !terminal::print_above(line) {
            eprintln!("{line}");
        }
    }
}

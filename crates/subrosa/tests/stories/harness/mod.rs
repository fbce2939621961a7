//! What every story stands on: the real binary, servers and profiles in temporary folders, and waiting for events with
//! a deadline instead of sleeping.
//!
//! - [`Server`]: `subrosa serve`, which can be killed, ended and started again on the same port.
//! - [`Profile`]: one device of a person; its commands, and what came out of them as an [`Outcome`].
//! - [`Process`]: a program that goes on while the story does, with its lines as they come.
//! - [`Terminal`]: a pseudo-terminal with a program in it, and what a person sees on its screen.
//! - [`Wire`]: a proxy between client and server that keeps every byte.
//! - [`HostileGuest`]: a guest of a room whose frames the story changes.
//! - [`absence`]: looks for a text in all the forms in which it could hide.
//!
//! Invariant: whatever a story starts ends with it, by its own process id, also when the story fails. No story touches
//! the person's keyring, home folder or environment.

pub mod absence;
mod guest;
mod outcome;
mod process;
mod profile;
mod rpc;
mod server;
mod terminal;
mod wire;

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

pub use guest::HostileGuest;
pub use outcome::{Outcome, objects};
pub use process::Process;
pub use profile::{PASSWORD, Profile};
pub use rpc::Rpc;
pub use server::Server;
pub use terminal::Terminal;
pub use wire::Wire;

/// How long anything that a story waits for may take. Generous: the machine may be busy with other stories.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The binary that is tested.
pub const SUBROSA: &str = env!("CARGO_BIN_EXE_subrosa");

/// A command in a headless environment of its own: no keyring, no home folder, no variable of whoever runs the test.
pub fn headless(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("SUBROSA_KEYRING", "off").env("HOME", "/nonexistent").env("LANG", "C.UTF-8");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

//! The profile's socket: how other processes reach the engine of a profile.
//!
//! JSON-RPC 2.0 over a Unix socket, one object a line, a line at most [`LINE`] bytes in both directions:
//!
//! 1. The engine's process says `{"jsonrpc":"2.0","method":"welcome","params":{"v":1}}`. Reason: a connection that is only
//!    waiting in a queue of a process that is about to end never sees it, so nobody mistakes the queue for the engine.
//! 2. Requests: `method` and `params` are those of [`crate::api::Command`] as it serialises. Answers may come in any order.
//! 3. A result whose list does not fit into a line is sent ahead in `rows` notifications,
//!    `{"method":"rows","params":{"id":7,"rows":[…]}}`; the answer carries the rest.
//! 4. `subscribe` asks for events: `{"method":"event","params":{"event":"message",…}}`. A subscriber that is too slow gets
//!    `{"method":"missed"}` instead of what it missed, and reads again.
//! 5. An error has the exit code of the command line as its code and `{"code","kind","kept"}` as data. The kind
//!    `engine_leaving` says that the command was not started on, because the process is ending: connect anew.
//!
//! Invariant: only the user who owns the profile gets in (folder 0700, socket 0600, and the peer's user id is checked).

#[cfg(unix)]
mod dial;
mod line;
#[cfg(unix)]
mod listen;
#[cfg(unix)]
mod path;
mod protocol;
#[cfg(all(test, unix))]
mod tests;
#[cfg(not(unix))]
mod unsupported;

#[cfg(unix)]
pub(crate) use dial::{Asked, Gone, Remote};
#[cfg(unix)]
pub(crate) use listen::Listener;
#[cfg(unix)]
pub(crate) use path::socket_path;
#[cfg(not(unix))]
pub(crate) use unsupported::{Asked, Gone, Listener, Remote, socket_path};

/// Longest line, in bytes.
pub const LINE: usize = 1024 * 1024;
/// Requests of one connection that may be under way.
pub const IN_FLIGHT: usize = 64;
/// Version of this protocol.
pub const VERSION: u32 = 1;

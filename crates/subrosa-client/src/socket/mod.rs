//! The profile's socket: how other processes reach the engine of a profile.
//!
//! The protocol is [`crate::rpc`]'s. Answers may be longer than a request may be: at most `ANSWER` bytes.
//!
//! Invariant: only the user who owns the profile gets in (folder 0700, socket 0600, and the peer's user id is checked).

#[cfg(unix)]
mod dial;
#[cfg(unix)]
mod listen;
#[cfg(unix)]
mod path;
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

/// Longest line of the engine's process, in bytes: an answer with all messages of a profile. Only the user's own process writes it.
pub(crate) const ANSWER: usize = 1024 * 1024 * 1024;

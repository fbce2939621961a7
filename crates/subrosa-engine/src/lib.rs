//! The client's engine: accounts, conversations, outbox and synchronisation, with no socket, clock or randomness of its own.
//!
//! Bytes, time and randomness come in as arguments; bytes to send, events and answers come out of [`Engine::poll`]:
//!
//! ```text
//!   command(Command) ─┐                        ┌─ Output::Transmit(frame)      to the link
//!   link_up/link_down ├──►  Engine  ──poll()──►├─ Output::Connect(link)        please (re)connect
//!   frame(bytes)      │   one SQLite store     ├─ Output::Finished(id, …)      answer to a command
//!   timeout(now) ─────┘                        └─ Output::Event(event)         for who watches
//! ```
//!
//! Each input is one transaction: the store and the MLS ratchets change together or not at all, and outputs are handed out
//! only after the commit. A crash between any two steps leaves a state from which the engine goes on.
//!
//! Where to look: [`api`] what faces may ask · `engine` inputs, the transaction, outputs · `session` connection and login ·
//! `sync` what is known to be missing, and fetching it · `incoming` log entries, welcomes, and every check a client makes ·
//! `outgoing` outbox, commits, new conversations · `commands` one file a group of commands · [`store`] the tables ·
//! [`room`] rooms, which use nothing of all that but content and words · [`content`] what stands inside the ciphertext.

pub mod api;
mod commands;
pub mod content;
mod direct;
mod engine;
mod fault;
mod incoming;
mod outgoing;
mod people;
mod requests;
pub mod room;
mod session;
pub mod store;
mod sync;
mod watch;
mod words;

pub use direct::{DirectPolicy, RoadId, RoadOrder};
#[cfg(feature = "planted-faults")]
pub use engine::Faults;
pub use engine::{CommandId, Config, Engine, OpenError, Output};

//! The async facade of a profile: engine, link, lock and socket behind one type. Every interactor uses [`Client`] and
//! nothing below it.
//!
//! ```text
//!   Client ──┬─ this process has the lock:  Host = engine thread (drive) + link task + socket for the others
//!            └─ another process has it:     Remote = JSON-RPC over that process's socket
//! ```
//!
//! Whoever opens a profile first is its engine; later processes speak to it. When it goes, the next one that wants
//! something takes over. An interactor sees none of this, except as [`Notice::Missed`].
//!
//! Where to look: [`profile`] the folder, its lock and its manifest · [`keys`] where the store's key comes from ·
//! [`room`] rooms and [`direct`] chats, which need no profile · [`rpc`] the API for programs · [`store`] SQLCipher · `drive` the only file that touches the engine · `link` the connection · [`socket`] the protocol
//! between processes · [`client`] the facade.

pub mod client;
pub mod direct;
mod drive;
mod failure;
mod host;
pub mod keys;
mod link;
pub mod profile;
mod roads;
pub mod room;
pub mod rpc;
pub mod socket;
pub mod store;

pub use client::{Client, Events, Notice, Opening, Submitted};
pub use failure::{connect_failure, is_engine_gone};
pub use profile::{Profile, ProfileError};
pub use subrosa_engine::api;

//! Subrosa's server: orders and delivers what it cannot read.
//!
//! ```text
//!   gate (TLS, WebSocket, limits) ──▶ intake ──▶ writer thread ── core ── store (SQLite)
//!        ▲                                          │
//!        └──────────── outboxes (bounded) ◀─────────┤ answers and pushes, only after the commit
//!                                └──── reader thread┘ pages of logs, beside the writer
//! ```
//!
//! - [`core`]: what the service *is*: sessions, directory, roles, delivery. Synchronous and deterministic; the simulation
//!   drives it as the writer thread does. One kind of request a file.
//! - [`store`]: what is on disk, behind plain functions.
//! - [`relay`]: what helps two devices to a direct link, beside all of that.
//! - [`rooms`]: rooms of guests, in memory only, deterministic too, on a thread of their own.
//! - `gate`, `intake`, `writer`, `reader`, `outbox`: what connects the core to a network, and bounds it.
//! - [`Server`] starts all of it, [`RunningServer`] stops it.
//!
//! The server holds nothing that decrypts a message, and cannot link what could: of the group engine it uses the follower
//! of public group state alone. Logs carry ids, never names, addresses or content.

pub mod config;
pub mod core;
mod gate;
mod intake;
mod outbox;
mod reader;
pub mod relay;
pub mod rooms;
mod running;
pub mod store;
mod writer;

pub use config::ServerConfig;
pub use core::{Event, Rate, Rates, Signup};
pub use rooms::{RoomLimits, RoomPolicy};
pub use running::{DATABASE, RunningServer, Server, StartError, StopError, system_time};

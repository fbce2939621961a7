//! Links: how frames travel. This crate moves bytes and proves keys; it reads no frame and keeps no state.
//!
//! - [`server`]: the link between a device and its server, WebSocket over TLS 1.3 with a pinned key.
//! - [`direct`]: links between two devices.
//!
//! A link says why it ended in a typed error. Whether and when to try again is the engine's decision.

pub mod direct;
pub mod server;

pub use server::{ConnectError, Connection, LinkEnd, LinkGone, Receiver, Sender, connect, learn_key};

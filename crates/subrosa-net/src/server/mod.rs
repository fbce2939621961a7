//! The link to a server.
//!
//! 1. TCP to the host and port of the link.
//! 2. TLS 1.3, and only that. The certificate is good if its key is the one that the link's fingerprint names and the
//!    peer proves in the handshake that it has the private half (`pin`); names, dates and authorities say nothing here.
//! 3. WebSocket on `/v1`. One binary message is one frame; sizes are bounded both ways.
//! 4. The exporter value of this very TLS connection goes to the engine, which binds its login to it.
//!
//! Invariant: no byte of the application leaves before the pinned key is proved.

mod connect;
mod connection;
mod error;
pub(crate) mod pin;

pub use connect::{connect, learn_key};
pub use connection::{Connection, LinkGone, Receiver, Sender};
pub use error::{ConnectError, LinkEnd};

//! The wire: protobuf schema, frames, error codes, server links and tickets. Limits are checked while decoding.
//!
//! The schema, with the protocol's prose, is in `proto/`; [`proto`] is what prost makes of it. This crate turns bytes
//! into frames and back, and says no to what is too large. It checks no signature and keeps no state.

#[allow(missing_docs, clippy::all, reason = "generated from proto/, where the documentation is")]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/subrosa.v1.rs"));
}

pub mod error;
pub mod frame;
pub mod link;
pub mod relay_link;
pub mod ticket;

pub use error::Refusal;
pub use frame::{DecodeError, decode_client_frame, decode_server_frame, encode};
pub use link::{Fingerprint, LinkError, ServerLink};
pub use relay_link::RelayLink;
pub use ticket::{Encryption, Ticket, TicketError};

//! Links between two devices, without the server in the way.
//!
//! A [`Communicator`] makes [`Link`]s to one peer: ordered, reliable, in frames of at most [`FRAME`] bytes. It promises
//! nothing about secrecy or who the peer is, beyond what its own documentation says; that is the work of what runs over it.

mod communicator;
pub mod quic;

pub use communicator::{Communicator, CommunicatorError, FRAME, Inbound, Link, LinkEnd, Outbound, Path};

//! Links between two devices, without the server in the way.
//!
//! A [`Communicator`] makes [`Link`]s to one peer: ordered, reliable, in frames of at most [`FRAME`] bytes. It promises
//! nothing about secrecy or who the peer is, beyond what its own documentation says; that is the work of what runs over it.
//!
//! | communicator | frames travel | proves |
//! |---|---|---|
//! | [`tcp`] | over one TCP connection, length in front | nothing |
//! | [`memory`] | inside this process | nothing |

mod communicator;
pub mod memory;
pub mod quic;
pub mod tcp;

pub use communicator::{Communicator, CommunicatorError, FRAME, Inbound, Link, LinkEnd, Outbound, Path};

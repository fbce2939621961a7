//! Links over QUIC, from one machine to the other through NATs where that is possible, through a relay where it is not.
//!
//! The work is done by `iroh` 1.4 (see `docs/adr`): both endpoints connect to a relay, learn there how the world sees their
//! addresses, meet through it, tell each other their addresses, and send packets to all of them at the same time until a
//! pair gets through. The connection starts relayed and moves to the direct path without losing anything; when that path
//! dies it moves back.
//!
//! What this module promises above that:
//!
//! 1. *Nobody else is contacted*: one relay, which the caller names, and the peer. No default relays, no lookup service, no
//!    public DNS servers, no UPnP.
//! 2. *The relay is who its link says*: TLS with the pinned Ed25519 key (`relays`).
//! 3. *The peer is who was dialled, or expected*: TLS 1.3 with the endpoint's Ed25519 key on both sides.
//! 4. *Keys are agreed by X25519MLKEM768 and nothing less*, with the peer and with the relay (`transport`).
//! 5. *Memory is bounded*: windows, waiting strangers, frames.
//!
//! Mind: an endpoint tells its addresses to whoever completes a handshake with it, before anybody can say no. So one that
//! must not show its address to strangers must not exist until the peer is agreed on, and must have a key that only that
//! peer knows. [`Endpoint`] is made for one peer and closed after it.

mod communicator;
mod endpoint;
mod handshake;
mod link;
mod mapping;
mod relays;
mod transport;

pub use communicator::{QuicDialer, QuicListener};
pub use endpoint::{Endpoint, EndpointConfig, EndpointError, Peer, PeerId};
pub use mapping::MappingError;

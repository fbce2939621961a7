//! How a link comes up on a connection:
//!
//! 1. The dialer opens the connection's one stream and writes [`GREETING`].
//! 2. The acceptor, if it wants this peer, answers the same.
//!
//! Reason: QUIC tells the acceptor of a stream only when something comes on it; and a connection is up for the dialer
//! before the acceptor has decided. After the greeting both know that the other one is there and willing.

use std::sync::Arc;

use iroh::EndpointAddr;
use iroh::endpoint::{Connection, Incoming, RecvStream, SendStream, VarInt};

use super::endpoint::{ALPN, Peer, PeerId};
use super::link::{Inwards, Outwards, watch_path};
use crate::direct::Link;

/// First bytes in both directions.
const GREETING: [u8; 4] = *b"SUB1";
/// Label of the keying material that binds what runs above to this very connection (RFC 8446 §7.5).
const BINDING: &[u8] = b"EXPORTER-subrosa direct link v1";
/// Code of a connection that is not wanted.
const UNWANTED: VarInt = VarInt::from_u32(2);

/// Why no link came up.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// The network, or the peer, ended it.
    #[error("{0}")]
    Failed(String),
    /// Another key than the expected one.
    #[error("its key is not the expected one")]
    WrongPeer,
    /// It does not speak our protocol.
    #[error("it speaks another protocol")]
    Protocol,
}

fn failed(error: impl std::fmt::Display) -> HandshakeError {
    HandshakeError::Failed(error.to_string())
}

/// The dialer's side.
pub(super) async fn dial(endpoint: &iroh::Endpoint, to: EndpointAddr) -> Result<Link, HandshakeError> {
    let id = to.id;
    let connection = endpoint.connect(to, ALPN).await.map_err(failed)?;
    if connection.remote_id() != id {
        return Err(HandshakeError::WrongPeer);
    }
    let (mut send, mut receive) = connection.open_bi().await.map_err(failed)?;
    send.write_all(&GREETING).await.map_err(failed)?;
    expect_greeting(&mut receive).await?;
    link(connection, send, receive)
}

/// The acceptor's side.
pub(super) async fn accept(incoming: Incoming, peer: Peer) -> Result<Link, HandshakeError> {
    let connection = incoming.await.map_err(failed)?;
    if let Peer::Only(PeerId(expected)) = peer
        && *connection.remote_id().as_bytes() != expected
    {
        connection.close(UNWANTED, b"not expected");
        return Err(HandshakeError::WrongPeer);
    }
    let (mut send, mut receive) = connection.accept_bi().await.map_err(failed)?;
    expect_greeting(&mut receive).await?;
    send.write_all(&GREETING).await.map_err(failed)?;
    link(connection, send, receive)
}

async fn expect_greeting(receive: &mut RecvStream) -> Result<(), HandshakeError> {
    let mut greeting = [0; GREETING.len()];
    receive.read_exact(&mut greeting).await.map_err(failed)?;
    if greeting == GREETING { Ok(()) } else { Err(HandshakeError::Protocol) }
}

fn link(connection: Connection, send: SendStream, receive: RecvStream) -> Result<Link, HandshakeError> {
    let mut binding = [0; 32];
    connection.export_keying_material(&mut binding, BINDING, b"").map_err(|error| failed(format!("{error:?}")))?;
    let path = watch_path(&connection);
    let connection = Arc::new(connection);
    Ok(Link {
        outbound: Box::new(Outwards::new(send, connection.clone())),
        inbound: Box::new(Inwards::new(receive, connection)),
        binding,
        path,
    })
}

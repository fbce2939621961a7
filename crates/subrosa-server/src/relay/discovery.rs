//! Address discovery: an endpoint behind a NAT asks from its own UDP port, and hears from which address and port its
//! packets come (QUIC Address Discovery, draft-ietf-quic-address-discovery). Without that no hole can be punched.
//!
//! It is a QUIC endpoint on the UDP port with the number of the server's TCP port, which proves the same key. A connection
//! carries no streams: the address comes in a frame of its own. Clients keep it to hear of changes.
//!
//! Bounds: connections at a time, and of one address; further ones are refused with one packet. From half full on, a client
//! must show first that it receives at the address it claims (RFC 9000 §8.1.2).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use iroh_relay::quic::ALPN_QUIC_ADDR_DISC;
use noq::crypto::rustls::QuicServerConfig;
use noq::{Endpoint, Incoming, VarInt};
use tokio::time::timeout;

use super::places::{Place, Places};

/// Connections of one address: a household, or a company behind one NAT.
const PER_ADDRESS: usize = 256;
/// Handshakes that wait to be looked at.
const WAITING: usize = 256;
/// Bytes that come early for each of them.
const EARLY: u64 = 4 * 1024;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long clients get to hear of the end.
const FAREWELL: Duration = Duration::from_secs(2);
/// After so long without a sign of life (clients give one every 25 s) a connection is forgotten.
const IDLE_MS: u32 = 40_000;
/// Code and reason of an orderly end, as iroh's clients know it.
const CLOSE: (VarInt, &[u8]) = (VarInt::from_u32(1), b"finished");

/// The service; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Discovery {
    endpoint: Endpoint,
}

impl Discovery {
    /// Starts it on a UDP port.
    ///
    /// # Errors
    /// The port cannot be had, or TLS cannot be set up.
    pub(crate) fn start(address: SocketAddr, mut tls: rustls::ServerConfig, places: usize) -> std::io::Result<Self> {
        tls.alpn_protocols = vec![ALPN_QUIC_ADDR_DISC.to_vec()];
        let crypto = QuicServerConfig::try_from(tls).map_err(std::io::Error::other)?;
        let mut config = noq::ServerConfig::with_crypto(Arc::new(crypto));
        config.max_incoming(WAITING).incoming_buffer_size(EARLY).incoming_buffer_size_total(EARLY * WAITING as u64);
        let mut transport = noq::TransportConfig::default();
        transport
            .max_concurrent_uni_streams(0_u8.into())
            .max_concurrent_bidi_streams(0_u8.into())
            .datagram_receive_buffer_size(None)
            .max_idle_timeout(Some(VarInt::from_u32(IDLE_MS).into()))
            .send_observed_address_reports(true);
        config.transport_config(Arc::new(transport));
        let endpoint = Endpoint::server(config, address)?;
        tokio::spawn(accept(endpoint.clone(), Places::new(places, PER_ADDRESS)));
        Ok(Self { endpoint })
    }
}

impl Discovery {
    /// Tells all clients that it ends, and waits for that, for two seconds at most.
    pub(crate) async fn shutdown(&self) {
        self.endpoint.close(CLOSE.0, CLOSE.1);
        if timeout(FAREWELL, self.endpoint.wait_idle()).await.is_err() {
            tracing::debug!("clients of address discovery did not take its end in time");
        }
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.endpoint.close(CLOSE.0, CLOSE.1);
    }
}

async fn accept(endpoint: Endpoint, places: Arc<Places>) {
    while let Some(incoming) = endpoint.accept().await {
        let Some(place) = places.take(incoming.remote_address().ip()) else {
            incoming.refuse();
            continue;
        };
        if place.crowded && incoming.may_retry() {
            if let Err(error) = incoming.retry() {
                tracing::debug!(%error, "a client could not be asked to show its address");
            }
            continue;
        }
        tokio::spawn(serve(incoming, place));
    }
}

async fn serve(incoming: Incoming, _place: Place) {
    match timeout(HANDSHAKE, incoming).await {
        Ok(Ok(connection)) => {
            let end = connection.closed().await;
            tracing::trace!(%end, "a client of address discovery went");
        }
        Ok(Err(error)) => tracing::debug!(%error, "a client of address discovery did not connect"),
        Err(_) => tracing::debug!("a client of address discovery took too long"),
    }
}

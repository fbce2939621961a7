//! Address discovery: an endpoint behind a NAT asks from its own UDP port, and hears from which address and port its
//! packets come (QUIC Address Discovery, draft-ietf-quic-address-discovery). Without that no hole can be punched.
//!
//! It is a QUIC endpoint on the UDP port with the number of the server's TCP port, which proves the same key. A connection
//! carries no streams: the address comes in a frame of its own. Clients keep it to hear of changes.
//!
//! Bounds: connections at a time, and of one address; further ones are refused with one packet. From half full on, a client
//! must show first that it receives at the address it claims (RFC 9000 §8.1.2).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iroh_relay::quic::ALPN_QUIC_ADDR_DISC;
use noq::crypto::rustls::QuicServerConfig;
use noq::{Endpoint, Incoming, VarInt};
use tokio::time::timeout;

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
        tokio::spawn(accept(endpoint.clone(), Arc::new(Places { all: places, taken: Mutex::default() })));
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

/// Who is connected, by address.
#[derive(Debug)]
struct Places {
    all: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    address: IpAddr,
    crowded: bool,
}

impl Places {
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        // Numbers are whole after a panic too.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return None;
        }
        let of = taken.of.entry(address).or_default();
        if *of >= PER_ADDRESS && !address.to_canonical().is_loopback() {
            return None;
        }
        *of += 1;
        taken.all += 1;
        Some(Place { places: self.clone(), address, crowded: taken.all > self.all / 2 })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(of) = taken.of.get_mut(&self.address) {
            *of -= 1;
            if *of == 0 {
                taken.of.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_one_address_and_come_back() {
        let places = Arc::new(Places { all: 2 * PER_ADDRESS, taken: Mutex::default() });
        let [one, two]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let of_one: Vec<Place> = std::iter::from_fn(|| places.take(one)).collect();
        assert_eq!(of_one.len(), PER_ADDRESS);
        assert!(!of_one[0].crowded);
        let of_two: Vec<Place> = std::iter::from_fn(|| places.take(two)).collect();
        assert_eq!(of_two.len(), PER_ADDRESS);
        assert!(of_two[0].crowded);
        assert!(places.take([192, 0, 2, 3].into()).is_none());
        drop((of_one, of_two));
        assert!(places.take([192, 0, 2, 3].into()).is_some());
        assert_eq!(places.taken.lock().unwrap().of.len(), 0);
    }
}

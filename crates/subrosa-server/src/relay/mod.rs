//! The relay: where two endpoints of a direct link find each other, and what carries their packets while no path between
//! them can be made.
//!
//! It speaks the relay protocol of iroh 1.4 (`iroh_relay::protos`), inside our own TLS 1.3 and WebSocket, on the port of
//! the server:
//!
//! 1. `GET /relay` upgrades to a WebSocket. The client proves its endpoint key with a signature over keying material of
//!    this very TLS connection (RFC 5705), or over a challenge.
//! 2. The relay admits it, or says why not: [`RelayMode`].
//! 3. From then on each packet names the endpoint that it is for, and goes to it if it is connected; else it is dropped,
//!    as a router would. Packets are QUIC, encrypted between the endpoints: the relay sees who talks with whom, when
//!    and how much, and never what.
//!
//! `GET /ping` answers clients that measure the distance. `discovery` tells clients their address as the world sees it,
//! over UDP on the same port number.
//!
//! Invariant: what a client can make the relay hold is bounded (see `client`), and what it can make it do a second too.
//! Nothing is stored and nobody else is contacted; a relay that restarts with the same key is the same relay.

mod access;
mod allowance;
mod alone;
mod client;
mod discovery;
mod passes;
mod places;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use iroh_relay::KeyCache;
use iroh_relay::http::ProtocolVersion;
use iroh_relay::protos::handshake;
use iroh_relay::server::client::Config;
use iroh_relay::server::clients::Clients;
use iroh_relay::server::streams::RelayedStream;
use iroh_relay::server::{ClientRequest, DynAccessControl, Metrics};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::server::Request;

use access::Access;
pub(crate) use access::Admission;
pub use alone::{RelayAlone, RelayAloneConfig, RelayError};
use client::ClientStream;
pub(crate) use discovery::Discovery;
pub use passes::{PassRefused, Passes};

/// Path of the upgrade request.
pub(crate) const PATH: &str = iroh_relay::http::RELAY_PATH;
/// Path of the request that measures the distance.
pub(crate) const PING: &str = iroh_relay::http::RELAY_PROBE_PATH;
/// Packets that wait for one client; further ones are dropped, as on a network. Each has at most 64 KiB.
const QUEUE: usize = 32;
/// How long a client may take to read a packet.
const WRITE: Duration = Duration::from_secs(2);
/// How long clients get to take their last packets.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whom a server's relay admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayMode {
    /// Every endpoint.
    Open,
    /// Endpoints with a pass, which the server gives to logged-in devices.
    Members,
    /// Nobody: there is no relay.
    Off,
}

/// What one client may take of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayLimits {
    /// Clients at a time. Default: 4096.
    pub clients: usize,
    /// Bytes a second that one client may send. Default: 4 MiB.
    pub bytes_per_second: u32,
    /// Bytes that it may send at once after a rest. Default: 4 MiB.
    pub burst: u32,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self { clients: 4096, bytes_per_second: 4 << 20, burst: 4 << 20 }
    }
}

/// The relay of one server.
#[derive(Debug)]
pub(crate) struct Relay {
    clients: Clients,
    metrics: Arc<Metrics>,
    keys: KeyCache,
    access: Arc<Access>,
    limits: RelayLimits,
}

impl Relay {
    pub(crate) fn new(admission: Admission, limits: RelayLimits) -> Self {
        Self {
            clients: Clients::default(),
            metrics: Arc::new(Metrics::default()),
            keys: KeyCache::new(limits.clients),
            access: Arc::new(Access::new(admission, limits.clients)),
            limits,
        }
    }

    /// Admits a client behind its upgrade, and serves it until it goes; returns as soon as it is admitted.
    ///
    /// # Errors
    /// The client broke the protocol, is not admitted, or is gone.
    pub(crate) async fn admit(
        &self,
        stream: TlsStream<TcpStream>,
        request: Box<Request>,
        rest: Vec<u8>,
        place: OwnedSemaphorePermit,
    ) -> io::Result<()> {
        let address = stream.get_ref().0.peer_addr()?.ip();
        let (parts, ()) = request.into_parts();
        let proof = parts.headers.get(iroh_relay::http::CLIENT_AUTH_HEADER).cloned();
        let mut stream = ClientStream::new(stream, rest, self.limits, place).await;
        let proven = handshake::serverside(&mut stream, proof).await.map_err(io::Error::other)?;
        let request = ClientRequest::new(proven.client_key, ProtocolVersion::V2, parts);
        let access: Arc<dyn DynAccessControl> = Arc::new(self.access.at(address));
        let guard = proven.authorize_with(&request, &access, &mut stream).await.map_err(io::Error::other)?;
        let stream = RelayedStream::new(stream, self.keys.clone());
        let mut config = Config::new(guard, stream, ProtocolVersion::V2);
        config.channel_capacity = QUEUE;
        config.write_timeout = WRITE;
        self.clients.register(config, self.metrics.clone());
        Ok(())
    }

    /// Ends all clients in order. Their endpoints look for the relay again by themselves.
    pub(crate) async fn shutdown(&self) {
        if timeout(FAREWELL, self.clients.shutdown()).await.is_err() {
            tracing::debug!("clients of the relay did not take their last packets in time");
        }
    }
}

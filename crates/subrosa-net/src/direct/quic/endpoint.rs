//! An endpoint: a key, a UDP port, and a connection to one relay.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use iroh::dns::DnsResolver;
use iroh::endpoint::{Incoming, NetReportConfig, PortmapperConfig, presets};
use iroh::{EndpointAddr, EndpointId, RelayMap, RelayMode, RelayUrl, SecretKey, TransportAddr, Watcher};
use rand_core::{OsRng, RngCore as _};
use subrosa_wire::RelayLink;
use subrosa_wire::proto::QuicWay;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use super::handshake::{self, HandshakeError};
use super::mapping::{self, Mapping, MappingError, Router};
use super::relays::Pins;
use super::transport::{provider, transport};
use crate::direct::{CommunicatorError, Link};

/// Names the protocol in the TLS handshake (ALPN).
pub(super) const ALPN: &[u8] = b"subrosa-link/1";
/// How long the way to the relay may take to be found.
const READY: Duration = Duration::from_secs(8);
/// How long a link to a peer may take to come up.
const DIAL: Duration = Duration::from_secs(5);
/// How long an orderly end may take.
const CLOSE: Duration = Duration::from_secs(3);
/// Most addresses in a way (see `direct.proto`).
const ADDRESSES: usize = 8;
/// Peers that knock at a time; further ones are refused.
const KNOCKING: usize = 8;

/// The identity of an endpoint: its Ed25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerId(pub [u8; 32]);

/// Whom an endpoint accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The endpoint with this key.
    Only(PeerId),
    /// Whoever knows our key and address. What runs over the link must find out who it is.
    Anybody,
}

/// What an endpoint is made of.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// Seed of its Ed25519 key. In an account's chats: fresh for each peer.
    pub seed: Zeroizing<[u8; 32]>,
    /// The relay. Without one, only peers that reach one of our addresses by themselves can dial us.
    pub relay: Option<RelayLink>,
    /// Whether [`Endpoint::way`] names addresses of the local network. The peer learns them anyway when a link is up:
    /// without that, two behind one NAT would talk through the relay.
    pub show_lan: bool,
}

/// Why an endpoint could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The machine gives no UDP port, or the like.
    #[error("this machine does not allow direct links: {0}")]
    Environment(String),
    /// The relay is not reached. May pass.
    #[error("the relay at {host}:{port} cannot be reached: {reason}")]
    Relay {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// Why not.
        reason: String,
    },
    /// What answers is not the relay of the link.
    #[error("the relay at {host}:{port} has another key than its link names")]
    RelayKey {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
    },
    /// The relay does not admit us.
    #[error("the relay at {host}:{port} does not admit us: {reason}")]
    RelayRefused {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// In its words.
        reason: String,
    },
}

impl From<EndpointError> for CommunicatorError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Relay { .. } => Self::Unreachable(error.to_string()),
            EndpointError::RelayKey { .. } => Self::WrongPeer(error.to_string()),
            EndpointError::Environment(_) | EndpointError::RelayRefused { .. } => Self::Environment(error.to_string()),
        }
    }
}

/// An endpoint. Call [`Self::close`] when it is not needed any more; one that is dropped closes in the background.
pub struct Endpoint {
    iroh: iroh::Endpoint,
    pins: Arc<Pins>,
    relay: Option<(RelayLink, RelayUrl)>,
    show_lan: bool,
    knocking: Mutex<mpsc::Receiver<Incoming>>,
}

/// Its name alone: the library's own shows addresses and passes.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Makes an endpoint, and connects it to its relay.
    ///
    /// # Errors
    /// [`EndpointError`], after at most eight seconds; then nothing is left behind.
    ///
    /// # Cancel safety
    /// Dropping the future ends the attempt.
    pub async fn bind(config: EndpointConfig) -> Result<Self, EndpointError> {
        Self::make(config, false).await
    }

    /// The same for somebody whose address the peer must not learn: frames take the relay alone, also when a direct path
    /// could be made. It opens no UDP port.
    ///
    /// # Errors
    /// As [`Self::bind`].
    ///
    /// # Cancel safety
    /// As [`Self::bind`].
    pub async fn bind_hidden(config: EndpointConfig) -> Result<Self, EndpointError> {
        Self::make(config, true).await
    }

    async fn make(config: EndpointConfig, relay_only: bool) -> Result<Self, EndpointError> {
        let environment = |error: String| EndpointError::Environment(error);
        let provider = provider();
        let pins = Pins::new(provider.signature_verification_algorithms);
        let (relay, mode) = match config.relay {
            Some(link) => {
                let relay = pins.add(&link).map_err(environment)?;
                let url = relay.url.clone();
                (Some((link, url)), RelayMode::Custom(RelayMap::from(relay)))
            }
            None => (None, RelayMode::Disabled),
        };
        let mut report = NetReportConfig::minimal();
        // Without it, one whose UDP is blocked finds no relay.
        report.https_probes = true;
        let mut builder = iroh::Endpoint::builder(presets::Empty);
        if relay_only {
            builder = builder.clear_ip_transports();
        }
        let iroh = builder
            .secret_key(SecretKey::from_bytes(&config.seed))
            .alpns(vec![ALPN.to_vec()])
            .relay_mode(mode)
            .crypto_provider(provider)
            .ca_tls_config(pins.tls())
            .transport_config(transport())
            .dns_resolver(DnsResolver::builder().with_system_defaults().disable_fallback().build())
            .portmapper_config(PortmapperConfig::Disabled)
            .net_report_config(report)
            .max_tls_tickets(0)
            .bind()
            .await
            .map_err(|error| environment(error.to_string()))?;
        let (knock, knocking) = mpsc::channel(KNOCKING);
        tokio::spawn(keep_the_door(iroh.clone(), knock));
        let endpoint = Self { iroh, pins, relay, show_lan: config.show_lan, knocking: Mutex::new(knocking) };
        match endpoint.reach_relay().await {
            Ok(()) => Ok(endpoint),
            Err(error) => {
                endpoint.close().await;
                Err(error)
            }
        }
    }

    /// Waits until the relay admitted us.
    async fn reach_relay(&self) -> Result<(), EndpointError> {
        let Some((link, _)) = &self.relay else { return Ok(()) };
        let (host, port) = (link.host.clone(), link.port);
        let mut status = self.iroh.home_relay_status();
        let until = Instant::now() + READY;
        let mut reason = "it does not answer".to_owned();
        let reached = timeout_at(until, async {
            let mut look = tokio::time::interval(Duration::from_millis(100));
            loop {
                for relay in status.get() {
                    if relay.is_connected() {
                        return Ok(());
                    }
                    if let Some(words) = relay.auth_denied_reason() {
                        return Err(Some(words.to_owned()));
                    }
                    if let Some(error) = relay.last_error() {
                        reason = error.to_string();
                    }
                }
                if self.pins.refused() {
                    return Err(None);
                }
                // A wrong key shows in no status.
                tokio::select! {
                    _ = status.updated() => {}
                    _ = look.tick() => {}
                }
            }
        })
        .await;
        match reached {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Some(words))) => Err(EndpointError::RelayRefused { host, port, reason: words }),
            Ok(Err(None)) => Err(EndpointError::RelayKey { host, port }),
            Err(_) => Err(EndpointError::Relay { host, port, reason }),
        }
    }

    /// Who we are.
    pub fn id(&self) -> PeerId {
        PeerId(*self.iroh.id().as_bytes())
    }

    /// How a peer finds us now: the relay and our addresses. The pass to the relay goes with it as it was given to us:
    /// clear it where it is ours alone.
    pub fn way(&self) -> QuicWay {
        let shown = |address: &&SocketAddr| self.show_lan || !is_local(address.ip());
        let addr = self.iroh.addr();
        let addresses = addr.ip_addrs().filter(shown).take(ADDRESSES).map(ToString::to_string).collect();
        QuicWay { relay: self.relay.clone().map(|(link, _)| link.into()), addresses }
    }

    /// Asks the router for a port, so that a peer behind a hard NAT reaches us directly, too (see `mapping`). It changes
    /// something at the router: only when the person agreed. Gives the outer address, which peers learn with the others. The
    /// port is given back when the endpoint closes.
    ///
    /// # Errors
    /// [`MappingError`], after at most two seconds; the endpoint is as good as before.
    ///
    /// # Cancel safety
    /// Dropping the future leaves at most a port that the router forgets by itself.
    pub async fn open_port(&self) -> Result<SocketAddr, MappingError> {
        let port = self.iroh.bound_sockets().iter().find(|socket| socket.is_ipv4()).map(SocketAddr::port);
        let (Some(port), Some(gateway)) = (port, mapping::gateway()) else { return Err(MappingError::NoRouter) };
        let mut nonce = [0; 12];
        OsRng.fill_bytes(&mut nonce);
        let router = Router::new(gateway, port, nonce);
        let mapping = router.open().await?;
        self.iroh.add_external_addr(mapping.outer.into()).await;
        tokio::spawn(keep_port(self.iroh.clone(), router, mapping));
        Ok(mapping.outer.into())
    }

    /// Waits until the peer dials. Others are turned away, and keep nobody waiting.
    ///
    /// # Errors
    /// [`CommunicatorError::Ended`] when the endpoint is closed.
    ///
    /// # Cancel safety
    /// Dropping the future ends handshakes that are under way; their peers have to dial again. Waits while another call
    /// is waiting.
    pub async fn accept(&self, peer: Peer) -> Result<Link, CommunicatorError> {
        let mut knocking = self.knocking.lock().await;
        let mut handshakes = FuturesUnordered::new();
        loop {
            tokio::select! {
                incoming = knocking.recv(), if handshakes.len() < KNOCKING => match incoming {
                    Some(incoming) => handshakes.push(timeout(DIAL, handshake::accept(incoming, peer))),
                    None => return Err(CommunicatorError::Ended),
                },
                Some(done) = handshakes.next() => match done {
                    Ok(Ok(link)) => return Ok(link),
                    Ok(Err(error)) => tracing::debug!(%error, "a peer did not come in"),
                    Err(_) => tracing::debug!("a peer took too long to come in"),
                },
            }
        }
    }

    /// Dials a peer.
    ///
    /// # Errors
    /// [`CommunicatorError`], after at most five seconds.
    ///
    /// # Cancel safety
    /// Dropping the future ends the attempt.
    pub async fn dial(&self, peer: PeerId, way: &QuicWay) -> Result<Link, CommunicatorError> {
        let unreachable = |error: String| CommunicatorError::Unreachable(error);
        let id =
            EndpointId::from_bytes(&peer.0).map_err(|_| CommunicatorError::WrongPeer("its key is no key".into()))?;
        let mut addresses: Vec<TransportAddr> =
            way.addresses.iter().take(ADDRESSES).filter_map(|text| dialable(text)).map(TransportAddr::Ip).collect();
        if let Some(relay) = &way.relay {
            addresses.push(TransportAddr::Relay(self.meet_at(relay).await?));
        }
        if addresses.is_empty() {
            return Err(unreachable("it names no address and no relay".into()));
        }
        let to = EndpointAddr::from_parts(id, addresses);
        match timeout(DIAL, handshake::dial(&self.iroh, to)).await {
            Ok(Ok(link)) => Ok(link),
            Ok(Err(HandshakeError::WrongPeer)) => Err(CommunicatorError::WrongPeer("its key is another one".into())),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_) => Err(unreachable(format!("it did not answer within {} seconds", DIAL.as_secs()))),
        }
    }

    /// The relay where a peer is to be met, ours or another one.
    async fn meet_at(&self, relay: &subrosa_wire::proto::RelayAddress) -> Result<RelayUrl, CommunicatorError> {
        let link = RelayLink::try_from(relay).map_err(|error| CommunicatorError::Unreachable(error.to_string()))?;
        match &self.relay {
            Some((ours, url)) if (&ours.host, ours.port) == (&link.host, link.port) => {
                if ours.fingerprint == link.fingerprint {
                    Ok(url.clone())
                } else {
                    Err(CommunicatorError::WrongPeer("its relay is at the address of ours and has another key".into()))
                }
            }
            _ => {
                let config = self.pins.add(&link).map_err(CommunicatorError::Unreachable)?;
                let url = config.url.clone();
                self.iroh.insert_relay(url.clone(), Arc::new(config)).await;
                Ok(url)
            }
        }
    }

    /// Closes it, and all its links. Returns after at most three seconds.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the rest of the work to the background.
    pub async fn close(&self) {
        if timeout(CLOSE, self.iroh.close()).await.is_err() {
            tracing::debug!("the peers of an endpoint did not take its end in time");
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if self.iroh.is_closed() {
            return;
        }
        let iroh = self.iroh.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { iroh.close().await });
        }
    }
}

/// Asks for the port again at half time, and gives it back at the end.
async fn keep_port(endpoint: iroh::Endpoint, router: Router, mut mapping: Mapping) {
    let mut closed = std::pin::pin!(endpoint.closed());
    loop {
        tokio::select! {
            _ = &mut closed => return router.give_back().await,
            () = tokio::time::sleep(mapping.lifetime / 2) => {}
        }
        match router.open().await {
            Ok(again) => {
                if again.outer != mapping.outer {
                    endpoint.remove_external_addr(&mapping.outer.into()).await;
                    endpoint.add_external_addr(again.outer.into()).await;
                }
                mapping = again;
            }
            // Perhaps next time; the relay is there meanwhile.
            Err(error) => tracing::debug!(%error, "the router did not open the port again"),
        }
    }
}

/// Lets a few knock and turns the others away at once, so that nothing piles up while nobody accepts.
async fn keep_the_door(endpoint: iroh::Endpoint, knock: mpsc::Sender<Incoming>) {
    while let Some(incoming) = endpoint.accept().await {
        if let Err(mpsc::error::TrySendError::Full(incoming) | mpsc::error::TrySendError::Closed(incoming)) =
            knock.try_send(incoming)
        {
            incoming.refuse();
        }
    }
}

/// An address that a peer names, if packets may be sent there.
fn dialable(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = text.parse().ok()?;
    let ip = address.ip().to_canonical();
    let good = !ip.is_unspecified() && !ip.is_multicast() && address.port() != 0;
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    (good && !broadcast).then_some(address)
}

/// Whether an address means something in a local network alone.
fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn endpoint(seed: u8) -> Endpoint {
        let seed = Zeroizing::new([seed; 32]);
        Endpoint::bind(EndpointConfig { seed, relay: None, show_lan: true }).await.unwrap()
    }

    /// The group of the key exchange of a connection to `endpoint` by somebody with these groups.
    async fn agreed(
        endpoint: &Endpoint,
        groups: Vec<&'static dyn rustls::crypto::SupportedKxGroup>,
    ) -> Result<Option<rustls::NamedGroup>, iroh::endpoint::ConnectError> {
        let mut theirs = (*provider()).clone();
        theirs.kx_groups = groups;
        let dialer = iroh::Endpoint::builder(presets::Empty)
            .crypto_provider(Arc::new(theirs))
            .transport_config(transport())
            .bind()
            .await
            .unwrap();
        let dialling = async {
            let connection = dialer.connect(endpoint.iroh.addr(), ALPN).await?;
            let data = connection.handshake_data().unwrap().downcast::<noq::crypto::rustls::HandshakeData>().unwrap();
            Ok(data.negotiated_key_exchange_group)
        };
        let agreed = tokio::select! {
            agreed = dialling => agreed,
            link = endpoint.accept(Peer::Anybody) => panic!("a link without a greeting: {link:?}"),
        };
        dialer.close().await;
        agreed
    }

    #[tokio::test]
    async fn keys_are_agreed_by_the_post_quantum_hybrid_or_not_at_all() {
        use rustls::crypto::aws_lc_rs::kx_group::{X25519, X25519MLKEM768};
        let alice = endpoint(1).await;
        assert_eq!(
            agreed(&alice, provider().kx_groups.clone()).await.unwrap(),
            Some(rustls::NamedGroup::X25519MLKEM768)
        );
        // Who would rather have less does not get it, and who can do no more gets nothing.
        assert_eq!(
            agreed(&alice, vec![X25519, X25519MLKEM768]).await.unwrap(),
            Some(rustls::NamedGroup::X25519MLKEM768)
        );
        assert!(agreed(&alice, vec![X25519]).await.is_err());
    }

    #[test]
    fn packets_are_sent_to_addresses_of_one_machine_only() {
        for good in ["192.0.2.1:1", "[2001:db8::1]:65535", "127.0.0.1:9"] {
            assert!(dialable(good).is_some(), "{good}");
        }
        for bad in ["", "192.0.2.1", "host:1", "0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1", "255.255.255.255:1"]
        {
            assert!(dialable(bad).is_none(), "{bad}");
        }
        assert!(dialable("192.0.2.1:0").is_none() && dialable("[::ffff:224.0.0.1]:1").is_none());
    }

    #[test]
    fn addresses_of_a_local_network_are_known_as_such() {
        for local in ["10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.1.1", "127.0.0.1", "fd00::1", "fe80::1", "::1"]
        {
            assert!(is_local(local.parse().unwrap()), "{local}");
        }
        assert!(!is_local("192.0.2.1".parse().unwrap()) && !is_local("2001:db8::1".parse().unwrap()));
    }
}

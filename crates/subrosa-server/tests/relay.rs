//! What clients of a relay can do to it and to each other: nothing much.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails is a test that fails")]

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use futures_util::{FutureExt, SinkExt, StreamExt};
use iroh_base::{RelayUrl, SecretKey};
use iroh_dns::dns::DnsResolver;
use iroh_relay::client::{Client, ClientBuilder};
use iroh_relay::protos::relay::{ClientToRelayMsg, Datagrams, RelayToClientMsg};
use iroh_relay::tls::CaTlsConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, PeerIncompatible, SignatureScheme};
use subrosa_server::relay::{RelayAlone, RelayAloneConfig, RelayLimits, RelayMode};
use subrosa_server::{Server, ServerConfig, system_time};
use subrosa_wire::RelayLink;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

/// Longer than anything here takes; only a failure waits for it.
const LONG: Duration = Duration::from_secs(30);
/// A packet as large as they come, nearly.
const PACKET: usize = 60_000;

async fn relay(limits: RelayLimits) -> (TempDir, RelayAlone) {
    let folder = tempfile::tempdir().unwrap();
    let listen = ([127, 0, 0, 1], 0).into();
    let config = RelayAloneConfig { listen, folder: folder.path().into(), public_host: None, open: false, limits };
    let relay = RelayAlone::start(config).await.unwrap();
    (folder, relay)
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

async fn try_connect(link: &RelayLink, seed: u8) -> Result<Client, String> {
    let url: RelayUrl = format!("https://{}:{}/", link.host, link.port).parse().unwrap();
    let any = CaTlsConfig::custom_server_cert_verifier(Arc::new(|provider| Ok(Arc::new(AnyCertificate(provider)))));
    let tls = any.client_config(Arc::new(aws_lc_rs::default_provider())).unwrap();
    let builder = ClientBuilder::new(url, key(seed), DnsResolver::new()).tls_client_config(tls);
    let builder = builder.auth_token(BASE64URL_NOPAD.encode(&link.pass));
    timeout(LONG, builder.connect()).await.unwrap().map_err(|error| format!("{error:#}"))
}

async fn connect(link: &RelayLink, seed: u8) -> Client {
    try_connect(link, seed).await.unwrap()
}

fn packet(to: u8, bytes: &[u8]) -> ClientToRelayMsg {
    ClientToRelayMsg::Datagrams { dst_endpoint_id: key(to).public(), datagrams: Datagrams::from(bytes) }
}

/// The next packet that comes, whatever else does.
async fn next_packet(client: &mut Client) -> Vec<u8> {
    timeout(LONG, async {
        loop {
            if let RelayToClientMsg::Datagrams { datagrams, .. } = client.next().await.unwrap().unwrap() {
                return datagrams.contents.to_vec();
            }
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn packets_reach_the_endpoint_that_they_name_and_no_other() {
    let (_folder, relay) = relay(RelayLimits::default()).await;
    let (mut alice, mut bob, mut carol) =
        (connect(relay.link(), 1).await, connect(relay.link(), 2).await, connect(relay.link(), 3).await);
    alice.send(packet(2, b"for bob")).await.unwrap();
    alice.send(packet(3, b"for carol")).await.unwrap();
    // Nobody has this key; the packet is dropped and nobody is disturbed.
    alice.send(packet(9, b"for nobody")).await.unwrap();
    assert_eq!(next_packet(&mut bob).await, b"for bob");
    assert_eq!(next_packet(&mut carol).await, b"for carol");
    bob.send(packet(1, b"for alice")).await.unwrap();
    assert_eq!(next_packet(&mut alice).await, b"for alice");
}

#[tokio::test]
async fn one_client_cannot_send_faster_than_its_rate() {
    let limits = RelayLimits { bytes_per_second: 500_000, burst: 250_000, ..RelayLimits::default() };
    let (_folder, relay) = relay(limits).await;
    let (alice, mut bob) = (connect(relay.link(), 1).await, connect(relay.link(), 2).await);
    let flood = tokio::spawn(async move {
        let (_, mut sink) = alice.split();
        while sink.send(packet(2, &[7; PACKET])).await.is_ok() {}
    });
    let start = Instant::now();
    let mut came = 0;
    while came < 1_500_000 {
        came += next_packet(&mut bob).await.len();
    }
    flood.abort();
    // What is above the burst takes its time. One packet may be owed.
    let least = Duration::from_secs_f64((1_500_000 - 250_000 - PACKET) as f64 / 500_000.0);
    assert!(start.elapsed() >= least, "{:?} for {came} bytes, at least {least:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_put_out_and_the_others_go_on() {
    let (_folder, relay) =
        relay(RelayLimits { bytes_per_second: 200 << 20, burst: 200 << 20, ..RelayLimits::default() }).await;
    let (mut alice, mut lazy, mut carol) =
        (connect(relay.link(), 1).await, connect(relay.link(), 2).await, connect(relay.link(), 3).await);
    // The relay tells those whom it sent something when it goes.
    lazy.send(packet(1, b"hello")).await.unwrap();
    assert_eq!(next_packet(&mut alice).await, b"hello");
    // Packet by packet, until the system's buffers and the relay's queue are full, and two seconds more.
    let gone = timeout(LONG, async {
        loop {
            alice.send(packet(2, &[7; PACKET])).await.unwrap();
            alice.send(packet(3, b"how is it?")).await.unwrap();
            assert_eq!(next_packet(&mut carol).await, b"how is it?");
            if let Some(Some(message)) = alice.next().now_or_never()
                && let RelayToClientMsg::EndpointGone(gone) = message.unwrap()
            {
                return gone;
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(gone, key(2).public());
    alice.send(packet(3, b"and you?")).await.unwrap();
    assert_eq!(next_packet(&mut carol).await, b"and you?");
    drop(lazy);
}

#[tokio::test]
async fn a_relay_takes_so_many_clients_and_not_one_more() {
    let (_folder, relay) = relay(RelayLimits { clients: 2, ..RelayLimits::default() }).await;
    let alice = connect(relay.link(), 1).await;
    let _bob = connect(relay.link(), 2).await;
    let refused = try_connect(relay.link(), 3).await.map(|_| ()).unwrap_err();
    assert!(refused.contains("full"), "{refused}");
    drop(alice);
    // Her place is free when the relay has noticed.
    let until = Instant::now() + LONG;
    while try_connect(relay.link(), 3).await.is_err() {
        assert!(Instant::now() < until, "a place is never free again");
    }
}

#[tokio::test]
async fn a_relay_that_ends_tells_its_clients_at_once() {
    let (_folder, relay) = relay(RelayLimits::default()).await;
    let mut alice = connect(relay.link(), 1).await;
    timeout(LONG, relay.shutdown()).await.unwrap();
    let end = timeout(LONG, async { while alice.next().await.is_some_and(|message| message.is_ok()) {} }).await;
    assert!(end.is_ok(), "the client was left hanging");
}

async fn server(relay: RelayMode) -> (TempDir, subrosa_server::RunningServer, RelayLink) {
    let folder = tempfile::tempdir().unwrap();
    let config = ServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        folder: folder.path().into(),
        relay: Some(relay),
        ..ServerConfig::default()
    };
    let server = Server::start(config).await.unwrap();
    let link = server.link().to_string().parse().unwrap();
    (folder, server, link)
}

#[tokio::test]
async fn a_servers_relay_is_on_its_own_port_and_ends_with_it() {
    let (_folder, server, link) = server(RelayMode::Open).await;
    let (mut alice, mut bob) = (connect(&link, 1).await, connect(&link, 2).await);
    alice.send(packet(2, b"hello")).await.unwrap();
    assert_eq!(next_packet(&mut bob).await, b"hello");
    timeout(LONG, server.shutdown("the test is over")).await.unwrap().unwrap();
    let end = timeout(LONG, async { while bob.next().await.is_some_and(|message| message.is_ok()) {} }).await;
    assert!(end.is_ok(), "the client was left hanging");
}

#[tokio::test]
async fn a_servers_relay_for_members_admits_a_pass_for_the_endpoint_that_shows_it() {
    let (folder, server, link) = server(RelayMode::Members).await;
    let refused = try_connect(&link, 1).await.map(|_| ()).unwrap_err();
    assert!(refused.contains("pass"), "{refused}");
    let passes = server.relay_passes().unwrap();
    server.shutdown("it restarts").await.unwrap();
    // A pass comes from the server's identity alone: one made before a restart is good after it.
    let config = ServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        folder: folder.path().into(),
        relay: Some(RelayMode::Members),
        ..ServerConfig::default()
    };
    let again = Server::start(config).await.unwrap();
    let link = RelayLink { port: again.port(), pass: passes.issue(key(1).public().as_bytes(), system_time()), ..link };
    assert!(try_connect(&link, 1).await.is_ok());
    let refused = try_connect(&link, 2).await.map(|_| ()).unwrap_err();
    assert!(refused.contains("not for this endpoint"), "{refused}");
}

#[tokio::test]
async fn a_server_whose_relay_is_off_has_none() {
    let (_folder, _server, link) = server(RelayMode::Off).await;
    assert!(try_connect(&link, 1).await.is_err());
}

/// These tests are about what comes after TLS; that clients pin the key is tested with the clients.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

//! The link against real TLS servers: the right one, and each kind of wrong one.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails is a test that fails")]

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use rustls::crypto::aws_lc_rs::{self, sign::any_supported_type};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use subrosa_crypto::VerifyingKey;
use subrosa_net::{ConnectError, LinkEnd, connect};
use subrosa_wire::{Fingerprint, ServerLink};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

type Socket = WebSocketStream<tokio_rustls::server::TlsStream<TcpStream>>;

struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    fingerprint: Fingerprint,
}

fn identity() -> Identity {
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let certificate = CertificateParams::new(vec![]).unwrap().self_signed(&pair).unwrap();
    Identity {
        certificate: certificate.der().clone(),
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der())),
        fingerprint: VerifyingKey::from_slice(pair.public_key_raw()).unwrap().fingerprint(),
    }
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A server that shows `certificate` and signs with `key`, whether they belong together or not.
fn tls(
    certificate: CertificateDer<'static>,
    key: &PrivateKeyDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> TlsAcceptor {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let signer = any_supported_type(key).unwrap();
    let certified = CertifiedKey::new(vec![certificate], signer);
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(Arc::new(certified))));
    TlsAcceptor::from(Arc::new(config))
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn link(port: u16, fingerprint: Fingerprint) -> ServerLink {
    ServerLink { host: "127.0.0.1".to_owned(), port, fingerprint }
}

/// Serves one connection up to TLS; the link is not expected to come further.
async fn refused_by_client(acceptor: TlsAcceptor, fingerprint: Fingerprint) -> ConnectError {
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move { acceptor.accept(listener.accept().await.unwrap().0).await.map(|_| ()) });
    let error = connect(&link(port, fingerprint)).await.unwrap_err();
    server.abort();
    error
}

/// Serves one connection to the end.
async fn serve<T: Send + 'static, F: Future<Output = T> + Send>(
    own: &Identity,
    talk: impl FnOnce(Socket, [u8; 32]) -> F + Send + 'static,
) -> (JoinHandle<T>, ServerLink) {
    let acceptor = tls(own.certificate.clone(), &own.key, TLS13);
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move {
        let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let mut exporter = [0; 32];
        stream.get_ref().1.export_keying_material(&mut exporter, b"EXPORTER-subrosa-v1", None).unwrap();
        talk(accept_async(stream).await.unwrap(), exporter).await
    });
    (server, link(port, own.fingerprint))
}

#[tokio::test]
async fn frames_go_both_ways_and_both_sides_export_the_same_value() {
    let (server, link) = serve(&identity(), async |mut socket: Socket, exporter| {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Binary(frame) = message {
                socket.send(Message::Binary(frame)).await.unwrap();
            }
        }
        exporter
    })
    .await;
    let mut connection = connect(&link).await.unwrap();
    for frame in [vec![1; 3], vec![2; 1024 * 1024]] {
        connection.sender.send(Bytes::from(frame.clone())).await.unwrap();
        assert_eq!(connection.receiver.next().await.unwrap(), frame);
    }
    let exporter = connection.tls_exporter;
    drop(connection);
    assert_eq!(server.await.unwrap(), exporter);
}

#[tokio::test]
async fn a_server_with_another_key_is_refused() {
    let (own, other) = (identity(), identity());
    let error = refused_by_client(tls(other.certificate, &other.key, TLS13), own.fingerprint).await;
    assert!(error.is_wrong_key(), "{error}");
}

#[tokio::test]
async fn a_copied_certificate_without_its_key_is_refused() {
    let (own, thief) = (identity(), identity());
    let error = refused_by_client(tls(own.certificate, &thief.key, TLS13), own.fingerprint).await;
    assert!(error.is_wrong_key(), "{error}");
}

#[tokio::test]
async fn a_certificate_of_another_algorithm_is_refused() {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::new(vec![]).unwrap().self_signed(&pair).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    let error = refused_by_client(tls(certificate.der().clone(), &key, TLS13), identity().fingerprint).await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn tls_1_2_is_not_spoken() {
    let own = identity();
    let acceptor = tls(own.certificate, &own.key, &[&rustls::version::TLS12]);
    let error = refused_by_client(acceptor, own.fingerprint).await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_tls_and_what_is_no_server_are_told_apart() {
    let (listener, port) = listen().await;
    let fingerprint = identity().fingerprint;
    let server = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        listener
    });
    let error = connect(&link(port, fingerprint)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    drop(server.await.unwrap());
    let error = connect(&link(port, fingerprint)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn each_end_of_a_link_has_its_reason() {
    let own = identity();
    let (server, link) = serve(&own, async |mut socket: Socket, _| socket.close(None).await).await;
    let mut connection = connect(&link).await.unwrap();
    assert_eq!(connection.receiver.next().await, Err(LinkEnd::Closed));
    drop(connection);
    let _closed = server.await.unwrap();

    let (_server, link) = serve(&own, async |mut socket: Socket, _| {
        socket.send(Message::text("hello")).await.unwrap();
        socket.next().await
    })
    .await;
    let mut connection = connect(&link).await.unwrap();
    assert!(matches!(connection.receiver.next().await, Err(LinkEnd::Protocol(_))));

    let (_server, link) = serve(&own, async |mut socket: Socket, _| {
        let too_large = vec![0; subrosa_wire::frame::SERVER_FRAME + 1];
        let _cut_off = socket.send(Message::Binary(too_large.into())).await;
    })
    .await;
    let mut connection = connect(&link).await.unwrap();
    assert!(matches!(connection.receiver.next().await, Err(LinkEnd::Protocol(_))));
}

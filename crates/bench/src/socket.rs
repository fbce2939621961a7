//! The generator's end of a connection: TLS 1.3 and WebSocket to a server on loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::websocket::{End, Inbox, Kind, write_header};

/// The upgrade of RFC 6455 §4.1. The key is the RFC's own example: it guards against caches, and there are none here.
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Opens connections to one server.
#[derive(Clone)]
pub struct Dialler {
    address: SocketAddr,
    tls: TlsConnector,
}

impl Dialler {
    /// For the server at `address`. Every connection makes a whole handshake; none is resumed.
    ///
    /// # Errors
    /// When the TLS library refuses its configuration.
    pub fn new(address: SocketAddr) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Connects, as far as the WebSocket handshake.
    ///
    /// # Errors
    /// When the server does not answer as a WebSocket server over TLS.
    pub async fn connect(&self) -> Result<Socket> {
        let tcp = TcpStream::connect(self.address).await.context("cannot connect")?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let mut stream = self.tls.connect(name, tcp).await.context("the TLS handshake failed")?;
        stream.write_all(UPGRADE.as_bytes()).await?;
        stream.flush().await?;
        let mut inbox = Inbox::default();
        loop {
            if let Some(end) = inbox.unread().windows(4).position(|window| window == b"\r\n\r\n") {
                if !inbox.unread().starts_with(b"HTTP/1.1 101") {
                    bail!("no WebSocket: {}", String::from_utf8_lossy(&inbox.unread()[..end]));
                }
                inbox.skip(end + 4);
                return Ok(Socket { reader: Reader { stream, inbox } });
            }
            let count = stream.read(inbox.space()).await?;
            if count == 0 {
                bail!("the connection ended in the WebSocket handshake");
            }
            inbox.filled(count);
        }
    }
}

/// The key that the server proves inside the connection is what counts, as for every client; here, on loopback, the
/// certificate around it may be anybody's.
#[derive(Debug)]
pub struct AnyCertificate(pub Arc<CryptoProvider>);

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
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
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

/// A connection.
pub struct Socket {
    reader: Reader<TlsStream<TcpStream>>,
}

impl Socket {
    /// Sends one binary frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, payload: &[u8]) -> Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 14);
        write_header(&mut frame, End::Client, payload.len());
        frame.extend_from_slice(payload);
        self.reader.stream.write_all(&frame).await?;
        Ok(self.reader.stream.flush().await?)
    }

    /// The next message. Other frames than messages are left out.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn receive(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some((Kind::Binary, payload)) = self.reader.inbox.next_frame()? {
                return Ok(payload.to_vec());
            }
            self.reader.fill().await?;
        }
    }

    /// Keying material of this TLS connection (RFC 8446 §7.5).
    ///
    /// # Errors
    /// Never after the handshake.
    pub fn exporter(&self, label: &[u8]) -> Result<[u8; 32]> {
        Ok(self.reader.stream.get_ref().1.export_keying_material([0; 32], label, None)?)
    }

    /// The two directions, for two tasks.
    pub fn split(self) -> (Reader<ReadHalf<TlsStream<TcpStream>>>, WriteHalf<TlsStream<TcpStream>>) {
        let (stream, writer) = tokio::io::split(self.reader.stream);
        (Reader { stream, inbox: self.reader.inbox }, writer)
    }
}

/// The receiving direction.
pub struct Reader<S> {
    stream: S,
    inbox: Inbox,
}

impl<S: tokio::io::AsyncRead + Unpin> Reader<S> {
    /// Waits for bytes and calls `visit` with every whole message in them.
    ///
    /// # Errors
    /// When the connection ends, or `visit` says so.
    pub async fn next(&mut self, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while let Some((kind, payload)) = self.inbox.next_frame()? {
            match kind {
                Kind::Binary => visit(payload)?,
                Kind::Ping | Kind::Pong => {}
                Kind::Close => bail!("the server ended the connection"),
            }
        }
        self.fill().await
    }

    async fn fill(&mut self) -> Result<()> {
        let count = self.stream.read(self.inbox.space()).await?;
        if count == 0 {
            bail!("the server ended the connection");
        }
        self.inbox.filled(count);
        Ok(())
    }
}

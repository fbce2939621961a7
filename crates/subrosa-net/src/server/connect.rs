//! Making the link: TCP, TLS, WebSocket.

use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls_pki_types::ServerName;
use subrosa_crypto::session::TLS_EXPORTER_LABEL;
use subrosa_types::limits;
use subrosa_wire::frame::SERVER_FRAME;
use subrosa_wire::{Fingerprint, ServerLink};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tracing::info;

use super::connection::Connection;
use super::error::ConnectError;
use super::pin::{PinnedKey, is_wrong_key};

/// How long each of the three steps may take.
const STEP: Duration = Duration::from_secs(5);
/// Read buffer of one link, in bytes; a larger frame is collected on the heap up to its limit.
const READ_BUFFER: usize = 16 * 1024;
/// Bytes that are collected before they are written.
const WRITE_BUFFER: usize = 16 * 1024;

/// Makes a link to the server that `link` names, and to no other.
///
/// # Errors
/// See [`ConnectError`]; nothing was sent but the handshake.
///
/// # Cancel safety
/// Dropping the future ends the attempt.
pub async fn connect(link: &ServerLink) -> Result<Connection, ConnectError> {
    let address = format!("{}:{}", link.host, link.port);
    let late = || ConnectError::TimedOut { address: address.clone(), after: STEP };

    info!("connecting to {address}");
    let tcp = timeout(STEP, open_tcp(&link.host, link.port, &address)).await.map_err(|_| late())??;
    let pinned = |algorithms| PinnedKey::new(link.fingerprint, algorithms);
    let tls = timeout(STEP, open_tls(&link.host, &address, tcp, pinned)).await.map_err(|_| late())??;
    let mut tls_exporter = [0; 32];
    let (_, session) = tls.get_ref();
    session
        .export_keying_material(&mut tls_exporter, TLS_EXPORTER_LABEL, None)
        .map_err(|error| ConnectError::Tls { address: address.clone(), reason: error.to_string() })?;
    info!(
        "TLS 1.3 is up, keys agreed by {}; the server proved the key of the link",
        session.negotiated_key_exchange_group().map_or_else(String::new, |group| format!("{:?}", group.name()))
    );

    let limits = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER + limits::FRAME + 1024)
        .max_message_size(Some(SERVER_FRAME))
        .max_frame_size(Some(SERVER_FRAME));
    let url = format!("wss://{address}/v1");
    let opened = timeout(STEP, client_async_with_config(url, tls, Some(limits))).await.map_err(|_| late())?;
    let (socket, _answer) =
        opened.map_err(|error| ConnectError::Protocol { address: address.clone(), reason: error.to_string() })?;
    Ok(Connection::new(socket, tls_exporter))
}

/// Asks who is there, by a handshake after which nothing is said.
///
/// The answer is what the other side proved, and no more: somebody in between proves a key of theirs. It is for the very
/// first contact with a server of which only the address is known; remember it, and connect with it from then on.
///
/// # Errors
/// See [`ConnectError`].
///
/// # Cancel safety
/// Dropping the future ends the attempt.
pub async fn learn_key(host: &str, port: u16) -> Result<Fingerprint, ConnectError> {
    let address = format!("{host}:{port}");
    let late = || ConnectError::TimedOut { address: address.clone(), after: STEP };
    info!("asking {address} for its key");
    let tcp = timeout(STEP, open_tcp(host, port, &address)).await.map_err(|_| late())??;
    let (to, learned) = mpsc::sync_channel(1);
    let learning = |algorithms| PinnedKey::learning(to, algorithms);
    // The handshake is over: the server proved that it has the key that it showed.
    let _proved = timeout(STEP, open_tls(host, &address, tcp, learning)).await.map_err(|_| late())??;
    learned
        .try_recv()
        .map_err(|_| ConnectError::Tls { address: address.clone(), reason: "it showed no key".to_owned() })
}

async fn open_tcp(host: &str, port: u16, address: &str) -> Result<TcpStream, ConnectError> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<_> = tokio::net::lookup_host((plain, port))
        .await
        .map_err(|_| ConnectError::UnknownHost { host: host.to_owned() })?
        .collect();
    let tcp = TcpStream::connect(found.as_slice()).await.map_err(|source| match source.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { address: address.to_owned() },
        _ => ConnectError::Io { address: address.to_owned(), source },
    })?;
    // Chat frames are small and somebody waits for each: do not collect them.
    tcp.set_nodelay(true).map_err(|source| ConnectError::Io { address: address.to_owned(), source })?;
    Ok(tcp)
}

async fn open_tls(
    host: &str,
    address: &str,
    tcp: TcpStream,
    verifier: impl FnOnce(WebPkiSupportedAlgorithms) -> PinnedKey,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let failed = |reason: String| ConnectError::Tls { address: address.to_owned(), reason };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pinned = verifier(provider.signature_verification_algorithms);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| failed(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    // Each link proves the key anew, and nothing of one link can be recognised in the next.
    config.resumption = Resumption::disabled();

    let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(plain).map_err(|_| ConnectError::UnknownHost { host: host.to_owned() })?;
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|source| {
        match source.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
            Some(error) if is_wrong_key(error) => ConnectError::WrongKey { address: address.to_owned() },
            Some(error) => failed(error.to_string()),
            None if source.kind() == io::ErrorKind::UnexpectedEof => {
                failed("it closed the connection in the middle of the handshake".to_owned())
            }
            None => ConnectError::Io { address: address.to_owned(), source },
        }
    })
}

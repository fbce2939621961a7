//! Making the link: TCP, TLS, WebSocket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::ServerName;
use subrosa_crypto::session::TLS_EXPORTER_LABEL;
use subrosa_types::limits;
use subrosa_wire::ServerLink;
use subrosa_wire::frame::SERVER_FRAME;
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
    let tcp = timeout(STEP, open_tcp(link, &address)).await.map_err(|_| late())??;
    let tls = timeout(STEP, open_tls(link, &address, tcp)).await.map_err(|_| late())??;
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

async fn open_tcp(link: &ServerLink, address: &str) -> Result<TcpStream, ConnectError> {
    let host = link.host.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<_> = tokio::net::lookup_host((host, link.port))
        .await
        .map_err(|_| ConnectError::UnknownHost { host: link.host.clone() })?
        .collect();
    let tcp = TcpStream::connect(found.as_slice()).await.map_err(|source| match source.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { address: address.to_owned() },
        _ => ConnectError::Io { address: address.to_owned(), source },
    })?;
    // Chat frames are small and somebody waits for each: do not collect them.
    tcp.set_nodelay(true).map_err(|source| ConnectError::Io { address: address.to_owned(), source })?;
    Ok(tcp)
}

async fn open_tls(link: &ServerLink, address: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, ConnectError> {
    let failed = |reason: String| ConnectError::Tls { address: address.to_owned(), reason };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pinned = PinnedKey::new(link.fingerprint, provider.signature_verification_algorithms);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| failed(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    // Each link proves the key anew, and nothing of one link can be recognised in the next.
    config.resumption = Resumption::disabled();

    let host = link.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|_| ConnectError::UnknownHost { host: link.host.clone() })?;
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

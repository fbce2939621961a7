//! The WebSocket upgrade (RFC 6455 §4.2): one small HTTP request, answered by hand. No HTTP framework: nothing of HTTP
//! stays in memory afterwards. See `docs/adr/0005-websocket-without-an-http-framework.md`.

use std::io;

use iroh_relay::http::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;

use crate::relay;

/// Largest request head.
const HEAD: usize = 4 * 1024;

/// What is served here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paths {
    /// The chat, on every path that is not the relay's.
    pub(crate) chat: bool,
    /// The relay.
    pub(crate) relay: bool,
}

/// What a client asked for, and what it sent behind its request already.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The chat's protocol.
    Chat(Vec<u8>),
    /// The relay's.
    Relay(Box<Request>, Vec<u8>),
    /// Nothing more: the answer was all.
    Answered,
}

/// Answers the request.
pub(crate) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, paths: Paths) -> io::Result<Opened> {
    let mut head = Vec::with_capacity(512);
    let (length, request) = loop {
        if head.len() >= HEAD {
            return Err(refused("the request head is too large"));
        }
        if stream.take((HEAD - head.len()) as u64).read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match Request::try_parse(&head) {
            Ok(Some(parsed)) => break parsed,
            Ok(None) => {}
            Err(_) => return Err(refused("this is no HTTP request")),
        }
    };
    let to_relay = match request.uri().path() {
        relay::PING if paths.relay => {
            end(stream, "200 OK").await?;
            return Ok(Opened::Answered);
        }
        relay::PATH if paths.relay => true,
        relay::PATH | relay::PING => {
            end(stream, "404 Not Found").await?;
            return Err(refused("there is no relay here"));
        }
        _ if paths.chat => false,
        _ => {
            end(stream, "404 Not Found").await?;
            return Err(refused("there is only a relay here"));
        }
    };
    let Ok(mut response) = create_response(&request) else {
        end(stream, "400 Bad Request").await?;
        return Err(refused("this is no WebSocket upgrade"));
    };
    if to_relay {
        let spoken = ProtocolVersion::V2.to_str();
        let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
        let mut offered = offered.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        if !offered.any(|offer| offer.trim() == spoken) {
            end(stream, "400 Bad Request").await?;
            return Err(refused("the client speaks another version of the relay protocol"));
        }
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(spoken));
    }
    let mut answer = Vec::with_capacity(256);
    write_response(&mut answer, &response).map_err(io::Error::other)?;
    stream.write_all(&answer).await?;
    stream.flush().await?;
    let rest = head.split_off(length);
    Ok(if to_relay { Opened::Relay(Box::new(request), rest) } else { Opened::Chat(rest) })
}

/// Answers without a body and ends the connection.
async fn end<S: AsyncWrite + Unpin>(stream: &mut S, status: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn refused(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nrest";

    const ALL: Paths = Paths { chat: true, relay: true };

    async fn answer_to(request: &[u8]) -> (io::Result<Opened>, String) {
        answer_of(ALL, request).await
    }

    async fn answer_of(paths: Paths, request: &[u8]) -> (io::Result<Opened>, String) {
        let (mut client, mut server) = tokio::io::duplex(64 * 1024);
        client.write_all(request).await.unwrap();
        client.shutdown().await.unwrap();
        let accepted = upgrade(&mut server, paths).await;
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        (accepted, answer)
    }

    #[tokio::test]
    async fn the_example_of_the_rfc_is_answered_as_it_says() {
        let (accepted, answer) = answer_to(REQUEST).await;
        assert!(matches!(accepted.unwrap(), Opened::Chat(rest) if rest == b"rest"));
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.to_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    }

    #[tokio::test]
    async fn what_is_no_upgrade_is_refused() {
        let (accepted, answer) = answer_to(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(accepted.is_err());
        assert!(answer.starts_with("HTTP/1.1 400 "));
        assert!(answer_to(b"\x16\x03\x01garbage\r\n\r\n").await.0.is_err());
        assert!(answer_to(&[b'A'; 10_000]).await.0.is_err());
        assert!(answer_to(b"GET / HTTP/1.1\r\n").await.0.is_err());
    }

    fn to_relay(protocol: &str) -> Vec<u8> {
        format!(
            "GET /relay HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\nrest"
        )
        .into_bytes()
    }

    #[tokio::test]
    async fn the_path_says_whether_the_chat_or_the_relay_is_meant() {
        let (opened, answer) = answer_to(&to_relay("iroh-relay-v2, iroh-relay-v1")).await;
        assert!(
            matches!(opened.unwrap(), Opened::Relay(request, rest) if request.uri() == "/relay" && rest == b"rest")
        );
        assert!(answer.to_lowercase().contains("sec-websocket-protocol: iroh-relay-v2\r\n"), "{answer}");
        let (opened, answer) = answer_to(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(matches!(opened.unwrap(), Opened::Answered) && answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn a_relay_of_another_version_and_one_that_is_off_are_refused() {
        let (opened, answer) = answer_to(&to_relay("iroh-relay-v1")).await;
        assert!(opened.is_err() && answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let off = Paths { chat: true, relay: false };
        let (opened, answer) = answer_of(off, &to_relay("iroh-relay-v2")).await;
        assert!(opened.is_err() && answer.starts_with("HTTP/1.1 404 "), "{answer}");
        let alone = Paths { chat: false, relay: true };
        let (opened, answer) = answer_of(alone, REQUEST).await;
        assert!(opened.is_err() && answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
}

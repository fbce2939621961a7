//! The WebSocket upgrade (RFC 6455 §4.2): one small HTTP request, answered by hand. No HTTP framework: nothing of HTTP
//! stays in memory afterwards. See `docs/adr/0005-websocket-without-an-http-framework.md`.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};

/// Largest request head.
const HEAD: usize = 4 * 1024;

/// Answers the upgrade. Returns what the client sent behind it already.
pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
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
    let Ok(response) = create_response(&request) else {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
        stream.shutdown().await?;
        return Err(refused("this is no WebSocket upgrade"));
    };
    let mut answer = Vec::with_capacity(256);
    write_response(&mut answer, &response).map_err(io::Error::other)?;
    stream.write_all(&answer).await?;
    stream.flush().await?;
    Ok(head.split_off(length))
}

fn refused(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nrest";

    async fn answer_to(request: &[u8]) -> (io::Result<Vec<u8>>, String) {
        let (mut client, mut server) = tokio::io::duplex(64 * 1024);
        client.write_all(request).await.unwrap();
        client.shutdown().await.unwrap();
        let accepted = accept(&mut server).await;
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        (accepted, answer)
    }

    #[tokio::test]
    async fn the_example_of_the_rfc_is_answered_as_it_says() {
        let (accepted, answer) = answer_to(REQUEST).await;
        assert_eq!(accepted.unwrap(), b"rest");
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
}

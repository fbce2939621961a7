//! One client's stream: WebSocket messages over TLS, at the client's rate.
//!
//! What one client can make the relay hold: one message of at most 64 KiB that comes, and [`QUEUE`](super) of the same size
//! that wait for it. Who does not read for two seconds is put out. Who sends more than its allowance is not read for a
//! while, and TCP tells it to slow down.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use iroh_relay::protos::streams::StreamError;
use iroh_relay::{ExportKeyingMaterial, MAX_PACKET_SIZE};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::RelayLimits;
use super::allowance::Allowance;

/// Bytes read at a time.
const READ: usize = 4 * 1024;

/// A client.
pub(super) struct ClientStream {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    allowance: Allowance,
    /// Until when nothing is read.
    pause: Option<Pin<Box<Sleep>>>,
    /// The connection's place at the server; free again when this is dropped.
    _place: OwnedSemaphorePermit,
}

impl ClientStream {
    pub(super) async fn new(
        stream: TlsStream<TcpStream>,
        rest: Vec<u8>,
        limits: RelayLimits,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(0)
            .max_write_buffer_size(2 * MAX_PACKET_SIZE)
            .max_message_size(Some(MAX_PACKET_SIZE))
            .max_frame_size(Some(MAX_PACKET_SIZE));
        let socket = WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await;
        let allowance = Allowance::new(limits.bytes_per_second, limits.burst, Instant::now());
        Self { socket, allowance, pause: None, _place: place }
    }
}

impl Stream for ClientStream {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let message = match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Poll::Ready(Some(Err(StreamError::from_std(error)))),
                None => return Poll::Ready(None),
            };
            // Every message counts, also one that is not for us.
            let now = Instant::now();
            self.allowance.spend(message.len(), now);
            self.pause = self.allowance.wait(now).map(|wait| Box::pin(tokio::time::sleep(wait)));
            match message {
                Message::Binary(bytes) => return Poll::Ready(Some(Ok(bytes))),
                Message::Close(_) => return Poll::Ready(None),
                _ => {}
            }
        }
    }
}

impl Sink<Bytes> for ClientStream {
    type Error = StreamError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.socket).poll_ready(cx).map_err(StreamError::from_std)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Bytes) -> Result<(), Self::Error> {
        Pin::new(&mut self.socket).start_send(Message::Binary(item)).map_err(StreamError::from_std)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(StreamError::from_std)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(StreamError::from_std)
    }
}

impl ExportKeyingMaterial for ClientStream {
    fn export_keying_material<T: AsMut<[u8]>>(&self, output: T, label: &[u8], context: Option<&[u8]>) -> Option<T> {
        self.socket.get_ref().get_ref().1.export_keying_material(output, label, context).ok()
    }
}

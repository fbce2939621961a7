//! A link that is up: frames out, frames in, and a heartbeat.
//!
//! A task of its own writes, so that a peer that does not read cannot keep us from reading. It holds at most
//! [`QUEUE`] frames; who sends more waits. Every [`PING_EVERY`] it sends a ping; a link on which nothing was heard for
//! [`DEAD_AFTER`] is dead.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tracing::debug;

use super::error::LinkEnd;

/// How often a ping is sent.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// How long nothing may be heard.
pub const DEAD_AFTER: Duration = Duration::from_secs(60);
/// Frames that may wait to be written.
pub const QUEUE: usize = 16;
/// How long an orderly end may take.
const GOODBYE: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// A link whose server has proved its key.
#[derive(Debug)]
pub struct Connection {
    /// Frames to the server.
    pub sender: Sender,
    /// Frames from the server.
    pub receiver: Receiver,
    /// Exporter value of the TLS connection (RFC 8446 §7.5), for binding the login to it.
    pub tls_exporter: [u8; 32],
}

impl Connection {
    pub(super) fn new(socket: Socket, tls_exporter: [u8; 32]) -> Self {
        let (sink, stream) = socket.split();
        let (queue, frames) = mpsc::channel(QUEUE);
        tokio::spawn(write(sink, frames));
        let receiver = Receiver { stream, dead_at: Instant::now() + DEAD_AFTER };
        Self { sender: Sender { queue }, receiver, tls_exporter }
    }
}

/// The way to the server. Dropping the last clone ends the link in order, after what was queued.
#[derive(Debug, Clone)]
pub struct Sender {
    queue: mpsc::Sender<Bytes>,
}

/// The link is gone; [`Receiver::next`] says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link is gone")]
pub struct LinkGone;

impl Sender {
    /// Queues a frame; waits while the queue is full.
    ///
    /// # Errors
    /// [`LinkGone`] when the link ended.
    ///
    /// # Cancel safety
    /// A cancelled call has queued nothing.
    pub async fn send(&self, frame: Bytes) -> Result<(), LinkGone> {
        self.queue.send(frame).await.map_err(|_| LinkGone)
    }
}

/// The way from the server.
#[derive(Debug)]
pub struct Receiver {
    stream: SplitStream<Socket>,
    dead_at: Instant,
}

impl Receiver {
    /// The next frame.
    ///
    /// # Errors
    /// [`LinkEnd`] when there will be none; the link is to be dropped then.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Bytes, LinkEnd> {
        loop {
            let heard = timeout_at(self.dead_at, self.stream.next()).await.map_err(|_| LinkEnd::Silent(DEAD_AFTER))?;
            self.dead_at = Instant::now() + DEAD_AFTER;
            match heard {
                Some(Ok(Message::Binary(frame))) => return Ok(frame),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                    return Err(LinkEnd::Protocol("it sent text instead of a frame".to_owned()));
                }
                None | Some(Ok(Message::Close(_)) | Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) => {
                    return Err(LinkEnd::Closed);
                }
                // Gone without a word: killed, or its machine is.
                Some(Err(WsError::Io(error))) if is_hang_up(&error) => return Err(LinkEnd::Closed),
                Some(Err(WsError::Io(error))) => return Err(LinkEnd::Lost(error.to_string())),
                Some(Err(error)) => return Err(LinkEnd::Protocol(error.to_string())),
            }
        }
    }
}

fn is_hang_up(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

async fn write(mut sink: SplitSink<Socket, Message>, mut frames: mpsc::Receiver<Bytes>) {
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let written = tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => in_time(write_waiting(&mut sink, frame, &mut frames)).await,
                None => break,
            },
            _ = pings.tick() => in_time(sink.send(Message::Ping(Bytes::new()))).await,
        };
        if let Err(error) = written {
            // The reading side sees the same end and reports it.
            debug!(%error, "writing to the server failed");
            return;
        }
    }
    // All senders are gone: an orderly end, if the peer takes it soon.
    let _too_late_to_matter = tokio::time::timeout(GOODBYE, sink.close()).await;
}

/// A peer that takes nothing for so long is dead; the reading side reports it.
async fn in_time(writing: impl Future<Output = Result<(), WsError>>) -> Result<(), WsError> {
    tokio::time::timeout(DEAD_AFTER, writing).await.unwrap_or(Err(WsError::ConnectionClosed))
}

/// Writes what waits with one flush: many frames, one system call.
async fn write_waiting(
    sink: &mut SplitSink<Socket, Message>,
    first: Bytes,
    frames: &mut mpsc::Receiver<Bytes>,
) -> Result<(), WsError> {
    sink.feed(Message::Binary(first)).await?;
    while let Ok(frame) = frames.try_recv() {
        sink.feed(Message::Binary(frame)).await?;
    }
    sink.flush().await
}

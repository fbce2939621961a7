//! Frames on the stream of a connection: length (4 bytes, big-endian), then so many bytes, at most [`FRAME`].
//!
//! An orderly end is the end of the stream, in one direction; a connection that ends before that is lost. The connection
//! ends when both halves are dropped.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use iroh::endpoint::{Connection, ReadError, RecvStream, SendStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::direct::{FRAME, Inbound, LinkEnd, Outbound, Path};

/// Bytes of the length.
const HEAD: usize = 4;
/// How long the peer may take to have the last frames.
const FINISH: Duration = Duration::from_secs(1);

/// The half that sends.
pub(super) struct Outwards {
    stream: SendStream,
    /// A frame was not written to its end: there can be no other.
    broken: bool,
    _connection: Arc<Connection>,
}

impl Outwards {
    pub(super) fn new(stream: SendStream, connection: Arc<Connection>) -> Self {
        Self { stream, broken: false, _connection: connection }
    }
}

impl Outbound for Outwards {
    fn send(&mut self, frame: Bytes) -> BoxFuture<'_, Result<(), LinkEnd>> {
        async move {
            let length = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= FRAME);
            let Some(length) = length else {
                return Err(LinkEnd::Protocol(format!("a frame of {} bytes is too large", frame.len())));
            };
            if std::mem::replace(&mut self.broken, true) {
                return Err(LinkEnd::Lost("an earlier frame was not sent to its end".into()));
            }
            let mut parts = [Bytes::copy_from_slice(&length.to_be_bytes()), frame];
            self.stream.write_all_chunks(&mut parts).await.map_err(|error| LinkEnd::Lost(error.to_string()))?;
            self.broken = false;
            Ok(())
        }
        .boxed()
    }

    fn finish(&mut self) -> BoxFuture<'_, ()> {
        async move {
            // A stream that ended already needs no end, and a peer that is gone cannot be told.
            if !self.broken && self.stream.finish().is_ok() {
                let _in_time = timeout(FINISH, self.stream.stopped()).await;
            }
        }
        .boxed()
    }
}

/// The half that receives.
pub(super) struct Inwards {
    stream: RecvStream,
    /// What came of the next frame.
    came: BytesMut,
    _connection: Arc<Connection>,
}

impl Inwards {
    pub(super) fn new(stream: RecvStream, connection: Arc<Connection>) -> Self {
        Self { stream, came: BytesMut::new(), _connection: connection }
    }

    /// The next whole frame of what came, and how many bytes are missing to it.
    fn take(&mut self) -> Result<Result<Bytes, usize>, LinkEnd> {
        let Some(head) = self.came.first_chunk::<HEAD>() else { return Ok(Err(HEAD - self.came.len())) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > FRAME {
            return Err(LinkEnd::Protocol(format!("a frame of {length} bytes")));
        }
        let missing = (HEAD + length).saturating_sub(self.came.len());
        if missing > 0 {
            return Ok(Err(missing));
        }
        self.came.advance(HEAD);
        Ok(Ok(self.came.split_to(length).freeze()))
    }
}

impl Inbound for Inwards {
    fn next(&mut self) -> BoxFuture<'_, Result<Bytes, LinkEnd>> {
        async move {
            loop {
                let missing = match self.take()? {
                    Ok(frame) => return Ok(frame),
                    Err(missing) => missing,
                };
                // Never more than the frame: what is read stays read when this future is dropped.
                match self.stream.read_chunk(missing).await {
                    Ok(Some(chunk)) => self.came.extend_from_slice(&chunk),
                    Ok(None) if self.came.is_empty() => return Err(LinkEnd::Closed),
                    Ok(None) => return Err(LinkEnd::Lost("the last frame is cut off".into())),
                    Err(ReadError::ConnectionLost(error)) => return Err(LinkEnd::Lost(error.to_string())),
                    Err(error) => return Err(LinkEnd::Lost(error.to_string())),
                }
            }
        }
        .boxed()
    }
}

/// Follows which way the connection's packets take, as long as it is there.
pub(super) fn watch_path(connection: &Connection) -> watch::Receiver<Path> {
    // Events are subscribed to before the first look, so that no change falls between.
    let mut events = connection.path_events();
    let handle = connection.weak_handle();
    let (told, path) = watch::channel(path_of(connection).unwrap_or(Path::Relayed));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                event = events.next() => if event.is_none() { return },
                () = told.closed() => return,
            }
            let Some(connection) = handle.upgrade() else { return };
            if let Some(now) = path_of(&connection) {
                told.send_if_modified(|path| std::mem::replace(path, now) != now);
            }
        }
    });
    path
}

/// The way that packets take now; none between two.
fn path_of(connection: &Connection) -> Option<Path> {
    let paths = connection.paths();
    let selected = paths.iter().find(|path| path.is_selected())?;
    Some(if selected.is_ip() { Path::Direct } else { Path::Relayed })
}

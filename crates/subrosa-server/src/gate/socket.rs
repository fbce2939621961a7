//! WebSocket over TLS as two polls: a message in, frames out.
//!
//! Incoming bytes go through tungstenite. Outgoing data frames do not: they come whole and shared from the outbox, and are
//! written as they are, many of them in one call, so that no copy is made for each receiver. What tungstenite itself has to
//! say (pongs, the close) is put behind them as another whole frame, so the two never mix.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use subrosa_types::limits;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig, WebSocketContext};

/// Bytes read at a time.
const READ: usize = 4 * 1024;
/// Bytes that tungstenite may buffer to write: pongs and a close.
const CONTROL: usize = 1024;
/// Frames written in one call.
const SLICES: usize = 32;

/// One connection's socket.
pub(crate) struct Socket {
    stream: TlsStream<TcpStream>,
    websocket: WebSocketContext,
    /// What tungstenite wants to be written.
    control: Vec<u8>,
    /// Whole frames, the first perhaps partly written.
    writing: VecDeque<Bytes>,
    flushed: bool,
}

impl Socket {
    /// Behind the upgrade; `rest` came with it.
    pub(crate) fn new(stream: TlsStream<TcpStream>, rest: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(0)
            .max_write_buffer_size(CONTROL)
            .max_message_size(Some(limits::FRAME_BEFORE_LOGIN))
            .max_frame_size(Some(limits::FRAME_BEFORE_LOGIN));
        let websocket = WebSocketContext::from_partially_read(rest, Role::Server, Some(config));
        Self { stream, websocket, control: Vec::new(), writing: VecDeque::new(), flushed: true }
    }

    /// Larger frames from now on: the peer is logged in.
    pub(crate) fn raise_limit(&mut self) {
        self.websocket.set_config(|config| {
            config.max_message_size = Some(limits::FRAME);
            config.max_frame_size = Some(limits::FRAME);
        });
    }

    /// The next message.
    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        let mut adapter = Adapter { stream: &mut self.stream, cx, control: &mut self.control };
        let read = self.websocket.read(&mut adapter);
        self.queue_control();
        match read {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            read => Poll::Ready(read),
        }
    }

    /// Queues what answers a ping or a close, and a ping of our own.
    pub(crate) fn control(&mut self, cx: &mut Context<'_>, message: Option<Message>) -> Result<(), Error> {
        let mut adapter = Adapter { stream: &mut self.stream, cx, control: &mut self.control };
        if let Some(message) = message {
            self.websocket.write(&mut adapter, message)?;
        }
        self.websocket.flush(&mut adapter)?;
        self.queue_control();
        Ok(())
    }

    fn queue_control(&mut self) {
        if !self.control.is_empty() {
            self.writing.push_back(std::mem::take(&mut self.control).into());
        }
    }

    /// Where frames to be written go.
    pub(crate) fn writing(&mut self) -> &mut VecDeque<Bytes> {
        &mut self.writing
    }

    /// Writes what is queued. Ready when all of it is with the kernel.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.writing.is_empty() {
            self.flushed = false;
            let mut slices = [IoSlice::new(&[]); SLICES];
            for (slice, frame) in slices.iter_mut().zip(&self.writing) {
                *slice = IoSlice::new(frame);
            }
            let count = self.writing.len().min(SLICES);
            let mut written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            while let Some(frame) = self.writing.front_mut() {
                let step = frame.len().min(written);
                frame.advance(step);
                written -= step;
                if !frame.is_empty() {
                    break;
                }
                self.writing.pop_front();
                if written == 0 {
                    break;
                }
            }
        }
        if self.writing.capacity() > SLICES {
            self.writing = VecDeque::new();
        }
        if !self.flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Says goodbye and waits for the other side to go, so that the last frame is not lost in a reset.
    pub(crate) async fn close(mut self) {
        let farewell = async {
            std::future::poll_fn(|cx| self.poll_write(cx)).await?;
            // A close frame with code 1000 (RFC 6455 §5.5.1).
            self.stream.write_all(&[0x88, 2, 0x03, 0xE8]).await?;
            self.stream.shutdown().await?;
            let mut sink = [0; 1024];
            let mut allowance = limits::FRAME;
            loop {
                let mut buffer = ReadBuf::new(&mut sink);
                std::future::poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut buffer)).await?;
                let read = buffer.filled().len();
                allowance = allowance.saturating_sub(read);
                if read == 0 || allowance == 0 {
                    return io::Result::Ok(());
                }
            }
        };
        if let Err(error) = farewell.await {
            tracing::trace!(%error, "a connection was gone before its end");
        }
    }
}

/// Reads from the stream without waiting; keeps what is written.
struct Adapter<'a, 'b> {
    stream: &'a mut TlsStream<TcpStream>,
    cx: &'a mut Context<'b>,
    control: &'a mut Vec<u8>,
}

impl Read for Adapter<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buffer) {
            Poll::Ready(Ok(())) => Ok(buffer.filled().len()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Adapter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.control.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

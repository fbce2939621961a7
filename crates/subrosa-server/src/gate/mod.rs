//! The gate: what stands between the network and the core.
//!
//! ```text
//!  accept ─▶ TLS 1.3 ─▶ WebSocket upgrade ─▶ frames, decoded within limits ─▶ writer (requests), reader (log pages)
//!    10 s for everything up to the login            outbox ◀─ answers, pushes ◀──┘
//! ```
//!
//! What guests of rooms say goes to the thread of rooms instead of the writer.
//!
//! Everything that a stranger can send is bounded before it is read: 16 KiB a frame and ten seconds until the login, one
//! MiB afterwards, one upload in parts at a time, a bounded number of requests and of large answers under way. A peer that
//! breaks the protocol is told the code and loses its connection; nobody else notices. A connection costs one task, two
//! small buffers and what TLS needs.

mod connection;
mod socket;
mod tls;
mod upgrade;
mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use subrosa_crypto::session::TLS_EXPORTER_LABEL;
use subrosa_types::limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::core::{Peer, SessionId};
use crate::intake::{Intake, Task};
use crate::outbox::Outbox;
use crate::reader::Wanted;
use crate::relay::Relay;
use connection::Connection;

pub(crate) use tls::{TlsError, tls_config};
pub(crate) use upgrade::{Opened, Paths, upgrade};

/// Uploads in parts at a time, of all connections together.
const UPLOADS: usize = 8;

/// What all connections share.
pub(crate) struct Gate {
    pub(crate) acceptor: TlsAcceptor,
    /// What serves the relay's path, unless it is off.
    pub(crate) relay: Option<Arc<Relay>>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) rooms: Arc<Intake>,
    pub(crate) reader: SyncSender<Wanted>,
    pub(crate) connections: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    next_session: AtomicU64,
}

impl Gate {
    pub(crate) fn new(
        acceptor: TlsAcceptor,
        relay: Option<Arc<Relay>>,
        intake: Arc<Intake>,
        rooms: Arc<Intake>,
        reader: SyncSender<Wanted>,
        connections: Arc<Semaphore>,
    ) -> Self {
        let uploads = Arc::new(Semaphore::new(UPLOADS));
        Self { acceptor, relay, intake, rooms, reader, connections, uploads, next_session: AtomicU64::new(1) }
    }

    /// Accepts connections until the server stops.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let Ok(permit) = self.connections.clone().acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(self.clone().serve(stream, permit));
                }
                Err(error) => {
                    // Too many open files, most likely: it passes when connections end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, place: OwnedSemaphorePermit) {
        let deadline = Instant::now() + Duration::from_secs(limits::LOGIN_SECONDS);
        // The handshake needs far more memory than what follows, so it is a future of its own that is dropped.
        let opened = Box::pin(timeout_at(deadline, self.open(stream, place, deadline))).await;
        match opened {
            Ok(Ok(Some((connection, _place)))) => connection.run().await,
            // A client of the relay has its place now, or a request was answered.
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection was not opened"),
            Err(_) => tracing::debug!("a connection took too long to open"),
        }
    }

    async fn open(
        &self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> std::io::Result<Option<(Box<Connection>, OwnedSemaphorePermit)>> {
        let address = stream.peer_addr()?.ip().to_canonical();
        stream.set_nodelay(true)?;
        let mut stream = self.acceptor.accept(stream).await?;
        let tls_exporter = stream
            .get_ref()
            .1
            .export_keying_material([0; 32], TLS_EXPORTER_LABEL, None)
            .map_err(std::io::Error::other)?;
        let rest = match upgrade(&mut stream, Paths { chat: true, relay: self.relay.is_some() }).await? {
            Opened::Chat(rest) => rest,
            Opened::Relay(request, rest) => {
                if let Some(relay) = &self.relay {
                    relay.admit(stream, request, rest, place).await?;
                }
                return Ok(None);
            }
            Opened::Answered => return Ok(None),
        };
        let session = SessionId(self.next_session.fetch_add(1, Ordering::Relaxed));
        let outbox = Arc::new(Outbox::default());
        let peer = Peer { address, tls_exporter };
        self.intake.push_now(Task::Connect(session, peer, outbox.clone()));
        let socket = socket::Socket::new(stream, rest);
        let connection = Connection::new(self, (session, peer), socket, outbox, deadline);
        Ok(Some((Box::new(connection), place)))
    }
}

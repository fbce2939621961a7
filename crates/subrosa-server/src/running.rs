//! Starting and stopping the service.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand_core::OsRng;
use subrosa_wire::ServerLink;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, broadcast, oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::config::ServerConfig;
use crate::core::{Core, Event};
use crate::gate::{Gate, TlsError, tls_config};
use crate::intake::{Intake, Task};
use crate::relay::{Admission, Discovery, Passes as RelayPasses, Relay, RelayMode};
use crate::rooms::{House, Passes};
use crate::store::{self, StoreError};
use crate::writer::{Writer, now};
use crate::{reader, rooms, writer};

/// Name of the database in the folder.
pub const DATABASE: &str = "server.db";
/// Name of the lock file in the folder.
const LOCK: &str = "server.lock";
/// How long connections get to take their last frame.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often a free port is looked for that is free for TCP and UDP.
const PORT_TRIES: usize = 16;
/// Events that a slow console may be behind.
const EVENTS: usize = 1024;

/// Why a server did not start. The environment or the configuration is to blame.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder cannot be made, read or protected.
    #[error("the data folder cannot be used")]
    Folder(#[source] std::io::Error),
    /// Another server uses the folder.
    #[error("another server uses this data folder; stop it first, or choose another folder")]
    FolderInUse,
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// Why a server stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer thread is gone. We are to blame.
    #[error("the server's writer ended unexpectedly")]
    Writer,
}

/// The service.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Starts a server on the runtime that this is called on.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub async fn start(config: ServerConfig) -> Result<RunningServer, StartError> {
        let folder_lock = lock_folder(&config.folder)?;
        let database = config.folder.join(DATABASE);
        let connection = store::open(&database)?;
        let passes = Arc::new(Passes::default());
        let core = Core::open(connection, config.core(&passes), now(), &mut OsRng)?;
        let house = House {
            policy: config.room_policy(),
            limits: config.room_limits(),
            server_key: core.server_key(),
            signer: core.external_sender()?,
            passes,
        };
        let tls = tls_config(core.identity_key())?;
        let reader = reader::start(&database)?;

        let relay_passes = (config.relay() == RelayMode::Members).then(|| RelayPasses::of(core.identity_key()));
        let admission = match config.relay() {
            RelayMode::Open => Some(Admission::Open),
            RelayMode::Members => relay_passes.clone().map(Admission::Passes),
            RelayMode::Off => None,
        };
        let (listener, address, discovery) = listen_with_udp(config.listen, |address| {
            let start = |_| Discovery::start(address, tls.clone(), config.relay_limits.clients);
            admission.as_ref().map(start).transpose()
        })
        .await?;
        let relay = admission.map(|admission| Arc::new(Relay::new(admission, config.relay_limits)));
        let host = config.public_host.clone().unwrap_or_else(|| host_of(address.ip()));
        let link = ServerLink { host, port: address.port(), fingerprint: core.server_key().fingerprint() };
        let setup_code = core.setup_code().map(str::to_owned);

        let intake = Arc::new(Intake::default());
        let (events, _) = broadcast::channel(EVENTS);
        let (ended, writer_ended) = oneshot::channel();
        let writer = Writer::new(core, intake.clone(), events.clone());
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                let outcome = writer.run();
                // The store is closed: another server may have the folder.
                drop(folder_lock);
                // Nobody may wait any more.
                let _told = ended.send(outcome);
            })
            .map_err(StartError::Thread)?;

        let rooms = Arc::new(Intake::default());
        rooms::thread::start(house, rooms.clone(), events.clone()).map_err(StartError::Thread)?;

        let places = Arc::new(Semaphore::new(config.max_connections));
        let gate = Arc::new(Gate::new(
            TlsAcceptor::from(Arc::new(tls)),
            relay.clone(),
            intake.clone(),
            rooms.clone(),
            reader,
            places.clone(),
        ));
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(gate.run(listener, stopped));
        tracing::info!(%address, "the server listens");
        Ok(RunningServer {
            link,
            address,
            setup_code,
            intake,
            rooms,
            events,
            writer_ended: Some(writer_ended),
            places,
            max_connections: config.max_connections,
            stop,
            relay,
            relay_passes,
            discovery,
        })
    }
}

/// A server that serves. Dropping it stops it, without telling anybody why; see [`Self::shutdown`].
#[derive(Debug)]
pub struct RunningServer {
    link: ServerLink,
    address: SocketAddr,
    setup_code: Option<String>,
    intake: Arc<Intake>,
    rooms: Arc<Intake>,
    events: broadcast::Sender<Event>,
    writer_ended: Option<oneshot::Receiver<Result<(), StoreError>>>,
    places: Arc<Semaphore>,
    max_connections: usize,
    stop: watch::Sender<bool>,
    relay: Option<Arc<Relay>>,
    relay_passes: Option<RelayPasses>,
    discovery: Option<Discovery>,
}

impl RunningServer {
    /// The link that people copy.
    pub fn link(&self) -> &ServerLink {
        &self.link
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The port, also when a free one was picked.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The one-time code that the first sign-up needs: on an address that is not loopback, while there was no account at
    /// the start.
    pub fn setup_code(&self) -> Option<&str> {
        self.setup_code.as_deref()
    }

    /// What makes passes for the relay; none where it asks for none, or there is no relay.
    pub fn relay_passes(&self) -> Option<RelayPasses> {
        self.relay_passes.clone()
    }

    /// What happens, for the console: comings, goings, and that messages were exchanged. A reader that is slow misses some.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Ends the service: no new connections, everybody is told why, queued answers go out, and the write-ahead log is
    /// moved into the database file.
    ///
    /// # Errors
    /// [`StopError`] if the store failed, now or before.
    pub async fn shutdown(mut self, reason: &str) -> Result<(), StopError> {
        self.stop.send_replace(true);
        self.rooms.push_now(Task::Stop(reason.to_owned()));
        self.intake.push_now(Task::Stop(reason.to_owned()));
        let outcome = self.writer_outcome().await;
        if let Some(relay) = &self.relay {
            relay.shutdown().await;
        }
        if let Some(discovery) = &self.discovery {
            discovery.shutdown().await;
        }
        let everybody = u32::try_from(self.max_connections).unwrap_or(u32::MAX);
        // Who does not take the last frame in time is left.
        let _in_time = timeout(FAREWELL, self.places.acquire_many(everybody)).await;
        outcome
    }

    /// Waits until the service ends by itself, which it does only when the store fails.
    ///
    /// # Errors
    /// [`StopError`], always.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn wait(&mut self) -> Result<(), StopError> {
        let outcome = self.writer_outcome().await;
        self.stop.send_replace(true);
        outcome
    }

    async fn writer_outcome(&mut self) -> Result<(), StopError> {
        let Some(ended) = &mut self.writer_ended else { return Ok(()) };
        let outcome = ended.await;
        self.writer_ended = None;
        outcome.map_err(|_| StopError::Writer)?.map_err(StopError::Store)
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.rooms.push_now(Task::Stop(String::new()));
        self.intake.push_now(Task::Stop(String::new()));
        if let (Some(relay), Ok(runtime)) = (self.relay.take(), Handle::try_current()) {
            // Clients of the relay hold each other in memory; they must be told to end.
            runtime.spawn(async move { relay.shutdown().await });
        }
    }
}

/// Listens for TCP, and starts what needs UDP on the port of the same number. When any port will do, one is looked for
/// that is free for both.
///
/// # Errors
/// [`StartError::Listen`].
pub(crate) async fn listen_with_udp<T>(
    listen: SocketAddr,
    start_udp: impl Fn(SocketAddr) -> std::io::Result<T>,
) -> Result<(TcpListener, SocketAddr, T), StartError> {
    let error = |source| StartError::Listen { address: listen, source };
    let mut tries = PORT_TRIES;
    loop {
        let listener = TcpListener::bind(listen).await.map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        match start_udp(address) {
            Ok(udp) => return Ok((listener, address, udp)),
            Err(source) if listen.port() == 0 && source.kind() == ErrorKind::AddrInUse && tries > 0 => tries -= 1,
            Err(source) => return Err(error(source)),
        }
    }
}

/// A host as one writes it in a URL. Whoever listens everywhere is reached on this machine, unless the operator says
/// otherwise.
pub(crate) fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => "127.0.0.1".into(),
        IpAddr::V6(address) if address.is_unspecified() => "[::1]".into(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Makes the folder private and takes it for this process.
pub(crate) fn lock_folder(folder: &Path) -> Result<File, StartError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        builder.mode(0o700);
        builder.create(folder).map_err(StartError::Folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(StartError::Folder)?;
    }
    #[cfg(not(unix))]
    builder.create(folder).map_err(StartError::Folder)?;

    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(folder.join(LOCK)).map_err(StartError::Folder)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::FolderInUse),
        Err(TryLockError::Error(error)) => Err(StartError::Folder(error)),
    }
}

/// Time as the server sees it, for whoever drives a core by hand.
pub fn system_time() -> subrosa_types::Timestamp {
    writer::now()
}

//! A relay that runs alone, without a server: for people who chat directly and have no account anywhere.
//!
//! It keeps one file in its folder, its key and the pass of its link, so that the link stays good when it restarts.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand_core::{OsRng, RngCore};
use subrosa_crypto::SigningKey;
use subrosa_types::limits;
use subrosa_wire::RelayLink;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::access::PER_ADDRESS;
use super::places::{Place, Places};
use super::{Admission, Discovery, Relay, RelayLimits};
use crate::gate::{self, Opened, TlsError};
use crate::running::{StartError, host_of, listen_with_udp, lock_folder};

/// Name of the file in the folder.
const KEY: &str = "relay.key";
/// Version of the file: this byte, the seed of the key (32), the pass (16).
const VERSION: u8 = 1;
const PASS: usize = 16;
/// Connections that are opening or open, for each place of a client.
const DOORS: usize = 2;

/// Settings of a relay that runs alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayAloneConfig {
    /// Address and port to listen on, for TCP and UDP; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Folder of its key. It is made with mode 0700 if it is not there.
    pub folder: PathBuf,
    /// Host in the link, for a relay that is reached by another name than the address it listens on.
    pub public_host: Option<String>,
    /// Whether everybody may use it; else those who have the pass in its link.
    pub open: bool,
    /// What a client may take.
    pub limits: RelayLimits,
}

/// Why a relay did not start. The environment is to blame.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// As a server, it needs a folder and a port.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The key cannot be read or written.
    #[error("the relay's key in {file} cannot be used")]
    Key {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl From<TlsError> for RelayError {
    fn from(error: TlsError) -> Self {
        Self::Start(error.into())
    }
}

/// A relay that runs. Dropping it ends it; [`Self::shutdown`] does so in order.
#[derive(Debug)]
pub struct RelayAlone {
    link: RelayLink,
    address: SocketAddr,
    relay: Arc<Relay>,
    stop: watch::Sender<bool>,
    discovery: Discovery,
    door: Option<JoinHandle<()>>,
    _folder: std::fs::File,
}

impl RelayAlone {
    /// Starts a relay on the runtime that this is called on.
    ///
    /// # Errors
    /// [`RelayError`]; then nothing runs.
    pub async fn start(config: RelayAloneConfig) -> Result<Self, RelayError> {
        let folder = lock_folder(&config.folder)?;
        let (key, pass) = load_or_make(&config.folder.join(KEY))?;
        let tls = gate::tls_config(&key)?;
        let (listener, address, discovery) =
            listen_with_udp(config.listen, |address| Discovery::start(address, tls.clone(), config.limits.clients))
                .await?;
        let (admission, pass) =
            if config.open { (Admission::Open, Vec::new()) } else { (Admission::Word(pass.to_vec()), pass.to_vec()) };
        let host = config.public_host.unwrap_or_else(|| host_of(address.ip()));
        let link = RelayLink { host, port: address.port(), fingerprint: key.public().fingerprint(), pass };
        let relay = Arc::new(Relay::new(admission, config.limits));
        let (stop, stopped) = watch::channel(false);
        let doors = config.limits.clients.saturating_mul(DOORS).min(Semaphore::MAX_PERMITS);
        let opening = Places::new(doors, PER_ADDRESS);
        let doors = Arc::new(Semaphore::new(doors));
        let door = Door { acceptor: TlsAcceptor::from(Arc::new(tls)), relay: relay.clone(), doors, opening };
        let door = Some(tokio::spawn(Arc::new(door).run(listener, stopped)));
        tracing::info!(%address, "the relay listens");
        Ok(Self { link, address, relay, stop, discovery, door, _folder: folder })
    }

    /// The link that people copy.
    pub fn link(&self) -> &RelayLink {
        &self.link
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Ends it: no new clients, and those that are there get what waits for them. Their direct links stay up.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(Err(error)) = async { Some(self.door.take()?.await) }.await {
            tracing::warn!(%error, "what accepted the relay's clients ended unexpectedly");
        }
        tokio::join!(self.relay.shutdown(), self.discovery.shutdown());
    }
}

impl Drop for RelayAlone {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // Clients hold each other in memory; they must be told to end.
        let relay = self.relay.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { relay.shutdown().await });
        }
    }
}

/// Where clients come in.
struct Door {
    acceptor: TlsAcceptor,
    relay: Arc<Relay>,
    doors: Arc<Semaphore>,
    /// Those that are opening, by address; once they are open, the relay counts them.
    opening: Arc<Places>,
}

impl Door {
    async fn run(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let Ok(place) = self.doors.clone().acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    let Some(opening) = self.opening.take(address.ip()) else {
                        tracing::debug!("an address has too many connections that are opening");
                        continue;
                    };
                    tokio::spawn(self.clone().serve(stream, place, opening));
                }
                Err(error) => {
                    // Too many open files, most likely: it passes when connections end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, place: OwnedSemaphorePermit, _opening: Place) {
        let opened = timeout(Duration::from_secs(limits::LOGIN_SECONDS), self.open(stream, place)).await;
        match opened {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a client was not admitted"),
            Err(_) => tracing::debug!("a client took too long to come in"),
        }
    }

    async fn open(&self, stream: TcpStream, place: OwnedSemaphorePermit) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = self.acceptor.accept(stream).await?;
        match gate::upgrade(&mut stream, gate::Paths { chat: false, relay: true }).await? {
            Opened::Relay(request, rest) => self.relay.admit(stream, request, rest, place).await,
            Opened::Chat(_) | Opened::Answered => Ok(()),
        }
    }
}

/// Reads key and pass, or makes them.
fn load_or_make(file: &Path) -> Result<(SigningKey, [u8; PASS]), RelayError> {
    let failed = |source| RelayError::Key { file: file.to_owned(), source };
    let mut bytes = Zeroizing::new(Vec::new());
    match std::fs::File::open(file) {
        Ok(mut opened) => {
            opened.read_to_end(&mut bytes).map_err(failed)?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bytes.resize(1 + 32 + PASS, 0);
            bytes[0] = VERSION;
            OsRng.fill_bytes(&mut bytes[1..]);
            write_new(file, &bytes).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    let damaged = || failed(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is damaged"));
    let (&[VERSION], Some(seed), Some(pass)) =
        (bytes.first_chunk::<1>().ok_or_else(damaged)?, bytes.get(1..33), bytes.get(33..))
    else {
        return Err(damaged());
    };
    let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).map_err(|_| damaged())?);
    let pass = pass.try_into().map_err(|_| damaged())?;
    Ok((SigningKey::from_seed(&seed), pass))
}

/// Writes a file that was not there, whole or not at all, readable by its owner alone.
fn write_new(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let half = file.with_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&half)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    std::fs::rename(&half, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path) -> RelayAloneConfig {
        RelayAloneConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            folder: folder.to_owned(),
            public_host: None,
            open: false,
            limits: RelayLimits::default(),
        }
    }

    #[tokio::test]
    async fn the_link_of_a_relay_stays_good_when_it_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let first = RelayAlone::start(config(folder.path())).await.unwrap();
        let link = first.link().clone();
        assert_eq!(link.pass.len(), PASS);
        first.shutdown().await;
        let again = RelayAlone::start(config(folder.path())).await.unwrap();
        assert_eq!(*again.link(), RelayLink { port: again.link().port, ..link });
    }

    #[tokio::test]
    async fn a_damaged_key_is_named_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(KEY);
        std::fs::write(&file, [VERSION; 20]).unwrap();
        assert!(matches!(RelayAlone::start(config(folder.path())).await, Err(RelayError::Key { .. })));
        assert_eq!(std::fs::read(&file).unwrap(), [VERSION; 20]);
    }

    #[cfg(unix)]
    #[test]
    fn others_cannot_read_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(KEY);
        load_or_make(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

//! The engine's side of the socket.
//!
//! Each connection is one [`Session`] with a bounded queue of lines to write. When the process is about to end, the socket's file goes first, then what is under way is answered,
//! then connections end.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use subrosa_engine::api::Told;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, UCred};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, warn};

use zeroize::Zeroizing;

use super::socket_path;
use crate::drive::Calls;
use crate::profile::Profile;
use crate::rpc::{Backend, LineError, Lines, Session};

type Line = Zeroizing<Vec<u8>>;

/// Lines that may wait for a peer.
const LINES: usize = 64;
/// Connections at a time.
const CONNECTIONS: usize = 64;
/// How long what is under way may take when the process is about to end.
const DRAIN: Duration = Duration::from_secs(15);

/// A socket that is served.
#[derive(Debug)]
pub struct Listener {
    path: PathBuf,
    leaving: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Serves the socket of a profile. The caller has the profile's lock, so a file that is there is a dead process's.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn bind(profile: &Profile, calls: Calls, events: broadcast::Sender<Told>) -> io::Result<Self> {
        let path = socket_path(profile)?;
        remove(&path)?;
        let listener = UnixListener::bind(&path)?;
        restrict(&path)?;
        let owner = owner(&path)?;
        let (leaving, left) = watch::channel(false);
        let task = tokio::spawn(accept(listener, owner, calls, events, left));
        Ok(Self { path, leaving, task })
    }

    /// Takes no more connections, answers what is under way, and ends.
    pub async fn close(self) {
        if let Err(error) = remove(&self.path) {
            debug!(%error, "the socket's file stays");
        }
        self.leaving.send_replace(true);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(DRAIN, self.task).await.is_err() {
            warn!("commands of other processes were cut off");
            abort.abort();
        }
    }
}

fn remove(path: &std::path::Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn restrict(path: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

fn owner(path: &std::path::Path) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata(path)?.uid())
}

async fn accept(
    listener: UnixListener,
    owner: u32,
    calls: Calls,
    events: broadcast::Sender<Told>,
    mut leaving: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = leaving.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) if is_of(&stream, owner) => {
                    connections.spawn(serve(stream, calls.clone(), events.clone(), leaving.clone()));
                }
                Ok(_) => warn!("another user tried to reach this profile"),
                Err(error) => {
                    // Out of file descriptors, usually: it passes, and others wait in the queue.
                    warn!(%error, "a connection of another process was not taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

fn is_of(stream: &UnixStream, owner: u32) -> bool {
    // Root may do anything anyway.
    stream.peer_cred().as_ref().map(UCred::uid).is_ok_and(|uid| uid == owner || uid == 0)
}

async fn serve(stream: UnixStream, calls: Calls, events: broadcast::Sender<Told>, leaving: watch::Receiver<bool>) {
    let (read, write) = stream.into_split();
    let (lines, waiting) = mpsc::channel(LINES);
    let (requests, asked) = mpsc::channel(1);
    let writer = tokio::spawn(write_lines(write, waiting));
    let reader = tokio::spawn(read_lines(Lines::new(read), requests));
    Session::new(Backend::Engine { calls, events }, lines).run(asked, leaving).await;
    reader.abort();
    let _the_peer_is_gone = writer.await;
}

async fn read_lines(mut lines: Lines<BufReader<OwnedReadHalf>>, requests: mpsc::Sender<Result<Line, LineError>>) {
    while let Some(line) = lines.next().await.transpose() {
        let last = line.is_err();
        if requests.send(line).await.is_err() || last {
            return;
        }
    }
}

async fn write_lines(mut write: OwnedWriteHalf, mut waiting: mpsc::Receiver<String>) {
    while let Some(mut line) = waiting.recv().await {
        line.push('\n');
        if let Err(error) = write.write_all(line.as_bytes()).await {
            debug!(%error, "a connection of another process failed");
            return;
        }
    }
}

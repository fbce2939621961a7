//! The engine's side of the socket.
//!
//! Each connection is one task with a bounded queue of lines to write; a peer that does not read stops its own requests
//! and nobody else's. When the process is about to end, the socket's file goes first, then what is under way is answered,
//! then connections end.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use subrosa_engine::api::{Event, Failure};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedWriteHalf, UCred};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, warn};

use super::line::{LineError, Lines};
use super::protocol::{Request, answer_lines, event_line, missed_line, parse_request, subscribed_line, welcome_line};
use super::{IN_FLIGHT, socket_path};
use crate::drive::{Answer, Calls};
use crate::failure::{ENGINE_LEAVING, engine_gone, environment};
use crate::profile::Profile;

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
    pub fn bind(profile: &Profile, calls: Calls, events: broadcast::Sender<Event>) -> io::Result<Self> {
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
    events: broadcast::Sender<Event>,
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

async fn serve(stream: UnixStream, calls: Calls, events: broadcast::Sender<Event>, mut leaving: watch::Receiver<bool>) {
    let (read, write) = stream.into_split();
    let (lines, waiting) = mpsc::channel(LINES);
    let writer = tokio::spawn(write_lines(write, waiting));
    let mut peer = Peer { calls, lines, watching: None, under_way: JoinSet::new() };
    if peer.lines.send(welcome_line()).await.is_ok() {
        peer.talk(Lines::new(read), events, &mut leaving).await;
    }
    drop(peer);
    let _the_peer_is_gone = writer.await;
}

struct Peer {
    calls: Calls,
    lines: mpsc::Sender<String>,
    watching: Option<broadcast::Receiver<Event>>,
    /// Dropping it drops the receivers, and the engine cancels what nobody waits for.
    under_way: JoinSet<(Value, Answer)>,
}

impl Peer {
    async fn talk<R: tokio::io::AsyncBufRead + Unpin>(
        &mut self,
        mut requests: Lines<R>,
        events: broadcast::Sender<Event>,
        leaving: &mut watch::Receiver<bool>,
    ) {
        let mut is_leaving = *leaving.borrow_and_update();
        while !(is_leaving && self.under_way.is_empty()) {
            let out = tokio::select! {
                changed = leaving.changed(), if !is_leaving => {
                    is_leaving = changed.is_err() || *leaving.borrow();
                    continue;
                }
                Some(done) = self.under_way.join_next() => match done {
                    Ok((id, answer)) => answer_lines(&id, &answer),
                    Err(_cancelled) => continue,
                },
                event = next_event(&mut self.watching) => vec![event],
                line = requests.next(), if self.under_way.len() < IN_FLIGHT => match line {
                    Ok(Some(line)) => match parse_request(&line) {
                        Ok(Request::Subscribe(id)) => {
                            self.watching = Some(events.subscribe());
                            vec![subscribed_line(&id)]
                        }
                        Ok(Request::Call(id, _)) if is_leaving => answer_lines(&id, &Err(leaving_now())),
                        Ok(Request::Call(id, command)) => {
                            let answer = self.calls.submit(command).await;
                            self.under_way.spawn(async { (id, answer.await.unwrap_or_else(|_| Err(engine_gone()))) });
                            continue;
                        }
                        Err(refusal) => vec![refusal],
                    },
                    Ok(None) => return,
                    Err(LineError::TooLong) => {
                        warn!("another process sent a line that is too long");
                        return;
                    }
                    Err(LineError::Io(error)) => {
                        debug!(%error, "a connection of another process failed");
                        return;
                    }
                },
            };
            for line in out {
                if self.lines.send(line).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn leaving_now() -> Failure {
    environment(ENGINE_LEAVING, "the process that runs this profile is ending; try again")
}

/// The line of the next event; never resolves for who did not subscribe.
async fn next_event(watching: &mut Option<broadcast::Receiver<Event>>) -> String {
    use broadcast::error::RecvError::{Closed, Lagged};
    let Some(events) = watching else { return std::future::pending().await };
    match events.recv().await {
        Ok(event) => event_line(&event),
        Err(Lagged(_)) => missed_line(),
        Err(Closed) => std::future::pending().await,
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

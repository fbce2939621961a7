//! The asking side of the socket.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use subrosa_engine::api::{Command, Failure, Reply};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{broadcast, mpsc, oneshot};
use tracing::debug;
use zeroize::Zeroizing;

use super::ANSWER;
use crate::client::Notice;
use crate::failure::ENGINE_LEAVING;
use crate::rpc::message::{Incoming, parse_incoming, reply_of, request_line, subscribe_line};
use crate::rpc::{Lines, VERSION, methods};

/// How long a process may take to say welcome.
const WELCOME: Duration = Duration::from_secs(2);
/// Stands for the tag of an answer that is no reply of the engine.
const SUBSCRIBED: &str = "subscribed";
/// Events that a watcher may be behind.
const EVENTS: usize = 1024;

/// There will be no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// The engine's process is ending and did not start on the command.
    #[error("the engine's process is ending")]
    Leaving,
    /// The engine's process ended; whether it did the command is not known.
    #[error("the engine's process ended")]
    Lost,
    /// The command was never sent.
    #[error(transparent)]
    Unsent(Failure),
}

/// A connection to the process that runs the engine.
#[derive(Debug)]
pub struct Remote {
    lines: mpsc::Sender<Zeroizing<Vec<u8>>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last: u64,
    waiting: HashMap<u64, Waiting>,
    /// `None` when the connection has ended.
    notices: Option<broadcast::Sender<Notice>>,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Result<Reply, Failure>>,
    /// Which reply the result is.
    tag: &'static str,
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing is left half-done under this lock, so what a panicking thread leaves is as good as before.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    /// Connects, and waits for the other process's welcome.
    ///
    /// # Errors
    /// Nobody listens, or it does not say welcome; `Unsupported` when it is of another version.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        let (read, write) = UnixStream::connect(path).await?.into_split();
        let mut incoming = Lines::at_most(read, ANSWER);
        let first = tokio::time::timeout(WELCOME, incoming.next()).await?.map_err(io::Error::other)?;
        let line = first.ok_or(io::ErrorKind::UnexpectedEof)?;
        match parse_incoming(&line).map_err(io::Error::other)? {
            Incoming::Welcome(VERSION) => {}
            Incoming::Welcome(_) => return Err(io::ErrorKind::Unsupported.into()),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        let (lines, waiting) = mpsc::channel(16);
        let (notices, _) = broadcast::channel(EVENTS);
        let state = State { last: 0, waiting: HashMap::new(), notices: Some(notices) };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        tokio::spawn(write_lines(write, waiting));
        tokio::spawn(read_lines(incoming, shared.clone()));
        Ok(Self { lines, shared })
    }

    /// Whether the connection stands.
    pub fn is_alive(&self) -> bool {
        self.shared.state().notices.is_some()
    }

    /// Asks. The engine takes commands in the order in which these calls return.
    ///
    /// # Errors
    /// [`Gone`]: there will be no answer.
    pub async fn submit(&self, command: &Command) -> Result<Asked, Gone> {
        let (id, answer) = self.register(methods::reply_of(command))?;
        let line = request_line(id, command).map_err(Gone::Unsent)?;
        self.send(id, line, answer).await
    }

    /// Events from now on. The receiver is closed where the connection ends.
    ///
    /// # Errors
    /// [`Gone`]: there will be none.
    pub async fn subscribe(&self) -> Result<broadcast::Receiver<Notice>, Gone> {
        let receiver = self.shared.state().notices.as_ref().map(broadcast::Sender::subscribe).ok_or(Gone::Lost)?;
        // The acknowledgement is no reply of the engine; that it came is enough.
        let (id, answer) = self.register(SUBSCRIBED)?;
        let _acknowledged = self.send(id, Zeroizing::new(subscribe_line(id)), answer).await?.answer().await?;
        Ok(receiver)
    }

    fn register(&self, tag: &'static str) -> Result<(u64, oneshot::Receiver<Result<Reply, Failure>>), Gone> {
        let mut state = self.shared.state();
        if state.notices.is_none() {
            return Err(Gone::Leaving);
        }
        let (answer, waits) = oneshot::channel();
        state.last += 1;
        let id = state.last;
        state.waiting.insert(id, Waiting { answer, tag });
        Ok((id, waits))
    }

    async fn send(
        &self,
        id: u64,
        line: Zeroizing<Vec<u8>>,
        answer: oneshot::Receiver<Result<Reply, Failure>>,
    ) -> Result<Asked, Gone> {
        let asked = Asked { shared: self.shared.clone(), id, answer };
        self.lines.send(line).await.map_err(|_| Gone::Lost)?;
        Ok(asked)
    }
}

/// A question that is on its way. Dropping it gives the answer up.
#[derive(Debug)]
pub struct Asked {
    shared: Arc<Shared>,
    id: u64,
    answer: oneshot::Receiver<Result<Reply, Failure>>,
}

impl Asked {
    /// The answer.
    ///
    /// # Errors
    /// [`Gone`]: there is none.
    pub async fn answer(mut self) -> Result<Result<Reply, Failure>, Gone> {
        match (&mut self.answer).await.map_err(|_| Gone::Lost)? {
            Err(failure) if failure.kind == ENGINE_LEAVING => Err(Gone::Leaving),
            answer => Ok(answer),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.shared.state().waiting.remove(&self.id);
    }
}

async fn write_lines(mut write: OwnedWriteHalf, mut waiting: mpsc::Receiver<Zeroizing<Vec<u8>>>) {
    while let Some(line) = waiting.recv().await {
        if let Err(error) = write.write_all(&line).await {
            // The reading side sees the same end and tells who waits.
            debug!(%error, "writing to the engine's process failed");
            return;
        }
    }
}

async fn read_lines(mut incoming: Lines<tokio::io::BufReader<OwnedReadHalf>>, shared: Arc<Shared>) {
    let why = loop {
        let line = match incoming.next().await {
            Ok(Some(line)) => line,
            Ok(None) => break "it ended".to_owned(),
            Err(error) => break error.to_string(),
        };
        match parse_incoming(&line) {
            Ok(message) => shared.take(message),
            Err(error) => break error.to_string(),
        }
    };
    debug!(why, "the connection to the engine's process is over");
    let mut state = shared.state();
    state.notices = None;
    state.waiting.clear();
}

impl Shared {
    fn take(&self, message: Incoming) {
        let mut state = self.state();
        let tell = |state: &State, notice| {
            if let Some(notices) = &state.notices {
                // Nobody may be watching.
                let _watchers = notices.send(notice);
            }
        };
        match message {
            Incoming::Event(event) => tell(&state, Notice::Event(event)),
            Incoming::Missed => tell(&state, Notice::Missed),
            Incoming::Answer(id, answer) => {
                if let Some(Waiting { answer: waits, tag }) = state.waiting.remove(&id) {
                    let reply = answer
                        .and_then(|result| if tag == SUBSCRIBED { Ok(Reply::Done) } else { reply_of(tag, result) });
                    let _gone_in_between = waits.send(reply);
                }
            }
            Incoming::Welcome(_) | Incoming::Unknown => {}
        }
    }
}

impl From<Gone> for Failure {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Unsent(failure) => failure,
            Gone::Leaving | Gone::Lost => crate::failure::engine_gone(),
        }
    }
}

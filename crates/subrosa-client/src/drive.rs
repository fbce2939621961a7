//! The engine's thread: the only place that touches [`Engine`].
//!
//! The engine computes and writes to disk while it works, so it has a thread of its own. Inputs come over bounded
//! channels: commands, news of the link; and time. After each input everything that the engine wants is carried out.
//!
//! Frames for the server wait here while the link cannot take them, up to [`BACKLOG`] bytes; a server that does not read
//! loses its link. So this thread never waits for the network.

use std::collections::{HashMap, VecDeque};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rand_core::OsRng;
use rusqlite::Connection;
use subrosa_engine::api::{Command, Event, Failure, FailureCode, Reply, SendState, Told};
use subrosa_engine::{CommandId, Config, Engine, Output, RoadId, RoadOrder};
use subrosa_net::Sender;
use subrosa_types::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{error, info};

use crate::failure::{UNREACHABLE, WRONG_SERVER, connect_failure, environment, store_unavailable};
use crate::link::{News, Wanted};
use crate::profile::Lock;
use crate::roads::{self, Roads};

/// Inputs that may wait.
const INPUTS: usize = 256;
/// Frames of the server that may wait; each is at most 8.25 MiB.
const LINK_NEWS: usize = 8;
/// News of direct links that may wait; a frame has at most 320 KiB.
const ROAD_NEWS: usize = 16;
/// Events that a watcher may be behind before it is told that it missed some.
const EVENTS: usize = 1024;
/// Bytes that may wait for the server.
const BACKLOG: usize = 32 * 1024 * 1024;
/// How long the end waits for what is under way; the store has what is left.
const LAST_WORK: Duration = Duration::from_secs(3);
/// Longest sleep: a wall clock may be set while we sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Answer to a command.
pub type Answer = Result<Reply, Failure>;

/// What the engine's thread takes.
#[derive(Debug)]
pub enum Input {
    /// A command, and where its answer goes. When nobody waits there any more, the command is cancelled.
    Call {
        /// What is asked.
        command: Command,
        /// Where the answer goes.
        answer: oneshot::Sender<Answer>,
    },
    /// End.
    Stop,
}

/// A way to ask the engine's thread.
#[derive(Debug, Clone)]
pub struct Calls {
    inputs: mpsc::Sender<Input>,
}

impl Calls {
    /// A way to ask, and what arrives at its other end.
    pub fn channel() -> (Self, mpsc::Receiver<Input>) {
        let (inputs, received) = mpsc::channel(INPUTS);
        (Self { inputs }, received)
    }

    /// Hands a command over; commands are taken in the order of these calls.
    pub async fn submit(&self, command: Command) -> oneshot::Receiver<Answer> {
        let (answer, waiting) = oneshot::channel();
        // If the thread is gone, the answer's sender is dropped here and the receiver knows.
        let _thread_is_gone = self.inputs.send(Input::Call { command, answer }).await;
        waiting
    }

    /// Ends the thread, after what was asked before.
    pub async fn stop(&self) {
        let _thread_is_gone = self.inputs.send(Input::Stop).await;
    }
}

/// A running engine.
#[derive(Debug)]
pub struct Running {
    /// How to ask it.
    pub calls: Calls,
    /// What it tells.
    pub events: broadcast::Sender<Told>,
    /// Resolves when the thread has ended, the store is closed and the lock is free.
    pub ended: oneshot::Receiver<()>,
}

/// Opens the engine on a store. Blocks.
///
/// # Errors
/// The store is of a newer version, or cannot be read or written.
pub fn open(store: Connection) -> Result<Engine, Failure> {
    Engine::open(store, Config::default(), Box::new(OsRng), now()).map_err(|error| store_unavailable(&error))
}

/// Starts the engine's thread and its link task on the current runtime. The lock is held until the engine is closed.
///
/// # Errors
/// The system gives no thread.
pub fn start(engine: Engine, lock: Lock) -> Result<Running, Failure> {
    let (calls, inputs) = Calls::channel();
    let (events, _) = broadcast::channel(EVENTS);
    let (wanted, orders) = watch::channel(Wanted::default());
    let (ending, ended) = oneshot::channel();
    let (tell, link_news) = mpsc::channel(LINK_NEWS);
    tokio::spawn(crate::link::run(orders, tell));
    let (tell_road, road_news) = mpsc::channel(ROAD_NEWS);
    let drive = Drive {
        engine,
        roads: Roads::new(tell_road),
        events: events.clone(),
        wanted,
        link: None,
        backlog: VecDeque::new(),
        backlog_bytes: 0,
        waiting: HashMap::new(),
        trouble: None,
    };
    let runtime = Handle::current();
    thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || {
            runtime.block_on(drive.run(inputs, link_news, road_news));
            drop(lock);
            let _nobody_waits = ending.send(());
        })
        .map_err(|error| environment("no_thread", format!("the engine cannot be started: {error}")))?;
    Ok(Running { calls, events, ended })
}

struct Drive {
    engine: Engine,
    roads: Roads,
    events: broadcast::Sender<Told>,
    wanted: watch::Sender<Wanted>,
    link: Option<Sender>,
    backlog: VecDeque<Bytes>,
    backlog_bytes: usize,
    waiting: HashMap<CommandId, oneshot::Sender<Answer>>,
    /// Why there is no link.
    trouble: Option<Failure>,
}

impl Drive {
    async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut link: mpsc::Receiver<(u64, News)>,
        mut roads: mpsc::Receiver<(RoadId, roads::News)>,
    ) {
        let mut last_call = None;
        loop {
            self.carry_out();
            self.forget_the_gone();
            if last_call.is_some() && self.engine.is_idle() && self.backlog.is_empty() {
                return;
            }
            let sleep = self.until_timeout();
            let first = self.backlog.front().cloned();
            tokio::select! {
                input = inputs.recv(), if last_call.is_none() => match input {
                    Some(Input::Call { command, answer }) => self.command(command, answer),
                    // What is under way is brought to its end: answers, and what was accepted by a word of this process.
                    Some(Input::Stop) | None => last_call = Some(Instant::now() + LAST_WORK),
                },
                () = until(last_call) => return,
                Some((attempt, news)) = link.recv() => {
                    if attempt == self.wanted.borrow().attempt {
                        self.news(news);
                    }
                }
                Some((road, news)) = roads.recv() => self.road_news(road, news),
                sent = send_first(self.link.as_ref(), first) => match sent {
                    Ok(length) => {
                        self.backlog.pop_front();
                        self.backlog_bytes -= length;
                    }
                    Err(_gone) => self.lose_link("the connection was lost"),
                },
                () = tokio::time::sleep(sleep) => {
                    if self.engine.next_timeout().is_some_and(|at| at <= now()) {
                        self.engine.timeout(now());
                    }
                }
            }
        }
    }

    fn command(&mut self, command: Command, answer: oneshot::Sender<Answer>) {
        let id = self.engine.command(command, now());
        self.waiting.insert(id, answer);
    }

    fn news(&mut self, news: News) {
        match news {
            News::Up { sender, tls_exporter } => {
                self.trouble = None;
                self.link = Some(sender);
                self.engine.link_up(tls_exporter, now());
            }
            News::Frame(frame) => self.engine.frame(frame, now()),
            News::Failed(error) => {
                self.trouble = Some(connect_failure(&error));
                self.lose_link(&error.to_string());
            }
            News::Ended(reason) => self.lose_link(&reason),
        }
    }

    fn road_news(&mut self, road: RoadId, news: roads::News) {
        match news {
            roads::News::Ready(way) => self.engine.road_ready(road, way, now()),
            roads::News::Up => self.engine.road_up(road, now()),
            roads::News::Frame(frame) => self.engine.road_frame(road, &frame, now()),
            roads::News::Down(reason) => {
                self.roads.forget(road);
                self.engine.road_down(road, &reason, now());
            }
        }
    }

    fn lose_link(&mut self, reason: &str) {
        self.drop_link();
        self.engine.link_down(reason, now());
    }

    /// Ends the link, whatever state it is in; nothing of it is listened to any more.
    fn drop_link(&mut self) {
        self.link = None;
        self.backlog.clear();
        self.backlog_bytes = 0;
        self.wanted.send_modify(|wanted| *wanted = Wanted { attempt: wanted.attempt + 1, server: None });
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Connect(server) => {
                    self.drop_link();
                    self.wanted
                        .send_modify(|wanted| *wanted = Wanted { attempt: wanted.attempt + 1, server: Some(server) });
                }
                Output::Disconnect => self.drop_link(),
                Output::Transmit(frame) => self.transmit(frame),
                Output::Road(road, order) => self.order_road(road, order),
                Output::Event(told) => {
                    trace(&told.event);
                    // Nobody may be watching.
                    let _watchers = self.events.send(told);
                }
                Output::Finished(id, answer) => self.finish(id, answer),
            }
        }
    }

    fn order_road(&mut self, road: RoadId, order: RoadOrder) {
        if !self.roads.carry_out(road, order) {
            self.engine.road_down(road, "it does not keep up", now());
        }
    }

    fn transmit(&mut self, frame: Bytes) {
        if self.link.is_none() {
            return;
        }
        self.backlog_bytes += frame.len();
        self.backlog.push_back(frame);
        if self.backlog_bytes > BACKLOG {
            self.lose_link("the server does not take what is sent");
        }
    }

    fn finish(&mut self, id: CommandId, answer: Answer) {
        let Some(waits) = self.waiting.remove(&id) else { return };
        let answer = match &self.trouble {
            Some(trouble) => explain(answer, trouble),
            None => answer,
        };
        let _gone_in_between = waits.send(answer);
    }

    /// Cancels commands that nobody waits for: the process that asked has ended.
    fn forget_the_gone(&mut self) {
        let engine = &mut self.engine;
        self.waiting.retain(|id, answer| {
            let waits = !answer.is_closed();
            if !waits {
                engine.cancel(*id);
            }
            waits
        });
    }

    fn until_timeout(&self) -> Duration {
        let Some(at) = self.engine.next_timeout() else { return LONGEST_SLEEP };
        let milliseconds = u64::try_from(at.millis_since(now())).unwrap_or(0);
        Duration::from_millis(milliseconds).clamp(Duration::from_millis(1), LONGEST_SLEEP)
    }
}

/// Resolves at this time, or never.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Sends the first frame of the backlog; never resolves when there is nothing to send.
async fn send_first(link: Option<&Sender>, frame: Option<Bytes>) -> Result<usize, subrosa_net::LinkGone> {
    match (link, frame) {
        (Some(sender), Some(frame)) => {
            let length = frame.len();
            sender.send(frame).await.map(|()| length)
        }
        _ => std::future::pending().await,
    }
}

/// The engine knows that the server was not reached; the link knows why.
fn explain(answer: Answer, trouble: &Failure) -> Answer {
    match answer {
        Err(failure) if failure.code == FailureCode::Environment && failure.kind == UNREACHABLE => Err(trouble.clone()),
        Ok(Reply::Sent(sent)) if sent.state == SendState::Queued && trouble.kind == WRONG_SERVER => {
            let message =
                format!("{}; the message is kept and goes out when the right server is back", trouble.message);
            Err(Failure::new(trouble.code, WRONG_SERVER, message))
        }
        other => other,
    }
}

/// Steps for `-v`: what happened, never about whom or what.
fn trace(event: &Event) {
    match event {
        Event::Online => info!("logged in, and up to date"),
        Event::Offline { reason } => info!("offline: {reason}"),
        Event::Warning { code, .. } => info!("warning {code}"),
        Event::Direct { up: true, .. } => info!("messages of a chat go over a direct link"),
        Event::Direct { up: false, .. } => info!("messages of a chat go through the server again"),
        Event::LoggedOut { .. } => info!("this device was logged out"),
        _ => {}
    }
}

/// The wall clock.
pub fn now() -> Timestamp {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        Err(_) => {
            error!("the clock of this machine is before 1970");
            Timestamp(0)
        }
    }
}

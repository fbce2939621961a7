//! Messages through a server, as fast as it takes them or at a given rate, and what comes out.
//!
//! Every sender has a budget of messages that it may send. In a window, a message that reached all of its receivers gives
//! its place back; at a given rate, a clock hands the places out. Either way the server decides the speed, and no queue
//! grows beyond what the windows hold.
//!
//! Everything runs in one thread, on the generator's core.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

use crate::dialect::Dialect;
use crate::machine;
use crate::process::Process;
use crate::socket::Socket;

/// How long everything that was sent may take to arrive when the sending has ended.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connections that share a conversation.
pub struct Topic<D> {
    /// Those that send, and receive what others send.
    pub senders: Vec<(Socket, D)>,
    /// Those that only receive.
    pub listeners: Vec<(Socket, D)>,
}

/// How fast to send.
#[derive(Clone, Copy)]
pub enum Pace {
    /// So many messages of a sender may be on their way at once.
    Window(u64),
    /// So many a second, all senders together, in turn.
    PerSecond(u64),
}

/// How long to measure.
#[derive(Clone, Copy)]
pub struct Span {
    /// Before the measurement begins.
    pub warm_up: Duration,
    /// Of the measurement.
    pub measure: Duration,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Rate {
    /// Messages that reached a receiver, a second.
    pub deliveries_per_second: f64,
    /// Seconds of server processor time for a million deliveries.
    pub cpu_seconds_per_million: f64,
    /// The server's part of its core, 0 to 1.
    pub server_busy: f64,
    /// The generator's part of its core, 0 to 1. Near 1 while the server's is not, the figure is the generator's.
    pub generator_busy: f64,
    /// Milliseconds from sending to receiving.
    pub latency: Latency,
}

/// Quantiles of a time, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    /// Half of all took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
}

/// Runs traffic through `topics`, whose server is `process`.
///
/// # Errors
/// When the server refuses something, a connection ends, or not every message arrives once.
pub async fn run<D: Dialect>(topics: Vec<Topic<D>>, pace: Pace, span: Span, process: &Process) -> Result<Rate> {
    let counts = Rc::new(Counts::new());
    let mut tasks = Tasks(Vec::new());
    let mut senders = Vec::new();
    for topic in topics {
        senders.extend(start_topic(topic, pace, &counts, &mut tasks));
    }
    if let Pace::PerSecond(rate) = pace {
        let counts = Rc::clone(&counts);
        tasks.0.push(spawn_local(async move { hand_out(&senders, rate, &counts).await }));
    }
    let whole = async {
        let rate = measure(span, process, &counts).await?;
        counts.stopping.set(true);
        let arrived = tokio::time::timeout(PATIENCE, counts.all_arrived::<D>()).await;
        arrived.with_context(|| format!("not everything arrived: {}", counts.summary()))?;
        counts.check::<D>()?;
        Ok(rate)
    };
    tokio::select! {
        rate = whole => rate,
        () = counts.failed.notified() => Err(counts.failure.take().context("a connection failed")?),
    }
}

/// Ends its tasks, and with them their connections, when the run is over.
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

struct Counts {
    begin: Instant,
    sent: Cell<u64>,
    /// What `sent` will have become when all of it is delivered.
    expected: Cell<u64>,
    delivered: Cell<u64>,
    accepted: Cell<u64>,
    /// Nanoseconds, while measuring.
    latencies: RefCell<Vec<u64>>,
    measuring: Cell<bool>,
    stopping: Cell<bool>,
    progress: Notify,
    failure: RefCell<Option<anyhow::Error>>,
    failed: Notify,
}

impl Counts {
    fn new() -> Self {
        Self {
            begin: Instant::now(),
            sent: Cell::default(),
            expected: Cell::default(),
            delivered: Cell::default(),
            accepted: Cell::default(),
            latencies: RefCell::default(),
            measuring: Cell::default(),
            stopping: Cell::default(),
            progress: Notify::new(),
            failure: RefCell::default(),
            failed: Notify::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn fail(&self, error: anyhow::Error) {
        self.failure.borrow_mut().get_or_insert(error);
        self.failed.notify_one();
    }

    async fn all_arrived<D: Dialect>(&self) {
        while self.delivered.get() < self.expected.get() || (D::ANSWERS && self.accepted.get() < self.sent.get()) {
            self.progress.notified().await;
        }
    }

    fn check<D: Dialect>(&self) -> Result<()> {
        if self.delivered.get() != self.expected.get() || (D::ANSWERS && self.accepted.get() != self.sent.get()) {
            bail!("not everything arrived once: {}", self.summary());
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let (sent, accepted) = (self.sent.get(), self.accepted.get());
        format!("{sent} sent, {accepted} accepted, {} of {} deliveries", self.delivered.get(), self.expected.get())
    }
}

/// What a sender may still send.
#[derive(Default)]
struct Budget {
    messages: Cell<u64>,
    more: Notify,
}

impl Budget {
    fn add(&self, messages: u64) {
        self.messages.set(self.messages.get() + messages);
        self.more.notify_one();
    }
}

/// The senders of a topic and how they get their places back.
struct Window {
    budgets: Vec<Rc<Budget>>,
    /// Receivers of each message.
    receivers: u64,
    /// Deliveries since the last place was given back.
    arrived: Cell<u64>,
    turn: Cell<usize>,
}

impl Window {
    /// One more delivery. Which sender's message it was does not matter: places go round.
    fn arrived(&self) {
        self.arrived.set(self.arrived.get() + 1);
        if self.arrived.get() == self.receivers {
            self.arrived.set(0);
            self.budgets[self.turn.get()].add(1);
            self.turn.set((self.turn.get() + 1) % self.budgets.len());
        }
    }
}

fn start_topic<D: Dialect>(topic: Topic<D>, pace: Pace, counts: &Rc<Counts>, tasks: &mut Tasks) -> Vec<Rc<Budget>> {
    let budgets: Vec<Rc<Budget>> = topic.senders.iter().map(|_| Rc::default()).collect();
    let receivers = (topic.senders.len() + topic.listeners.len() - 1) as u64;
    let mut window = None;
    if let Pace::Window(places) = pace {
        budgets.iter().for_each(|budget| budget.add(places));
        let budgets = budgets.clone();
        window = Some(Rc::new(Window { budgets, receivers, arrived: Cell::default(), turn: Cell::default() }));
    }
    let receive = |reader, dialect| {
        let (counts, window) = (Rc::clone(counts), window.clone());
        spawn_local(async move {
            if let Err(error) = receive::<D, _>(reader, dialect, window.as_deref(), &counts).await {
                counts.fail(error);
            }
        })
    };
    for ((socket, dialect), budget) in topic.senders.into_iter().zip(&budgets) {
        let (reader, writer) = socket.split();
        tasks.0.push(receive(reader, dialect.clone()));
        let (counts, budget) = (Rc::clone(counts), Rc::clone(budget));
        tasks.0.push(spawn_local(async move {
            if let Err(error) = send(writer, dialect, receivers, &budget, &counts).await {
                counts.fail(error);
            }
        }));
    }
    for (socket, dialect) in topic.listeners {
        let (reader, writer) = socket.split();
        let receiving = receive(reader, dialect);
        // The writing half is kept, so that the connection stays whole.
        tasks.0.push(spawn_local(async move {
            let _writer = writer;
            drop(receiving.await);
        }));
    }
    budgets
}

async fn receive<D: Dialect, S: tokio::io::AsyncRead + Unpin>(
    mut reader: crate::socket::Reader<S>,
    dialect: D,
    window: Option<&Window>,
    counts: &Counts,
) -> Result<()> {
    loop {
        let now = counts.now();
        let visit = |frame: &[u8]| {
            let answers = dialect.read(frame, &mut |stamp| {
                counts.delivered.set(counts.delivered.get() + 1);
                match window {
                    Some(window) => window.arrived(),
                    None if counts.measuring.get() => counts.latencies.borrow_mut().push(now.saturating_sub(stamp)),
                    None => {}
                }
            })?;
            counts.accepted.set(counts.accepted.get() + answers.accepted);
            if counts.stopping.get() {
                counts.progress.notify_one();
            }
            Ok(())
        };
        reader.next(visit).await?;
    }
}

async fn send<D: Dialect>(
    mut writer: impl tokio::io::AsyncWrite + Unpin,
    dialect: D,
    receivers: u64,
    budget: &Budget,
    counts: &Counts,
) -> Result<()> {
    let mut frames = Vec::new();
    let mut number = 0;
    loop {
        while budget.messages.get() == 0 {
            budget.more.notified().await;
        }
        if counts.stopping.get() {
            return Ok(());
        }
        let messages = budget.messages.replace(0);
        let now = counts.now();
        for _ in 0..messages {
            number += 1;
            dialect.write(number, now, &mut frames);
        }
        counts.sent.set(counts.sent.get() + messages);
        counts.expected.set(counts.expected.get() + messages * receivers);
        writer.write_all(&frames).await?;
        writer.flush().await?;
        frames.clear();
    }
}

/// Gives out places at an even rate, each millisecond those that are due.
async fn hand_out(senders: &[Rc<Budget>], rate: u64, counts: &Counts) {
    let mut clock = tokio::time::interval(Duration::from_millis(1));
    let begin = Instant::now();
    let mut given = 0;
    while !counts.stopping.get() {
        clock.tick().await;
        let due = (begin.elapsed().as_secs_f64() * rate as f64) as u64;
        for turn in given..due {
            senders[turn as usize % senders.len()].add(1);
        }
        given = due;
    }
}

async fn measure(span: Span, process: &Process, counts: &Counts) -> Result<Rate> {
    tokio::time::sleep(span.warm_up).await;
    counts.measuring.set(true);
    let begin = (Instant::now(), counts.delivered.get(), process.cpu_time()?, machine::own_cpu_time());
    tokio::time::sleep(span.measure).await;
    counts.measuring.set(false);
    let elapsed = begin.0.elapsed().as_secs_f64();
    let delivered = (counts.delivered.get() - begin.1) as f64;
    let server = (process.cpu_time()? - begin.2).as_secs_f64();
    let generator = (machine::own_cpu_time() - begin.3).as_secs_f64();
    Ok(Rate {
        deliveries_per_second: delivered / elapsed,
        cpu_seconds_per_million: server / delivered * 1e6,
        server_busy: server / elapsed,
        generator_busy: generator / elapsed,
        latency: Latency::of(&mut counts.latencies.borrow_mut()),
    })
}

impl Latency {
    /// Quantiles of nanoseconds; zero when there are none.
    pub fn of(nanoseconds: &mut [u64]) -> Self {
        nanoseconds.sort_unstable();
        let quantile = |part: usize| {
            let at = (nanoseconds.len() * part / 100).min(nanoseconds.len().saturating_sub(1));
            nanoseconds.get(at).map_or(0.0, |time| *time as f64 / 1e6)
        };
        Self { p50: quantile(50), p99: quantile(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let mut times: Vec<u64> = (1..=100).rev().map(|milliseconds| milliseconds * 1_000_000).collect();
        let latency = Latency::of(&mut times);
        assert!((latency.p50 - 51.0).abs() < 1e-9 && (latency.p99 - 100.0).abs() < 1e-9);
        assert!(Latency::of(&mut []).p50.abs() < 1e-9);
    }

    #[test]
    fn a_place_comes_back_when_every_receiver_has_the_message() {
        let budgets = vec![Rc::<Budget>::default(), Rc::default()];
        let window = Window { budgets, receivers: 3, arrived: Cell::default(), turn: Cell::default() };
        for _ in 0..7 {
            window.arrived();
        }
        assert_eq!(window.budgets.iter().map(|budget| budget.messages.get()).collect::<Vec<_>>(), [1, 1]);
    }
}

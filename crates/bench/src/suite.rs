//! The measurements, one after the other, each against the floor and then against the real server.
//!
//! Each uses connections of its own; nothing else runs meanwhile. The order matters once: everybody signs up first, so
//! that the role log, which each commit refers to, does not move any more.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use subrosa_types::{ConversationId, Epoch, Sequence};

use crate::client_cost;
use crate::dialect::{Dialect, FloorTopic, Member};
use crate::process::Process;
use crate::report::{Figure, Figures};
use crate::rooms;
use crate::service::{Device, Service};
use crate::socket::{Dialler, Socket};
use crate::traffic::{self, Pace, Rate, Span, Topic};

/// Pairs of a sender and a receiver.
const PAIRS: usize = 50;
/// Messages of one sender that may be on their way.
const WINDOW: u64 = 32;
/// Members of a group who write at the same time.
const GROUP_SENDERS: usize = 10;
/// Messages a second for the latency.
const GENTLE_RATE: u64 = 2_000;
/// Connections that are made at the same time.
const DIALLING: usize = 16;

/// How much is measured.
pub struct Extent {
    /// Idle connections.
    pub idle: usize,
    /// Sizes of the groups.
    pub groups: &'static [usize],
    /// Logins of each kind.
    pub logins: usize,
    /// Messages that wait for the device that was away.
    pub waiting: u64,
    /// Time for each rate.
    pub span: Span,
    /// Sizes of the room.
    pub rooms: &'static [usize],
    /// Messages for the client's own cost.
    pub client_messages: usize,
}

impl Extent {
    /// The whole run, some minutes.
    pub const FULL: Self = Self {
        idle: 5_000,
        groups: &[100, 1_000],
        logins: 2_000,
        waiting: 10_000,
        span: Span { warm_up: Duration::from_secs(1), measure: Duration::from_secs(5) },
        rooms: &[10, 100, 200],
        client_messages: 2_000,
    };

    /// A short run: rough figures, and no large group.
    pub const QUICK: Self = Self {
        idle: 500,
        groups: &[100],
        logins: 200,
        waiting: 2_000,
        span: Span { warm_up: Duration::from_millis(300), measure: Duration::from_millis(1_500) },
        rooms: &[10],
        client_messages: 200,
    };
}

impl Extent {
    /// How many accounts the parts need.
    fn accounts(&self, parts: &[Part]) -> usize {
        let groups = self.groups.iter().copied().max().unwrap_or(0);
        let of = |part: &Part| match part {
            Part::Groups => groups,
            Part::Idle => self.idle,
            Part::Logins => self.logins.min(100),
            Part::Pairs | Part::Drain | Part::Client | Part::Rooms => 0,
        };
        parts.iter().map(of).chain([2 * PAIRS]).max().unwrap_or(0)
    }
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Messages and latency between 50 pairs.
    Pairs,
    /// Deliveries in groups.
    Groups,
    /// Logins by device and by password.
    Logins,
    /// A device that was away reads what waits.
    Drain,
    /// Memory of idle connections.
    Idle,
    /// What a message costs the client.
    Client,
    /// What one more guest costs a room.
    Rooms,
}

/// Runs the parts, in the order of [`Part`].
///
/// # Errors
/// When a server refuses something, or loses it.
pub async fn run(extent: &Extent, parts: &[Part]) -> Result<Figures> {
    let wanted = |part| parts.contains(&part);
    let folder = crate::scratch_folder()?;
    let floor = Floor::start()?;
    let server = Server::start(folder.path())?;
    let mut figures = Figures::new(server.process.listening.synchronous.clone());
    let (devices, sign_ups) = server.sign_up(extent.accounts(parts)).await?;
    figures.add(Figure { name: "sign-ups", unit: "a second", subrosa: sign_ups, floor: None });

    if wanted(Part::Pairs) {
        pairs(extent, &floor, &server, &devices, &mut figures).await?;
    }
    if wanted(Part::Groups) {
        for size in extent.groups {
            group(*size, extent, &floor, &server, &devices, &mut figures).await?;
        }
    }
    if wanted(Part::Logins) {
        logins(extent, &floor, &server, &devices, &mut figures).await?;
    }
    if wanted(Part::Drain) {
        drain(extent, &server, &devices, &mut figures).await?;
    }
    // Memory is measured in processes that have not done anything else: an allocator gives little back.
    drop((floor, server));
    if wanted(Part::Idle) {
        idle(extent, &Floor::start()?, &Server::start(folder.path())?, &devices, &mut figures).await?;
    }
    if wanted(Part::Client) {
        client_cost::measure(extent.client_messages, &mut figures)?;
    }
    if wanted(Part::Rooms) {
        rooms::measure(extent.rooms, &mut figures)?;
    }
    Ok(figures)
}

async fn pairs(
    extent: &Extent,
    floor: &Floor,
    server: &Server,
    devices: &[Device],
    figures: &mut Figures,
) -> Result<()> {
    let mut chats = Vec::new();
    for pair in devices[..2 * PAIRS].chunks_exact(2) {
        chats.push((server.service.found_private(&pair[0], &pair[1]).await?, pair));
    }
    for pace in [Pace::Window(WINDOW), Pace::PerSecond(GENTLE_RATE)] {
        let mut topics = Vec::new();
        for topic in 0..PAIRS as u32 {
            topics.push(floor.topic(topic, 1, 2).await?);
        }
        let below = traffic::run(topics, pace, extent.span, &floor.process).await?;
        let mut topics = Vec::new();
        for (chat, pair) in &chats {
            topics.push(server.topic(*chat, 1, pair).await?);
        }
        let ours = traffic::run(topics, pace, extent.span, &server.process).await?;
        if matches!(pace, Pace::Window(_)) {
            add_rates(figures, ["messages between 50 pairs", "CPU between 50 pairs"], &ours, &below);
        } else {
            let pairs = [
                ("latency p50", ours.latency.p50, below.latency.p50),
                ("latency p99", ours.latency.p99, below.latency.p99),
            ];
            for (name, subrosa, floor) in pairs {
                figures.add(Figure { name, unit: "ms, at 2,000 messages a second", subrosa, floor: Some(floor) });
            }
        }
    }
    Ok(())
}

async fn group(
    size: usize,
    extent: &Extent,
    floor: &Floor,
    server: &Server,
    devices: &[Device],
    figures: &mut Figures,
) -> Result<()> {
    let below = [floor.topic(1_000_000 + size as u32, GROUP_SENDERS, size).await?];
    let below = traffic::run(below.into(), Pace::Window(WINDOW), extent.span, &floor.process).await?;
    let members = &devices[..size];
    let group = server.service.found_group(&members[0], &members[1..]).await?;
    let ours = [server.topic(group, GROUP_SENDERS, members).await?];
    let ours = traffic::run(ours.into(), Pace::Window(WINDOW), extent.span, &server.process).await?;
    let names = match size {
        100 => ["deliveries in a group of 100", "CPU in a group of 100"],
        1_000 => ["deliveries in a group of 1,000", "CPU in a group of 1,000"],
        _ => bail!("a group of {size} has no name in the table"),
    };
    add_rates(figures, names, &ours, &below);
    Ok(())
}

fn add_rates(figures: &mut Figures, [rate, cpu]: [&'static str; 2], ours: &Rate, below: &Rate) {
    let busy = |rate: &Rate| format!("server {:.2}, generator {:.2}", rate.server_busy, rate.generator_busy);
    eprintln!("  busy cores: {}; floor: {}", busy(ours), busy(below));
    let floor = Some(below.deliveries_per_second);
    figures.add(Figure { name: rate, unit: "a second", subrosa: ours.deliveries_per_second, floor });
    let floor = Some(below.cpu_seconds_per_million);
    figures.add(Figure { name: cpu, unit: "s of the server a million", subrosa: ours.cpu_seconds_per_million, floor });
}

async fn logins(
    extent: &Extent,
    floor: &Floor,
    server: &Server,
    devices: &[Device],
    figures: &mut Figures,
) -> Result<()> {
    let connects = per_second(extent.logins, |_| async { floor.join(0).await.map(drop) }).await?;
    let device = |turn: usize| &devices[turn % devices.len()];
    let logins = per_second(extent.logins, |turn| async move { server.service.log_in(device(turn)).await.map(drop) });
    let logins = logins.await?;
    figures.add(Figure { name: "device logins", unit: "a second", subrosa: logins, floor: Some(connects) });
    let proofs = per_second(extent.logins, |turn| server.service.prove_password(device(turn))).await?;
    figures.add(Figure { name: "password logins", unit: "a second", subrosa: proofs, floor: None });
    Ok(())
}

/// One device of a pair is away while the other sends; then it logs in and reads everything.
async fn drain(extent: &Extent, server: &Server, devices: &[Device], figures: &mut Figures) -> Result<()> {
    let (sender, away) = (&devices[0], &devices[2 * PAIRS - 1]);
    let (conversation, epoch) = server.service.found_private(sender, away).await?;
    let mut session = server.service.log_in(sender).await?;
    let member = Member::new(conversation, epoch, server.next_connection());
    let mut accepted = 0;
    for first in (0..extent.waiting).step_by(WINDOW as usize) {
        let window = first..(first + WINDOW).min(extent.waiting);
        for number in window.clone() {
            session.socket.send(&subrosa_wire::encode(&member.append(1_000_000_000 + number, 0))).await?;
        }
        while accepted < window.end {
            accepted += member.read(&session.socket.receive().await?, &mut |_| {})?.accepted;
        }
    }
    let begin = Instant::now();
    let mut session = server.service.log_in(away).await?;
    let mut after = Sequence(0);
    let mut messages = 0;
    loop {
        let page = server.service.log_page(&mut session.socket, conversation, after).await?;
        let Some(last) = page.entries.last() else { bail!("the log ends at {after} and its head is {}", page.head) };
        after = Sequence(last.sequence);
        messages += page.entries.len();
        if after.0 >= page.head {
            break;
        }
    }
    if (messages as u64) < extent.waiting {
        bail!("{} messages were sent and {messages} are in the log", extent.waiting);
    }
    let rate = messages as f64 / begin.elapsed().as_secs_f64();
    figures.add(Figure { name: "drain of a waiting log", unit: "messages a second", subrosa: rate, floor: None });
    Ok(())
}

async fn idle(
    extent: &Extent,
    floor: &Floor,
    server: &Server,
    devices: &[Device],
    figures: &mut Figures,
) -> Result<()> {
    let per_connection = |before: u64, after: u64| after.saturating_sub(before) as f64 / 1024.0 / extent.idle as f64;
    let before = floor.process.resident_memory()?;
    let held = many(extent.idle, |turn| floor.join(turn as u32)).await?;
    let below = per_connection(before, floor.process.resident_memory()?);
    drop(held);
    let before = server.process.resident_memory()?;
    let held = many(extent.idle, |turn| server.service.log_in(&devices[turn])).await?;
    let ours = per_connection(before, server.process.resident_memory()?);
    drop(held);
    figures.add(Figure { name: "memory of an idle connection", unit: "KiB", subrosa: ours, floor: Some(below) });
    Ok(())
}

/// Does something `count` times, several at once, and keeps the results.
async fn many<T, F: Future<Output = Result<T>>>(count: usize, one: impl Fn(usize) -> F) -> Result<Vec<T>> {
    stream::iter(0..count).map(one).buffer_unordered(DIALLING).try_collect().await
}

/// How often a second that can be done.
async fn per_second<F: Future<Output = Result<()>>>(count: usize, one: impl Fn(usize) -> F) -> Result<f64> {
    let begin = Instant::now();
    many(count, one).await?;
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}

struct Floor {
    process: Process,
    dialler: Dialler,
}

impl Floor {
    fn start() -> Result<Self> {
        let process = Process::start("serve-floor", &[])?;
        Ok(Self { dialler: Dialler::new(process.listening.address)?, process })
    }

    async fn join(&self, topic: u32) -> Result<Socket> {
        let mut socket = self.dialler.connect().await?;
        socket.send(&topic.to_le_bytes()).await?;
        socket.receive().await.context("the floor does not answer a join")?;
        Ok(socket)
    }

    async fn topic(&self, topic: u32, senders: usize, members: usize) -> Result<Topic<FloorTopic>> {
        let mut sockets = many(members, |_| self.join(topic)).await?;
        let dialect = |socket| (socket, FloorTopic(topic));
        let listeners = sockets.split_off(senders).into_iter().map(dialect).collect();
        Ok(Topic { senders: sockets.into_iter().map(dialect).collect(), listeners })
    }
}

struct Server {
    process: Process,
    service: Service,
    connections: std::cell::Cell<u64>,
}

impl Server {
    fn start(folder: &Path) -> Result<Self> {
        let process = Process::start("serve-subrosa", &[folder.as_os_str()])?;
        let listening = &process.listening;
        // FULL is 2 (sqlite.org/pragma.html#pragma_synchronous). A figure without it would be another program's.
        if listening.synchronous != "2" {
            bail!(
                "the server's store has synchronous={}: nothing is measured that is not durable",
                listening.synchronous
            );
        }
        let service = Service::new(Dialler::new(listening.address)?, &listening.link)?;
        Ok(Self { process, service, connections: std::cell::Cell::new(0) })
    }

    /// The first account, which may do everything, and the others at once. Gives the devices and sign-ups a second.
    async fn sign_up(&self, accounts: usize) -> Result<(Vec<Device>, f64)> {
        let mut devices = vec![self.service.sign_up("bench0").await?];
        let begin = Instant::now();
        let others =
            many(accounts - 1, |turn| async move { self.service.sign_up(&format!("bench{}", turn + 1)).await });
        devices.extend(others.await?);
        Ok((devices, (accounts - 1) as f64 / begin.elapsed().as_secs_f64()))
    }

    fn next_connection(&self) -> u64 {
        self.connections.replace(self.connections.get() + 1)
    }

    async fn topic(
        &self,
        (conversation, epoch): (ConversationId, Epoch),
        senders: usize,
        members: &[Device],
    ) -> Result<Topic<Member>> {
        let mut connections = many(members.len(), |turn| async move {
            let session = self.service.log_in(&members[turn]).await?;
            Ok((session.socket, Member::new(conversation, epoch, self.next_connection())))
        })
        .await?;
        let listeners = connections.split_off(senders);
        Ok(Topic { senders: connections, listeners })
    }
}

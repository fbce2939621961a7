//! A peer of a trial, and the relay: this program again, in a namespace. They say on standard output what happens, one
//! JSON object a line, and end when their standard input does.

use std::collections::VecDeque;
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::{Buf as _, Bytes};
use clap::Args;
use data_encoding::HEXLOWER;
use prost::Message as _;
use rand_core::{OsRng, RngCore as _};
use serde::{Deserialize, Serialize};
use subrosa_net::direct::quic::{Endpoint, EndpointConfig, Peer, PeerId};
use subrosa_net::direct::{Link, Path};
use subrosa_server::relay::{RelayAlone, RelayAloneConfig, RelayLimits};
use subrosa_wire::RelayLink;
use subrosa_wire::proto::QuicWay;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::laboratory::RELAY;
use crate::process::until_orphaned;

/// How often a numbered frame is sent.
const EVERY: Duration = Duration::from_millis(20);
/// How long an end may take to be heard.
const LAST: Duration = Duration::from_secs(30);

/// What a peer says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Said {
    /// The relay listens.
    Listening {
        /// Its link.
        link: String,
    },
    /// The listener can be dialled.
    Ready {
        /// Its key, in hexadecimal.
        id: String,
        /// Its way, encoded, in hexadecimal.
        way: String,
    },
    /// A link is up.
    Link,
    /// The first frame came back, so long after the dialling began.
    First {
        /// Milliseconds.
        ms: u64,
    },
    /// The way that frames take, so long after the dialling began.
    Path {
        /// Whether it is direct.
        direct: bool,
        /// Milliseconds.
        ms: u64,
    },
    /// The end.
    Done {
        /// Numbered frames that were sent.
        sent: u64,
        /// Numbered frames that did not come back.
        lost: u64,
        /// The longest time that one took to come back, after the first.
        slowest_ms: u64,
        /// Links that had to be made anew.
        redials: u64,
    },
}

fn say(said: &Said) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(said)?)?;
    Ok(out.flush()?)
}

/// A peer: without `--peer` and `--way` the one that listens.
#[derive(Debug, Args)]
pub struct PeerArguments {
    /// The relay's link
    #[arg(long)]
    relay: RelayLink,
    /// The key to dial, in hexadecimal
    #[arg(long, requires = "way")]
    peer: Option<String>,
    /// The way to it, encoded, in hexadecimal
    #[arg(long)]
    way: Option<String>,
    /// Ask the router for a port
    #[arg(long)]
    open_port: bool,
    /// Send one packet to nobody
    #[arg(long)]
    plant_stray_packet: bool,
}

/// An address that nobody of the laboratory has.
const NOBODY: &str = "192.0.2.1:53";

/// Runs the relay until standard input ends.
///
/// # Errors
/// When it does not start.
pub async fn run_relay(folder: PathBuf) -> Result<()> {
    let listen = format!("{RELAY}:5535").parse()?;
    let limits = RelayLimits::default();
    let relay = RelayAlone::start(RelayAloneConfig { listen, folder, public_host: None, open: false, limits }).await?;
    say(&Said::Listening { link: relay.link().to_string() })?;
    until_orphaned().await;
    relay.shutdown().await;
    Ok(())
}

/// Runs a peer until standard input ends.
///
/// # Errors
/// When there is no relay, or what the parent said makes no sense.
pub async fn run(arguments: PeerArguments) -> Result<()> {
    if arguments.plant_stray_packet {
        // The case may have no way there: that the packet was tried is what is to be seen.
        drop(std::net::UdpSocket::bind("0.0.0.0:0")?.send_to(b"stray", NOBODY));
    }
    let mut seed = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(seed.as_mut_slice());
    let config = EndpointConfig { seed, relay: Some(arguments.relay), show_lan: true };
    let endpoint = Endpoint::bind(config).await?;
    if arguments.open_port {
        endpoint.open_port().await?;
    }
    match (arguments.peer, arguments.way) {
        (Some(peer), Some(way)) => {
            let peer = HEXLOWER.decode(peer.as_bytes())?.try_into().ok().context("a key has 32 bytes")?;
            let way = QuicWay::decode(HEXLOWER.decode(way.as_bytes())?.as_slice())?;
            dial(&endpoint, PeerId(peer), &way).await?;
        }
        _ => {
            let way = HEXLOWER.encode(&endpoint.way().encode_to_vec());
            say(&Said::Ready { id: HEXLOWER.encode(&endpoint.id().0), way })?;
            tokio::select! {
                outcome = echo(&endpoint) => outcome?,
                () = until_orphaned() => {}
            }
        }
    }
    endpoint.close().await;
    Ok(())
}

/// Sends back whatever comes, on one link after the other.
async fn echo(endpoint: &Endpoint) -> Result<()> {
    loop {
        let Link { mut inbound, mut outbound, .. } = endpoint.accept(Peer::Anybody).await?;
        say(&Said::Link)?;
        while let Ok(frame) = inbound.next().await {
            if outbound.send(frame).await.is_err() {
                break;
            }
        }
        outbound.finish().await;
    }
}

/// Numbered frames that are under way, across all links.
struct Numbered {
    started: Instant,
    next: u64,
    /// Number and time of what was sent and has not come back, oldest first.
    open: VecDeque<(u64, Instant)>,
    came_back: u64,
    slowest: Duration,
    redials: u64,
}

async fn dial(endpoint: &Endpoint, peer: PeerId, way: &QuicWay) -> Result<()> {
    let (over, mut is_over) = mpsc::channel::<()>(1);
    std::thread::spawn(move || {
        let mut line = String::new();
        // A line, or the end of the input: the parent has seen enough.
        let _read = std::io::stdin().lock().read_line(&mut line);
        drop(over);
    });
    let mut frames = Numbered {
        started: Instant::now(),
        next: 0,
        open: VecDeque::new(),
        came_back: 0,
        slowest: Duration::ZERO,
        redials: 0,
    };
    loop {
        match endpoint.dial(peer, way).await {
            Ok(link) => {
                say(&Said::Link)?;
                if frames.exchange(link, &mut is_over).await? {
                    break;
                }
            }
            Err(error) => eprintln!("dialling: {error}"),
        }
        frames.redials += 1;
        if is_over.try_recv() == Err(mpsc::error::TryRecvError::Disconnected) {
            break;
        }
    }
    let slowest_ms = milliseconds(frames.slowest);
    let lost = frames.open.len() as u64;
    say(&Said::Done { sent: frames.next, lost, slowest_ms, redials: frames.redials })
}

impl Numbered {
    /// Sends and counts on one link. Says whether it was enough; else the link broke.
    async fn exchange(&mut self, link: Link, is_over: &mut mpsc::Receiver<()>) -> Result<bool> {
        let Link { mut outbound, mut inbound, mut path, .. } = link;
        self.say_path(*path.borrow_and_update())?;
        // What did not come back on the link before goes again, in order.
        for (number, _) in &self.open {
            if outbound.send(frame(*number)).await.is_err() {
                return Ok(false);
            }
        }
        let mut clock = tokio::time::interval(EVERY);
        let mut ending = false;
        loop {
            if ending && self.open.is_empty() {
                outbound.finish().await;
                return Ok(true);
            }
            tokio::select! {
                came = timeout(LAST, inbound.next()) => match came {
                    Ok(Ok(frame)) => self.came(frame)?,
                    Ok(Err(_)) => return Ok(false),
                    Err(_) => return Ok(ending),
                },
                changed = path.changed() => if changed.is_ok() {
                    let now = *path.borrow_and_update();
                    self.say_path(now)?;
                } else {
                    return Ok(false);
                },
                _ = is_over.recv(), if !ending => ending = true,
                _ = clock.tick(), if !ending => {
                    let number = self.next;
                    self.next += 1;
                    self.open.push_back((number, Instant::now()));
                    if outbound.send(frame(number)).await.is_err() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Frames come back in order, those of an earlier link perhaps twice.
    fn came(&mut self, mut frame: Bytes) -> Result<()> {
        let number = frame.try_get_u64().context("a frame is cut off")?;
        let Some((oldest, sent)) = self.open.front().copied() else { return Ok(()) };
        if number < oldest {
            return Ok(());
        }
        anyhow::ensure!(number == oldest, "frame {number} came back before frame {oldest}");
        self.open.pop_front();
        if self.came_back == 0 {
            say(&Said::First { ms: milliseconds(self.started.elapsed()) })?;
        } else {
            self.slowest = self.slowest.max(sent.elapsed());
        }
        self.came_back += 1;
        Ok(())
    }

    fn say_path(&self, path: Path) -> Result<()> {
        say(&Said::Path { direct: path == Path::Direct, ms: milliseconds(self.started.elapsed()) })
    }
}

fn frame(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! One trial of a case.
//!
//! 1. The networks are built, the relay starts in public, a peer listens in home b.
//! 2. The peer in home a dials. Numbered frames go there and back every 20 ms from the first moment to the end.
//! 3. When the path is direct, it is cut: only the relay can be reached. When frames take the relay, it is healed.
//! 4. The dialler ends when every frame is back; what home a and b sent to anywhere else is counted.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::laboratory::{Case, Home, Laboratory};
use super::peer::Said;

/// How long the first word of a process may take.
const START: Duration = Duration::from_secs(30);
/// How long a path may take to become direct.
const DIRECT: Duration = Duration::from_secs(6);
/// How long frames may take to find the relay after a cut.
const BACK: Duration = Duration::from_secs(20);
/// How long frames go through the relay after a cut.
const AFTER: Duration = Duration::from_secs(1);
/// Words of a peer that wait to be heard.
const AHEAD: usize = 64;
/// How long the end may take.
const END: Duration = Duration::from_secs(60);

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trial {
    /// From dialling to the first frame that came back.
    pub first_byte_ms: u64,
    /// From dialling to the direct path, if there was one.
    pub direct_ms: Option<u64>,
    /// The longest that a frame took when the direct path was cut.
    pub gap_ms: Option<u64>,
    /// Links that had to be made anew.
    pub redials: u64,
    /// Frames sent.
    pub sent: u64,
    /// Frames lost.
    pub lost: u64,
    /// Packets that the homes sent to anybody but the relay and each other.
    pub elsewhere: u64,
}

/// Runs one.
///
/// # Errors
/// When the laboratory cannot be built, or a peer ends before its time.
pub fn run(case: Case, plant_stray_packet: bool) -> Result<Trial> {
    let laboratory = Laboratory::build(case)?;
    let folder = tempfile::tempdir()?;
    let relay = Actor::start(&laboratory.public(), &[OsStr::new("nat-relay"), folder.path().as_os_str()])?;
    let Said::Listening { link } = relay.next(START)? else { bail!("the relay does not listen") };
    let _router = if case.is_asked() {
        let (namespace, listen, outer) = laboratory.router();
        let router = Actor::start(&namespace, &["nat-router", listen, outer].map(OsStr::new))?;
        router.next(START)?;
        Some(router)
    } else {
        None
    };
    let peer = ["nat-peer", "--relay", &link].map(OsStr::new);
    let listener = Actor::start(&laboratory.home(Home::B), &peer)?;
    let Said::Ready { id, way } = listener.next(START)? else { bail!("the listener is not ready") };
    let to = ["--peer", &id, "--way", &way].map(OsStr::new);
    let plant = plant_stray_packet.then_some(OsStr::new("--plant-stray-packet"));
    let ask = case.is_asked().then_some(OsStr::new("--open-port"));
    let dial: Vec<&OsStr> = peer.into_iter().chain(to).chain(plant).chain(ask).collect();
    let mut dialler = Actor::start(&laboratory.home(Home::A), &dial)?;

    let mut seen = Seen::default();
    dialler.until(START, |said| seen.take(said) && seen.first_byte_ms.is_some())?;
    let first_byte_ms = seen.first_byte_ms.context("nothing came back")?;
    let is_direct = seen.direct || dialler.within(DIRECT, |said| seen.take(said) && seen.direct)?;
    if is_direct {
        laboratory.cut(Home::A, true)?;
        dialler.until(BACK, |said| seen.take(said) && !seen.direct)?;
        // Frames that were stuck come back now; more go the same way before the end.
        dialler.within(AFTER, |said| !seen.take(said))?;
        laboratory.cut(Home::A, false)?;
    }
    dialler.end()?;
    dialler.until(END, |said| seen.take(said) && seen.done.is_some())?;
    let (sent, lost, slowest_ms, redials) = seen.done.context("the dialler did not say how it ended")?;
    let elsewhere = laboratory.elsewhere(Home::A)? + laboratory.elsewhere(Home::B)?;
    let gap_ms = is_direct.then_some(slowest_ms);
    Ok(Trial { first_byte_ms, direct_ms: seen.direct_ms, gap_ms, redials, sent, lost, elsewhere })
}

/// What the dialler said so far.
#[derive(Debug, Default)]
struct Seen {
    first_byte_ms: Option<u64>,
    direct_ms: Option<u64>,
    direct: bool,
    done: Option<(u64, u64, u64, u64)>,
}

impl Seen {
    /// Notes it. Always true, so that conditions read from left to right.
    fn take(&mut self, said: &Said) -> bool {
        match *said {
            Said::First { ms } => self.first_byte_ms = Some(ms),
            Said::Path { direct, ms } => {
                self.direct = direct;
                if direct && self.direct_ms.is_none() {
                    self.direct_ms = Some(ms);
                }
            }
            Said::Done { sent, lost, slowest_ms, redials } => self.done = Some((sent, lost, slowest_ms, redials)),
            Said::Listening { .. } | Said::Ready { .. } | Said::Link => {}
        }
        true
    }
}

/// A process in a namespace.
struct Actor {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<Said>,
}

impl Actor {
    fn start(namespace: &str, arguments: &[&OsStr]) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut child = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("a peer does not start")?;
        let stdout = child.stdout.take().context("a peer has no output")?;
        let stdin = child.stdin.take();
        let (heard, said) = sync_channel(AHEAD);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
                match serde_json::from_str(&line) {
                    // Nobody listens after the end of a trial.
                    Ok(event) => drop(heard.send(event)),
                    Err(error) => eprintln!("a peer said what is no event ({error}): {line}"),
                }
            }
        });
        Ok(Self { child, stdin, said })
    }

    fn next(&self, patience: Duration) -> Result<Said> {
        self.said.recv_timeout(patience).context("a peer said nothing in time, or ended")
    }

    /// Listens until something was said that is enough. Says whether that came in time.
    fn within(&self, patience: Duration, mut enough: impl FnMut(&Said) -> bool) -> Result<bool> {
        let until = Instant::now() + patience;
        loop {
            match self.said.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(said) if enough(&said) => return Ok(true),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(false),
                Err(RecvTimeoutError::Disconnected) => bail!("a peer ended before its time"),
            }
        }
    }

    fn until(&self, patience: Duration, enough: impl FnMut(&Said) -> bool) -> Result<()> {
        if self.within(patience, enough)? { Ok(()) } else { bail!("what a peer should say did not come in time") }
    }

    /// Tells it that it was enough.
    fn end(&mut self) -> Result<()> {
        let mut stdin = self.stdin.take().context("a peer was told twice to end")?;
        Ok(writeln!(stdin, "end")?)
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing more to do about it either way.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

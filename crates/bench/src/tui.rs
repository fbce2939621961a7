//! What a key costs in the full-screen client, in a chat of 100,000 messages; and how soon its first frame is there.
//!
//! A key is measured from the input to the bytes for the terminal, with everything that it causes in this process: the state
//! changes, older messages that the store answers with are taken in, and the frame is drawn. The store itself is not measured
//! here; its answers come from memory. The start is that of the real program, in a pseudo-terminal, until the first bytes of the screen.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use subrosa_client::Notice;
use subrosa_client::api::{
    ChatKind, ChatRow, Command, Event, History, MessageRow, Overview, Place, Reply, Status, Told, Via, WhoAmI,
};
use subrosa_tui::shell::screen::Screen;
use subrosa_tui::state::State;
use subrosa_tui::state::effect::{Effect, Input, Outside};
use subrosa_types::{ConversationId, DeviceId, IdempotencyKey, MessageId, Role, Timestamp};

/// Messages of the chat.
const MESSAGES: u32 = 100_000;
/// Keys of each kind.
const KEYS: usize = 5_000;
/// What a key may cost at the 99th percentile.
const FRAME: Duration = Duration::from_millis(16);
/// How soon the first frame has to be there.
const START: Duration = Duration::from_millis(150);
/// Starts that are measured.
#[cfg(target_os = "linux")]
const STARTS: usize = 20;

const NOW: Timestamp = Timestamp(1_795_252_951_120);
const CHAT: ConversationId = ConversationId::from_bytes([2; 16]);
const TEXTS: [&str; 4] = [
    "Lunch at one?",
    "The tomatoes are ready, and there are far more than one family can eat in a week; take some with you: https://example.org/tomatoes",
    "سلام، حالا خوبی؟ می‌خواهم این را هم بنویسم که از هشتاد ستون بلندتر است و به سطر بعد می‌رسد.",
    "日本語の文章はここで折り返されるはずです。👩‍👩‍👧\nsecond line",
];

fn id(number: u32) -> MessageId {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    MessageId::from_bytes(bytes)
}

fn message(number: u32) -> MessageRow {
    let at = NOW.plus_millis((i64::from(number) - i64::from(MESSAGES)) * 47_000);
    MessageRow {
        id: id(number),
        chat: "#garden".into(),
        conversation: CHAT,
        from: ["alice", "bob", "carol"][number as usize % 3].into(),
        own: number.is_multiple_of(3),
        text: TEXTS[number as usize % TEXTS.len()].into(),
        sent_at: at,
        received_at: at,
        via: Via::Server,
        verified: true,
        unread: false,
        pending: false,
        delivered: false,
    }
}

/// What the store would answer.
fn history(place: Place, limit: u32) -> History {
    let number = |id: MessageId| u32::from_be_bytes(id.as_bytes()[12..].try_into().unwrap_or_default());
    let range = match place {
        Place::Latest | Place::Unread => MESSAGES.saturating_sub(limit)..MESSAGES,
        Place::Before(id) => number(id).saturating_sub(limit)..number(id),
        Place::After(id) => number(id) + 1..(number(id) + 1 + limit).min(MESSAGES),
        Place::Around(id) => number(id).saturating_sub(limit / 2)..(number(id) + limit / 2).min(MESSAGES),
    };
    let (older, newer) = (range.start > 0, range.end < MESSAGES);
    History { rows: range.map(message).collect(), older, newer }
}

struct Client {
    state: State,
    screen: Screen,
    inputs: u64,
}

impl Client {
    fn new() -> Result<Self> {
        let state = State::new((120, 40), NOW, TimeZone::UTC, true, false);
        let mut client = Self { state, screen: Screen::default(), inputs: 0 };
        client.input(Input::Opened)?;
        client.key(KeyCode::Char('1'), KeyModifiers::ALT)?;
        if client.state.open().is_none_or(|entry| entry.timeline.rows.is_empty()) {
            bail!("the chat does not open");
        }
        Ok(client)
    }

    /// An input, everything that it causes, and the frame; how long it took.
    fn input(&mut self, input: Input) -> Result<Duration> {
        let begin = Instant::now();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.inputs += 1;
            let mut fresh = [0; 16];
            fresh[..8].copy_from_slice(&self.inputs.to_be_bytes());
            let outside = Outside { now: NOW, fresh: IdempotencyKey::from_bytes(fresh) };
            for effect in subrosa_tui::update(&mut self.state, outside, input) {
                if let Effect::Call(ask, command) = effect
                    && let Some(reply) = reply(&command)
                {
                    inputs.push(Input::Answered(ask, Box::new(Ok(reply))));
                }
            }
        }
        self.screen.frame(&self.state)?;
        Ok(begin.elapsed())
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Result<Duration> {
        self.input(Input::Key(KeyEvent::new(code, modifiers)))
    }
}

fn reply(command: &Command) -> Option<Reply> {
    match command {
        Command::Overview => Some(Reply::Overview(Overview {
            who: WhoAmI {
                name: "alice".into(),
                role: Role::Admin,
                server: String::new(),
                device: DeviceId::from_bytes([1; 16]),
            },
            status: Status { enrolled: true, online: true, reason: String::new(), queued: 0, dropped: 0 },
            chats: (2..202)
                .map(|number| ChatRow {
                    chat: if number == 2 { "#garden".into() } else { format!("@person-{number}") },
                    conversation: ConversationId::from_bytes([number as u8; 16]),
                    kind: if number == 2 { ChatKind::Group } else { ChatKind::Private },
                    unread: 0,
                    last: Some(Timestamp(1_000 - i64::from(number))),
                    blocked: None,
                    mentions: 0,
                    draft: String::new(),
                    preview: None,
                })
                .collect(),
            invites: Vec::new(),
            changed_keys: Vec::new(),
            cursor: 1,
        })),
        Command::History { place, limit, .. } => Some(Reply::History(history(*place, *limit))),
        _ => None,
    }
}

fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let at = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}

fn say(what: &str, times: &mut [Duration], limit: Duration) -> bool {
    let milliseconds = |share| quantile(times, share).as_secs_f64() * 1e3;
    let mut milliseconds = milliseconds;
    let (half, most, worst) = (milliseconds(0.5), milliseconds(0.99), milliseconds(1.0));
    println!("{what:<44} p50 {half:>8.3} ms   p99 {most:>8.3} ms   worst {worst:>8.3} ms   limit {limit:?}");
    most < limit.as_secs_f64() * 1e3
}

/// Measures; the exit code says whether the limits hold.
pub fn run() -> Result<ExitCode> {
    let mut holds = true;
    let mut measure = |what: &str, one: &mut dyn FnMut(&mut Client, usize) -> Result<Duration>| -> Result<()> {
        let mut client = Client::new()?;
        let mut times = Vec::with_capacity(KEYS);
        for turn in 0..KEYS {
            times.push(one(&mut client, turn)?);
        }
        holds &= say(what, &mut times, FRAME);
        Ok(())
    };
    const NONE: KeyModifiers = KeyModifiers::NONE;
    measure("a letter is typed", &mut |client, turn| {
        if turn % 500 == 499 {
            client.key(KeyCode::Char('c'), KeyModifiers::CONTROL)?;
        }
        client.key(KeyCode::Char(char::from(b'a' + (turn % 26) as u8)), NONE)
    })?;
    measure("PgUp, from the end to the beginning", &mut |client, _| client.key(KeyCode::PageUp, NONE))?;
    measure("PgUp and PgDn", &mut |client, turn| {
        client.key(if turn % 200 < 120 { KeyCode::PageUp } else { KeyCode::PageDown }, NONE)
    })?;
    measure("a message comes", &mut |client, turn| {
        let row = MessageRow { own: false, ..message(MESSAGES + turn as u32) };
        let told = Told { cursor: None, event: Event::Message(row) };
        client.input(Input::Notice(Box::new(Notice::Event(Box::new(told)))))
    })?;
    measure("to the next chat and back", &mut |client, turn| {
        client.key(if turn % 2 == 0 { KeyCode::Right } else { KeyCode::Left }, KeyModifiers::ALT)
    })?;
    measure("a letter in the switcher", &mut |client, turn| {
        if turn % 8 == 0 {
            client.key(KeyCode::Esc, NONE)?;
            client.key(KeyCode::F(2), NONE)?;
        }
        client.key(KeyCode::Char(char::from(b"person-"[turn % 7])), NONE)
    })?;
    holds &= start()?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts the real program in a terminal, with a fresh profile, until its first frame.
#[cfg(target_os = "linux")]
fn start() -> Result<bool> {
    use std::fs::File;
    use std::io::Read as _;
    use std::process::Command;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};

    let program = std::env::current_exe()?.with_file_name("subrosa");
    if !program.exists() {
        bail!("{} is not there; build it first: cargo build --release", program.display());
    }
    let folder = crate::scratch_folder()?;
    let mut times = Vec::new();
    for turn in 0..STARTS {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?.into_string().context("a terminal with a strange name")?;
        tcsetwinsize(&master, Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 })?;
        let slave = || File::options().read(true).write(true).open(&name);
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(&program).arg("--home").arg(folder.path().join(turn.to_string())).arg("tui");
        command.env("TERM", "xterm-256color").env("SUBROSA_KEYRING", "off");
        command.stdin(slave()?).stdout(slave()?).stderr(slave()?);
        let mut master = File::from(master);
        let begin = Instant::now();
        let mut child = command.spawn().context("setsid of util-linux is needed")?;
        let mut came = Vec::new();
        let mut buffer = [0; 4096];
        // The line on top is the first thing of a frame.
        while !came.windows(7).any(|part| part == b"Subrosa") {
            let length = master.read(&mut buffer)?;
            came.extend_from_slice(&buffer[..length]);
        }
        times.push(begin.elapsed());
        child.kill()?;
        child.wait()?;
    }
    Ok(say("from the start to the first frame", &mut times, START))
}

#[cfg(not(target_os = "linux"))]
fn start() -> Result<bool> {
    let _ = START;
    println!("the start is measured on Linux only");
    Ok(true)
}

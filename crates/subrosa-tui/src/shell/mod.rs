//! The part that touches the outside: the terminal, the engine, rooms, signals. It decides nothing.
//!
//! One loop takes inputs from everywhere, gives them to [`crate::update()`], carries out what comes back, and writes what
//! changed on the screen. Whatever takes time runs in tasks of its own and comes back as an input.

mod engine;
pub mod notify;
mod rooms;
pub mod screen;
mod signals;
mod terminal;

use std::collections::HashMap;
use std::io::{self, Write, stdout};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use crossterm::event;
use jiff::tz::TimeZone;
use rand_core::{OsRng, RngCore};
use subrosa_client::api::{Failure, FailureCode};
use subrosa_client::keys::{AskPassphrase, KeyChoice};
use subrosa_client::profile::Profile;
use subrosa_types::{IdempotencyKey, Timestamp, Username};
use tokio::sync::mpsc;

use crate::state::State;
use crate::state::effect::{Effect, Input, Outside};
use crate::state::entry::Key;
use crate::update;
use engine::{Open, Question};
use rooms::RoomAsk;
use screen::Screen;
use signals::Signals;
use terminal::Terminal;
pub use terminal::is_possible;

/// Inputs that wait.
const QUEUE: usize = 1024;
/// Inputs that are taken in between two frames.
const AT_ONCE: usize = 256;
/// How often time goes by.
const TICK: Duration = Duration::from_secs(1);
/// How long the profile may take to close.
const CLOSING: Duration = Duration::from_secs(10);

/// A future of a [`Host`].
pub type Later<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// What the program around this client does for it.
pub trait Host: Send + Sync {
    /// Whether this program can start a server.
    fn can_start_server(&self) -> bool;
    /// Starts the profile's own server; its link. One that runs already has its link told.
    fn start_server(&self) -> Later<String>;
    /// Starts the profile's own server if the account is on it; the account's server is given. Its link, if it was started.
    fn resume(&self, server: String) -> Later<Option<String>>;
    /// Whether this may be the password of a new account.
    ///
    /// # Errors
    /// Why not, for people.
    fn check_password(&self, password: &str, name: &Username) -> Result<(), Failure>;
    /// The name of this machine, for the list of devices.
    fn device_name(&self) -> String;
}

/// What to run, and how.
#[derive(Clone)]
pub struct Options {
    /// Which profile.
    pub profile: Profile,
    /// How a new one keeps its key.
    pub create: KeyChoice,
    /// Where its passphrase comes from, without asking on the screen.
    pub ask: AskPassphrase,
    /// The program around.
    pub host: Arc<dyn Host>,
    /// Who has no account is led to a server on this machine.
    pub prefer_own_server: bool,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("profile", &self.profile).finish_non_exhaustive()
    }
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::new(FailureCode::Environment, "terminal", format!("{what}: {error}"))
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

fn outside() -> Outside {
    let mut id = [0; 16];
    OsRng.fill_bytes(&mut id);
    Outside { now: now(), fresh: IdempotencyKey::from_bytes(id) }
}

/// Runs until the person leaves, a signal comes, or the terminal is gone. The terminal is as it was afterwards.
///
/// # Errors
/// The terminal cannot be used.
pub async fn run(options: Options) -> Result<(), Failure> {
    let signals = Signals::listen().map_err(|error| failed("signals cannot be heard", &error))?;
    let coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let size = crossterm::terminal::size().map_err(|error| failed("the terminal has no size", &error))?;
    let terminal = Terminal::take().map_err(|error| failed("the terminal cannot be used", &error))?;
    let state = State::new(size, now(), TimeZone::system(), coloured, options.host.can_start_server());
    let (tell, told) = mpsc::channel(QUEUE);
    read_terminal(tell.clone())?;
    let open = Open::default();
    let mut shell = Shell {
        state,
        screen: Screen::default(),
        terminal,
        mouse: true,
        title: String::new(),
        way: notify::way(|name| std::env::var(name).ok()),
        rooms: HashMap::new(),
        engine: engine::start(&options, tell.clone(), open.clone()),
        open,
        options,
        tell,
    };
    let ran = shell.run(told, signals).await;
    let (done, mut closed) = mpsc::channel(1);
    // The person sees their shell again while the profile is closed.
    drop(shell.terminal);
    if shell.engine.send(Question::Close(done)).await.is_ok() {
        let _closed_or_too_long = tokio::time::timeout(CLOSING, closed.recv()).await;
    }
    ran
}

struct Shell {
    state: State,
    screen: Screen,
    terminal: Terminal,
    mouse: bool,
    title: String,
    way: notify::Way,
    rooms: HashMap<Key, mpsc::Sender<RoomAsk>>,
    engine: mpsc::Sender<Question>,
    open: Open,
    options: Options,
    tell: mpsc::Sender<Input>,
}

impl Shell {
    async fn run(&mut self, mut told: mpsc::Receiver<Input>, mut signals: Signals) -> Result<(), Failure> {
        let mut tick = tokio::time::interval(TICK);
        self.draw()?;
        loop {
            let input = tokio::select! {
                input = told.recv() => match input {
                    Some(input) => input,
                    None => return Ok(()),
                },
                () = signals.next() => Input::Terminated,
                _ = tick.tick() => Input::Tick,
            };
            let mut next = Some(input);
            let mut taken = 0;
            while let Some(input) = next {
                if self.take(input).await? {
                    return Ok(());
                }
                taken += 1;
                next = if taken < AT_ONCE { told.try_recv().ok() } else { None };
            }
            if terminal::has_panicked() {
                return Err(Failure::new(
                    FailureCode::Unexpected,
                    "panicked",
                    "a part of the program failed; see above",
                ));
            }
            self.draw()?;
        }
    }

    /// Takes an input in; `true`: this was the last one.
    async fn take(&mut self, input: Input) -> Result<bool, Failure> {
        let was_not_open = matches!(input, Input::NotOpened(None));
        for effect in update(&mut self.state, outside(), input) {
            if self.does(effect).await? {
                return Ok(true);
            }
        }
        if was_not_open && self.options.prefer_own_server {
            update::begin_with_own_server(&mut self.state);
        }
        Ok(false)
    }

    async fn does(&mut self, effect: Effect) -> Result<bool, Failure> {
        match effect {
            Effect::Call(ask, command) => self.ask(Question::Call(ask, command)).await,
            Effect::Enter(entrance) => self.ask(Question::Enter(entrance)).await,
            Effect::RoomEnter(key, wish) => {
                let (ask, asks) = mpsc::channel(64);
                let client = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(rooms::run(key, wish, self.options.profile.clone(), client, asks, self.tell.clone()));
                self.rooms.insert(key, ask);
            }
            Effect::RoomSay(key, text) => self.ask_room(key, RoomAsk::Say(text)),
            Effect::RoomNames(key) => self.ask_room(key, RoomAsk::Names),
            Effect::RoomVerify(key) => self.ask_room(key, RoomAsk::Verify),
            Effect::RoomLeave(key) => {
                self.ask_room(key, RoomAsk::Leave);
                self.rooms.remove(&key);
            }
            Effect::Notify { title, body } => self.write(notify::sequence(self.way, &title, &body).as_bytes())?,
            Effect::Copy(text) => self.write(notify::copy(&text).as_bytes())?,
            Effect::Redraw => self.screen.forget(),
            Effect::Mouse(wanted) => {
                if wanted != self.mouse {
                    self.mouse = wanted;
                    self.terminal.mouse(wanted).map_err(|error| failed("the terminal cannot be written to", &error))?;
                }
            }
            Effect::Suspend => self.suspend()?,
            Effect::Quit => return Ok(true),
        }
        Ok(false)
    }

    async fn ask(&self, question: Question) {
        // The engine's task ends with this loop, not before it.
        let _ended = self.engine.send(question).await;
    }

    fn ask_room(&mut self, key: Key, ask: RoomAsk) {
        let Some(room) = self.rooms.get(&key) else { return };
        if room.try_send(ask).is_err() {
            self.state.complain("the room does not keep up, or is over; try again");
        }
    }

    /// Stops, as other programs do on Ctrl+Z; goes on with `fg`.
    fn suspend(&mut self) -> Result<(), Failure> {
        #[cfg(unix)]
        {
            self.terminal.pause();
            let stopped = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP);
            self.terminal.resume(self.mouse).map_err(|error| failed("the terminal is gone", &error))?;
            if let Err(error) = stopped {
                self.state.complain(format!("the program cannot be stopped: {error}"));
            }
            if let Ok(size) = crossterm::terminal::size() {
                self.state.size = size;
            }
            self.screen.forget();
            self.title.clear();
        }
        #[cfg(not(unix))]
        self.state.complain("this system cannot stop programs");
        Ok(())
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let mut bytes = self.screen.frame(&self.state).map_err(|error| failed("the screen cannot be drawn", &error))?;
        let title = match self.state.all_unread() {
            0 => "Subrosa".to_owned(),
            unread => format!("({unread}) Subrosa"),
        };
        if title != self.title {
            bytes.extend_from_slice(notify::title(&title).as_bytes());
            self.title = title;
        }
        if bytes.is_empty() { Ok(()) } else { self.write(&bytes) }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = stdout().lock();
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(|error| failed("the terminal cannot be written to", &error))
    }
}

/// Keys, the mouse, and what the terminal tells, read on a thread of their own.
fn read_terminal(tell: mpsc::Sender<Input>) -> Result<(), Failure> {
    thread::Builder::new()
        .name("terminal".to_owned())
        .spawn(move || {
            while let Ok(event) = event::read() {
                let input = match event {
                    event::Event::Key(key) => Input::Key(key),
                    event::Event::Mouse(mouse) => Input::Mouse(mouse),
                    event::Event::Paste(text) => Input::Paste(text),
                    event::Event::Resize(width, height) => Input::Resize(width, height),
                    event::Event::FocusGained => Input::Focus(true),
                    event::Event::FocusLost => Input::Focus(false),
                };
                if tell.blocking_send(input).is_err() {
                    return;
                }
            }
            // The terminal is gone.
            let _ending = tell.blocking_send(Input::Terminated);
        })
        .map(|_| ())
        .map_err(|error| failed("no thread can be started", &error))
}

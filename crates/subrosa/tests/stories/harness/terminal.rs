//! A pseudo-terminal with a program in it, and what a person would see on its screen.
//!
//! `setsid` of util-linux makes the terminal the program's own, so that it has signals and a size. What the program writes goes
//! through a terminal emulator; a story waits for words on the screen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::{PATIENCE, Profile, headless};

struct Shared {
    parser: Mutex<(vt100::Parser, Vec<u8>)>,
    changed: Condvar,
}

/// See the module.
pub struct Terminal {
    master: File,
    /// Kept open, so that the terminal can be looked at when the program is gone.
    slave: File,
    child: Child,
    shared: Arc<Shared>,
}

fn winsize(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Terminal {
    /// Starts a command of a profile in a terminal of 80 columns and 24 rows.
    pub fn start(profile: &Profile, arguments: &[&str]) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are pseudo-terminals");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("in ASCII");
        tcsetwinsize(&master, winsize(24, 80)).expect("it has a size");
        let slave = || File::options().read(true).write(true).open(&name).expect("its other end opens");
        let command = profile.command(arguments);
        let mut inside = headless("setsid");
        inside.arg("--ctty").arg(command.get_program()).args(command.get_args());
        inside.env("TERM", "xterm-256color").env_remove("NO_COLOR").env_remove("TMUX");
        let child = spawn(inside, &slave);
        let shared = Arc::new(Shared {
            parser: Mutex::new((vt100::Parser::new(24, 80, 0), Vec::new())),
            changed: Condvar::new(),
        });
        let master = File::from(master);
        let mut reader = master.try_clone().expect("a file can be had twice");
        let writer = shared.clone();
        thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                let mut state = writer.parser.lock().unwrap_or_else(PoisonError::into_inner);
                state.0.process(&buffer[..length]);
                state.1.extend_from_slice(&buffer[..length]);
                writer.changed.notify_all();
            }
        });
        Self { master, slave: slave(), child, shared }
    }

    /// Types this, as it is.
    pub fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Types this, and Enter.
    pub fn enter(&mut self, line: &str) {
        self.keys(line);
        self.expect(line.get(..line.len().min(20)).unwrap_or(line));
        self.keys("\r");
    }

    /// Pastes this, in brackets.
    pub fn paste(&mut self, text: &str) {
        self.keys(&format!("\x1b[200~{text}\x1b[201~"));
    }

    /// The screen.
    pub fn screen(&self) -> String {
        self.shared.parser.lock().unwrap_or_else(PoisonError::into_inner).0.screen().contents()
    }

    /// Everything that was written so far.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.shared.parser.lock().unwrap_or_else(PoisonError::into_inner).1).into_owned()
    }

    /// Waits until these words are on the screen.
    #[track_caller]
    pub fn expect(&self, words: &str) {
        self.wait(words, |screen| screen.contains(words));
    }

    /// Waits until these words are no longer on the screen.
    #[track_caller]
    pub fn expect_gone(&self, words: &str) {
        self.wait(&format!("{words} to go"), |screen| !screen.contains(words));
    }

    #[track_caller]
    fn wait(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.parser.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let screen = state.0.screen().contents();
            if is_it(&screen) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for: {what}\non\n{screen}");
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Gives the screen another size.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let mut state = self.shared.parser.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.screen_mut().set_size(rows, columns);
        tcsetwinsize(&self.master, winsize(rows, columns)).expect("it takes a size");
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program is there");
    }

    /// Waits until the program ended; the terminal has to be as it was.
    #[track_caller]
    pub fn ended(mut self) -> ExitStatus {
        let status = self.child.wait().expect("a child can be waited for");
        let modes = tcgetattr(&self.slave).expect("the terminal is there").local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG), "{modes:?}");
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.parser.lock().unwrap_or_else(PoisonError::into_inner);
        let is_back = |state: &(vt100::Parser, Vec<u8>)| {
            let screen = state.0.screen();
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        };
        while !is_back(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the terminal is not as it was");
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        status
    }
}

fn spawn(mut command: Command, slave: &dyn Fn() -> File) -> Child {
    command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().expect("setsid of util-linux is there")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

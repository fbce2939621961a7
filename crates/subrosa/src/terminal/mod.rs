//! A terminal in which somebody types while messages come: the line that is being typed stays whole, below what is printed.
//!
//! While an [`Editor`] is there, the terminal is in raw mode and everything that is printed goes through [`print_above`]:
//! the typed line is taken away, the text is printed, the typed line is drawn again. The keys are read on a thread of their
//! own. Dropping the editor gives the terminal back as it was.

mod hidden;
mod line;

use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyEventKind};
use crossterm::{execute, terminal};
pub use hidden::ask as ask_hidden;
use line::{Done, Line};
use subrosa_client::api::{Failure, FailureCode};
use tokio::sync::mpsc;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::keyboard::Typed;
use crate::output::{Outcome, Output};

/// Lines that may be typed ahead.
const AHEAD: usize = 64;
/// Back to the first column, and nothing from there on.
const CLEAR: &str = "\r\x1b[K";

/// What is on the last line of the terminal, while there is an editor.
static LAST_LINE: Mutex<Option<LastLine>> = Mutex::new(None);

#[derive(Debug, Default)]
struct LastLine {
    prompt: String,
    line: Line,
}

/// Columns that a terminal needs for this: the sum of its characters. The width of a whole text would be less where two
/// letters join into one glyph, as lam and alef do, which a terminal does not do.
pub fn columns(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

fn last_line() -> MutexGuard<'static, Option<LastLine>> {
    LAST_LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LastLine {
    /// What is written to show it.
    fn drawn(&self) -> String {
        // The last column is left free: some terminals go to the next line with it.
        let room = terminal::size().map_or(80, |(columns, _)| usize::from(columns)).saturating_sub(1);
        let (text, back) = self.line.view(room.saturating_sub(columns(&self.prompt)));
        let back = if back == 0 { String::new() } else { format!("\x1b[{back}D") };
        format!("{CLEAR}{}{text}{back}", self.prompt)
    }
}

/// A terminal that is gone shows nothing; the signal that comes with it ends the program.
fn write(text: &str) -> bool {
    let mut stdout = stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

/// Prints a line above the one that is being typed. `false`: there is no editor, print as usual.
pub fn print_above(text: &str) -> bool {
    let last = last_line();
    let Some(last) = &*last else { return false };
    write(&format!("{CLEAR}{}\r\n{}", text.replace('\n', "\r\n"), last.drawn()))
}

/// The editor of a console at a terminal.
#[derive(Debug)]
pub struct Editor(());

impl Editor {
    /// Opens one where a person sits at a terminal that can do it; `None` elsewhere. `leaves` says which line is the last
    /// one: what is typed behind it is for the shell.
    pub fn open(out: Output, leaves: fn(&str) -> bool) -> Outcome<Option<(mpsc::Receiver<Typed>, Self)>> {
        let is_terminal = stdin().is_terminal() && stdout().is_terminal() && stderr().is_terminal();
        let is_dumb = std::env::var("TERM").is_ok_and(|name| name == "dumb");
        if out.is_json() || !is_terminal || is_dumb || terminal::enable_raw_mode().is_err() {
            return Ok(None);
        }
        // From here on, dropping it undoes what was done.
        let editor = Self(());
        *last_line() = Some(LastLine::default());
        // A terminal that does not know it does without.
        let _unknown = execute!(stdout(), EnableBracketedPaste);
        let (typed, receiver) = mpsc::channel(AHEAD);
        thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || read_keys(&typed, leaves))
            .map_err(|error| Failure::new(FailureCode::Environment, "no_thread", error.to_string()))?;
        Ok(Some((receiver, editor)))
    }

    /// What stands in front of what is typed.
    pub fn prompt(&self, prompt: String) {
        if let Some(last) = &mut *last_line() {
            last.prompt = prompt;
            write(&last.drawn());
        }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        *last_line() = None;
        write(CLEAR);
        let _unknown = execute!(stdout(), DisableBracketedPaste);
        let _gone = terminal::disable_raw_mode();
    }
}

fn read_keys(typed: &mpsc::Sender<Typed>, leaves: fn(&str) -> bool) {
    while let Ok(event) = event::read() {
        let done = {
            let mut last = last_line();
            let Some(last) = &mut *last else { return };
            let done = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => last.line.press(key),
                Event::Paste(text) => {
                    last.line.insert(&text.replace("\r\n", "\n").replace('\r', "\n"));
                    None
                }
                _ => None,
            };
            // What was entered stays on the screen, and a new line begins.
            let entered = match &done {
                Some(Done::Entered(text)) => {
                    let text = subrosa_types::text::for_terminal(text).replace('\n', "\r\n");
                    format!("{CLEAR}{}{text}\r\n", last.prompt)
                }
                _ => String::new(),
            };
            write(&(entered + &last.drawn()));
            done
        };
        let line = match done {
            None => continue,
            Some(Done::Entered(text)) => Typed::from_line(text),
            Some(Done::Interrupted) => Typed::Line("/quit".to_owned()),
            Some(Done::Ended) => return,
        };
        let is_last = matches!(&line, Typed::Line(line) if leaves(line));
        if typed.blocking_send(line).is_err() || is_last {
            return;
        }
    }
}

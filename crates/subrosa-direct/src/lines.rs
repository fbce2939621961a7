//! A plain interactor: lines of standard input are messages, what comes is printed. It is what the examples chat with; the
//! program has a richer one.

use std::io::{BufRead, Read, Write, stdin, stdout};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use subrosa_types::limits;
use subrosa_types::text::single_line;
use tokio::sync::mpsc;

use crate::interactor::{Event, Interactor, Unseen, Wish};
use crate::words::{HELP, Input, understand};

/// Lines that are read ahead.
const AHEAD: usize = 64;
/// Longest line: the longest message, and room for a command in front of it. What is longer is cut into lines.
const LONGEST: u64 = limits::TEXT as u64;

/// See the module.
#[derive(Debug)]
pub struct Lines {
    typed: mpsc::Receiver<String>,
}

impl Lines {
    /// Standard input and output.
    pub fn stdio() -> Self {
        let (lines, typed) = mpsc::channel(AHEAD);
        // It waits for a line that may never come; the process ends with it.
        std::thread::spawn(move || {
            let mut line = Vec::new();
            let mut input = stdin().lock();
            while matches!(input.by_ref().take(LONGEST).read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                if lines.blocking_send(text).is_err() {
                    break;
                }
                line.clear();
            }
        });
        Self { typed }
    }
}

/// A line for people; everything that the other side chose is made safe.
pub fn line_of(event: &Event) -> Option<String> {
    Some(match event {
        Event::Message { text, .. } => format!("> {}", single_line(text)),
        Event::Connected { vouched: false, string, .. } => {
            format!("* connected; nobody vouches for the other side: compare the words \"{}\"", string.words())
        }
        Event::Connected { encryption, .. } => format!("* connected, encrypted with {encryption}"),
        Event::Verify { string: Some(string), .. } => {
            format!("* both sides must see: {} ({})", string.words(), string.digits())
        }
        Event::Verify { string: None, .. } => "* nobody is there yet".to_owned(),
        Event::Broken { cause, waiting } => format!("* the link broke: {cause}; {waiting} messages wait"),
        Event::TurnedAway(error) => format!("* somebody was turned away: {error}"),
        Event::NotDone { message, .. } => format!("! {}", single_line(message)),
        Event::FileOffered(file) => {
            format!("* file {}: {} ({} bytes)", file.number, single_line(&file.name), file.size)
        }
        Event::FileEnded { file, outcome, .. } => format!("* file {}: {}", file.number, outcome.code()),
        Event::Left => "* the other side left".to_owned(),
        _ => return None,
    })
}

fn print(line: &str) -> Result<(), Unseen> {
    let mut out = stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| Unseen(error.to_string()))
}

impl Interactor for Lines {
    fn next(&mut self) -> BoxFuture<'_, Option<Wish>> {
        async {
            loop {
                let answer = match understand(&self.typed.recv().await?) {
                    Input::Wish(wish) => return Some(wish),
                    Input::Nothing => continue,
                    Input::Help => HELP.to_owned(),
                    Input::Wrong(why) => format!("! {why}"),
                };
                // If nobody reads, the next event says so.
                let _unseen = print(&answer);
            }
        }
        .boxed()
    }

    fn show(&mut self, event: Event) -> Result<(), Unseen> {
        line_of(&event).map_or(Ok(()), |line| print(&line))
    }
}

//! The console of a direct chat: an interactor over the same keyboard, terminal and signals as the other consoles.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use subrosa_direct::words::{HELP, Input, understand};
use subrosa_direct::{Direction, Event, Interactor, Unseen, Wish};
use tokio::sync::mpsc;

use super::show::Show;
use crate::keyboard::{self, Typed};
use crate::output::{Outcome, fields};
use crate::signals::Signals;
use crate::terminal::Editor;

/// Columns of the bar that shows how much of a file is there.
const BAR: u64 = 20;

/// See the module.
pub struct Console {
    show: Show,
    typed: mpsc::Receiver<Typed>,
    editor: Option<Editor>,
    signals: Signals,
}

impl Console {
    /// Begins to read what is typed.
    pub fn open(show: Show) -> Outcome<Self> {
        let signals = Signals::listen()?;
        let leaves = |line: &str| understand(line) == Input::Wish(Wish::Leave);
        let (typed, editor) = match Editor::open(show.out(), leaves)? {
            Some((typed, editor)) => (typed, Some(editor)),
            None => (keyboard::listen()?, None),
        };
        let console = Self { show, typed, editor, signals };
        console.prompt(None);
        Ok(console)
    }

    fn prompt(&self, bar: Option<String>) {
        if let Some(editor) = &self.editor {
            editor.prompt(format!("{}{}> ", self.show.mark(), bar.unwrap_or_default()));
        }
    }

    /// What a line is; `None`: nothing that the chat has to know of.
    fn take(&self, typed: Typed) -> Outcome<Option<Wish>> {
        match typed {
            Typed::Unusable(why) => self.show.error("unusable", why)?,
            Typed::Line(line) => match understand(&line) {
                Input::Wish(wish) => return Ok(Some(wish)),
                Input::Nothing => {}
                Input::Help => self.show.event(HELP, || fields!({"event": "help", "text": HELP}))?,
                Input::Wrong(why) => self.show.error("unknown_command", &why)?,
            },
        }
        Ok(None)
    }

    async fn wish(&mut self) -> Option<Wish> {
        loop {
            tokio::select! {
                () = self.signals.next() => return Some(Wish::Leave),
                typed = self.typed.recv() => match self.take(typed?) {
                    Ok(None) => {}
                    Ok(Some(wish)) => return Some(wish),
                    // Nobody reads any more.
                    Err(failure) => {
                        self.show.keep(failure);
                        return Some(Wish::Leave);
                    }
                },
            }
        }
    }

    /// At a terminal, how much is there stands in front of what is typed.
    fn progress(&self, event: &Event) {
        match event {
            Event::FileProgress { file, done } if *done < file.size => {
                let part = |of: u64| done.saturating_mul(of).checked_div(file.size).unwrap_or(of);
                let full = "#".repeat(usize::try_from(part(BAR)).unwrap_or(0));
                let arrow = if file.direction == Direction::Sending { "↑" } else { "↓" };
                let width = usize::try_from(BAR).unwrap_or(0);
                self.prompt(Some(format!("{arrow}[{full:.<width$}] {}% ", part(100))));
            }
            Event::FileProgress { .. } | Event::FileEnded { .. } | Event::Broken { .. } => self.prompt(None),
            _ => {}
        }
    }
}

impl Interactor for Console {
    fn next(&mut self) -> BoxFuture<'_, Option<Wish>> {
        self.wish().boxed()
    }

    fn show(&mut self, event: Event) -> Result<(), Unseen> {
        self.progress(&event);
        self.show.happened(&event).map_err(|failure| {
            let unseen = Unseen(failure.message.clone());
            self.show.keep(failure);
            unseen
        })
    }
}

//! From one frame to the next: only what changed is written, in one piece.
//!
//! Cells of an address are wrapped in its OSC 8 sequence. A cell whose address changed counts as changed, so that what is opened
//! is always what is shown. The cursor is hidden while a frame is written, and terminals that can (DEC mode 2026) show it as a whole.

use std::collections::HashMap;
use std::io::{self, Write};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui_core::backend::Backend;
use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::layout::Rect;
use ratatui_crossterm::CrosstermBackend;

use crate::state::State;
use crate::view::{self, Drawn};

/// What is on the screen.
#[derive(Debug, Default)]
pub struct Screen {
    shown: Option<(Buffer, Drawn)>,
}

type Links<'a> = HashMap<(u16, u16), &'a str>;

impl Screen {
    /// Everything is written anew with the next frame.
    pub fn forget(&mut self) {
        self.shown = None;
    }

    /// The bytes that make the screen show the state.
    ///
    /// # Errors
    /// None in practice: the bytes are written to memory.
    pub fn frame(&mut self, state: &State) -> io::Result<Vec<u8>> {
        let area = Rect::new(0, 0, state.size.0, state.size.1);
        let mut next = Buffer::empty(area);
        let drawn = view::draw(state, &mut next);
        let mut bytes = Vec::new();
        let fits = self.shown.as_ref().is_some_and(|(buffer, _)| buffer.area == area);
        if let Some((buffer, before)) = self.shown.as_ref().filter(|_| fits) {
            let changed = changed(buffer, &next, before, &drawn);
            if changed.is_empty() && *before == drawn {
                self.shown = Some((next, drawn));
                return Ok(bytes);
            }
            queue!(bytes, BeginSynchronizedUpdate, Hide)?;
            write_cells(&mut bytes, &changed, &links(&drawn))?;
        } else {
            queue!(bytes, BeginSynchronizedUpdate, Hide, Clear(ClearType::All))?;
            let empty = Buffer::empty(area);
            let changed = changed(&empty, &next, &Drawn::default(), &drawn);
            write_cells(&mut bytes, &changed, &links(&drawn))?;
        }
        if let Some((x, y)) = drawn.cursor {
            queue!(bytes, MoveTo(x, y), Show)?;
        }
        queue!(bytes, EndSynchronizedUpdate)?;
        bytes.flush()?;
        self.shown = Some((next, drawn));
        Ok(bytes)
    }
}

fn links(drawn: &Drawn) -> Links<'_> {
    let mut links = Links::new();
    for link in &drawn.links {
        for x in link.x..link.x.saturating_add(link.columns) {
            links.insert((x, link.y), link.address.as_str());
        }
    }
    links
}

fn changed<'a>(before: &Buffer, next: &'a Buffer, was: &Drawn, drawn: &Drawn) -> Vec<(u16, u16, &'a Cell)> {
    let mut cells = before.diff(next);
    if was.links != drawn.links {
        let (was, is) = (links(was), links(drawn));
        let here: std::collections::HashSet<(u16, u16)> = cells.iter().map(|(x, y, _)| (*x, *y)).collect();
        let places = was.keys().chain(is.keys());
        let stale = places.filter(|place| was.get(*place) != is.get(*place) && !here.contains(*place));
        let stale: std::collections::BTreeSet<(u16, u16)> = stale.map(|(x, y)| (*y, *x)).collect();
        cells.extend(stale.into_iter().filter_map(|(y, x)| Some((x, y, next.cell((x, y))?))));
    }
    cells
}

fn write_cells(bytes: &mut Vec<u8>, cells: &[(u16, u16, &Cell)], links: &Links<'_>) -> io::Result<()> {
    let link_of = |cell: &(u16, u16, &Cell)| links.get(&(cell.0, cell.1)).copied();
    for run in cells.chunk_by(|a, b| link_of(a) == link_of(b)) {
        let link = run.first().and_then(link_of);
        if let Some(address) = link {
            write!(bytes, "\x1b]8;;{address}\x1b\\")?;
        }
        CrosstermBackend::new(&mut *bytes).draw(run.iter().copied())?;
        if link.is_some() {
            bytes.extend_from_slice(b"\x1b]8;;\x1b\\");
        }
    }
    Ok(())
}

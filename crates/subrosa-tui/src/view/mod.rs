//! The screen, from the state alone: the same state is the same screen. Nothing is changed here and nothing is asked.

pub mod bars;
pub mod chats;
mod finder;
mod form;
pub mod layout;
mod members;
pub mod page;
pub mod paint;
pub mod table;
mod timeline;

use ratatui_core::buffer::Buffer;

use crate::state::State;
use crate::state::dialog::Dialog;
use paint::{LinkSpan, Painter};

/// What a frame is besides its cells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    /// Addresses that can be opened.
    pub links: Vec<LinkSpan>,
    /// Where the cursor is, if it is shown.
    pub cursor: Option<(u16, u16)>,
}

/// Paints the whole screen into an empty buffer of its size.
pub fn draw(state: &State, buffer: &mut Buffer) -> Drawn {
    let mut painter = Painter::new(buffer, state.theme);
    let areas = layout::areas(state);
    if state.size.0 < 20 || state.size.1 < 6 {
        painter.text(0, 0, state.size.0, "This window is too small.", crate::theme::Part::Text);
        return Drawn { links: Vec::new(), cursor: None };
    }
    bars::top(&mut painter, state, areas.bar);
    if let Some(area) = areas.chats {
        chats::paint(&mut painter, state, area);
    }
    if let Some(entry) = state.open() {
        timeline::paint(&mut painter, state, entry, areas.timeline);
        if let Some(area) = areas.members {
            members::paint(&mut painter, state, entry, area);
        }
    }
    bars::status(&mut painter, state, areas.status);
    bars::composer(&mut painter, state, areas.composer);
    for dialog in &state.dialogs {
        painter.cursor = None;
        match dialog {
            Dialog::Form(form) => form::paint(&mut painter, state, form),
            Dialog::Table(table) => table::paint(&mut painter, state, table),
            Dialog::Page(page) => page::paint(&mut painter, state, page),
            Dialog::Question(question) => page::paint_question(&mut painter, state, question),
            Dialog::Switcher(switcher) => finder::paint_switcher(&mut painter, state, switcher),
            Dialog::Search(search) => finder::paint_search(&mut painter, state, search),
        }
    }
    Drawn { links: painter.links, cursor: painter.cursor }
}

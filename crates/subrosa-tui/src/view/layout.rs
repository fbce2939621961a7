//! Which part of the screen is what. At 80 columns and more the list of chats is there, at 100 the members are, unless the
//! person wants it otherwise.

use ratatui_core::layout::Rect;

use crate::lines::Frame;
use crate::state::State;
use crate::state::entry::Kind;

/// Columns of the list of chats.
const CHATS: u16 = 22;
/// Columns of the members.
const MEMBERS: u16 = 20;
/// Columns that the chat itself needs beside a list.
const NEEDED: u16 = 30;
/// The composer grows up to so many lines.
const COMPOSER: u16 = 8;

/// The parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Areas {
    /// The line on top.
    pub bar: Rect,
    /// The list of chats.
    pub chats: Option<Rect>,
    /// The messages.
    pub timeline: Rect,
    /// The members.
    pub members: Option<Rect>,
    /// What is said, and hints.
    pub status: Rect,
    /// Where one types.
    pub composer: Rect,
}

/// The parts of the screen as it is.
pub fn areas(state: &State) -> Areas {
    let (width, height) = state.size;
    let has_chats = state.me.is_some() || !state.entries.is_empty();
    let shows_chats = has_chats && state.show_chats.unwrap_or(width >= 72) && width >= CHATS + NEEDED;
    let has_members = state.open().is_some_and(|entry| entry.kind == Kind::Group && !entry.members.is_empty());
    let left = if shows_chats { CHATS } else { 0 };
    let shows_members =
        has_members && state.show_members.unwrap_or(width >= 100) && width.saturating_sub(left) >= MEMBERS + NEEDED;
    let right = if shows_members { MEMBERS } else { 0 };
    let middle = width.saturating_sub(left + right);
    let wanted = state.open().map_or(1, |entry| {
        let lines = entry.composer.lay(usize::from(middle.saturating_sub(3))).lines.len();
        u16::try_from(lines).unwrap_or(COMPOSER)
    });
    let composer = wanted.clamp(1, COMPOSER.min((height / 3).max(1)));
    let body = height.saturating_sub(2 + composer);
    let column = |x, width| Rect::new(x, 1, width, height.saturating_sub(1));
    Areas {
        bar: Rect::new(0, 0, width, 1.min(height)),
        chats: shows_chats.then(|| column(0, left)),
        timeline: Rect::new(left, 1, middle, body),
        members: shows_members.then(|| Rect::new(left + middle, 1, right, body)),
        status: Rect::new(left, 1 + body, middle + right, 1),
        composer: Rect::new(left, 2 + body, middle + right, composer),
    }
}

/// What the lines of the open timeline depend on.
pub fn frame(state: &State) -> Frame<'_> {
    let area = areas(state).timeline;
    Frame { width: usize::from(area.width), height: usize::from(area.height), zone: &state.zone }
}

/// A box in the middle of the screen, of at most this size.
pub fn centred(state: &State, width: u16, height: u16) -> Rect {
    let (columns, rows) = state.size;
    let (width, height) = (width.min(columns), height.min(rows));
    Rect::new((columns - width) / 2, (rows - height) / 2, width, height)
}

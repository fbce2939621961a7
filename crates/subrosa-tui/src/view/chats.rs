//! The list on the left: a number for Alt, the name, what is unread.

use ratatui_core::layout::Rect;

use super::paint::Painter;
use crate::state::State;
use crate::state::entry::{Entry, Kind};
use crate::text::columns;
use crate::theme::Part;

/// The row of the list that is at the top, so that the open chat is in it.
pub fn first(state: &State, rows: usize) -> usize {
    let open = state.entries.iter().position(|entry| Some(entry.key) == state.current).unwrap_or(0);
    if open < rows { 0 } else { open + 1 - rows }
}

/// What is at this row of the area: `Some(None)` is the line about invitations.
pub fn at(state: &State, area: Rect, y: u16) -> Option<Option<usize>> {
    let mut row = usize::from(y.checked_sub(area.y)?);
    if state.invites > 0 {
        if row == 0 {
            return Some(None);
        }
        row -= 1;
    }
    let index = first(state, rows(state, area)) + row;
    (index < state.entries.len()).then_some(Some(index))
}

fn rows(state: &State, area: Rect) -> usize {
    usize::from(area.height).saturating_sub(usize::from(state.invites > 0)).max(1)
}

/// Paints the list.
pub fn paint(painter: &mut Painter<'_>, state: &State, area: Rect) {
    painter.down(area.right() - 1, area.y, area.height);
    let room = area.width - 1;
    let mut y = area.y;
    if state.invites > 0 {
        let text = match state.invites {
            1 => " 1 invitation".to_owned(),
            count => format!(" {count} invitations"),
        };
        painter.text(area.x, y, room, &text, Part::Careful);
        painter.right(area.x, y, room - 1, "F4", Part::Dim);
        y += 1;
    }
    let first = first(state, rows(state, area));
    for (index, entry) in state.entries.iter().enumerate().skip(first) {
        if y >= area.bottom() {
            break;
        }
        paint_entry(painter, state, entry, index, Rect::new(area.x, y, room, 1));
        y += 1;
    }
    if state.entries.is_empty() && state.me.is_some() {
        for (line, text) in (y..area.bottom()).zip(["no chats yet", "", "Ctrl+K  find people", "F2      all there is"])
        {
            painter.text(area.x + 1, line, room - 1, text, Part::Dim);
        }
    }
}

fn paint_entry(painter: &mut Painter<'_>, state: &State, entry: &Entry, index: usize, area: Rect) {
    let open = Some(entry.key) == state.current;
    let part = match entry {
        _ if open => Part::Selected,
        entry if entry.mentions > 0 => Part::Mention,
        entry if entry.unread > 0 => Part::Unread,
        entry if entry.blocked.is_some() || entry.session.over => Part::Dim,
        _ => Part::Text,
    };
    if open {
        painter.fill(area, Part::Selected);
    }
    let number = if index < 9 { (index + 1).to_string() } else { String::new() };
    painter.text(area.x + 1, area.y, 1, &number, if open { part } else { Part::Dim });
    let badge = badge(entry);
    let badge_room = u16::try_from(columns(&badge)).unwrap_or(0);
    let room = area.width.saturating_sub(4 + badge_room + u16::from(badge_room > 0));
    let name = crate::text::shortened(&subrosa_types::text::single_line(&title(entry)), usize::from(room));
    painter.text(area.x + 3, area.y, room, &name, part);
    painter.right(area.x, area.y, area.width - 1, &badge, part);
}

/// What is to be seen there: unread messages, with an `@` if they name us; or a word on what is wrong.
fn badge(entry: &Entry) -> String {
    match (entry.unread, entry.mentions) {
        (0, _) if entry.blocked.is_some() => "!".to_owned(),
        (0, _) if !entry.composer.is_empty() => "✎".to_owned(),
        (0, _) if entry.directly => "⇄".to_owned(),
        (0, _) => String::new(),
        (unread, 0) => short_count(unread),
        (unread, _) => format!("@{}", short_count(unread)),
    }
}

fn short_count(count: u32) -> String {
    if count > 999 { "999+".to_owned() } else { count.to_string() }
}

/// The name in the list.
pub fn title(entry: &Entry) -> String {
    match entry.kind {
        Kind::Private | Kind::Group => entry.title.clone(),
        Kind::Room => format!("~{}", entry.title),
    }
}

//! The switcher, and the search in messages.

use ratatui_core::layout::Rect;
use subrosa_types::text::single_line;

use super::layout::centred;
use super::paint::Painter;
use crate::state::State;
use crate::state::dialog::{Search, Switcher};
use crate::text::editor::Editor;
use crate::text::{columns, shortened};
use crate::theme::{Part, name_number};
use crate::time;

/// Rows of a search, each with two lines.
const LINES_OF_FOUND: usize = 2;

fn typed(painter: &mut Painter<'_>, inside: Rect, editor: &Editor, hint: &str) {
    painter.text(inside.x, inside.y, 1, "›", Part::Accent);
    let room = inside.width.saturating_sub(2);
    if editor.is_empty() {
        painter.text(inside.x + 2, inside.y, room, hint, Part::Dim);
    }
    let laid = editor.lay(usize::from(room));
    let line = laid.lines.get(laid.line).map_or("", String::as_str);
    painter.text(inside.x + 2, inside.y, room, line, Part::Text);
    painter.cursor = Some((inside.x + 2 + u16::try_from(laid.column).unwrap_or(0), inside.y));
}

/// Paints the switcher.
pub fn paint_switcher(painter: &mut Painter<'_>, state: &State, switcher: &Switcher) {
    let height = state.size.1.saturating_sub(4).min(20);
    let inside = painter.frame(centred(state, 62, height), "Go to", "↑↓ and Enter · Esc: close");
    if inside.height < 2 {
        return;
    }
    typed(painter, inside, &switcher.typed, "a few letters of a chat, a person, or something to do");
    let rows = usize::from(inside.height - 1);
    let first = (switcher.selected + 1).saturating_sub(rows);
    for (y, (index, choice)) in (inside.y + 1..inside.bottom()).zip(switcher.fitting.iter().enumerate().skip(first)) {
        let Some(choice) = switcher.all.get(*choice) else { continue };
        let selected = index == switcher.selected;
        let (name, what) = if selected { (Part::Selected, Part::Selected) } else { (Part::Text, Part::Dim) };
        if selected {
            painter.fill(Rect::new(inside.x, y, inside.width, 1), Part::Selected);
        }
        let used = painter.text(inside.x + 2, y, inside.width - 2, &choice.name, name);
        let room = inside.width.saturating_sub(used + 5);
        painter.right(
            inside.x + 2 + used + 2,
            y,
            room,
            &shortened(&single_line(&choice.what), usize::from(room)),
            what,
        );
    }
    if switcher.fitting.is_empty() {
        painter.text(
            inside.x + 2,
            inside.y + 1,
            inside.width - 2,
            "Nothing of that name. @name and Enter begins a chat.",
            Part::Dim,
        );
    }
}

/// Paints the search.
pub fn paint_search(painter: &mut Painter<'_>, state: &State, search: &Search) {
    let place = search.chat.and_then(|key| state.entry(key)).map_or("all chats", |entry| entry.title.as_str());
    let height = state.size.1.saturating_sub(2);
    let hint = "Enter: search, go there · ↑↓ · Ctrl+R: this chat or all · Esc: close";
    let inside = painter.frame(centred(state, 84, height), &format!("Search in {place}"), hint);
    if inside.height < 4 {
        return;
    }
    typed(painter, inside, &search.typed, "words that occur in the message");
    let rows = usize::from(inside.height - 2) / LINES_OF_FOUND;
    let first = (search.selected + 1).saturating_sub(rows);
    let mut y = inside.y + 2;
    for (index, row) in search.rows.iter().enumerate().skip(first).take(rows) {
        let selected = index == search.selected;
        if selected {
            painter.text(inside.x, y, 1, "›", Part::Accent);
        }
        let used = painter.text(
            inside.x + 2,
            y,
            inside.width.saturating_sub(2),
            &row.from,
            Part::Name(name_number(&row.from)),
        );
        let detail = format!("  {} · {}", row.chat, time::full(row.sent_at, &state.zone));
        painter.text(inside.x + 2 + used, y, inside.width.saturating_sub(2 + used), &detail, Part::Dim);
        let text = around(&row.text, search.searched.as_deref().unwrap_or_default(), usize::from(inside.width) - 2);
        let part = if selected { Part::Selected } else { Part::Text };
        painter.text(inside.x + 2, y + 1, inside.width.saturating_sub(2), &text, part);
        y += u16::try_from(LINES_OF_FOUND).unwrap_or(2);
    }
    let said = match (&search.error, search.loading, &search.searched) {
        (Some(error), ..) => Some((error.as_str(), Part::Wrong)),
        (None, true, _) => Some(("searching…", Part::Dim)),
        (None, false, Some(_)) if search.rows.is_empty() => Some(("No message has these words.", Part::Dim)),
        _ => None,
    };
    if let Some((text, part)) = said {
        painter.text(inside.x + 2, inside.y + 1, inside.width.saturating_sub(2), text, part);
    }
}

/// The part of a text around the first word that was searched for.
fn around(text: &str, searched: &str, room: usize) -> String {
    let text = single_line(text);
    let lower = text.to_lowercase();
    let at = searched.split_whitespace().filter_map(|word| lower.find(&word.to_lowercase())).min().unwrap_or(0);
    // Lower case may be longer; what counts is that there is a character here.
    let mut from = at.min(text.len());
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    if columns(&text[..from]) < room * 2 / 3 {
        return shortened(&text, room);
    }
    let before: usize = text[..from].char_indices().rev().nth(room / 3).map_or(0, |(at, _)| at);
    shortened(&format!("…{}", &text[before..]), room)
}

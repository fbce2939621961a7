//! The line on top, the status line, and where one types.

use ratatui_core::layout::Rect;

use super::chats::title;
use super::paint::Painter;
use crate::state::entry::{Entry, Kind};
use crate::state::{Standing, State};
use crate::text::{columns, shortened};
use crate::theme::Part;

/// How long something stays in the status line, in milliseconds.
const SAID_FOR: i64 = 12_000;

/// The line on top: where one is, and how the connection stands.
pub fn top(painter: &mut Painter<'_>, state: &State, area: Rect) {
    painter.fill(area, Part::Bar);
    let standing = standing(state);
    let wide = u16::try_from(columns(&subrosa_types::text::single_line(&standing))).unwrap_or(0) + 2;
    let place = match state.open() {
        Some(entry) => format!(" {}{}", title(entry), about(entry)),
        None => " Subrosa".to_owned(),
    };
    let room = area.width.saturating_sub(wide + 1);
    let place = shortened(&subrosa_types::text::single_line(&place), usize::from(room));
    painter.text(area.x, area.y, room, &place, Part::Bar);
    painter.right(area.x, area.y, area.width.saturating_sub(1), &standing, Part::Bar);
}

fn about(entry: &Entry) -> String {
    let mut parts = Vec::new();
    match entry.kind {
        Kind::Group if !entry.members.is_empty() => parts.push(format!("{} members", entry.members.len())),
        Kind::Room => parts.push(format!("room, you are {}", entry.session.me)),
        _ => {}
    }
    if entry.kind == Kind::Private
        && entry.members.iter().any(|member| format!("@{}", member.name) == entry.title && member.verified)
    {
        parts.push("verified".to_owned());
    }
    if entry.directly {
        parts.push("direct".to_owned());
    }
    parts.into_iter().map(|part| format!(" · {part}")).collect()
}

fn standing(state: &State) -> String {
    let me = state.my_name().map(|name| format!("@{name} · ")).unwrap_or_default();
    let word = match &state.standing {
        Standing::Opening => "opening…",
        Standing::NoAccount => "no account yet",
        Standing::Connecting => "connecting…",
        Standing::Online => "online",
        Standing::Offline(_) => "OFFLINE",
        Standing::LoggedOut(_) => "LOGGED OUT",
    };
    format!("{me}{word}")
}

/// What was said last; else why one cannot write, or what keys there are.
pub fn status(painter: &mut Painter<'_>, state: &State, area: Rect) {
    painter.across(area.x, area.y, area.width, Part::Border);
    let room = area.width.saturating_sub(2);
    let said = state.said.as_ref().filter(|said| state.now.millis_since(said.at) < SAID_FOR);
    let (text, part) = match (said, &state.standing) {
        (Some(said), _) => (said.text.clone(), if said.wrong { Part::Wrong } else { Part::Accent }),
        (None, Standing::Offline(reason)) if !reason.is_empty() => {
            (format!("offline: {reason}; what you write is kept and goes out later"), Part::Careful)
        }
        (None, Standing::LoggedOut(reason)) => (reason.clone(), Part::Wrong),
        _ => match state.open().and_then(|entry| entry.blocked.clone()) {
            Some(why) => (why, Part::Careful),
            None => ("F1 help · F2 everything · Alt+A next unread".to_owned(), Part::Dim),
        },
    };
    let text = shortened(&subrosa_types::text::single_line(&text), usize::from(room).saturating_sub(2));
    painter.text(area.x + 1, area.y, room, &format!(" {text} "), part);
}

/// Where one types.
pub fn composer(painter: &mut Painter<'_>, state: &State, area: Rect) {
    let Some(entry) = state.open() else {
        let hint = if state.me.is_some() { "Ctrl+K: choose whom to write to" } else { "" };
        painter.text(area.x + 3, area.y, area.width.saturating_sub(4), hint, Part::Dim);
        return;
    };
    painter.text(area.x + 1, area.y, 1, "›", Part::Accent);
    let room = area.width.saturating_sub(3);
    if entry.composer.is_empty() {
        let hint = match entry.kind {
            _ if entry.session.over => "It is over; /leave takes it out of the list".to_owned(),
            Kind::Private | Kind::Group => format!("Message to {}", entry.title),
            Kind::Room => "Say something to everybody in the room".to_owned(),
        };
        painter.text(area.x + 3, area.y, room, &hint, Part::Dim);
    }
    let laid = entry.composer.lay(usize::from(room));
    // The part with the cursor is shown.
    let rows = usize::from(area.height);
    let first = (laid.line + 1).saturating_sub(rows);
    for (y, line) in (area.y..area.bottom()).zip(laid.lines.iter().skip(first)) {
        painter.text(area.x + 3, y, room, line, Part::Text);
    }
    let x = area.x + 3 + u16::try_from(laid.column).unwrap_or(room).min(room);
    let y = area.y + u16::try_from(laid.line - first).unwrap_or(0);
    painter.cursor = Some((x, y));
}

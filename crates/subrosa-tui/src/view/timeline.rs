//! The messages: day lines, the unread line, who said what.

use ratatui_core::layout::Rect;
use subrosa_types::text::single_line;

use super::layout;
use super::paint::{LinkSpan, Painter};
use crate::lines::Line;
use crate::state::State;
use crate::state::entry::{Entry, Kind};
use crate::state::timeline::{Body, Fate, Wrapped};
use crate::text::columns;
use crate::theme::{Part, name_number};
use crate::time;

/// Paints the messages of an entry.
pub fn paint(painter: &mut Painter<'_>, state: &State, entry: &Entry, area: Rect) {
    let frame = layout::frame(state);
    let lines = frame.visible(&entry.timeline);
    if lines.is_empty() {
        empty(painter, entry, area);
        return;
    }
    // A short chat stands at the bottom, where one types.
    let top = area.bottom() - u16::try_from(lines.len()).unwrap_or(area.height).min(area.height);
    for (y, (row, line)) in (top..).zip(lines) {
        paint_line(painter, state, entry, area, y, row, &line);
    }
    if entry.timeline.anchor.is_some() {
        more_below(painter, entry, area);
    }
}

fn empty(painter: &mut Painter<'_>, entry: &Entry, area: Rect) {
    let text = match (entry.kind, entry.timeline.loaded || !entry.is_chat()) {
        (_, false) => "…".to_owned(),
        (Kind::Private, true) => format!("Nothing has been said yet. What you write, only {} can read.", entry.title),
        (Kind::Group, true) => "Nothing has been said here since you are a member.".to_owned(),
        (Kind::Room, true) => "Entering the room…".to_owned(),
    };
    let lines = crate::text::wrap::wrap(&text, usize::from(area.width.saturating_sub(6)).max(10));
    let top = area.bottom().saturating_sub(u16::try_from(lines.len()).unwrap_or(1) + 1).max(area.y);
    for (y, line) in (top..area.bottom()).zip(lines) {
        painter.text(area.x + 3, y, area.width.saturating_sub(4), &text[line], Part::Dim);
    }
}

fn more_below(painter: &mut Painter<'_>, entry: &Entry, area: Rect) {
    let text = match entry.unread {
        0 => " ↓ Alt+End: latest ".to_owned(),
        1 => " ↓ 1 unread, Alt+End: latest ".to_owned(),
        unread => format!(" ↓ {unread} unread, Alt+End: latest "),
    };
    painter.right(area.x, area.bottom() - 1, area.width.saturating_sub(1), &text, Part::Selected);
}

fn paint_line(painter: &mut Painter<'_>, state: &State, entry: &Entry, area: Rect, y: u16, row: usize, line: &Line) {
    let room = area.width.saturating_sub(2);
    match line {
        Line::Day(day) => {
            let words = time::day_in_words(*day, time::day(state.now, &state.zone));
            rule(painter, area, y, &words, Part::Border, Part::Dim);
        }
        Line::Unread => rule(painter, area, y, "new", Part::Careful, Part::Careful),
        Line::Head { name, at, own, direct, verified } => {
            let used = painter.text(area.x + 1, y, room.saturating_sub(8), name, Part::Name(name_number(name)));
            let mut detail = format!("  {}", time::clock(*at, &state.zone));
            if *direct {
                detail.push_str(" · direct");
            }
            if *verified && !own {
                detail.push_str(" · verified");
            }
            painter.text(area.x + 1 + used, y, room.saturating_sub(used), &detail, Part::Dim);
        }
        Line::Text(wrapped, number) => {
            let body = entry.timeline.rows.get(row).map(|row| row.body());
            if let Some(Body::Message(message, fate)) = body {
                if *number == 0 {
                    sign(painter, area.x + 1, y, fate);
                }
                let part = match fate {
                    _ if entry.timeline.found == Some(message.id) => Part::Careful,
                    Fate::Sending | Fate::Kept => Part::Dim,
                    _ if names(state, &message.text) && !message.own => Part::Mention,
                    _ => Part::Text,
                };
                paint_wrapped(painter, area.x + 3, y, room.saturating_sub(2), wrapped, *number, part);
            }
        }
        Line::Note(wrapped, number) => {
            if *number == 0 {
                painter.text(area.x + 1, y, 1, "∙", Part::Dim);
            }
            paint_wrapped(painter, area.x + 3, y, room.saturating_sub(2), wrapped, *number, Part::Dim);
        }
        Line::Why(why) => {
            let text = format!("not sent: {why} · /retry");
            painter.text(area.x + 3, y, room.saturating_sub(2), &text, Part::Wrong);
        }
    }
}

fn names(state: &State, text: &str) -> bool {
    state.my_name().is_some_and(|me| crate::update::mentions(text, me))
}

fn sign(painter: &mut Painter<'_>, x: u16, y: u16, fate: &Fate) {
    let (sign, part) = match fate {
        Fate::There => return,
        Fate::Sending => ("…", Part::Dim),
        Fate::Kept => ("○", Part::Careful),
        Fate::Delivered => ("✓", Part::Good),
        Fate::Failed(_) => ("!", Part::Wrong),
    };
    painter.text(x, y, 1, sign, part);
}

fn rule(painter: &mut Painter<'_>, area: Rect, y: u16, words: &str, line: Part, text: Part) {
    let room = area.width.saturating_sub(2);
    painter.across(area.x + 1, y, room, line);
    let wide = u16::try_from(columns(words)).unwrap_or(0) + 2;
    if wide < room {
        painter.text(area.x + 1 + (room - wide) / 2, y, wide, &format!(" {words} "), text);
    }
}

fn paint_wrapped(painter: &mut Painter<'_>, x: u16, y: u16, room: u16, wrapped: &Wrapped, number: usize, part: Part) {
    let Some(range) = wrapped.lines.get(number) else { return };
    painter.text(x, y, room, &wrapped.text[range.clone()], part);
    for link in &wrapped.links {
        let (begin, end) = (link.start.max(range.start), link.end.min(range.end));
        if begin >= end {
            continue;
        }
        let before = u16::try_from(columns(&single_line(&wrapped.text[range.start..begin]))).unwrap_or(u16::MAX);
        if before >= room {
            continue;
        }
        let at = x + before;
        let used = painter.text(at, y, room - before, &wrapped.text[begin..end], Part::Link);
        let address = wrapped.text[link.clone()].to_owned();
        painter.links.push(LinkSpan { x: at, y, columns: used, address });
    }
}

//! A timeline as lines of the screen, and moving in it.
//!
//! Lines are made for the rows that are looked at and for no others, so that all of this costs what the screen shows.

use std::rc::Rc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use subrosa_client::api::Via;
use subrosa_types::Timestamp;

use crate::state::timeline::{Anchor, Body, Fate, Row, Timeline, Wrapped};
use crate::time;

/// Messages of one person this close to each other stand under one name.
const TOGETHER: i64 = 5 * 60 * 1000;
/// Columns of a row that are not for its text: a sign, a space on each side, and one for the scroll bar.
pub const MARGIN: usize = 4;

/// A line of the timeline.
#[derive(Debug, Clone)]
pub enum Line {
    /// A day begins.
    Day(Date),
    /// What follows is not read yet.
    Unread,
    /// Who, when, whether it came directly, and whether the key was compared.
    Head {
        /// The name.
        name: String,
        /// When the first of these was sent.
        at: Timestamp,
        /// Whether it is us.
        own: bool,
        /// It came over a direct link.
        direct: bool,
        /// The key was compared.
        verified: bool,
    },
    /// A line of a text; the first one has the sign of its fate.
    Text(Rc<Wrapped>, usize),
    /// A line of what this program says.
    Note(Rc<Wrapped>, usize),
    /// Why it was not sent.
    Why(String),
}

/// What lines depend on.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The reader's zone.
    pub zone: &'a TimeZone,
}

impl Frame<'_> {
    fn text_width(&self) -> usize {
        self.width.saturating_sub(MARGIN).max(8)
    }

    /// The lines of a row.
    pub fn block(&self, timeline: &Timeline, at: usize) -> Vec<Line> {
        let Some(row) = timeline.rows.get(at) else { return Vec::new() };
        let before = at.checked_sub(1).and_then(|before| timeline.rows.get(before));
        let mut lines = Vec::new();
        let day = time::day(row.at(), self.zone);
        if let Some(day) = day
            && before.is_none_or(|before| time::day(before.at(), self.zone) != Some(day))
        {
            lines.push(Line::Day(day));
        }
        let begins_unread = row.message().is_some_and(|message| Some(message.id) == timeline.first_unread)
            && timeline.first_unread.is_some();
        if begins_unread {
            lines.push(Line::Unread);
        }
        let wrapped = row.wrapped(self.text_width());
        match row.body() {
            Body::Note(..) => lines.extend((0..wrapped.lines.len()).map(|line| Line::Note(wrapped.clone(), line))),
            Body::Message(message, fate) => {
                if !lines.is_empty() || !before.is_some_and(|before| goes_on(before, row)) {
                    lines.push(Line::Head {
                        name: message.from.clone(),
                        at: message.sent_at,
                        own: message.own,
                        direct: message.via == Via::Direct,
                        verified: message.verified,
                    });
                }
                lines.extend((0..wrapped.lines.len()).map(|line| Line::Text(wrapped.clone(), line)));
                if let Fate::Failed(why) = fate {
                    lines.push(Line::Why(why.clone()));
                }
            }
        }
        lines
    }

    /// What the screen shows, from above: each line with its row.
    pub fn visible(&self, timeline: &Timeline) -> Vec<(usize, Line)> {
        let mut lines: Vec<(usize, Line)> = Vec::with_capacity(self.height);
        let Some(mut anchor) = end_of(timeline) else { return lines };
        loop {
            let block = self.block(timeline, anchor.row);
            let shown = block.len().saturating_sub(anchor.hidden);
            for line in block.into_iter().take(shown).rev() {
                if lines.len() == self.height {
                    break;
                }
                lines.push((anchor.row, line));
            }
            if lines.len() == self.height || anchor.row == 0 {
                break;
            }
            anchor = Anchor { row: anchor.row - 1, hidden: 0 };
        }
        lines.reverse();
        lines
    }

    /// Moves up by lines, not beyond the first row.
    pub fn up(&self, timeline: &mut Timeline, lines: usize) {
        let Some(mut anchor) = end_of(timeline) else { return };
        anchor.hidden += lines;
        let mut length = self.block(timeline, anchor.row).len();
        while anchor.hidden >= length && anchor.row > 0 {
            anchor.hidden -= length;
            anchor.row -= 1;
            length = self.block(timeline, anchor.row).len();
        }
        anchor.hidden = anchor.hidden.min(length);
        timeline.anchor = Some(anchor);
        let shown = self.visible(timeline).len();
        if shown < self.height {
            self.down(timeline, self.height - shown);
        }
    }

    /// Moves down by lines, not beyond the last row.
    pub fn down(&self, timeline: &mut Timeline, mut lines: usize) {
        let Some(mut anchor) = timeline.anchor else { return };
        loop {
            let step = lines.min(anchor.hidden);
            anchor.hidden -= step;
            lines -= step;
            if lines == 0 || anchor.row + 1 >= timeline.rows.len() {
                break;
            }
            anchor.row += 1;
            anchor.hidden = self.block(timeline, anchor.row).len();
        }
        let at_end = anchor.row + 1 >= timeline.rows.len() && anchor.hidden == 0;
        timeline.anchor = (!at_end || timeline.newer).then_some(anchor);
    }

    /// Puts a row into the upper third of the screen, or the end of the window on its last line if that is above.
    pub fn show(&self, timeline: &mut Timeline, row: usize) {
        let mut left = self.height - self.height / 3;
        let mut at = row;
        while at < timeline.rows.len() {
            let length = self.block(timeline, at).len();
            if length >= left {
                timeline.anchor = Some(Anchor { row: at, hidden: length - left });
                return;
            }
            left -= length;
            at += 1;
        }
        timeline.anchor = match timeline.rows.len().checked_sub(1) {
            Some(last) if timeline.newer => Some(Anchor { row: last, hidden: 0 }),
            _ => None,
        };
    }

    /// How many lines stand above the screen in this window, but not more than `most`.
    pub fn above(&self, timeline: &Timeline, most: usize) -> usize {
        let visible = self.visible(timeline);
        let Some((first, _)) = visible.first() else { return 0 };
        let shown = visible.iter().take_while(|(row, _)| row == first).count();
        let mut count = self.block(timeline, *first).len().saturating_sub(shown);
        for row in (0..*first).rev() {
            if count >= most {
                break;
            }
            count += self.block(timeline, row).len();
        }
        count
    }
}

fn end_of(timeline: &Timeline) -> Option<Anchor> {
    let last = timeline.rows.len().checked_sub(1)?;
    Some(timeline.anchor.filter(|anchor| anchor.row <= last).unwrap_or(Anchor { row: last, hidden: 0 }))
}

fn goes_on(before: &Row, row: &Row) -> bool {
    match (before.message(), row.message()) {
        (Some(before), Some(row)) => {
            before.from == row.from
                && before.own == row.own
                && before.via == row.via
                && (0..TOGETHER).contains(&row.sent_at.millis_since(before.sent_at))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use subrosa_client::api::History;

    use super::*;
    use crate::testing::message;

    fn timeline(count: u32) -> Timeline {
        let mut timeline = Timeline::default();
        let rows =
            (0..count).map(|n| message(n, if n % 10 < 5 { "bob" } else { "alice" }, "one two three four")).collect();
        timeline.replace(History { rows, older: false, newer: false });
        timeline
    }

    const FRAME: Frame<'static> = Frame { width: 20, height: 10, zone: &TimeZone::UTC };

    #[test]
    fn the_screen_is_full_wherever_one_scrolls() {
        let mut timeline = timeline(50);
        for step in [1, 3, 9, 200, 10_000] {
            FRAME.up(&mut timeline, step);
            assert_eq!(FRAME.visible(&timeline).len(), 10, "{step}");
        }
        assert!(matches!(FRAME.visible(&timeline)[0], (0, Line::Day(_))), "the beginning of the chat is on top");
        FRAME.down(&mut timeline, 10_000);
        assert_eq!(timeline.anchor, None);
    }

    #[test]
    fn up_and_down_are_each_others_opposite() {
        let mut timeline = timeline(50);
        FRAME.up(&mut timeline, 37);
        let there = timeline.anchor;
        FRAME.up(&mut timeline, 11);
        FRAME.down(&mut timeline, 11);
        assert_eq!(timeline.anchor, there);
    }

    #[test]
    fn a_row_is_shown_in_the_upper_part() {
        let mut timeline = timeline(50);
        FRAME.show(&mut timeline, 20);
        let visible = FRAME.visible(&timeline);
        let at = visible.iter().position(|(row, _)| *row == 20).unwrap();
        assert!((2..=4).contains(&at), "{at}");
        FRAME.show(&mut timeline, 49);
        assert_eq!(timeline.anchor, None, "the end is the end");
    }

    #[test]
    fn one_person_is_named_once_for_what_was_sent_together() {
        let timeline = timeline(10);
        let heads =
            (0..10).flat_map(|row| FRAME.block(&timeline, row)).filter(|line| matches!(line, Line::Head { .. }));
        assert_eq!(heads.count(), 2);
    }
}

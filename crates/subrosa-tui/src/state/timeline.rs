//! The part of a chat that is at hand: a window of its messages, and where in it the screen is.
//!
//! The window has at most [`KEEP`] rows; more are read from the store when the screen comes near an end. Wrapped lines are
//! kept with each row, so that a frame costs what it shows and not what the chat has.
//!
//! Invariant: rows are in the order of the log; own messages that are not accepted yet, and what this program has to say, stand
//! where they happened. `anchor` names a row of the window, unless it is empty.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use subrosa_client::api::{History, MessageRow};
use subrosa_types::text::for_terminal;
use subrosa_types::{MessageId, Timestamp};

use crate::text::{links, wrap};

/// Rows that a window keeps.
pub const KEEP: usize = 600;
/// Rows that are read at a time.
pub const PAGE: u32 = 100;

/// What became of an own message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The server has it, or it is somebody else's.
    There,
    /// On its way.
    Sending,
    /// Kept; it goes out when the server is reached.
    Kept,
    /// A device of the other side has it.
    Delivered,
    /// Not sent, and not kept by the engine.
    Failed(String),
}

impl Fate {
    /// As the store has it.
    pub const fn of(row: &MessageRow) -> Self {
        match (row.pending, row.delivered) {
            (true, _) => Self::Kept,
            (false, true) => Self::Delivered,
            (false, false) => Self::There,
        }
    }
}

/// What stands in a row.
#[derive(Debug, Clone)]
pub enum Body {
    /// A message.
    Message(Box<MessageRow>, Fate),
    /// Something that this program says, in this run only.
    Note(String, Timestamp),
}

/// A text in lines of a width, with its links.
#[derive(Debug)]
pub struct Wrapped {
    /// Safe to show.
    pub text: String,
    /// Bytes of each line.
    pub lines: Vec<Range<usize>>,
    /// Bytes of each link.
    pub links: Vec<Range<usize>>,
}

/// A row of the window.
#[derive(Debug)]
pub struct Row {
    body: Body,
    wrapped: RefCell<Option<(usize, Rc<Wrapped>)>>,
}

impl Row {
    /// A new row.
    pub const fn new(body: Body) -> Self {
        Self { body, wrapped: RefCell::new(None) }
    }

    /// What it is.
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// What it is, to change what is not its text.
    pub(crate) const fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The message, if it is one.
    pub const fn message(&self) -> Option<&MessageRow> {
        match &self.body {
            Body::Message(row, _) => Some(row),
            Body::Note(..) => None,
        }
    }

    /// When.
    pub const fn at(&self) -> Timestamp {
        match &self.body {
            Body::Message(row, _) => row.sent_at,
            Body::Note(_, at) => *at,
        }
    }

    fn text(&self) -> &str {
        match &self.body {
            Body::Message(row, _) => &row.text,
            Body::Note(text, _) => text,
        }
    }

    /// Its text in lines of this width.
    pub fn wrapped(&self, width: usize) -> Rc<Wrapped> {
        let mut kept = self.wrapped.borrow_mut();
        if let Some((kept_width, wrapped)) = &*kept
            && *kept_width == width
        {
            return wrapped.clone();
        }
        let text = for_terminal(self.text()).into_owned();
        let lines = wrap::wrap(&text, width);
        let links = links::find(&text);
        let wrapped = Rc::new(Wrapped { text, lines, links });
        *kept = Some((width, wrapped.clone()));
        wrapped
    }
}

/// Where the screen's last line is: `hidden` lines of the row `row` are below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anchor {
    /// Which row of the window.
    pub row: usize,
    /// Lines of it below the screen.
    pub hidden: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Timeline {
    /// The window.
    pub rows: VecDeque<Row>,
    /// Whether the store has older ones.
    pub older: bool,
    /// Whether the store has newer ones.
    pub newer: bool,
    /// Whether something was read.
    pub loaded: bool,
    /// Whether an answer of the store is awaited.
    pub loading: bool,
    /// `None`: the screen follows the end.
    pub anchor: Option<Anchor>,
    /// The message above which the unread line is.
    pub first_unread: Option<MessageId>,
    /// The message that a search led to.
    pub found: Option<MessageId>,
}

impl Timeline {
    /// Whether the end of the chat is on the screen.
    pub const fn is_at_end(&self) -> bool {
        self.anchor.is_none() && !self.newer
    }

    /// Where a message is.
    pub fn position(&self, id: MessageId) -> Option<usize> {
        self.rows.iter().rposition(|row| row.message().is_some_and(|message| message.id == id))
    }

    /// The oldest and newest message of the window that the store has, too.
    pub fn edge(&self, oldest: bool) -> Option<MessageId> {
        let stored = |row: &Row| match row.body() {
            Body::Message(message, Fate::There | Fate::Delivered) => Some(message.id),
            _ => None,
        };
        if oldest { self.rows.iter().find_map(stored) } else { self.rows.iter().rev().find_map(stored) }
    }

    /// A fresh window; own messages that only this program knows stay at its end.
    pub fn replace(&mut self, history: History) {
        let lost = |row: &Row| matches!(row.body(), Body::Message(_, Fate::Failed(_)));
        let mut kept: Vec<Row> = std::mem::take(&mut self.rows).into_iter().filter(lost).collect();
        self.rows = history.rows.into_iter().map(stored).collect();
        kept.retain(|row| row.message().is_none_or(|message| self.position(message.id).is_none()));
        if !history.newer {
            self.rows.extend(kept);
        }
        (self.older, self.newer) = (history.older, history.newer);
        self.loaded = true;
        self.anchor = None;
    }

    /// Older rows; those at the other end go if there are too many.
    pub fn prepend(&mut self, history: History) {
        let known = |row: &MessageRow| self.position(row.id).is_none();
        let rows: Vec<MessageRow> = history.rows.into_iter().filter(known).collect();
        let count = rows.len();
        for row in rows.into_iter().rev() {
            self.rows.push_front(stored(row));
        }
        self.older = history.older;
        if let Some(anchor) = &mut self.anchor {
            anchor.row += count;
        }
        while self.rows.len() > KEEP && self.anchor.is_some_and(|anchor| anchor.row + 1 < self.rows.len()) {
            self.rows.pop_back();
            self.newer = true;
        }
    }

    /// Newer rows.
    pub fn append(&mut self, history: History) {
        for row in history.rows {
            let fate = Fate::of(&row);
            self.upsert(row, fate);
        }
        self.newer = history.newer;
        self.trim();
    }

    /// A message as it is now. One that was accepted goes to its place in the log: behind all others that were.
    pub fn upsert(&mut self, message: MessageRow, fate: Fate) {
        if let Some(at) = self.position(message.id) {
            let was_pending = matches!(self.rows[at].body(), Body::Message(row, _) if row.pending);
            if !was_pending || message.pending || at + 1 == self.rows.len() {
                self.rows[at] = Row::new(Body::Message(Box::new(message), fate));
                return;
            }
            self.rows.remove(at);
            if let Some(anchor) = self.anchor.as_mut().filter(|anchor| anchor.row > at) {
                anchor.row -= 1;
            }
        }
        let mut place = self.rows.len();
        if !message.pending {
            let is_pending = |row: &Row| matches!(row.body(), Body::Message(row, _) if row.pending);
            while place > 0 && is_pending(&self.rows[place - 1]) {
                place -= 1;
            }
        }
        self.rows.insert(place, Row::new(Body::Message(Box::new(message), fate)));
        self.trim();
    }

    /// What became of an own message.
    pub fn settle(&mut self, id: MessageId, fate: Fate) {
        let Some(at) = self.position(id) else { return };
        if let Body::Message(row, old) = &self.rows[at].body {
            // An event may have told more than the answer.
            let known = matches!(old, Fate::There) && !row.pending && !matches!(fate, Fate::Delivered);
            if !known {
                self.rows[at] = Row::new(Body::Message(row.clone(), fate));
            }
        }
    }

    /// Something that this program says.
    pub fn note(&mut self, text: String, at: Timestamp) {
        self.rows.push_back(Row::new(Body::Note(text, at)));
        self.trim();
    }

    /// Rows at the far end go if there are too many.
    fn trim(&mut self) {
        while self.rows.len() > KEEP {
            match &mut self.anchor {
                Some(anchor) if anchor.row == 0 => {
                    self.rows.pop_back();
                    self.newer = true;
                }
                anchor => {
                    if let Some(anchor) = anchor {
                        anchor.row -= 1;
                    }
                    self.rows.pop_front();
                    self.older = true;
                }
            }
        }
    }
}

fn stored(row: MessageRow) -> Row {
    let fate = Fate::of(&row);
    Row::new(Body::Message(Box::new(row), fate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::message;

    fn history(numbers: std::ops::Range<u32>) -> History {
        History { rows: numbers.map(|n| message(n, "bob", "x")).collect(), older: true, newer: false }
    }

    #[test]
    fn the_window_stays_small_however_far_one_scrolls() {
        let mut timeline = Timeline::default();
        timeline.replace(history(9_900..10_000));
        timeline.anchor = Some(Anchor { row: 0, hidden: 0 });
        for page in (0..99).rev() {
            timeline.prepend(history(page * 100..page * 100 + 100));
            assert!(timeline.rows.len() <= KEEP);
            let shown = timeline.rows[timeline.anchor.unwrap().row].message().unwrap().id;
            assert_eq!(shown, message(9_900, "bob", "x").id.min(shown), "the row on the screen stays");
            timeline.anchor = Some(Anchor { row: 0, hidden: 0 });
        }
        assert!(timeline.newer && timeline.edge(true) == Some(message(0, "bob", "x").id));
    }

    #[test]
    fn an_accepted_message_goes_behind_what_came_meanwhile() {
        let mut timeline = Timeline::default();
        timeline.replace(history(0..2));
        let mine = MessageRow { pending: true, own: true, ..message(9, "alice", "mine") };
        timeline.upsert(mine.clone(), Fate::Sending);
        timeline.upsert(message(5, "bob", "yours"), Fate::There);
        let order = |timeline: &Timeline| -> Vec<String> {
            timeline.rows.iter().filter_map(|row| row.message().map(|message| message.text.clone())).collect()
        };
        assert_eq!(order(&timeline), ["x", "x", "yours", "mine"]);
        timeline.upsert(MessageRow { pending: false, ..mine }, Fate::There);
        assert_eq!(order(&timeline), ["x", "x", "yours", "mine"]);
        timeline.settle(message(9, "", "").id, Fate::Sending);
        assert!(matches!(timeline.rows[3].body(), Body::Message(_, Fate::There)), "what is there stays there");
    }

    #[test]
    fn what_failed_is_not_lost_when_the_window_is_read_again() {
        let mut timeline = Timeline::default();
        timeline.upsert(MessageRow { pending: true, ..message(9, "alice", "mine") }, Fate::Failed("no".into()));
        timeline.replace(history(0..2));
        assert_eq!(timeline.rows.len(), 3);
    }
}

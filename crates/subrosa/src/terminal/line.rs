//! The line that is being typed: keys in, text and cursor out. It knows no terminal.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use subrosa_types::text::single_line;
use unicode_segmentation::UnicodeSegmentation;

use super::columns;

/// Lines that the arrow keys bring back. They are nowhere on disk.
const REMEMBERED: usize = 100;

/// How a line ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Enter.
    Entered(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D on an empty line.
    Ended,
}

/// A line, and those before it.
#[derive(Debug, Default)]
pub struct Line {
    text: String,
    /// In bytes, between two characters as people see them.
    cursor: usize,
    before: VecDeque<String>,
    /// Which of those before is shown, counted from the latest.
    shown: Option<usize>,
    /// What stood here before one of those was shown.
    draft: String,
}

impl Line {
    /// A key was pressed.
    pub fn press(&mut self, key: KeyEvent) -> Option<Done> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Some(Done::Interrupted),
            KeyCode::Char('d') if control && self.text.is_empty() => return Some(Done::Ended),
            KeyCode::Char('d') if control => self.delete(self.cursor, self.right()),
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.text.len(),
            KeyCode::Char('b') if control => self.cursor = self.left(),
            KeyCode::Char('f') if control => self.cursor = self.right(),
            KeyCode::Char('h') if control => self.delete(self.left(), self.cursor),
            KeyCode::Char('k') if control => self.delete(self.cursor, self.text.len()),
            KeyCode::Char('u') if control => self.delete(0, self.cursor),
            KeyCode::Char('w') if control => self.delete(self.word_left(), self.cursor),
            KeyCode::Char('p') if control => self.recall(true),
            KeyCode::Char('n') if control => self.recall(false),
            KeyCode::Char('j' | 'm') if control => return Some(self.enter()),
            KeyCode::Char(c) if !control => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Enter => return Some(self.enter()),
            KeyCode::Backspace => self.delete(self.left(), self.cursor),
            KeyCode::Delete => self.delete(self.cursor, self.right()),
            KeyCode::Left => self.cursor = self.left(),
            KeyCode::Right => self.cursor = self.right(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Up => self.recall(true),
            KeyCode::Down => self.recall(false),
            _ => {}
        }
        None
    }

    /// Text came as a whole, line breaks and all: it becomes part of this line.
    pub fn insert(&mut self, text: &str) {
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
    }

    /// What is to be shown in `room` columns, and how many of them are behind the cursor. The part around the cursor is.
    pub fn view(&self, room: usize) -> (String, usize) {
        // The cursor needs a column of its own.
        let mut room = room.saturating_sub(1);
        let mut take = |parts: &mut dyn Iterator<Item = (usize, String)>| -> Vec<(usize, String)> {
            parts.take_while(|(width, _)| room.checked_sub(*width).inspect(|left| room = *left).is_some()).collect()
        };
        let mut left = take(&mut shown(&self.text[..self.cursor]).rev());
        let right = take(&mut shown(&self.text[self.cursor..]));
        left.reverse();
        let back = right.iter().map(|(width, _)| width).sum();
        (left.into_iter().chain(right).map(|(_, part)| part).collect(), back)
    }

    fn enter(&mut self) -> Done {
        let text = std::mem::take(&mut self.text);
        self.cursor = 0;
        self.shown = None;
        self.draft.clear();
        if !text.trim().is_empty() && self.before.front() != Some(&text) {
            self.before.push_front(text.clone());
            self.before.truncate(REMEMBERED);
        }
        Done::Entered(text)
    }

    fn left(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn right(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |part| self.cursor + part.len())
    }

    fn word_left(&self) -> usize {
        let trimmed = self.text[..self.cursor].trim_end();
        trimmed.rfind(char::is_whitespace).map_or(0, |at| at + trimmed[at..].chars().next().map_or(1, char::len_utf8))
    }

    fn delete(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    fn recall(&mut self, older: bool) {
        let shown = match (self.shown, older) {
            (None, true) => Some(0),
            (Some(at), true) => Some(at + 1),
            (Some(at), false) => at.checked_sub(1),
            (None, false) => return,
        };
        let text = match shown {
            Some(at) => match self.before.get(at) {
                Some(text) => text.clone(),
                None => return,
            },
            None => std::mem::take(&mut self.draft),
        };
        if self.shown.is_none() {
            self.draft = std::mem::take(&mut self.text);
        }
        self.shown = shown;
        self.cursor = text.len();
        self.text = text;
    }
}

/// The characters as they are shown, and how wide each is.
fn shown(text: &str) -> impl DoubleEndedIterator<Item = (usize, String)> {
    text.graphemes(true).map(|part| {
        let part = single_line(part).into_owned();
        (columns(&part), part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    fn control(c: char) -> KeyEvent {
        KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)
    }

    fn typed(line: &mut Line, text: &str) {
        for c in text.chars() {
            assert_eq!(line.press(key(KeyCode::Char(c))), None);
        }
    }

    #[test]
    fn keys_edit_the_line_by_characters_as_people_see_them() {
        let mut line = Line::default();
        typed(&mut line, "ab👩‍👩‍👧é");
        line.press(key(KeyCode::Left));
        line.press(key(KeyCode::Backspace));
        typed(&mut line, "c");
        assert_eq!(line.text, "abcé");
        line.press(key(KeyCode::Home));
        line.press(key(KeyCode::Delete));
        line.press(key(KeyCode::End));
        typed(&mut line, " two three");
        line.press(control('w'));
        assert_eq!(line.text, "bcé two ");
        line.press(control('a'));
        line.press(control('k'));
        assert_eq!(line.text, "");
        assert_eq!(line.press(control('d')), Some(Done::Ended));
        assert_eq!(line.press(control('c')), Some(Done::Interrupted));
    }

    #[test]
    fn the_arrow_keys_bring_lines_back_and_the_draft_after_them() {
        let mut line = Line::default();
        for text in ["one", "two", "two", "  "] {
            typed(&mut line, text);
            assert_eq!(line.press(key(KeyCode::Enter)), Some(Done::Entered(text.to_owned())));
        }
        typed(&mut line, "draft");
        for (code, text) in [
            (KeyCode::Up, "two"),
            (KeyCode::Up, "one"),
            (KeyCode::Up, "one"),
            (KeyCode::Down, "two"),
            (KeyCode::Down, "draft"),
            (KeyCode::Down, "draft"),
        ] {
            line.press(key(code));
            assert_eq!(line.text, text);
        }
    }

    #[test]
    fn a_long_line_shows_the_part_around_the_cursor() {
        let mut line = Line::default();
        typed(&mut line, "0123456789");
        assert_eq!(line.view(80), ("0123456789".into(), 0));
        assert_eq!(line.view(5), ("6789".into(), 0));
        line.press(key(KeyCode::Left));
        assert_eq!(line.view(5), ("5678".into(), 0));
        assert_eq!(line.view(80), ("0123456789".into(), 1));
        line.press(key(KeyCode::Home));
        assert_eq!(line.view(5), ("0123".into(), 4));
        assert_eq!(line.view(0), (String::new(), 0));
    }

    #[test]
    fn letters_that_join_are_as_wide_as_a_terminal_shows_them() {
        let mut line = Line::default();
        // Lam and alef are one glyph in print, and two cells here.
        typed(&mut line, "سلام بهرام");
        assert_eq!(line.view(80), ("سلام بهرام".into(), 0));
        for _ in 0.."م بهرام".chars().count() {
            line.press(key(KeyCode::Left));
        }
        assert_eq!(line.view(80).1, 7);
        assert_eq!(line.view(3), ("لا".into(), 0));
    }

    #[test]
    fn a_long_paste_is_drawn_at_once() {
        let mut line = Line::default();
        line.insert(&"x".repeat(1 << 20));
        assert_eq!(line.view(80).0.len(), 79);
    }

    #[test]
    fn pasted_text_stays_one_line_and_commands_no_terminal() {
        let mut line = Line::default();
        line.insert("a\nb\u{1b}[2J");
        let (shown, _) = line.view(80);
        assert!(!shown.contains(['\n', '\u{1b}']), "{shown:?}");
        assert_eq!(line.press(key(KeyCode::Enter)), Some(Done::Entered("a\nb\u{1b}[2J".into())));
    }
}

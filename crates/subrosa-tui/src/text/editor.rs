//! What somebody types: text and cursor, with the keys of readline. It knows no terminal.
//!
//! The cursor is always between two characters as people see them. What is typed is wiped when the editor is dropped, since
//! a field for a password is one, too.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;
use zeroize::Zeroize;

use subrosa_types::text::single_line;

/// Entered texts that the arrow keys bring back. They are nowhere on disk.
const REMEMBERED: usize = 100;
/// Bytes that are there from the start, so that no part of a password stays behind when it grows.
const ROOM: usize = 4096;

/// A text that is being typed.
#[derive(Debug, Default)]
pub struct Editor {
    text: String,
    cursor: usize,
    killed: String,
    before: Vec<String>,
    /// Which of those before is shown, counted from the latest.
    shown: Option<usize>,
    /// What stood here before one of those was shown.
    stash: String,
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.text.zeroize();
        self.killed.zeroize();
        self.stash.zeroize();
    }
}

/// How a text lies in a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// Its lines, safe to show.
    pub lines: Vec<String>,
    /// Column of the cursor.
    pub column: usize,
    /// Line of the cursor.
    pub line: usize,
}

impl Editor {
    /// One for a secret: its memory never moves as long as the secret is of a sensible length.
    pub fn for_secret() -> Self {
        let mut editor = Self::default();
        editor.text.reserve(ROOM);
        editor
    }

    /// One with a text in it, the cursor behind it.
    pub fn with(text: &str) -> Self {
        let mut editor = Self::default();
        editor.set(text);
        editor
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// In bytes.
    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Another text, the cursor behind it.
    pub fn set(&mut self, text: &str) {
        self.text.zeroize();
        self.text.push_str(text);
        self.cursor = self.text.len();
        self.shown = None;
    }

    /// Takes the text out and remembers it for the arrow keys.
    pub fn enter(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        self.cursor = 0;
        self.shown = None;
        self.stash.clear();
        if !text.trim().is_empty() && self.before.last() != Some(&text) {
            if self.before.len() >= REMEMBERED {
                self.before.remove(0);
            }
            self.before.push(text.clone());
        }
        text
    }

    /// Puts something in at the cursor.
    pub fn insert(&mut self, text: &str) {
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
        self.settle();
    }

    /// Replaces a part in front of the cursor, as a completion does.
    pub fn replace(&mut self, from: usize, text: &str) {
        self.text.replace_range(from..self.cursor, text);
        self.cursor = from + text.len();
        self.settle();
    }

    /// A mark that was typed may have joined the character before it.
    fn settle(&mut self) {
        if !self.text.is_ascii() && !self.is_boundary(self.cursor) {
            self.cursor = self.right();
        }
    }

    fn is_boundary(&self, at: usize) -> bool {
        at == self.text.len() || self.text.grapheme_indices(true).any(|(boundary, _)| boundary == at)
    }

    /// Whether something stands behind the cursor on its line.
    pub fn has_rest_of_line(&self) -> bool {
        self.line_end() > self.cursor
    }

    pub(super) fn left(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    pub(super) fn right(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |part| self.cursor + part.len())
    }

    pub(super) fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    pub(super) fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    /// Where the word in front of the cursor begins; words are separated by white space.
    pub(super) fn blank_left(&self) -> usize {
        let trimmed = self.text[..self.cursor].trim_end();
        trimmed.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8())
    }

    /// The same for words of letters and digits, as Alt+B sees them.
    pub(super) fn word_left(&self) -> usize {
        let trimmed = self.text[..self.cursor].trim_end_matches(|c: char| !c.is_alphanumeric());
        trimmed.char_indices().rev().find(|(_, c)| !c.is_alphanumeric()).map_or(0, |(at, c)| at + c.len_utf8())
    }

    pub(super) fn word_right(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let word = rest.find(char::is_alphanumeric).unwrap_or(rest.len());
        let length = rest[word..].find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len() - word);
        self.cursor + word + length
    }

    pub(super) fn go(&mut self, to: usize) {
        self.cursor = to;
        self.settle();
    }

    pub(super) fn delete(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
        self.settle();
    }

    pub(super) fn kill(&mut self, from: usize, to: usize) {
        if from < to {
            self.killed.zeroize();
            self.killed.push_str(&self.text[from..to]);
            self.delete(from, to);
        }
    }

    pub(super) fn yank(&mut self) {
        let killed = std::mem::take(&mut self.killed);
        self.insert(&killed);
        self.killed = killed;
    }

    /// A line up or down in a text of several lines; `false` if there is none.
    pub(super) fn vertical(&mut self, up: bool) -> bool {
        let start = self.line_start();
        let column = self.text[start..self.cursor].graphemes(true).count();
        let target = if up {
            let Some(end) = start.checked_sub(1) else { return false };
            self.text[..end].rfind('\n').map_or(0, |at| at + 1)..end
        } else {
            let end = self.line_end();
            if end == self.text.len() {
                return false;
            }
            let rest = &self.text[end + 1..];
            end + 1..end + 1 + rest.find('\n').unwrap_or(rest.len())
        };
        let line = &self.text[target.clone()];
        self.cursor = target.start + line.grapheme_indices(true).nth(column).map_or(line.len(), |(at, _)| at);
        true
    }

    /// Brings an entered text back.
    pub(super) fn recall(&mut self, older: bool) {
        let shown = match (self.shown, older) {
            (None, true) => Some(0),
            (Some(at), true) => Some(at + 1),
            (Some(at), false) => at.checked_sub(1),
            (None, false) => return,
        };
        let text = match shown {
            Some(at) => match self.before.len().checked_sub(at + 1).and_then(|at| self.before.get(at)) {
                Some(text) => text.clone(),
                None => return,
            },
            None => std::mem::take(&mut self.stash),
        };
        if self.shown.is_none() {
            self.stash = std::mem::take(&mut self.text);
        }
        self.cursor = text.len();
        self.text = text;
        self.shown = shown;
    }

    /// The text in a box of so many columns. Every line leaves a column for the cursor.
    pub fn lay(&self, width: usize) -> Laid {
        let room = width.max(2);
        let mut laid = Laid { lines: Vec::new(), column: 0, line: 0 };
        let mut line = String::new();
        let mut used = 0;
        for (at, part) in self.text.grapheme_indices(true) {
            if part == "\n" || part == "\r\n" {
                if at == self.cursor {
                    (laid.line, laid.column) = (laid.lines.len(), used);
                }
                laid.lines.push(std::mem::take(&mut line));
                used = 0;
                continue;
            }
            let safe = single_line(part);
            let wide: usize = safe.graphemes(true).map(UnicodeWidthStr::width).sum();
            if used + wide > room - 1 && used > 0 {
                laid.lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if at == self.cursor {
                (laid.line, laid.column) = (laid.lines.len(), used);
            }
            line.push_str(&safe);
            used += wide;
        }
        if self.cursor == self.text.len() {
            (laid.line, laid.column) = (laid.lines.len(), used);
        }
        laid.lines.push(line);
        laid
    }
}

//! Text in cells of a terminal: how wide it is, where its lines break, what in it is a link, what matches a search.

pub mod editor;
pub mod fuzzy;
pub mod keys;
pub mod links;
pub mod wrap;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that a terminal needs for this: the sum of its characters as people see them. The width of a whole text would
/// be less where two letters join into one glyph, as lam and alef do, which a terminal does not do.
pub fn columns(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// The beginning of a text that fits; with `…` at the end if something is missing.
pub fn shortened(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let mut short = String::new();
    for part in text.graphemes(true) {
        let Some(rest) = left.checked_sub(part.width()) else { break };
        left = rest;
        short.push_str(part);
    }
    if room > 0 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_terminals() {
        for (text, width) in [("abc", 3), ("日本", 4), ("سلام", 4), ("é", 1), ("👩‍👩‍👧", 2), ("", 0)]
        {
            assert_eq!(columns(text), width, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        assert_eq!(shortened("garden", 6), "garden");
        assert_eq!(shortened("garden", 4), "gar…");
        assert_eq!(shortened("日本語", 4), "日…");
        assert_eq!(shortened("x", 0), "");
    }
}

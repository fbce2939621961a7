//! Where the lines of a text break.
//!
//! A line breaks behind a space if there is one in its second half, else between two characters as people see them, so that
//! nothing is cut through. Spaces at a break are left out. Invariant: no line is wider than asked for, unless a single
//! character is.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The lines of `text` in `width` columns, as ranges of its bytes. There is at least one.
pub fn wrap(text: &str, width: usize) -> Vec<Range<usize>> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut start = 0;
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, start, width, &mut lines);
        start += paragraph.len() + 1;
    }
    lines
}

fn wrap_paragraph(text: &str, offset: usize, width: usize, lines: &mut Vec<Range<usize>>) {
    if text.is_ascii() && text.len() <= width {
        lines.push(offset..offset + text.len());
        return;
    }
    let mut begin = 0;
    let mut used = 0;
    // Behind the last space of the line, and the columns up to there.
    let mut space: Option<(usize, usize)> = None;
    for (at, part) in text.grapheme_indices(true) {
        let wide = part.width();
        if used + wide > width && at > begin {
            if part == " " {
                // Falls into the break.
                lines.push(offset + begin..offset + at);
                begin = at + 1;
                used = 0;
                space = None;
                continue;
            }
            match space.filter(|(_, columns)| *columns * 2 >= width) {
                Some((behind, columns)) => {
                    lines.push(offset + begin..offset + text[..behind].trim_end_matches(' ').len().max(begin));
                    begin = behind;
                    used -= columns;
                }
                None => {
                    lines.push(offset + begin..offset + at);
                    begin = at;
                    used = 0;
                }
            }
            space = None;
        }
        used += wide;
        if part == " " {
            space = Some((at + 1, used));
        }
    }
    lines.push(offset + begin..offset + text.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::columns;

    fn lines(text: &str, width: usize) -> Vec<&str> {
        wrap(text, width).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn lines_break_behind_spaces_where_they_can() {
        assert_eq!(lines("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(lines("one\n\ntwo", 10), ["one", "", "two"]);
        assert_eq!(lines("", 10), [""]);
        assert_eq!(lines("abcdefghij klm", 10), ["abcdefghij", "klm"]);
        assert_eq!(lines("a bcdefghijklmn", 5), ["a bcd", "efghi", "jklmn"]);
    }

    #[test]
    fn no_line_is_wider_than_the_screen_in_any_script() {
        for text in [
            "سلام آلیس، حالا خوبی؟ می‌خواهم این را هم بنویسم",
            "日本語の長い文章です",
            "👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧 x",
            "aaaaaaaaaaaaaaaaaaaaaa",
        ] {
            for width in 2..20 {
                let lines = lines(text, width);
                assert!(lines.iter().all(|line| columns(line) <= width), "{width}: {lines:?}");
                let kept: String = lines.concat().chars().filter(|c| *c != ' ').collect();
                assert_eq!(kept, text.chars().filter(|c| *c != ' ').collect::<String>());
            }
        }
    }
}

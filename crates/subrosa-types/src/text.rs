//! Text of others, made safe to show in a terminal.
//!
//! Reason: a terminal obeys what is written to it. Escape sequences move the cursor, change titles and clipboards;
//! direction overrides and invisible characters make a line read as something else. Whatever came from another person,
//! the server or a file passes [`for_terminal`] or [`single_line`] on its way to a terminal or a log. The stored text
//! stays as it was sent.
//!
//! 1. Control characters (C0, DEL, C1) are shown as control pictures, or as U+FFFD where there is none.
//! 2. Characters that change the direction of text are shown as U+FFFD.
//! 3. Invisible characters are left out, but for the joiners and selectors that Persian, Indic scripts and emoji need,
//!    where they need them.
//! 4. At most [`MARKS`] combining marks stay on one character.
//!
//! Invariant: the output has no control character but, for [`for_terminal`], the line feed.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

use crate::name::is_bidi_control;

/// Combining marks that one character may carry; what comes behind them is left out.
pub const MARKS: usize = 8;

/// The text with everything out that a terminal would obey. Lines stay lines.
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    clean(text, Lines::Kept)
}

/// The same on one line: a line break is shown as `↵`.
pub fn single_line(text: &str) -> Cow<'_, str> {
    clean(text, Lines::Shown)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Kept,
    Shown,
}

fn clean(text: &str, lines: Lines) -> Cow<'_, str> {
    // The usual message is plain; it costs one look and no allocation.
    if text.bytes().all(|b| matches!(b, b' '..=b'~') || (b == b'\n' && lines == Lines::Kept)) {
        return Cow::Borrowed(text);
    }
    let mut output = String::with_capacity(text.len());
    let mut marks = 0;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if is_combining_mark(c) && !is_selector(c) {
            marks += 1;
            if marks <= MARKS {
                output.push(c);
            }
            continue;
        }
        match c {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                output.push(if lines == Lines::Kept { '\n' } else { '↵' })
            }
            '\t' => output.push_str("    "),
            '\0'..='\u{1F}' => {
                output.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            '\u{7F}' => output.push('␡'),
            _ if c.is_control() || is_bidi_control(c) || is_noncharacter(c) => output.push(char::REPLACEMENT_CHARACTER),
            '\u{200C}' | '\u{200D}' | '\u{FE0E}' | '\u{FE0F}' => {
                // Needed behind a letter or pictograph of a script that has them. Once: a row of them shows nothing.
                if output.chars().next_back().is_some_and(|before| takes_joiner(before, c)) {
                    output.push(c);
                }
                continue;
            }
            _ if is_invisible(c) => continue,
            _ => output.push(c),
        }
        marks = 0;
    }
    Cow::Owned(output)
}

fn takes_joiner(before: char, joiner: char) -> bool {
    let keycap = is_selector(joiner) && matches!(before, '0'..='9' | '#' | '*');
    let behind_selector = before == '\u{FE0F}' && joiner == '\u{200D}';
    let visible = !before.is_ascii()
        && !is_selector(before)
        && !matches!(before, '\u{200C}' | '\u{200D}' | char::REPLACEMENT_CHARACTER);
    keycap || behind_selector || visible
}

const fn is_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Characters that take no room and say nothing, or look like a space and are none.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0D}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

const fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{FDD0}'..='\u{FDEF}') || (c as u32) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_text_of_any_language_stays_as_it_is() {
        for text in ["Hello, world!", "سلام، می‌خواهم", "👨‍👩‍👧 ❤️ 1️⃣", "日本語", "a\nb", "नमस्ते क्‍ष", "tiếng Việt"]
        {
            assert_eq!(for_terminal(text), text, "{text}");
        }
    }

    #[test]
    fn escape_sequences_are_shown_and_not_obeyed() {
        assert_eq!(for_terminal("\u{1b}]0;owned\u{7}"), "␛]0;owned␇");
        assert_eq!(for_terminal("a\u{9b}31mb\u{7f}"), "a\u{FFFD}31mb␡");
        assert_eq!(for_terminal("a\rb\r\nc"), "a\nb\nc");
        assert_eq!(single_line("a\nb\u{2028}c"), "a↵b↵c");
        assert_eq!(single_line("a\tb"), "a    b");
    }

    #[test]
    fn direction_overrides_and_invisible_characters_deceive_nobody() {
        assert_eq!(for_terminal("photo\u{202E}gpj.exe"), "photo\u{FFFD}gpj.exe");
        assert_eq!(for_terminal("\u{2066}x\u{2069}"), "\u{FFFD}x\u{FFFD}");
        assert_eq!(for_terminal("pay\u{200B}pal\u{FEFF}\u{AD}\u{E0041}"), "paypal");
        assert_eq!(for_terminal("a\u{200D}b\u{FE0F}\u{200C}"), "ab");
        assert_eq!(for_terminal("ب\u{200C}\u{200C}\u{200C}ب"), "ب\u{200C}ب");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let tower = format!("a{}", "\u{301}".repeat(500));
        assert_eq!(for_terminal(&tower).chars().count(), 1 + MARKS);
        let hidden = format!("a{}", "\u{301}\u{200B}".repeat(500));
        assert_eq!(for_terminal(&hidden).chars().count(), 1 + MARKS);
    }

    proptest! {
        #[test]
        fn no_output_has_a_control_or_direction_character(text in any::<String>()) {
            let shown = for_terminal(&text);
            prop_assert!(!shown.chars().any(|c| (c.is_control() && c != '\n') || is_bidi_control(c)));
            let line = single_line(&text);
            prop_assert!(!line.chars().any(|c| c.is_control() || is_bidi_control(c)));
        }

        #[test]
        fn cleaning_twice_is_cleaning_once(text in "[\\u{0}-\\u{ff}\\u{200b}-\\u{200f}\\u{301}\\u{fe00}-\\u{fe0f}\\u{627}-\\u{64a}]{0,40}") {
            let once = for_terminal(&text).into_owned();
            prop_assert_eq!(for_terminal(&once).into_owned(), once);
        }
    }
}

//! Addresses in a text that a terminal can open (OSC 8).
//!
//! Only `http`, `https` and `subrosa` addresses of printable ASCII count, so that what is opened is exactly what is read:
//! no letter of another script can stand for one of these, and nothing in it ends the terminal's own sequence.

use std::ops::Range;

const SCHEMES: [&str; 3] = ["https://", "http://", "subrosa://"];

/// The addresses of a text, as ranges of its bytes, in order.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if !text.contains("://") {
        return found;
    }
    let mut at = 0;
    while let Some((begin, scheme)) = SCHEMES
        .iter()
        .filter_map(|scheme| text[at..].find(scheme).map(|begin| (at + begin, *scheme)))
        .min_by_key(|(begin, scheme)| (*begin, scheme.len()))
    {
        let length = text[begin..]
            .find(|c: char| !c.is_ascii_graphic() || matches!(c, '<' | '>' | '"' | '`'))
            .unwrap_or(text.len() - begin);
        let word =
            text[begin..begin + length].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '*']);
        let follows = text[begin + length..].chars().next();
        // A word that goes on in another script is not shown as one that ends here.
        let is_whole = follows.is_none_or(|c| c.is_ascii() || c.is_whitespace());
        if word.len() > scheme.len() && is_whole {
            found.push(begin..begin + word.len());
        }
        at = begin + length.max(scheme.len());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn addresses_end_where_people_end_them() {
        assert_eq!(
            links("see https://example.org/a?b=1, or (http://x.org)."),
            ["https://example.org/a?b=1", "http://x.org"]
        );
        assert_eq!(links("join subrosa://127.0.0.1:5535/abc"), ["subrosa://127.0.0.1:5535/abc"]);
    }

    #[test]
    fn what_could_deceive_is_no_link() {
        for text in ["https://", "javascript://x", "https://exаmple.org", "file:///etc/passwd", "x://y"] {
            assert!(links(text).is_empty(), "{text}: {:?}", links(text));
        }
    }
}

//! Which of many short texts somebody means who types a few letters of it.
//!
//! The letters have to occur in their order; large and small ones are the same. Letters in a row, at the beginning, or behind
//! a separator count more; gaps count less.

/// How well it fits, higher is better; `None` if it does not.
pub fn score(pattern: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut total = 0;
    let mut at = 0;
    let mut before: Option<usize> = None;
    for wanted in pattern.chars().flat_map(char::to_lowercase).filter(|c| !c.is_whitespace()) {
        let found = best_place(&text, at, wanted, before)?;
        let begins = found == 0 || !text[found - 1].is_alphanumeric();
        total += 10;
        if begins {
            total += 8;
        }
        match before {
            Some(before) if before + 1 == found => total += 12,
            Some(before) => total -= i32::try_from(found - before).unwrap_or(i32::MAX).min(10),
            None => total -= i32::try_from(found).unwrap_or(i32::MAX).min(5),
        }
        before = Some(found);
        at = found + 1;
    }
    // Of two that fit as well the shorter one is meant.
    Some(total * 64 - i32::try_from(text.len()).unwrap_or(64).min(64))
}

/// The next place of a letter; the beginning of a word before one in the middle, unless it goes on right here.
fn best_place(text: &[char], at: usize, wanted: char, before: Option<usize>) -> Option<usize> {
    let places = || (at..text.len()).filter(|place| text[*place] == wanted);
    let first = places().next()?;
    if before.is_some_and(|before| before + 1 == first) {
        return Some(first);
    }
    Some(places().find(|place| *place == 0 || !text[place - 1].is_alphanumeric()).unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(pattern: &str, of: &[&'a str]) -> Option<&'a str> {
        of.iter()
            .filter_map(|text| Some((score(pattern, text)?, *text)))
            .max_by_key(|(score, _)| *score)
            .map(|(_, text)| text)
    }

    #[test]
    fn letters_count_in_their_order() {
        assert!(score("gdn", "#garden").is_some() && score("ngd", "#garden").is_none());
        assert!(score("", "x").is_some() && score("GAR", "#garden").is_some());
        assert!(score("سلم", "#سلام").is_some());
    }

    #[test]
    fn what_people_mean_comes_first() {
        assert_eq!(best("bc", &["#abacus", "#book-club", "@bob"]), Some("#book-club"));
        assert_eq!(best("bob", &["#bo-ob", "@bob", "@bobby"]), Some("@bob"));
        assert_eq!(best("gar", &["#big-agar", "#garden"]), Some("#garden"));
    }
}

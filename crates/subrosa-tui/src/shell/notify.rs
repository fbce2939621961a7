//! Telling a person outside of this window: OSC 777 or OSC 9 where the terminal has them, else the bell. And the clipboard
//! (OSC 52), and the window's title.
//!
//! What is told is another person's text: it is made safe, and `;`, which separates parts of these sequences, becomes a comma.

use data_encoding::BASE64;
use subrosa_types::text::single_line;

/// How a terminal shows a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `OSC 777 ; notify ; title ; body`.
    Osc777,
    /// `OSC 9 ; text`.
    Osc9,
    /// The bell.
    Bell,
}

/// The way of this terminal, as far as its environment says.
pub fn way(variable: impl Fn(&str) -> Option<String>) -> Way {
    // Inside of these a notification does not get through, and a bell does.
    if variable("TMUX").is_some() || variable("STY").is_some() {
        return Way::Bell;
    }
    let terminal = variable("TERM").unwrap_or_default();
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    if terminal.starts_with("foot") || terminal.starts_with("rxvt") || variable("VTE_VERSION").is_some() {
        return Way::Osc777;
    }
    let known = ["iTerm.app", "WezTerm", "ghostty"].contains(&program.as_str());
    if known || terminal == "xterm-kitty" || terminal == "xterm-ghostty" { Way::Osc9 } else { Way::Bell }
}

fn plain(text: &str) -> String {
    single_line(text).replace(';', ",")
}

/// What is written to tell it.
pub fn sequence(way: Way, title: &str, body: &str) -> String {
    let (title, body) = (plain(title), plain(body));
    match way {
        Way::Osc777 => format!("\x1b]777;notify;{title};{body}\x1b\\\x07"),
        Way::Osc9 => format!("\x1b]9;{title}: {body}\x1b\\\x07"),
        Way::Bell => "\x07".to_owned(),
    }
}

/// What is written to give the window this title.
pub fn title(text: &str) -> String {
    format!("\x1b]2;{}\x1b\\", plain(text))
}

/// What is written to copy a text.
pub fn copy(text: &str) -> String {
    format!("\x1b]52;c;{}\x1b\\", BASE64.encode(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_terminal_is_told_in_its_way() {
        let with =
            |name: &'static str, value: &'static str| move |wanted: &str| (wanted == name).then(|| value.to_owned());
        assert_eq!(way(with("TERM", "foot")), Way::Osc777);
        assert_eq!(way(with("TERM_PROGRAM", "WezTerm")), Way::Osc9);
        assert_eq!(way(with("TERM", "xterm-256color")), Way::Bell);
        assert_eq!(way(with("TMUX", "/tmp/x")), Way::Bell);
    }

    #[test]
    fn nobody_elses_text_ends_the_sequence() {
        let told = sequence(Way::Osc777, "@eve;x", "a\x1b\\\x1b]2;owned\x07b");
        assert_eq!(told.matches('\x1b').count(), 2, "{told:?}");
        assert_eq!(told.matches(';').count(), 3, "{told:?}");
        assert_eq!(title("a\x07b").matches('\x07').count(), 0);
    }
}

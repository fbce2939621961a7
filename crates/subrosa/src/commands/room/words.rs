//! What a line typed in a room means. A line that begins with a slash is a command or a mistake, never a message.

/// What `/help` shows.
pub const HELP: &str = "\
text       a message to everybody in the room    //text   begins with a /
/names     who is in the room
/verify    words to compare with the others: equal words, nobody in between
/quit      or EXIT: leave";

/// A line, understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing at all.
    Nothing,
    /// A message.
    Message(String),
    /// Leave.
    Leave,
    /// The list of commands.
    Help,
    /// Who is in.
    Names,
    /// Words to compare.
    Verify,
    /// No such command.
    Wrong,
}

/// Whether the line is the last one.
pub fn leaves(line: &str) -> bool {
    understand(line) == Input::Leave
}

/// Understands a line.
pub fn understand(line: &str) -> Input {
    let trimmed = line.trim();
    match trimmed {
        "" => return Input::Nothing,
        "EXIT" => return Input::Leave,
        _ => {}
    }
    let Some(command) = line.strip_prefix('/') else { return Input::Message(line.to_owned()) };
    if command.starts_with('/') {
        return Input::Message(command.to_owned());
    }
    match command.trim_end() {
        "quit" => Input::Leave,
        "help" => Input::Help,
        "names" => Input::Names,
        "verify" => Input::Verify,
        _ => Input::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_begins_a_command_or_a_mistake_and_two_begin_a_message() {
        for (line, meaning) in [
            ("", Input::Nothing),
            (" \t", Input::Nothing),
            ("EXIT", Input::Leave),
            (" EXIT ", Input::Leave),
            ("exit", Input::Message("exit".into())),
            ("/quit", Input::Leave),
            ("/names ", Input::Names),
            ("/verify", Input::Verify),
            ("/help", Input::Help),
            ("/naems", Input::Wrong),
            ("/names bob", Input::Wrong),
            ("//etc/passwd", Input::Message("/etc/passwd".into())),
            (" /quit", Input::Message(" /quit".into())),
        ] {
            assert_eq!(understand(line), meaning, "{line:?}");
        }
    }
}

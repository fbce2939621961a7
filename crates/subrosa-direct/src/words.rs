//! What a typed line means in a direct chat. A line that begins with a slash is a command or a mistake, never a message.

use crate::interactor::Wish;

/// What `/help` shows.
pub const HELP: &str = "\
text          a message                    //text       begins with a /
/send PATH    offer a file                 /accept [N]  take an offered file
/decline [N]  refuse it, or stop it        /verify      the words to compare
/help         this                         /quit or EXIT";

/// A line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Nothing at all.
    Nothing,
    /// Something is wanted.
    Wish(Wish),
    /// The list of commands.
    Help,
    /// What is wrong with the line.
    Wrong(String),
}

/// Understands a line.
pub fn understand(line: &str) -> Input {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Input::Nothing;
    }
    if trimmed == "EXIT" {
        return Input::Wish(Wish::Leave);
    }
    let Some(command) = line.strip_prefix('/') else { return Input::Wish(Wish::Say(line.to_owned())) };
    if command.starts_with('/') {
        return Input::Wish(Wish::Say(command.to_owned()));
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let number = |then: fn(Option<u64>) -> Wish| match rest.trim() {
        "" => Input::Wish(then(None)),
        number => number.parse().map_or_else(
            |_| Input::Wrong(format!("/{word} takes the number of a file")),
            |number| Input::Wish(then(Some(number))),
        ),
    };
    match word.trim_end() {
        "quit" | "exit" => Input::Wish(Wish::Leave),
        "help" => Input::Help,
        "verify" => Input::Wish(Wish::Verify),
        "send" if rest.trim().is_empty() => Input::Wrong("say which file: /send PATH".to_owned()),
        "send" => Input::Wish(Wish::Send(rest.trim().into())),
        "accept" => number(Wish::Accept),
        "decline" => number(Wish::Decline),
        word => Input::Wrong(format!(
            "there is no /{word}, and nothing was sent; /help lists the commands, //{word} sends a line with a slash"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_are_messages_and_unknown_commands_are_not() {
        let say = |text: &str| Input::Wish(Wish::Say(text.to_owned()));
        assert_eq!(understand(" hello "), say(" hello "));
        assert_eq!(understand("//etc"), say("/etc"));
        assert_eq!(understand("exit"), say("exit"));
        assert_eq!(understand(" "), Input::Nothing);
        for line in ["/qiut", "/", "/send", "/send  ", "/accept x", "/decline 1 2", "/bin/sh"] {
            assert!(matches!(understand(line), Input::Wrong(_)), "{line}");
        }
    }

    #[test]
    fn commands_are_understood() {
        for line in ["EXIT", " EXIT ", "/quit", "/exit "] {
            assert_eq!(understand(line), Input::Wish(Wish::Leave), "{line}");
        }
        assert_eq!(understand("/send  my photo.jpg"), Input::Wish(Wish::Send("my photo.jpg".into())));
        assert_eq!(understand("/accept"), Input::Wish(Wish::Accept(None)));
        assert_eq!(understand("/decline 3"), Input::Wish(Wish::Decline(Some(3))));
        assert!(HELP.lines().all(|line| line.len() < 80));
    }
}

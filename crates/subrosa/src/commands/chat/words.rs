//! What a typed line means. A line that begins with a slash is a command or a mistake, never a message.

use subrosa_client::api::{Command, Target};
use subrosa_types::{GroupTitle, Username};

use crate::names::Person;

/// What `/help` shows.
pub const HELP: &str = "\
text                 a message to the chosen chat     //text  begins with a /
/to @name, /to #grp  choose the chat that you write to
/chats               your chats                       /reload  bring up to date
/invites             open invitations
/accept ID           accept one (or @name, #group)    /decline ID
/create NAME @a @b   make a group                     /rename NAME
/add @a              into the chosen group            /remove @a
/members             who is in it                     /leave #group
/roles               who may do what                  /role @a ROLE
/verify @name        the safety number                /verify @name confirm
/whoami              /devices                         /quit or EXIT";

/// A line, understood.
#[derive(Debug)]
pub enum Input {
    /// Nothing at all.
    Nothing,
    /// A message.
    Message(String),
    /// The person leaves.
    Leave,
    /// The list of commands.
    Help,
    /// Choose a chat.
    To(Target),
    /// Ask the engine.
    Ask(Command),
    /// What is wrong with the line.
    Wrong(String),
}

/// Whether the line is the last one.
pub fn leaves(line: &str) -> bool {
    matches!(understand(line, None), Input::Leave)
}

/// Understands a line; `chosen` is the chat that is written to.
pub fn understand(line: &str, chosen: Option<&Target>) -> Input {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Input::Nothing;
    }
    if trimmed == "EXIT" {
        return Input::Leave;
    }
    let Some(command) = line.strip_prefix('/') else { return Input::Message(line.to_owned()) };
    if command.starts_with('/') {
        return Input::Message(command.to_owned());
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    meaning(word.trim_end(), rest.trim(), chosen).unwrap_or_else(Input::Wrong)
}

fn meaning(word: &str, rest: &str, chosen: Option<&Target>) -> Result<Input, String> {
    let ask = |command| Ok(Input::Ask(command));
    match word {
        "quit" | "exit" => Ok(Input::Leave),
        "help" => Ok(Input::Help),
        "to" => rest.parse().map(Input::To),
        "chats" => ask(Command::Chats),
        "reload" => ask(Command::Reload),
        "invites" => ask(Command::Invites),
        "accept" => ask(Command::Accept { id: needed(rest, "/accept ID, @name or #group")? }),
        "decline" => ask(Command::Decline { id: needed(rest, "/decline ID, @name or #group")? }),
        "whoami" => ask(Command::WhoAmI),
        "devices" => ask(Command::Devices),
        "roles" => ask(Command::RoleList),
        "role" => {
            let (name, role) = rest.split_once(char::is_whitespace).ok_or("say /role @name ROLE")?;
            let role = role.trim().parse().map_err(|error: subrosa_types::role::UnknownRole| error.to_string())?;
            ask(Command::RoleSet { name: person(name)?, role })
        }
        "verify" => {
            let (name, confirm) = match rest.split_once(char::is_whitespace) {
                Some((name, "confirm" | "--confirm")) => (name, true),
                None if !rest.is_empty() => (rest, false),
                _ => return Err("say /verify @name, or /verify @name confirm".to_owned()),
            };
            ask(Command::Verify { name: person(name)?, confirm })
        }
        "create" => {
            let (title, members): (Vec<&str>, Vec<&str>) =
                rest.split_whitespace().partition(|word| !word.starts_with('@'));
            let title = group_title(&title.join(" "))?;
            ask(Command::GroupCreate { title, members: people(&members)? })
        }
        "members" => ask(Command::GroupMembers { group: group(rest, chosen)? }),
        "rename" => ask(Command::GroupRename { group: group("", chosen)?, title: group_title(rest)? }),
        "add" => ask(Command::GroupAdd { group: group("", chosen)?, members: named(rest)? }),
        "remove" => ask(Command::GroupRemove { group: group("", chosen)?, members: named(rest)? }),
        "leave" if rest.is_empty() => Err("say which: /leave #group".to_owned()),
        "leave" => ask(Command::GroupLeave { group: group(rest, None)? }),
        _ => Err(format!(
            "there is no /{word}, and nothing was sent; /help lists the commands, //{word} sends a line with a slash"
        )),
    }
}

fn needed(rest: &str, usage: &str) -> Result<String, String> {
    if rest.is_empty() { Err(format!("say {usage}")) } else { Ok(rest.to_owned()) }
}

fn person(name: &str) -> Result<Username, String> {
    name.parse().map(|Person(name)| name).map_err(|error| error.to_string())
}

fn people(names: &[&str]) -> Result<Vec<Username>, String> {
    names.iter().map(|name| person(name)).collect()
}

fn named(rest: &str) -> Result<Vec<Username>, String> {
    let names: Vec<&str> = rest.split_whitespace().collect();
    if names.is_empty() { Err("say whom: @name".to_owned()) } else { people(&names) }
}

fn group_title(text: &str) -> Result<GroupTitle, String> {
    text.parse().map_err(|error: subrosa_types::NameError| error.to_string())
}

/// The group that is named, or else the one that is chosen.
fn group(named: &str, chosen: Option<&Target>) -> Result<Target, String> {
    let target = if named.is_empty() { chosen.cloned() } else { Some(named.parse()?) };
    target
        .filter(|target| matches!(target, Target::Group(_)))
        .ok_or_else(|| "choose a group first: /to #group".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn garden() -> Target {
        "#garden".parse().unwrap()
    }

    #[test]
    fn the_help_fits_a_terminal_of_80_columns_and_names_what_is_understood() {
        assert!(HELP.lines().all(|line| line.len() < 80));
        for word in ["quit", "to", "chats", "accept", "create", "members", "verify", "whoami"] {
            assert!(HELP.contains(&format!("/{word}")), "{word}");
            assert!(!matches!(understand(&format!("/{word} @bob"), None), Input::Message(_)), "{word}");
        }
    }

    #[test]
    fn plain_lines_are_messages_and_two_slashes_send_one() {
        for (line, text) in
            [("hello", "hello"), (" EXITS ", " EXITS "), ("//etc/hosts", "/etc/hosts"), ("exit", "exit")]
        {
            assert!(matches!(understand(line, None), Input::Message(message) if message == text), "{line}");
        }
        assert!(matches!(understand("   ", None), Input::Nothing));
    }

    #[test]
    fn an_unknown_command_is_never_a_message() {
        for line in [
            "/qiut",
            "/",
            "/ hello",
            "/bin/sh",
            "/to nobody",
            "/members",
            "/role bob",
            "/add",
            "/leave",
            "/create @bob",
        ] {
            assert!(matches!(understand(line, None), Input::Wrong(_)), "{line}");
        }
    }

    #[test]
    fn the_words_for_leaving_leave() {
        for line in ["EXIT", " EXIT ", "/quit", "/exit"] {
            assert!(leaves(line), "{line}");
        }
    }

    #[test]
    fn commands_take_the_chosen_group_or_name_one() {
        let chosen = garden();
        let Input::Ask(Command::GroupAdd { group, members }) = understand("/add @bob carol", Some(&chosen)) else {
            panic!()
        };
        assert_eq!((group, members.len()), (chosen.clone(), 2));
        let Input::Ask(Command::GroupMembers { group }) = understand("/members #my own group", Some(&chosen)) else {
            panic!()
        };
        assert_eq!(group.to_string(), "#my own group");
        let Input::Ask(Command::GroupCreate { title, members }) = understand("/create my own group @bob @carol", None)
        else {
            panic!()
        };
        assert_eq!((title.as_str(), members.len()), ("my own group", 2));
        let alone: Target = "@bob".parse().unwrap();
        assert!(matches!(understand("/add @carol", Some(&alone)), Input::Wrong(_)));
    }
}

//! What an entered line means. One that begins with a slash is a command or a mistake, never a message; two slashes begin a
//! message with one.
//!
//! The words are those of `subrosa chat`, and more. [`WORDS`] is the one list: `/help` shows it and Tab completes from it.

use subrosa_client::api::{Command, DirectPolicy, Target};
use subrosa_types::role::UnknownRole;
use subrosa_types::{GroupTitle, NameError, Role, Username};

use crate::state::action::{Action, Showing};
use crate::state::dialog::FormKind;
use crate::state::entry::{Entry, Kind};
use crate::theme::Theme;

/// A command: its name, what stands behind it, and what it does.
pub const WORDS: [(&str, &str, &str); 41] = [
    ("to", "@name or #group", "go to a chat, or begin one"),
    ("chats", "", "find a chat by a few letters (Ctrl+K)"),
    ("search", "[words]", "find messages in this chat (Ctrl+R)"),
    ("retry", "", "send again what was not sent here"),
    ("reload", "", "bring everything up to date"),
    ("invites", "", "open invitations and first messages"),
    ("accept", "@name, #group or ID", "accept an invitation, a role, a changed key"),
    ("decline", "@name, #group or ID", "decline an invitation"),
    ("create", "[NAME @a @b]", "make a group"),
    ("add", "[@a @b]", "take people into this group"),
    ("remove", "[@a @b]", "take people out of this group"),
    ("rename", "[NAME]", "give this group another title"),
    ("members", "[#group]", "who is in this group"),
    ("leave", "[#group]", "leave this group or room"),
    ("roles", "", "everybody on the server and their roles"),
    ("role", "[@name ROLE]", "change a role; super-admin hands it over"),
    ("rolelog", "", "the log of role changes"),
    ("verify", "[@name] [confirm]", "the safety number, to compare"),
    ("compare", "@name URI", "compare with what their QR code says"),
    ("keys", "", "changed keys that wait for you"),
    ("export", "", "your public keys"),
    ("whoami", "", "who you are here"),
    ("devices", "", "your devices; end one that is lost"),
    ("revoke", "ID", "end a device"),
    ("link", "", "the server's link, for others"),
    ("invite-link", "[create [USES]|list|revoke CODE]", "invitations to sign up"),
    ("room", "[NAME] [SERVER]", "enter a room; no account is needed"),
    ("names", "", "who is in this room"),
    ("policy", "[contacts|never|always]", "when private chats use direct links"),
    ("status", "", "how the connection stands"),
    ("settings", "", "colours, notifications, and more"),
    ("set", "NAME [VALUE]", "change a setting"),
    ("theme", "terminal|dark|light|plain", "other colours"),
    ("notify", "all|mentions|none", "what you are told of outside"),
    ("list", "", "show or hide the list of chats (Alt+L)"),
    ("people", "", "show or hide the members (Alt+M)"),
    ("login", "", "log in with an account that you have"),
    ("signup", "", "make an account"),
    ("logout", "", "end this device"),
    ("help", "", "keys and commands (F1)"),
    ("quit", "", "leave; EXIT does the same"),
];

/// A line, understood.
#[derive(Debug)]
pub enum Input {
    /// Nothing at all.
    Nothing,
    /// A message.
    Message(String),
    /// Something to do.
    Do(Action),
    /// Something that is asked about first: a title, a text, the word for yes.
    Ask(&'static str, String, &'static str, Action),
    /// What is wrong with the line.
    Wrong(String),
}

/// Understands a line that was entered in this place.
pub fn understand(line: &str, open: Option<&Entry>) -> Input {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Input::Nothing;
    }
    if trimmed == "EXIT" {
        return Input::Do(Action::Quit);
    }
    let Some(command) = line.strip_prefix('/') else { return Input::Message(line.to_owned()) };
    if command.starts_with('/') {
        return Input::Message(command.to_owned());
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    meaning(word.trim_end(), rest.trim(), open).unwrap_or_else(Input::Wrong)
}

fn meaning(word: &str, rest: &str, open: Option<&Entry>) -> Result<Input, String> {
    let ask = |command| Ok(Input::Do(Action::Ask(Box::new(command))));
    let act = |action| Ok(Input::Do(action));
    let form = |kind| Ok(Input::Do(Action::Open(kind)));
    let show = |what| Ok(Input::Do(Action::Show(what)));
    match word {
        "quit" | "exit" => act(Action::Quit),
        "help" => act(Action::Help),
        "to" => act(Action::To(rest.parse()?)),
        "chats" => act(Action::Switch),
        "search" => act(Action::Search(open.map(|entry| entry.key), rest.to_owned())),
        "retry" => act(Action::Retry),
        "reload" => ask(Command::Reload),
        "invites" => show(Showing::Invites),
        "accept" => ask(Command::Accept { id: needed(rest, "/accept @name, #group or ID")? }),
        "decline" => ask(Command::Decline { id: needed(rest, "/decline @name, #group or ID")? }),
        "create" if rest.is_empty() => form(FormKind::NewGroup),
        "create" => {
            let (title, members): (Vec<&str>, Vec<&str>) =
                rest.split_whitespace().partition(|word| !word.starts_with('@'));
            ask(Command::GroupCreate { title: group_title(&title.join(" "))?, members: people(&members.join(" "))? })
        }
        "add" if rest.is_empty() => form(FormKind::Add(group_entry(open)?.key)),
        "add" => ask(Command::GroupAdd { group: group("", open)?, members: people(rest)? }),
        "remove" if rest.is_empty() => form(FormKind::Remove(group_entry(open)?.key)),
        "remove" => ask(Command::GroupRemove { group: group("", open)?, members: people(rest)? }),
        "rename" if rest.is_empty() => form(FormKind::Rename(group_entry(open)?.key)),
        "rename" => ask(Command::GroupRename { group: group("", open)?, title: group_title(rest)? }),
        "members" => match open {
            Some(entry) if entry.kind == Kind::Room && rest.is_empty() => act(Action::RoomNames),
            Some(entry) if entry.kind == Kind::Group && rest.is_empty() => show(Showing::Members(entry.key)),
            _ => ask(Command::GroupMembers { group: group(rest, open)? }),
        },
        "leave" => leave(rest, open),
        "roles" => show(Showing::Roles),
        "role" if rest.is_empty() => form(FormKind::Role),
        "role" => {
            let (name, role) = rest.split_once(char::is_whitespace).ok_or("say /role @name ROLE")?;
            let role: Role = role.trim().parse().map_err(|error: UnknownRole| error.to_string())?;
            ask(Command::RoleSet { name: person(name)?, role })
        }
        "rolelog" => show(Showing::RoleLog),
        "verify" => verify(rest, open),
        "compare" => match rest.split_once(char::is_whitespace) {
            Some((name, uri)) => ask(Command::Compare { name: person(name)?, uri: uri.trim().to_owned() }),
            None => form(FormKind::Compare(person(&needed(rest, "/compare @name URI")?)?.to_string())),
        },
        "keys" => show(Showing::ChangedKeys),
        "export" => ask(Command::ExportKeys { danger_private: false }),
        "whoami" => ask(Command::WhoAmI),
        "devices" => show(Showing::Devices),
        "revoke" => {
            let device = needed(rest, "/revoke ID; /devices lists them")?;
            let device = device.parse().map_err(|_| "this is no id of a device; /devices lists them".to_owned())?;
            ask(Command::RevokeDevice { device })
        }
        "link" => act(Action::ServerLink),
        "invite-link" => invite_link(rest),
        "room" if rest.is_empty() => form(FormKind::Room),
        "room" => {
            let (name, server) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let server = Some(server.trim().to_owned()).filter(|server| !server.is_empty());
            act(Action::EnterRoom(name.to_owned(), server))
        }
        "names" => act(Action::RoomNames),
        "policy" => ask(Command::Direct { policy: policy(rest)? }),
        "status" => ask(Command::Status),
        "settings" => show(Showing::Settings),
        "set" => {
            let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let name = needed(name, "/set NAME VALUE; without a value it is as at first")?;
            act(Action::Set(name, Some(value.trim().to_owned()).filter(|value| !value.is_empty())))
        }
        "theme" => one_of(rest, &Theme::NAMES).map(|value| Input::Do(Action::Set("tui.theme".into(), Some(value)))),
        "notify" => {
            one_of(rest, &["all", "mentions", "none"]).map(|value| Input::Do(Action::Set("notify".into(), Some(value))))
        }
        "list" => act(Action::ToggleChats),
        "people" => act(Action::ToggleMembers),
        "login" => form(FormKind::LogIn),
        "signup" => form(FormKind::SignUp),
        "logout" => Ok(log_out()),
        _ => Err(format!(
            "there is no /{word}, and nothing was sent; /help lists the commands, //{word} sends a line with a slash"
        )),
    }
}

/// Logging out, with a question before it.
pub fn log_out() -> Input {
    let text = "This device leaves your account and all chats; what is stored here is of no use afterwards. With other \
                devices, or with your password, your account goes on.";
    Input::Ask("Log out?", text.to_owned(), "log out", Action::Ask(Box::new(Command::LogOut)))
}

fn leave(rest: &str, open: Option<&Entry>) -> Result<Input, String> {
    if rest.is_empty()
        && let Some(entry) = open
        && !entry.is_chat()
    {
        return Ok(Input::Do(Action::LeaveSession(entry.key)));
    }
    let group = group(rest, open)?;
    let text = format!("You get no more messages of {group}, and need a new invitation to come back.");
    Ok(Input::Ask("Leave the group?", text, "leave", Action::Ask(Box::new(Command::GroupLeave { group }))))
}

fn verify(rest: &str, open: Option<&Entry>) -> Result<Input, String> {
    let (name, confirm) = match rest.split_once(char::is_whitespace) {
        Some((name, "confirm" | "--confirm")) => (name, true),
        Some(_) => return Err("say /verify @name, or /verify @name confirm".to_owned()),
        None => (rest, false),
    };
    let name = match (name, open) {
        ("", Some(entry)) if !entry.is_chat() => return Ok(Input::Do(Action::SessionVerify)),
        ("", Some(entry)) if entry.kind == Kind::Private => entry.title.as_str(),
        ("", _) => return Err("say with whom: /verify @name".to_owned()),
        (name, _) => name,
    };
    Ok(Input::Do(Action::Ask(Box::new(Command::Verify { name: person(name)?, confirm }))))
}

fn invite_link(rest: &str) -> Result<Input, String> {
    let mut words = rest.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None | Some("list"), None, None) => Ok(Input::Do(Action::Show(Showing::InviteLinks))),
        (Some("create"), None, None) => Ok(Input::Do(Action::Open(FormKind::InviteLink))),
        (Some("create"), Some(uses), None) => {
            let uses =
                uses.parse().map_err(|_| "say how many accounts may use it: /invite-link create 3".to_owned())?;
            Ok(Input::Do(Action::Ask(Box::new(Command::InviteLinkCreate { uses, expires_in: None }))))
        }
        (Some("revoke"), Some(code), None) => {
            Ok(Input::Do(Action::Ask(Box::new(Command::InviteLinkRevoke { code: code.to_owned() }))))
        }
        _ => Err("say /invite-link, /invite-link create [USES] or /invite-link revoke CODE".to_owned()),
    }
}

fn policy(rest: &str) -> Result<Option<DirectPolicy>, String> {
    match rest {
        "" => Ok(None),
        "contacts" => Ok(Some(DirectPolicy::Contacts)),
        "never" => Ok(Some(DirectPolicy::Never)),
        "always" => Ok(Some(DirectPolicy::Always)),
        _ => Err("say /policy contacts, never or always".to_owned()),
    }
}

fn one_of(word: &str, words: &[&str]) -> Result<String, String> {
    if words.contains(&word) { Ok(word.to_owned()) } else { Err(format!("say one of: {}", words.join(", "))) }
}

fn needed(rest: &str, usage: &str) -> Result<String, String> {
    if rest.is_empty() { Err(format!("say {usage}")) } else { Ok(rest.to_owned()) }
}

/// A person, with or without the `@`.
pub fn person(name: &str) -> Result<Username, String> {
    name.strip_prefix('@').unwrap_or(name).parse().map_err(|error: NameError| error.to_string())
}

/// Several people.
pub fn people(names: &str) -> Result<Vec<Username>, String> {
    names.split([' ', ',']).filter(|name| !name.is_empty()).map(person).collect()
}

/// A group's title, with or without the `#`.
pub fn group_title(text: &str) -> Result<GroupTitle, String> {
    let text = text.trim();
    text.strip_prefix('#').unwrap_or(text).parse().map_err(|error: NameError| error.to_string())
}

fn group_entry(open: Option<&Entry>) -> Result<&Entry, String> {
    open.filter(|entry| entry.kind == Kind::Group).ok_or_else(|| "go to a group first".to_owned())
}

/// The group that is named, or else the open one.
fn group(named: &str, open: Option<&Entry>) -> Result<Target, String> {
    let target = if named.is_empty() { open.and_then(Entry::target) } else { Some(named.parse()?) };
    target
        .filter(|target| matches!(target, Target::Group(_)))
        .ok_or_else(|| "go to a group first: /to #group".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::entry::Key;

    fn garden() -> Entry {
        Entry::new(Key(1), Kind::Group, "#garden")
    }

    #[test]
    fn every_word_of_the_list_is_understood_or_says_what_is_missing() {
        for (word, _, _) in WORDS {
            if let Input::Wrong(why) = understand(&format!("/{word}"), Some(&garden())) {
                assert!(!why.contains("there is no"), "{word}: {why}");
            }
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
        assert!(matches!(understand(" EXIT ", None), Input::Do(Action::Quit)));
    }

    #[test]
    fn an_unknown_command_is_never_a_message() {
        for line in
            ["/qiut", "/", "/ hello", "/bin/sh", "/to nobody", "/role bob", "/create @bob", "/theme pink", "/policy x"]
        {
            assert!(matches!(understand(line, None), Input::Wrong(_)), "{line}");
        }
    }

    #[test]
    fn commands_take_the_open_group_or_name_one() {
        let garden = garden();
        let Input::Do(Action::Ask(command)) = understand("/add @bob carol", Some(&garden)) else { panic!() };
        assert!(matches!(*command, Command::GroupAdd { members, .. } if members.len() == 2));
        let Input::Do(Action::Ask(command)) = understand("/create my own group @bob @carol", None) else { panic!() };
        assert!(matches!(*command, Command::GroupCreate { title, .. } if title.as_str() == "my own group"));
        let bob = Entry::new(Key(2), Kind::Private, "@bob");
        assert!(matches!(understand("/add @carol", Some(&bob)), Input::Wrong(_)));
        assert!(matches!(understand("/verify", Some(&bob)), Input::Do(Action::Ask(_))));
        assert!(matches!(understand("/leave", Some(&garden)), Input::Ask(..)));
    }
}

//! One device of a person: a profile folder, and the commands on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Outcome, Process, SUBROSA, headless};

/// Everybody's password, unless a story is about passwords.
pub const PASSWORD: &str = "nine slow ferries past the lighthouse";

/// A profile.
#[derive(Clone)]
pub struct Profile {
    name: String,
    home: PathBuf,
    link: String,
}

impl Profile {
    pub(super) fn new(name: &str, home: PathBuf, link: &str) -> Self {
        Self { name: name.to_owned(), home, link: link.to_owned() }
    }

    /// The account's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The profile's folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The same, going to its server by another link.
    pub fn through(mut self, link: &str) -> Self {
        self.link = link.to_owned();
        self
    }

    /// The same account name in another folder.
    pub fn at(mut self, home: &Path) -> Self {
        self.home = home.to_owned();
        self
    }

    /// A command on this profile.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = headless(SUBROSA);
        command.arg("--home").arg(&self.home).args(arguments);
        command
    }

    /// Starts a command that goes on.
    pub fn start(&self, arguments: &[&str]) -> Process {
        Process::start(self.command(arguments))
    }

    /// Runs a command, with nothing on its standard input.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let mut process = self.start(arguments);
        process.end_input();
        process.finish()
    }

    /// Runs a command with this on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Outcome {
        let mut process = self.start(arguments);
        process.say_all(input);
        process.finish()
    }

    /// Runs a command with `--json`; it must succeed. What it printed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        self.run(&[arguments, &["--json"]].concat()).succeeded().objects()
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> Outcome {
        self.run(arguments).succeeded()
    }

    /// Runs a command that must be refused with this exit code. What it said.
    #[track_caller]
    pub fn refused(&self, code: i32, arguments: &[&str]) -> String {
        self.run(arguments).refused(code)
    }

    /// Enters a room, with further arguments, and waits until it is inside.
    #[track_caller]
    pub fn room(&self, arguments: &[&str]) -> Process {
        let mut process = self.start(&[&["room", "-s", &self.link], arguments].concat());
        process.expect_error("you are ");
        process
    }

    /// Tries to sign up, with further arguments.
    pub fn try_sign_up(&self, more: &[&str]) -> Outcome {
        self.try_enter("signup", PASSWORD, more)
    }

    /// Tries to log in, with further arguments.
    pub fn try_log_in(&self, password: &str, more: &[&str]) -> Outcome {
        self.try_enter("login", password, more)
    }

    fn try_enter(&self, how: &str, password: &str, more: &[&str]) -> Outcome {
        let arguments = [how, "-s", &self.link, "-u", &self.name, "--password-stdin", "--json"];
        self.run_with(&[&arguments, more].concat(), format!("{password}\n"))
    }

    /// Signs up.
    #[track_caller]
    pub fn sign_up(self) -> Self {
        self.try_sign_up(&[]).succeeded();
        self
    }

    /// Logs in.
    #[track_caller]
    pub fn log_in(self) -> Self {
        self.try_log_in(PASSWORD, &[]).succeeded();
        self
    }

    /// Sends a text; the server must have it.
    #[track_caller]
    pub fn send(&self, to: &str, text: &str) {
        let sent = self.json(&["send", to, text]);
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!(sent[0]["state"], "accepted", "{sent:?}");
    }

    /// `from: text` of every message of a chat.
    #[track_caller]
    pub fn history(&self, chat: &str) -> Vec<String> {
        self.json(&["read", chat, "--all"]).iter().map(said).collect()
    }

    /// `from: text` of what is not read yet, which it then is.
    #[track_caller]
    pub fn unread(&self) -> Vec<String> {
        self.json(&["read"]).iter().map(said).collect()
    }

    /// Waits until the chat has this message as its last one: everything before it has come, too.
    #[track_caller]
    pub fn wait_for(&self, chat: &str, last: &str) -> Vec<String> {
        let mut watching = self.start(&["read", chat, "--follow", "--all", "--json"]);
        watching.expect(last, |line| serde_json::from_str(line).is_ok_and(|message| said(&message) == last));
        drop(watching);
        self.history(chat)
    }

    /// The names of a group's members, sorted.
    #[track_caller]
    pub fn members(&self, group: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.json(&["group", "members", group]).iter().map(|row| word(row, "name")).collect();
        names.sort();
        names
    }

    /// The role of an account, as this profile is told.
    #[track_caller]
    pub fn role_of(&self, name: &str) -> String {
        let rows = self.json(&["role", "list"]);
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} is not in {rows:?}"));
        word(row, "role")
    }

    /// The ids of the account's devices, and whether each is this one.
    #[track_caller]
    pub fn devices(&self) -> Vec<(String, bool)> {
        let device = |row: &Value| (word(row, "id"), row["this"] == true);
        self.json(&["devices"]).iter().map(device).collect()
    }
}

/// `from: text`.
pub fn said(message: &Value) -> String {
    format!("{}: {}", word(message, "from"), word(message, "text"))
}

fn word(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_else(|| panic!("no {field} in {object}")).to_owned()
}

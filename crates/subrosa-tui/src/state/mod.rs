//! Everything that the screen shows, as plain data. Nothing here reads a clock, a socket or a file.

pub mod action;
pub mod dialog;
pub mod effect;
pub mod entry;
pub mod timeline;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use subrosa_client::api::{ChatRow, RoleRow, WhoAmI};
use subrosa_types::{ConversationId, IdempotencyKey, Timestamp};

use crate::theme::Theme;
use dialog::Dialog;
use entry::{Entry, Key, Kind};

/// How the account and its server stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The profile is being opened.
    Opening,
    /// There is no account here.
    NoAccount,
    /// The server is being reached.
    Connecting,
    /// All is well.
    Online,
    /// The server is not reached.
    Offline(String),
    /// This device was ended.
    LoggedOut(String),
}

/// Something said in the status line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What.
    pub text: String,
    /// Whether something went wrong.
    pub wrong: bool,
    /// When.
    pub at: Timestamp,
}

/// See the module.
#[derive(Debug)]
pub struct State {
    /// Columns and rows of the screen.
    pub size: (u16, u16),
    /// The time of the last input.
    pub now: Timestamp,
    /// The reader's zone.
    pub zone: TimeZone,
    /// Whether the window has the keyboard.
    pub focused: bool,
    /// The colours.
    pub theme: Theme,
    /// Whether colours are wanted at all.
    pub coloured: bool,
    /// How things stand.
    pub standing: Standing,
    /// Who we are.
    pub me: Option<WhoAmI>,
    /// Whether this program can start a server of its own.
    pub can_host: bool,
    /// The link of the server on this machine, if it runs in this program.
    pub hosting: Option<String>,
    /// The list on the left.
    pub entries: Vec<Entry>,
    /// Which one is open.
    pub current: Option<Key>,
    /// Which one was open before.
    pub previous: Option<Key>,
    /// What lies above.
    pub dialogs: Vec<Dialog>,
    /// The status line.
    pub said: Option<Said>,
    /// The settings, as all faces share them.
    pub settings: BTreeMap<String, String>,
    /// Everybody on the server.
    pub people: Vec<RoleRow>,
    /// Open invitations.
    pub invites: usize,
    /// Whether the chat list is wanted; `None`: where there is room.
    pub show_chats: Option<bool>,
    /// Whether the members are wanted; `None`: where there is room.
    pub show_members: Option<bool>,
    /// A chat that is opened as soon as it is in the list.
    pub wanted: Option<String>,
    /// What Tab goes through, and where it begins in the composer.
    pub completion: Option<Completion>,
    /// Whether the next Ctrl+C ends the program.
    pub leaving: bool,
    pub(crate) fresh: Option<IdempotencyKey>,
    next_key: u32,
}

/// What Tab goes through.
#[derive(Debug)]
pub struct Completion {
    /// Where it begins.
    pub from: usize,
    /// What fits.
    pub choices: Vec<String>,
    /// Which one stands there.
    pub at: usize,
}

impl State {
    /// Before anything is known.
    pub fn new(size: (u16, u16), now: Timestamp, zone: TimeZone, coloured: bool, can_host: bool) -> Self {
        Self {
            size,
            now,
            zone,
            focused: true,
            theme: if coloured { Theme::Terminal } else { Theme::Plain },
            coloured,
            standing: Standing::Opening,
            me: None,
            can_host,
            hosting: None,
            entries: Vec::new(),
            current: None,
            previous: None,
            dialogs: Vec::new(),
            said: None,
            settings: BTreeMap::new(),
            people: Vec::new(),
            invites: 0,
            show_chats: None,
            show_members: None,
            wanted: None,
            completion: None,
            leaving: false,
            fresh: None,
            next_key: 1,
        }
    }

    /// An entry.
    pub fn entry(&self, key: Key) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// An entry.
    pub fn entry_mut(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    /// The open one.
    pub fn open(&self) -> Option<&Entry> {
        self.current.and_then(|key| self.entry(key))
    }

    /// The open one.
    pub fn open_mut(&mut self) -> Option<&mut Entry> {
        self.current.and_then(|key| self.entry_mut(key))
    }

    /// Where a conversation stands in the list.
    pub fn find(&self, conversation: ConversationId, title: &str) -> Option<Key> {
        let known = self.entries.iter().find(|entry| entry.conversation == Some(conversation));
        known.or_else(|| self.find_unbegun(title)).map(|entry| entry.key)
    }

    fn find_unbegun(&self, title: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is_chat() && entry.conversation.is_none() && entry.title == title)
    }

    /// Where a chat of this name stands in the list.
    pub fn find_title(&self, title: &str) -> Option<Key> {
        self.entries.iter().find(|entry| entry.is_chat() && entry.title == title).map(|entry| entry.key)
    }

    /// A further line in the list.
    pub fn add(&mut self, kind: Kind, title: &str) -> Key {
        let key = Key(self.next_key);
        self.next_key += 1;
        self.entries.push(Entry::new(key, kind, title));
        key
    }

    /// The list as the engine has it. What is in it keeps its place, so that numbers go on meaning the same; at first the
    /// chat with the latest message is on top.
    pub fn take_chats(&mut self, mut rows: Vec<ChatRow>) {
        if !self.entries.iter().any(Entry::is_chat) {
            rows.sort_by_key(|row| std::cmp::Reverse(row.last));
        }
        let there = |entry: &Entry| {
            !entry.is_chat()
                || entry.conversation.is_none()
                || rows.iter().any(|row| Some(row.conversation) == entry.conversation)
        };
        self.entries.retain(there);
        for row in rows {
            let kind = if row.chat.starts_with('#') { Kind::Group } else { Kind::Private };
            let key = self.find(row.conversation, &row.chat).unwrap_or_else(|| self.add(kind, &row.chat));
            if let Some(entry) = self.entry_mut(key) {
                entry.refresh(row);
            }
        }
        if self.current.is_some_and(|key| self.entry(key).is_none()) {
            self.current = None;
        }
    }

    /// Says something in the status line.
    pub fn say(&mut self, text: impl Into<String>) {
        self.said = Some(Said { text: text.into(), wrong: false, at: self.now });
    }

    /// Says that something went wrong.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.said = Some(Said { text: text.into(), wrong: true, at: self.now });
    }

    /// A setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Our name, if it is known.
    pub fn my_name(&self) -> Option<&str> {
        self.me.as_ref().map(|me| me.name.as_str())
    }

    /// What a table of everybody's roles says of somebody.
    pub fn people_names(&self) -> impl Iterator<Item = &str> {
        self.people.iter().map(|row| row.name.as_str())
    }

    /// Unread messages in all chats.
    pub fn all_unread(&self) -> u32 {
        self.entries.iter().map(|entry| entry.unread).sum()
    }
}

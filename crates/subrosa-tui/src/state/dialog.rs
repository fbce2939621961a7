//! What can lie above the chat: forms, tables, pages, questions, the switcher and the search.

use subrosa_client::api::{
    ChangedKeyRow, DeviceRow, InviteLinkRow, InviteRow, MemberRow, MessageRow, RoleLogRow, RoleRow,
};

use super::action::Action;
use super::entry::Key;
use crate::text::editor::Editor;

/// One of them; they lie on each other, and the last one has the keys.
#[derive(Debug)]
pub enum Dialog {
    /// Fields to fill in.
    Form(Form),
    /// Rows with things to do.
    Table(Table),
    /// Something to read.
    Page(Page),
    /// Yes or no.
    Question(Question),
    /// Go somewhere, or do something, by a few letters of its name.
    Switcher(Switcher),
    /// Messages with words in them.
    Search(Search),
}

/// What a form is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormKind {
    /// An account at somebody's server.
    SignUp,
    /// An account at a server on this machine, which is started.
    OwnServer,
    /// A further device of an account.
    LogIn,
    /// Write to somebody.
    NewChat,
    /// A group.
    NewGroup,
    /// Into a group.
    Add(Key),
    /// Out of a group.
    Remove(Key),
    /// Another title.
    Rename(Key),
    /// Somebody's role.
    Role,
    /// An invitation to sign up.
    InviteLink,
    /// A room.
    Room,
    /// What the other side's QR code says.
    Compare(String),
}

/// A field of a form.
#[derive(Debug)]
pub struct Field {
    /// What is asked.
    pub label: &'static str,
    /// What stands there while it is empty.
    pub hint: &'static str,
    /// The answer.
    pub value: Value,
}

/// How a field is answered.
#[derive(Debug)]
pub enum Value {
    /// Typed.
    Text(Editor),
    /// Typed and not shown.
    Secret(Editor),
    /// One of these words.
    Choice(&'static [&'static str], usize),
}

impl Value {
    /// The answer as text.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(editor) | Self::Secret(editor) => editor.text(),
            Self::Choice(words, at) => words.get(*at).copied().unwrap_or_default(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Form {
    /// What it is for.
    pub kind: FormKind,
    /// Its title.
    pub title: String,
    /// What a person should know.
    pub text: &'static str,
    /// The fields.
    pub fields: Vec<Field>,
    /// Which one has the keys.
    pub focus: usize,
    /// What was wrong with the last try.
    pub error: Option<String>,
    /// Whether an answer is awaited.
    pub busy: bool,
}

/// What a table shows.
#[derive(Debug)]
pub enum Rows {
    /// Invitations and requests.
    Invites(Vec<InviteRow>),
    /// The account's devices.
    Devices(Vec<DeviceRow>),
    /// Everybody on the server.
    Roles(Vec<RoleRow>),
    /// Changes of roles.
    RoleLog(Vec<RoleLogRow>),
    /// Invitations to sign up.
    InviteLinks(Vec<InviteLinkRow>),
    /// Keys that changed.
    ChangedKeys(Vec<ChangedKeyRow>),
    /// Members of a group.
    Members(Key, Vec<MemberRow>),
    /// Settings: what, its value, and what it means.
    Settings(Vec<[String; 3]>),
    /// How to begin.
    Welcome(Vec<(Action, &'static str, &'static str)>),
}

/// See the module.
#[derive(Debug)]
pub struct Table {
    /// What it shows.
    pub rows: Rows,
    /// Which row has the keys.
    pub selected: usize,
    /// Whether an answer is awaited.
    pub loading: bool,
    /// What was wrong.
    pub error: Option<String>,
}

/// A line of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageLine {
    /// Text.
    Text(String),
    /// Emphasised text.
    Strong(String),
    /// Text that is a part of a QR code: shown as it is, black on white.
    Code(String),
}

/// Something to read.
#[derive(Debug)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// Its lines.
    pub lines: Vec<PageLine>,
    /// How far it is scrolled.
    pub scroll: usize,
    /// What can be done here: a key, a word for it, and what it does.
    pub keys: Vec<(char, &'static str, Action)>,
}

/// Yes or no.
#[derive(Debug)]
pub struct Question {
    /// Its title.
    pub title: String,
    /// What is asked.
    pub text: String,
    /// What happens then.
    pub yes: Action,
    /// The word for it.
    pub word: &'static str,
    /// A third way, with its key.
    pub other: Option<(char, &'static str, Action)>,
}

/// A line of the switcher.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub what: String,
    /// What it does.
    pub action: Action,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Switcher {
    /// What was typed.
    pub typed: Editor,
    /// Everything there is.
    pub all: Vec<Choice>,
    /// What fits, best first.
    pub fitting: Vec<usize>,
    /// Which of them has the keys.
    pub selected: usize,
}

/// A search in a chat, or in all.
#[derive(Debug, Default)]
pub struct Search {
    /// In which chat; `None`: in all.
    pub chat: Option<Key>,
    /// What was typed.
    pub typed: Editor,
    /// What was searched for, if there was an answer.
    pub searched: Option<String>,
    /// What was found, newest first.
    pub rows: Vec<MessageRow>,
    /// Whether there are more.
    pub more: bool,
    /// Which of them has the keys.
    pub selected: usize,
    /// Whether an answer is awaited.
    pub loading: bool,
    /// What was wrong.
    pub error: Option<String>,
}

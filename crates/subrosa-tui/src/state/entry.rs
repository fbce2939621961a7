//! A line of the list on the left: a chat, a room, or a direct link, with everything that belongs to it.

use subrosa_client::api::{ChatKind, ChatRow, MemberRow, Target};
use subrosa_types::{ConversationId, Timestamp};

use super::timeline::Timeline;
use crate::text::editor::Editor;

/// Names an entry as long as the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u32);

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A private chat.
    Private,
    /// A group.
    Group,
    /// A room that was entered.
    Room,
    /// A direct link without accounts.
    Direct,
}

/// What a room or direct link adds.
#[derive(Debug, Default)]
pub struct Session {
    /// Our name in it.
    pub me: String,
    /// Whether we are inside.
    pub inside: bool,
    /// It is over.
    pub over: bool,
    /// What was said so far; says have numbers from 1.
    pub said: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Entry {
    /// Its name in this run.
    pub key: Key,
    /// What it is.
    pub kind: Kind,
    /// `@bob`, `#garden`, or the name of a room.
    pub title: String,
    /// Which conversation, if it was begun.
    pub conversation: Option<ConversationId>,
    /// Messages not read yet.
    pub unread: u32,
    /// Those of them that name us.
    pub mentions: u32,
    /// When the last message came.
    pub last: Option<Timestamp>,
    /// Why nothing can be sent.
    pub blocked: Option<String>,
    /// Whether a direct link to the other side is up.
    pub directly: bool,
    /// What is being typed.
    pub composer: Editor,
    /// The draft as the store has it.
    pub saved_draft: String,
    /// Its messages.
    pub timeline: Timeline,
    /// Who is in it.
    pub members: Vec<MemberRow>,
    /// Of rooms and direct links.
    pub session: Session,
}

impl Entry {
    /// An empty one.
    pub fn new(key: Key, kind: Kind, title: &str) -> Self {
        Self {
            key,
            kind,
            title: title.to_owned(),
            conversation: None,
            unread: 0,
            mentions: 0,
            last: None,
            blocked: None,
            directly: false,
            composer: Editor::default(),
            saved_draft: String::new(),
            timeline: Timeline::default(),
            members: Vec::new(),
            session: Session::default(),
        }
    }

    /// Whom or what commands are about; `None` for rooms and direct links. A group goes by its id: two may have one title.
    pub fn target(&self) -> Option<Target> {
        match (self.kind, self.conversation) {
            (Kind::Group, Some(conversation)) => Some(Target::Group(conversation.to_string())),
            _ if self.is_chat() => self.title.parse().ok(),
            _ => None,
        }
    }

    /// Whether the engine knows it.
    pub const fn is_chat(&self) -> bool {
        matches!(self.kind, Kind::Private | Kind::Group)
    }

    /// As the engine has it now.
    pub fn refresh(&mut self, row: ChatRow) {
        self.kind = match row.kind {
            ChatKind::Group => Kind::Group,
            ChatKind::Private | ChatKind::Room => Kind::Private,
        };
        self.title = row.chat;
        self.conversation = Some(row.conversation);
        (self.unread, self.mentions, self.last, self.blocked) = (row.unread, row.mentions, row.last, row.blocked);
        // A draft from another face, unless something else is being typed here.
        if self.composer.text() == self.saved_draft && row.draft != self.saved_draft {
            self.composer.set(&row.draft);
        }
        self.saved_draft = row.draft;
    }
}

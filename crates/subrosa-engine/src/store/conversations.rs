//! Conversations: what this device is in, how far it followed each log, and what stands in the way of sending.

use rusqlite::{Connection, OptionalExtension, Row, params};
use subrosa_types::{AccountId, ConversationId, Sequence};

use super::{Result, StoreError, id};
use crate::api::ChatKind;

/// Where a conversation stands for this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationState {
    /// The group exists here; the server has not accepted it yet.
    Founding,
    /// An invitation to a group that is neither accepted nor declined.
    Invited,
    /// A first message from somebody new.
    Request,
    /// Accepted.
    Active,
    /// This device is entering by an external commit that the server has not accepted yet.
    Entering,
    /// This account left, declined, or was removed. History stays readable.
    Gone,
}

impl ConversationState {
    const fn code(self) -> u8 {
        match self {
            Self::Founding => 1,
            Self::Invited => 2,
            Self::Request => 3,
            Self::Active => 4,
            Self::Entering => 5,
            Self::Gone => 6,
        }
    }

    fn from_code(code: u8) -> Result<Self> {
        Ok(match code {
            1 => Self::Founding,
            2 => Self::Invited,
            3 => Self::Request,
            4 => Self::Active,
            5 => Self::Entering,
            6 => Self::Gone,
            _ => return Err(StoreError::Damaged("conversation state")),
        })
    }

    /// Whether log entries of the conversation are taken in.
    pub const fn follows(self) -> bool {
        matches!(self, Self::Invited | Self::Request | Self::Active)
    }
}

/// A conversation as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id, also the MLS group id.
    pub id: ConversationId,
    /// Private chat or group.
    pub kind: ChatKind,
    /// Where it stands.
    pub state: ConversationState,
    /// Every log entry up to here is taken in.
    pub cursor: Sequence,
    /// The other account of a private chat.
    pub peer: Option<AccountId>,
    /// Who added this account.
    pub inviter: Option<AccountId>,
    /// Encoded signed title record.
    pub title: Option<Vec<u8>>,
    /// Its version.
    pub title_version: u64,
    /// Somebody joined since the title was last said in the conversation.
    pub announce_title: bool,
    /// Role log position that the last commit claimed.
    pub role_position: u64,
    /// Why nothing can be sent.
    pub blocked: Option<String>,
}

impl Conversation {
    /// A conversation with nothing in it yet.
    pub const fn new(id: ConversationId, kind: ChatKind, state: ConversationState) -> Self {
        Self {
            id,
            kind,
            state,
            cursor: Sequence(0),
            peer: None,
            inviter: None,
            title: None,
            title_version: 0,
            announce_title: false,
            role_position: 0,
            blocked: None,
        }
    }
}

const COLUMNS: &str =
    "id, kind, state, cursor, peer, inviter, title, title_version, announce_title, role_position, blocked";

struct Raw {
    id: Vec<u8>,
    kind: u8,
    state: u8,
    peer: Option<Vec<u8>>,
    inviter: Option<Vec<u8>>,
    rest: Conversation,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let mut rest = Conversation::new(ConversationId::from_bytes([0; 16]), ChatKind::Group, ConversationState::Gone);
    rest.cursor = Sequence(row.get(3)?);
    rest.title = row.get(6)?;
    rest.title_version = row.get(7)?;
    rest.announce_title = row.get(8)?;
    rest.role_position = row.get(9)?;
    rest.blocked = row.get(10)?;
    Ok(Raw { id: row.get(0)?, kind: row.get(1)?, state: row.get(2)?, peer: row.get(4)?, inviter: row.get(5)?, rest })
}

fn conversation(raw: Raw) -> Result<Conversation> {
    let account = |bytes: Option<Vec<u8>>| bytes.map(|b| id(&b, "account", AccountId::from_bytes)).transpose();
    Ok(Conversation {
        id: id(&raw.id, "conversation", ConversationId::from_bytes)?,
        kind: match raw.kind {
            1 => ChatKind::Private,
            2 => ChatKind::Group,
            _ => return Err(StoreError::Damaged("conversation kind")),
        },
        state: ConversationState::from_code(raw.state)?,
        peer: account(raw.peer)?,
        inviter: account(raw.inviter)?,
        ..raw.rest
    })
}

/// One conversation.
pub fn load(connection: &Connection, conversation_id: ConversationId) -> Result<Option<Conversation>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM conversations WHERE id = ?1"))?
        .query_row([conversation_id.as_bytes()], raw)
        .optional()?
        .map(conversation)
        .transpose()
}

/// The private chat with an account that is not gone.
pub fn private_with(connection: &Connection, peer: AccountId) -> Result<Option<Conversation>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM conversations WHERE kind = 1 AND peer = ?1 AND state <> 6"))?
        .query_row([peer.as_bytes()], raw)
        .optional()?
        .map(conversation)
        .transpose()
}

/// All conversations, in a stable order.
pub fn all(connection: &Connection) -> Result<Vec<Conversation>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM conversations ORDER BY id"))?;
    let rows = statement.query_map([], raw)?;
    rows.map(|row| conversation(row?)).collect()
}

/// Writes a conversation.
pub fn save(connection: &Connection, c: &Conversation) -> Result<()> {
    let kind = match c.kind {
        ChatKind::Private => 1,
        ChatKind::Group | ChatKind::Room => 2,
    };
    connection
        .prepare_cached(
            "INSERT INTO conversations
             (id, kind, state, cursor, peer, inviter, title, title_version, announce_title, role_position, blocked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (id) DO UPDATE SET kind = ?2, state = ?3, cursor = ?4, peer = ?5, inviter = ?6, title = ?7,
             title_version = ?8, announce_title = ?9, role_position = ?10, blocked = ?11",
        )?
        .execute(params![
            c.id.as_bytes(),
            kind,
            c.state.code(),
            c.cursor.0,
            c.peer.as_ref().map(AccountId::as_bytes),
            c.inviter.as_ref().map(AccountId::as_bytes),
            c.title,
            c.title_version,
            c.announce_title,
            c.role_position,
            c.blocked,
        ])?;
    Ok(())
}

/// Forgets a conversation that came to nothing, with what was never sent in it.
pub fn forget(connection: &Connection, conversation_id: ConversationId) -> Result<()> {
    connection.execute("DELETE FROM messages WHERE conversation = ?1", [conversation_id.as_bytes()])?;
    connection.execute("DELETE FROM conversations WHERE id = ?1", [conversation_id.as_bytes()])?;
    Ok(())
}

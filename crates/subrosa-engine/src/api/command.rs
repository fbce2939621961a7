//! What a person or a program can ask of the engine.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::direct::DirectPolicy;
use subrosa_types::{DeviceId, GroupTitle, IdempotencyKey, MessageId, Role, Username};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A password on its way into the engine, or a private key on its way out of it. Never shown by `Debug`; wiped when
/// dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Zeroize, ZeroizeOnDrop)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whom or what a command is about: `@name` or `#group`, and so it serialises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// The private chat with this person.
    Person(Username),
    /// The group of this title; `#title~xxxx` (the start of its id) tells two of the same title apart.
    Group(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => write!(f, "@{name}"),
            Self::Group(title) => write!(f, "#{title}"),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix('@') {
            name.parse().map(Self::Person).map_err(|error: subrosa_types::NameError| error.to_string())
        } else if let Some(title) = text.strip_prefix('#').filter(|title| !title.is_empty()) {
            Ok(Self::Group(title.to_owned()))
        } else {
            Err("say @name for a person or #title for a group (quote it: '#title')".to_owned())
        }
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

/// Which part of a chat is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The end.
    Latest,
    /// A few messages that were read, then the first ones that were not; the end, if there are none.
    Unread,
    /// What stands before this message.
    Before(MessageId),
    /// What stands behind this message.
    After(MessageId),
    /// This message in the middle.
    Around(MessageId),
}

/// How long `send` waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Until the server has it on disk.
    #[default]
    Accepted,
    /// Until a device of every other member said that it has it (private chats only).
    Delivered,
}

/// Most messages or events in one answer to [`Command::History`], [`Command::Search`] and [`Command::EventsSince`].
pub const HISTORY: u32 = 500;
/// Longest name of a setting, in bytes.
pub const SETTING_NAME: usize = 64;
/// Longest value of a setting, in bytes.
pub const SETTING_VALUE: usize = 4096;
/// Most settings.
pub const SETTINGS: usize = 64;

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}

/// A request to the engine.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", content = "params", rename_all = "snake_case")]
pub enum Command {
    /// Make an account on a server, with this profile as its first device.
    SignUp {
        /// The server's link.
        server: String,
        /// Wanted name.
        username: String,
        /// The password; it never leaves the engine.
        password: Secret,
        /// Optional, never shown to other users.
        email: Option<String>,
        /// Sign-up invitation.
        invite: Option<String>,
        /// The code that a server on a public address prints for its first account.
        setup: Option<String>,
        /// Whether the sealed account key is left at the server for further devices.
        #[serde(default = "yes")]
        vault: bool,
        /// Name of this device.
        #[serde(default)]
        device: String,
    },
    /// Enrol this profile as a further device; on an enrolled profile, check the password and connect.
    LogIn {
        /// The server's link; may be left out on an enrolled profile.
        server: Option<String>,
        /// The account's name.
        username: String,
        /// The password.
        password: Secret,
        /// Name of this device.
        #[serde(default)]
        device: String,
        /// Start over with a new account key when the old one is lost (ends all other devices).
        #[serde(default)]
        danger_reset_key: bool,
    },
    /// End this device: it leaves the account's device list and every conversation.
    LogOut,
    /// Who this profile is.
    WhoAmI,
    /// The account's devices.
    Devices,
    /// End another device of this account.
    RevokeDevice {
        /// Which.
        device: DeviceId,
    },
    /// Send a text.
    Send {
        /// To whom.
        to: Target,
        /// What, at most [`subrosa_types::limits::TEXT`] bytes.
        text: String,
        /// Makes a repeat harmless.
        id: Option<IdempotencyKey>,
        /// When the reply comes.
        #[serde(default)]
        wait: Wait,
    },
    /// Messages of one chat or all, oldest first. Marks nothing as read: what was not shown must come again.
    Read {
        /// One chat, or all.
        chat: Option<Target>,
        /// Not only unread ones.
        #[serde(default)]
        all: bool,
        /// At most so many, the latest ones.
        limit: Option<u32>,
        /// Only those after this one.
        since: Option<MessageId>,
    },
    /// A part of one chat, oldest first, read or not. Answered from the store, at once; the cost does not depend on how long
    /// the chat is.
    History {
        /// The chat.
        chat: Target,
        /// Which part.
        place: Place,
        /// At most so many messages; at most [`HISTORY`].
        limit: u32,
    },
    /// Messages with all of these words in them (or the beginning of longer ones), newest first; large and small letters are
    /// the same. Answered from the store, at once.
    Search {
        /// The words.
        text: String,
        /// In one chat, or in all.
        chat: Option<Target>,
        /// Only those before this message: the last one that was found, to go on.
        before: Option<MessageId>,
        /// At most so many messages; at most [`HISTORY`].
        limit: u32,
    },
    /// Everything that a face shows first: who, how it stands, chats, invitations, changed keys. Answered from the store, at
    /// once, whether the server is reached or not.
    Overview,
    /// Keep what is being written in a chat; empty: nothing is. Only on this device.
    SetDraft {
        /// The chat; it has to be there.
        chat: Target,
        /// At most [`subrosa_types::limits::TEXT`] bytes.
        text: String,
    },
    /// What faces keep on this device, as language and colours.
    Settings,
    /// Keep, or forget, a setting on this device.
    SetSetting {
        /// Its name: 1 to [`SETTING_NAME`] bytes.
        name: String,
        /// At most [`SETTING_VALUE`] bytes; `None` forgets it.
        value: Option<String>,
    },
    /// What happened behind a cursor, oldest first.
    EventsSince {
        /// The cursor of the last event that is known.
        cursor: u64,
        /// At most so many events; at most [`HISTORY`].
        limit: u32,
    },
    /// Mark messages as read that an interactor has shown.
    MarkRead {
        /// The messages shown.
        messages: Vec<MessageId>,
    },
    /// Contacts whose changed key is not accepted yet, as this device knows them; answered at once.
    ChangedKeys,
    /// Bring everything up to date with the server.
    Reload,
    /// The chats.
    Chats,
    /// Make a group.
    GroupCreate {
        /// Its title.
        title: GroupTitle,
        /// The first members, besides the creator.
        members: Vec<Username>,
    },
    /// Add people to a group.
    GroupAdd {
        /// Which group.
        group: Target,
        /// Whom.
        members: Vec<Username>,
    },
    /// Remove people from a group.
    GroupRemove {
        /// Which group.
        group: Target,
        /// Whom.
        members: Vec<Username>,
    },
    /// The members of a group.
    GroupMembers {
        /// Which group.
        group: Target,
    },
    /// Leave a group.
    GroupLeave {
        /// Which group.
        group: Target,
    },
    /// Give a group another title.
    GroupRename {
        /// Which group.
        group: Target,
        /// The new title.
        title: GroupTitle,
    },
    /// Open invitations to groups, and first messages from strangers.
    Invites,
    /// Accept an invitation or request, an offered role, or (by `@name`) somebody's changed key.
    Accept {
        /// Id from `invites`, `@name` or `#group`.
        id: String,
    },
    /// Decline an invitation or request.
    Decline {
        /// Id from `invites`, `@name` or `#group`.
        id: String,
    },
    /// Names and roles.
    RoleList,
    /// Change a role, or offer the super admin role.
    RoleSet {
        /// Whose.
        name: Username,
        /// What they become.
        role: Role,
    },
    /// The audit log of role changes, for who may read it.
    RoleLog,
    /// Make a sign-up invitation.
    InviteLinkCreate {
        /// How many accounts may use it.
        #[serde(default = "one")]
        uses: u32,
        /// For how many seconds it is good; `None`: until used up or revoked.
        expires_in: Option<u64>,
    },
    /// The sign-up invitations.
    InviteLinkList,
    /// End a sign-up invitation.
    InviteLinkRevoke {
        /// Its code.
        code: String,
    },
    /// The safety number with somebody.
    Verify {
        /// With whom.
        name: Username,
        /// Mark it as compared (and accept a changed key).
        #[serde(default)]
        confirm: bool,
    },
    /// Compares the safety number with what the other side shows, and marks it as compared if it is the same.
    Compare {
        /// With whom.
        name: Username,
        /// The URI in the other side's QR code.
        uri: String,
    },
    /// The account's and this device's keys. Private ones never leave the process of the engine.
    ExportKeys {
        /// The private keys, too.
        #[serde(default)]
        danger_private: bool,
    },
    /// When this account makes direct links, and how it is from now on.
    Direct {
        /// The new policy; `None` only asks.
        policy: Option<DirectPolicy>,
    },
    /// Somebody follows this profile from now on: direct links are worth making. Answered at once.
    Follow,
    /// What lets one guest into a room of the server under this account's name; good once, for a minute.
    RoomPass,
    /// How the engine stands.
    Status,
}

//! What a person or a program can ask of the engine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::direct::DirectPolicy;
use subrosa_types::{DeviceId, GroupTitle, IdempotencyKey, MessageId, Role, Username};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A password on its way into the engine, or a private key on its way out of it. Never shown by `Debug`; wiped when
/// dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whom or what a command is about: `@name` or `#group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// How long `send` waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Until the server has it on disk.
    #[default]
    Accepted,
    /// Until a device of every other member said that it has it (private chats only).
    Delivered,
}

/// A request to the engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
        vault: bool,
        /// Name of this device.
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
        device: String,
        /// Start over with a new account key when the old one is lost (ends all other devices).
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
        wait: Wait,
    },
    /// Messages of one chat or all, oldest first. Marks nothing as read: what was not shown must come again.
    Read {
        /// One chat, or all.
        chat: Option<Target>,
        /// Not only unread ones.
        all: bool,
        /// At most so many, the latest ones.
        limit: Option<u32>,
        /// Only those after this one.
        since: Option<MessageId>,
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

//! What a command that succeeded returns.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subrosa_types::{ConversationId, DeviceId, IdempotencyKey, MessageId, Role, Timestamp};

use crate::direct::DirectPolicy;

use super::{Secret, Told};

/// The answer to a [`super::Command`]; which variant belongs to which command is said at each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reply", content = "value", rename_all = "snake_case")]
pub enum Reply {
    /// It is done: log-out, leave, accept, decline, revocations, mark-read.
    Done,
    /// Sign-up, login, who-am-I.
    WhoAmI(WhoAmI),
    /// Devices.
    Devices(Vec<DeviceRow>),
    /// Send.
    Sent(SentRow),
    /// When direct links are made.
    Direct(DirectPolicy),
    /// Read.
    Messages(Vec<MessageRow>),
    /// History.
    History(History),
    /// Search.
    Found(Found),
    /// Overview.
    Overview(Overview),
    /// Settings, by name.
    Settings(BTreeMap<String, String>),
    /// Events since.
    Events(PastEvents),
    /// Changed keys.
    ChangedKeys(Vec<ChangedKeyRow>),
    /// Reload: how many messages and invitations came.
    Reloaded {
        /// New messages.
        messages: u32,
        /// New invitations.
        invites: u32,
    },
    /// Chats.
    Chats(Vec<ChatRow>),
    /// Group create, add, remove, rename: the group as it is now.
    Group {
        /// The group.
        chat: ConversationId,
        /// Its title.
        title: String,
    },
    /// Group members.
    Members(Vec<MemberRow>),
    /// Invites.
    Invites(Vec<InviteRow>),
    /// Role list.
    Roles(Vec<RoleRow>),
    /// Role set: done, or the hand-over waits for the other side.
    RoleSet {
        /// Whether the other side has to accept first.
        waits_for_acceptance: bool,
    },
    /// Role log.
    RoleLog(Vec<RoleLogRow>),
    /// Invite link create (one), list.
    InviteLinks(Vec<InviteLinkRow>),
    /// Verify, compare.
    SafetyNumber {
        /// 60 digits in groups of five.
        digits: String,
        /// 18 words.
        #[serde(default)]
        words: String,
        /// For a QR code.
        uri: String,
        /// Whether it is marked as compared.
        verified: bool,
        /// Whether the key changed since it was last accepted.
        changed: bool,
    },
    /// Room pass.
    RoomPass(Secret),
    /// Export keys.
    Keys(Vec<KeyRow>),
    /// Status.
    Status(Status),
}

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyOwner {
    /// The account: it certifies devices, and is what a safety number is made of.
    Account,
    /// This device: it signs in, and signs messages.
    Device,
}

/// An Ed25519 key, for an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyRow {
    /// Whose it is.
    pub owner: KeyOwner,
    /// Its id.
    pub id: String,
    /// The account's name.
    pub name: String,
    /// The public key: SubjectPublicKeyInfo in PEM.
    pub public: String,
    /// The private key: PKCS#8 in PEM. It does not serialise, so it never passes the socket.
    #[serde(skip)]
    pub danger_private: Option<Secret>,
}

/// Who a profile is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhoAmI {
    /// Username.
    pub name: String,
    /// Role, as far as this device knows.
    pub role: Role,
    /// Server link.
    pub server: String,
    /// This device.
    pub device: DeviceId,
}

/// A device of the own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceRow {
    /// Its id.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// Whether it is this one.
    pub this: bool,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
}

/// How far a sent message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SendState {
    /// Kept in the outbox; sent as soon as there is a way.
    Queued,
    /// On the server's disk.
    Accepted,
    /// On a device of the other side.
    Delivered,
}

/// Which road a message took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Through the server's log.
    Server,
    /// Over a direct link.
    Direct,
}

/// What `send` returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SentRow {
    /// The outbox id (the one given, if one was).
    pub id: IdempotencyKey,
    /// How far it came.
    pub state: SendState,
    /// By which road.
    pub via: Via,
}

/// A message as people see it. Text is as it was sent: an interactor must make it safe for its own screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageRow {
    /// The same on all devices.
    pub id: MessageId,
    /// `@name` or `#title`.
    pub chat: String,
    /// Which conversation.
    pub conversation: ConversationId,
    /// The sender's name.
    pub from: String,
    /// Whether it was sent by this account.
    pub own: bool,
    /// The text.
    pub text: String,
    /// When the sender says it was sent.
    pub sent_at: Timestamp,
    /// When the server accepted it.
    pub received_at: Timestamp,
    /// By which road it came.
    pub via: Via,
    /// Whether the sender's key was compared.
    pub verified: bool,
    /// Whether it is not marked as read yet.
    pub unread: bool,
    /// For own messages still in the outbox: not accepted yet.
    pub pending: bool,
    /// For own messages of private chats: a device of the other side said that it has it.
    #[serde(default)]
    pub delivered: bool,
}

/// A part of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// Oldest first; own messages that are not accepted yet stand at the end.
    pub rows: Vec<MessageRow>,
    /// Whether there are older ones.
    pub older: bool,
    /// Whether there are newer ones.
    pub newer: bool,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// Newest first.
    pub rows: Vec<MessageRow>,
    /// Whether there may be more before the last one.
    pub more: bool,
}

/// What a face shows first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// Who.
    pub who: WhoAmI,
    /// How the engine stands.
    pub status: Status,
    /// The chats, the latest first.
    pub chats: Vec<ChatRow>,
    /// Open invitations.
    pub invites: Vec<InviteRow>,
    /// Contacts whose changed key is not accepted yet.
    pub changed_keys: Vec<ChangedKeyRow>,
    /// What happened up to here is in this answer.
    pub cursor: u64,
}

/// What happened behind a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PastEvents {
    /// Oldest first.
    pub events: Vec<Told>,
    /// The cursor behind all of them.
    pub cursor: u64,
    /// Whether there are more behind `cursor`.
    pub more: bool,
    /// Whether some behind the cursor asked for are not kept any more: read again.
    pub missed: bool,
}

/// A contact whose key changed, and is not accepted yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedKeyRow {
    /// Name.
    pub name: String,
    /// Whether the old key had been compared: then this is an alarm.
    pub was_verified: bool,
}

/// Kind of conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// Two people.
    Private,
    /// A group.
    Group,
    /// A room without accounts.
    Room,
}

/// A line in the list of chats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChatRow {
    /// `@name` or `#title`.
    pub chat: String,
    /// Which conversation.
    pub conversation: ConversationId,
    /// Its kind.
    pub kind: ChatKind,
    /// Messages not read yet.
    pub unread: u32,
    /// When the last message came.
    pub last: Option<Timestamp>,
    /// Why nothing can be sent here, if so (left, removed, key changed, blocked by a bad commit).
    pub blocked: Option<String>,
    /// Unread messages that name this account with an `@`.
    #[serde(default)]
    pub mentions: u32,
    /// What is being written here on this device; empty: nothing.
    #[serde(default)]
    pub draft: String,
    /// The beginning of the last message.
    #[serde(default)]
    pub preview: Option<Preview>,
}

/// The beginning of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// Who said it.
    pub from: String,
    /// Whether that is this account.
    pub own: bool,
    /// At most 200 characters, as they were sent.
    pub text: String,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberRow {
    /// Name.
    pub name: String,
    /// Role on the server.
    pub role: Role,
    /// Whether the key was compared.
    pub verified: bool,
    /// Devices in the group.
    pub devices: u32,
}

/// Kind of open invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InviteKind {
    /// To a group.
    Group,
    /// A first message from somebody new.
    Request,
    /// The super admin role is offered.
    Role,
}

/// An open invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InviteRow {
    /// For accept and decline.
    pub id: String,
    /// The shortest that accept and decline understand: the chat's name, or the id if there are several of that name.
    pub answer: String,
    /// Its kind.
    pub kind: InviteKind,
    /// `@name` or `#title`.
    pub chat: String,
    /// Who invites.
    pub from: String,
}

/// An account and its role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleRow {
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleLogRow {
    /// Position in the log.
    pub position: u64,
    /// When.
    pub at: Timestamp,
    /// What happened: `joined`, `set`, `handed_over`, `new_key`.
    pub what: String,
    /// Whose role.
    pub name: String,
    /// The role since then.
    pub role: Role,
    /// Who did it; empty when nobody did.
    pub by: String,
}

/// A sign-up invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InviteLinkRow {
    /// The code for `signup --invite`.
    pub code: String,
    /// How many accounts it is still good for.
    pub uses_left: u32,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

/// How the engine stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Whether the profile has an account.
    pub enrolled: bool,
    /// Whether the server is reached and this device logged in.
    pub online: bool,
    /// Why the server is not reached, if that is known: half a sentence for people.
    pub reason: String,
    /// Intents in the outbox.
    pub queued: u32,
    /// Messages that were dropped because they did not verify.
    pub dropped: u32,
}

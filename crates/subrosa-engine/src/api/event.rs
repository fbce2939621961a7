//! What the engine tells without being asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subrosa_types::{ConversationId, MessageId, Role};

use super::reply::{InviteRow, MessageRow};

/// Something that happened, as who watches is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// Its place among what is kept: larger ones came later. `None`: it is not kept, as it is only of this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Something happened. Events are hints for who watches: everything in them can be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The server is reached and this device is logged in and up to date.
    Online,
    /// The server is not reached (any more).
    Offline {
        /// Why, for people: half a sentence, as "the server was stopped".
        reason: String,
    },
    /// A message came, or one of this account's own was accepted (`own`).
    Message(MessageRow),
    /// A device of the other side of a private chat said that it has this message.
    Delivered {
        /// The chat.
        chat: String,
        /// Which conversation.
        conversation: ConversationId,
        /// The message.
        id: MessageId,
    },
    /// An invitation came.
    Invite(InviteRow),
    /// Somebody joined a chat.
    Joined {
        /// The chat.
        chat: String,
        /// Who.
        name: String,
    },
    /// Somebody is no longer in a chat.
    Left {
        /// The chat.
        chat: String,
        /// Who.
        name: String,
    },
    /// A chat has another title.
    Renamed {
        /// The chat as it was called.
        chat: String,
        /// The title now.
        title: String,
    },
    /// The own role changed.
    RoleChanged {
        /// Now.
        role: Role,
    },
    /// A contact's key changed; nothing is sent to them until it is accepted.
    KeyChanged {
        /// Whose.
        name: String,
        /// Whether the old key had been compared: then this is an alarm.
        was_verified: bool,
    },
    /// A further device of somebody (or of this account) entered.
    DeviceAdded {
        /// Whose.
        name: String,
        /// The device's name.
        device: String,
    },
    /// A direct link of a chat came up, or is gone.
    Direct {
        /// The chat.
        chat: String,
        /// Whether it is there now.
        up: bool,
    },
    /// Something from outside was refused or dropped; nothing was lost that was valid.
    Warning {
        /// Stable word.
        code: String,
        /// For people.
        message: String,
    },
    /// This device was ended; the profile is logged out.
    LoggedOut {
        /// For people.
        reason: String,
    },
}

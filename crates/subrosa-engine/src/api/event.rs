//! What the engine tells without being asked.

use serde::{Deserialize, Serialize};
use subrosa_types::Role;

use super::reply::{InviteRow, MessageRow};

/// Something happened. Events are hints for who watches: everything in them can be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

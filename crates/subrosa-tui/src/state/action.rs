//! Everything that a person can have done, whichever key, word or row it comes from.

use subrosa_client::api::{Command, Target};
use subrosa_types::MessageId;

use super::dialog::FormKind;
use super::entry::Key;

/// An action.
#[derive(Debug, Clone)]
pub enum Action {
    /// Ask the engine; the answer is said in the status line, or becomes a page or table.
    Ask(Box<Command>),
    /// Go to a chat that is in the list.
    Go(Key),
    /// Go to a chat, which may not have begun.
    To(Target),
    /// Open a form.
    Open(FormKind),
    /// Open a table, and read what it shows.
    Show(Showing),
    /// Find a chat or something to do by a few letters.
    Switch,
    /// Search in this chat, or in all.
    Search(Option<Key>, String),
    /// Go to a message of a chat.
    Find(Target, MessageId),
    /// Send this text to this entry.
    Send(Key, String),
    /// Put this text into the composer.
    Insert(String),
    /// Send again what failed here.
    Retry,
    /// Change a setting.
    Set(String, Option<String>),
    /// The next value of a setting.
    Cycle(String),
    /// Who is in the room.
    RoomNames,
    /// Words to compare in a room.
    SessionVerify,
    /// Leave a room, and take it out of the list.
    LeaveSession(Key),
    /// Enter this room; at this server, if one is named.
    EnterRoom(String, Option<String>),
    /// Show or hide the list of chats.
    ToggleChats,
    /// Show or hide the members.
    ToggleMembers,
    /// The list of keys and commands.
    Help,
    /// The server's link, for others.
    ServerLink,
    /// Copy a text to the clipboard.
    Copy(String),
    /// Show a QR code.
    Read(String, Vec<String>),
    /// Close what lies above the chat.
    Close,
    /// End the program.
    Quit,
}

/// A table that can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// Invitations and requests.
    Invites,
    /// The account's devices.
    Devices,
    /// Everybody on the server.
    Roles,
    /// Changes of roles.
    RoleLog,
    /// Invitations to sign up.
    InviteLinks,
    /// Keys that changed.
    ChangedKeys,
    /// Members of a group.
    Members(Key),
    /// Settings.
    Settings,
}

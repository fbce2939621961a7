//! What the state wants done, and what comes in: the two sides of the wall between thinking and doing.

use crossterm::event::{KeyEvent, MouseEvent};
use subrosa_client::Notice;
use subrosa_client::api::{Command, Failure, Reply};
use subrosa_client::room;
use subrosa_types::{IdempotencyKey, MessageId, Timestamp};

use super::action::Showing;
use super::entry::Key;

/// What an answer belongs to.
#[derive(Debug, Clone)]
pub enum Ask {
    /// The list of chats.
    Chats,
    /// Everything that is seen first.
    Overview,
    /// The settings.
    Settings,
    /// Everybody on the server, for completion.
    People,
    /// How many invitations are open.
    InviteCount,
    /// A fresh window of a chat; go to this message in it.
    Window(Key, Option<MessageId>),
    /// Older messages.
    Older(Key),
    /// Newer messages.
    Newer(Key),
    /// Members of a chat.
    Members(Key),
    /// A message was sent.
    Sent(Key, MessageId),
    /// Rows of the table on top.
    Table(Showing),
    /// What a search found; `true`: more of the same.
    Search(String, bool),
    /// The form on top, which asked this.
    Form(Box<Command>),
    /// Signing up or logging in, from the form on top.
    Entered,
    /// Something a person asked for.
    Person(Box<Command>),
    /// Nobody waits for it; only a failure is said.
    Quiet,
}

/// How to come in.
#[derive(Debug, Clone)]
pub enum Entrance {
    /// With this command, SignUp or LogIn.
    At(Box<Command>),
    /// With this SignUp, at a server of this machine, which is started; its `server` is left empty.
    Own(Box<Command>),
}

/// What is to be done outside.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Ask the engine.
    Call(Ask, Box<Command>),
    /// Sign up or log in; makes the profile. The password is checked first.
    Enter(Entrance),
    /// Enter a room: its name, its server (link or address), our name.
    RoomEnter(Key, RoomWish),
    /// Say something in a room.
    RoomSay(Key, String),
    /// Who is in the room.
    RoomNames(Key),
    /// Words to compare.
    RoomVerify(Key),
    /// Leave.
    RoomLeave(Key),
    /// Tell the person outside of this window.
    Notify {
        /// Where.
        title: String,
        /// What.
        body: String,
    },
    /// Copy to the clipboard of the terminal (OSC 52).
    Copy(String),
    /// Draw everything anew.
    Redraw,
    /// Whether the mouse is listened to.
    Mouse(bool),
    /// Stop, as Ctrl+Z does.
    Suspend,
    /// End.
    Quit,
}

/// Which room to enter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomWish {
    /// Its name.
    pub room: String,
    /// Link or address of the server; empty: 127.0.0.1.
    pub server: String,
    /// Our name there; empty: the account's, or a random one.
    pub name: String,
}

/// What a room's task tells.
#[derive(Debug)]
pub enum RoomInput {
    /// It goes to this server; a note for people.
    Found(String),
    /// Something happened.
    Notice(Box<room::Notice>),
    /// Everybody in it.
    Names(Vec<String>),
    /// Words to compare, and how many are in.
    Words(String, usize),
    /// Nothing can be answered now.
    NotInside,
    /// It could not be entered.
    Failed(Box<Failure>),
}

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// Text that was pasted.
    Paste(String),
    /// The mouse.
    Mouse(MouseEvent),
    /// The screen has another size.
    Resize(u16, u16),
    /// Whether the window has the keyboard.
    Focus(bool),
    /// The profile is open.
    Opened,
    /// There is no account yet, or the profile cannot be opened.
    NotOpened(Option<Box<Failure>>),
    /// The server of this machine runs, and has this link.
    Hosting(String),
    /// Something happened in the engine.
    Notice(Box<Notice>),
    /// The engine answered.
    Answered(Ask, Box<Result<Reply, Failure>>),
    /// A room said something.
    Room(Key, RoomInput),
    /// A signal asks the program to end.
    Terminated,
    /// Time went by.
    Tick,
}

/// What the shell knows and the state does not: with each input.
#[derive(Debug, Clone, Copy)]
pub struct Outside {
    /// The time.
    pub now: Timestamp,
    /// Randomness for the id of a message, if one is sent.
    pub fresh: IdempotencyKey,
}

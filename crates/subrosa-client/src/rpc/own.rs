//! What a session does itself, without the engine: who is there, events, rooms, direct chats.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subrosa_engine::api::Failure;
use subrosa_types::Timestamp;

/// A request to the session itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", content = "params", rename_all = "snake_case")]
pub enum Own {
    /// What is there: the first question of a face. Works before there is a profile.
    Hello,
    /// Starts the server of this profile in this process, as `subrosa up` does; or tells its link if it runs.
    StartServer,
    /// Events from now on, and first those behind a cursor.
    Subscribe {
        /// The cursor of the last event that the program has taken in; none: from now on.
        #[serde(default)]
        cursor: Option<u64>,
    },
    /// The QR code of a text in which large and small letters mean the same.
    Qr {
        /// The text.
        text: String,
    },
    /// Enters a room. What happens there comes as `room` notifications.
    RoomEnter {
        /// Its name; none: `lobby`.
        #[serde(default)]
        room: Option<String>,
        /// The server's link or its host; none: the account's server, or this machine.
        #[serde(default)]
        server: Option<String>,
        /// The port, if the server is a host; none: 5535.
        #[serde(default)]
        port: Option<u16>,
        /// The name in the room; none: that of the account on this server, else a random one.
        #[serde(default)]
        name: Option<String>,
    },
    /// Says something in a room.
    RoomSay {
        /// Which.
        room: u64,
        /// What.
        text: String,
    },
    /// Who is in a room.
    RoomNames {
        /// Which.
        room: u64,
    },
    /// Words that all in the room can compare.
    RoomVerify {
        /// Which.
        room: u64,
    },
    /// Leaves a room.
    RoomLeave {
        /// Which.
        room: u64,
    },
    /// Waits for somebody, without accounts. What happens comes as `direct` notifications, the ticket first.
    DirectListen {
        /// How frames travel.
        #[serde(default)]
        transport: TransportWord,
        /// `mls` (post-quantum, the default) or `rsa`.
        #[serde(default)]
        encryption: Option<String>,
        /// The link of a server or relay where the two meet (quic); none: in one network only.
        #[serde(default)]
        relay: Option<String>,
        /// Turn away who dials without the ticket (tcp).
        #[serde(default)]
        ticket_only: bool,
        /// Ask the router at home to open a port (quic).
        #[serde(default)]
        open_port: bool,
        /// Where files that are offered and accepted go; none: the folder for downloads.
        #[serde(default)]
        folder: Option<PathBuf>,
    },
    /// Dials somebody who listens.
    DirectDial {
        /// The ticket, or `HOST:PORT`.
        ticket: String,
        /// Insist on this encryption.
        #[serde(default)]
        encryption: Option<String>,
        /// Ask the router at home to open a port (quic).
        #[serde(default)]
        open_port: bool,
        /// Where files that are offered and accepted go; none: the folder for downloads.
        #[serde(default)]
        folder: Option<PathBuf>,
    },
    /// Says something in a direct chat.
    DirectSay {
        /// Which.
        direct: u64,
        /// What: at most 64 KiB.
        text: String,
    },
    /// Offers a file of this machine.
    DirectSend {
        /// Which chat.
        direct: u64,
        /// The file.
        path: PathBuf,
    },
    /// Accepts a file that is offered.
    DirectAccept {
        /// Which chat.
        direct: u64,
        /// Which file; none: all.
        #[serde(default)]
        number: Option<u64>,
    },
    /// Declines a file, or stops it.
    DirectDecline {
        /// Which chat.
        direct: u64,
        /// Which file; none: all.
        #[serde(default)]
        number: Option<u64>,
    },
    /// Asks for the words that both sides can compare; they come as a notification.
    DirectVerify {
        /// Which.
        direct: u64,
    },
    /// Leaves a direct chat, once what was said is delivered or a few seconds are over.
    DirectLeave {
        /// Which.
        direct: u64,
    },
}

/// How frames of a direct chat travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransportWord {
    /// Through NATs.
    #[default]
    Quic,
    /// Over one connection.
    Tcp,
}

/// The answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "reply", content = "value", rename_all = "snake_case")]
pub enum OwnReply {
    /// It is done, or under way.
    Done,
    /// Hello.
    Hello(Hello),
    /// Start server.
    Opened(Opened),
    /// Subscribe.
    Subscribed(Subscribed),
    /// QR code.
    Qr(QrCode),
    /// Room enter.
    Entered(Entered),
    /// Room say.
    Said(Said),
    /// Room names; null while we are not in.
    Names(Option<Vec<GuestRow>>),
    /// Room verify; null while we are not in.
    Words(Option<Words>),
    /// Direct listen, direct dial.
    Direct(DirectOpened),
}

/// The session's methods and the tags of their replies.
pub const OWN: &[(&str, &str)] = &[
    ("hello", "hello"),
    ("start_server", "opened"),
    ("subscribe", "subscribed"),
    ("qr", "qr"),
    ("room_enter", "entered"),
    ("room_say", "said"),
    ("room_names", "names"),
    ("room_verify", "words"),
    ("room_leave", "done"),
    ("direct_listen", "direct"),
    ("direct_dial", "direct"),
    ("direct_say", "done"),
    ("direct_send", "done"),
    ("direct_accept", "done"),
    ("direct_decline", "done"),
    ("direct_verify", "done"),
    ("direct_leave", "done"),
];

/// Whether the profile has an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileState {
    /// There is no profile yet; sign-up and log-in make it.
    None,
    /// There is one, without an account.
    LoggedOut,
    /// It has an account.
    Enrolled,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hello {
    /// Version of the protocol.
    pub v: u32,
    /// Version of the program.
    pub version: String,
    /// Whether there is an account.
    pub profile: ProfileState,
    /// Whether `start_server` can be asked for.
    pub can_start_server: bool,
}

/// The profile's own server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Opened {
    /// Its link.
    pub link: String,
}

/// Events are told from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Subscribed {
    /// The events told next are behind this cursor; null: of now.
    pub cursor: Option<u64>,
    /// Some behind the cursor are not kept any more: read again.
    pub missed: bool,
}

/// A QR code without the light border that scanners want.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QrCode {
    /// Modules a side.
    pub size: u32,
    /// One text a row: `1` is dark.
    pub rows: Vec<String>,
}

/// A room that is being entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entered {
    /// Its number in this session.
    pub room: u64,
    /// Its name.
    pub name: String,
    /// The server's link.
    pub server: String,
    /// The server's key was never seen before; it is remembered from now on.
    pub new_server: bool,
}

/// Something is on its way into a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Said {
    /// Its number: `sent` events name it.
    pub number: u64,
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GuestRow {
    /// The name.
    pub name: String,
    /// Whether they entered with an account of the server.
    pub member: bool,
}

/// Words to compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Words {
    /// Twelve words; the same for all who are in.
    pub words: String,
    /// How many are in.
    pub guests: u32,
    /// Changes whenever somebody comes or goes, and the words with it.
    pub epoch: u64,
}

/// A direct chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DirectOpened {
    /// Its number in this session.
    pub direct: u64,
}

/// A notification about a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RoomTold {
    /// Which.
    pub room: u64,
    /// What.
    #[serde(flatten)]
    pub note: RoomNote,
}

/// What happens in a room. Names and texts are as they were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RoomNote {
    /// Let in under this name; keys are agreed on next.
    Admitted {
        /// Us.
        me: GuestRow,
    },
    /// We are in.
    Inside {
        /// Everybody else.
        others: Vec<GuestRow>,
    },
    /// Somebody came.
    Joined {
        /// Who.
        guest: GuestRow,
        /// When.
        at: Timestamp,
    },
    /// Somebody is gone.
    Left {
        /// Who.
        guest: GuestRow,
        /// When.
        at: Timestamp,
    },
    /// Somebody said something.
    Message {
        /// Who.
        from: GuestRow,
        /// What.
        text: String,
        /// When.
        at: Timestamp,
    },
    /// What we said has its place.
    Sent {
        /// Its number.
        number: u64,
        /// When.
        at: Timestamp,
    },
    /// What we said was not said.
    Refused {
        /// Its number.
        number: u64,
        /// Why.
        failure: Failure,
    },
    /// Nobody knows whether it was said.
    Uncertain {
        /// Its number.
        number: u64,
    },
    /// Messages were dropped because they were damaged or forged.
    Dropped {
        /// How many so far.
        total: u64,
    },
    /// The connection is lost; tried again by itself.
    Lost {
        /// Why.
        reason: String,
        /// In so many milliseconds.
        again_in: u64,
    },
    /// It is over.
    Ended {
        /// Why; null: we left.
        failure: Option<Failure>,
    },
}

/// A notification about a direct chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DirectNote {
    /// Which.
    pub direct: u64,
    /// What.
    #[serde(flatten)]
    pub event: DirectEvent,
}

/// What happens in a direct chat. Names and texts are as they were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum DirectEvent {
    /// What to pass on, by a way that is trusted.
    Ticket {
        /// It.
        ticket: String,
    },
    /// Something to know of.
    Note {
        /// A sentence.
        text: String,
    },
    /// There is a link.
    Joined {
        /// With what it is encrypted.
        encryption: String,
        /// Whether a ticket vouches for the other side. If not, compare the words.
        vouched: bool,
        /// What both sides see if nobody stands in between.
        words: String,
        /// The same as digits.
        digits: String,
        /// `direct` or `relay`.
        via: String,
        /// Whether this is not the first link.
        again: bool,
    },
    /// Frames take another way now.
    Path {
        /// `direct` or `relay`.
        via: String,
    },
    /// The link broke; it is made again, or waited for.
    Broken {
        /// Why.
        message: String,
        /// What is not delivered yet, and kept.
        waiting: u64,
    },
    /// No link could be made; tried again by itself.
    Retrying {
        /// Why.
        message: String,
        /// In so many milliseconds.
        after_ms: u64,
    },
    /// Somebody dialled who was not let in.
    TurnedAway {
        /// Why.
        message: String,
    },
    /// A text of the other side.
    Message {
        /// Its number among those of its sender.
        number: u64,
        /// The text.
        text: String,
        /// When its sender says it was sent.
        sent_at: Timestamp,
        /// `direct` or `relay`.
        via: String,
    },
    /// So many of our texts, counted from the first, were shown to the other side.
    Delivered {
        /// The number of the last one.
        number: u64,
    },
    /// What was wished is not done.
    Error {
        /// Stable word.
        code: String,
        /// A sentence.
        message: String,
    },
    /// A file is offered.
    FileOffered {
        /// Its number among those of its sender.
        number: u64,
        /// `sending` or `receiving`.
        direction: String,
        /// Its name.
        name: String,
        /// Bytes.
        size: u64,
    },
    /// So much of a file is there.
    FileProgress {
        /// Its number.
        number: u64,
        /// `sending` or `receiving`.
        direction: String,
        /// Bytes.
        done: u64,
        /// Bytes of all of it.
        size: u64,
    },
    /// A file ended.
    FileEnded {
        /// Its number.
        number: u64,
        /// `sending` or `receiving`.
        direction: String,
        /// Its name.
        name: String,
        /// Stable word: how.
        outcome: String,
        /// Where it lies, if it was received.
        path: Option<String>,
    },
    /// The words that both sides can compare; null: nobody is there yet.
    Verify {
        /// Words.
        words: Option<String>,
        /// The same as digits.
        digits: Option<String>,
        /// Whether a ticket vouches for the other side already.
        vouched: bool,
    },
    /// The other side left.
    Left,
    /// It is over.
    Ended {
        /// Why; null: one of the two left.
        failure: Option<Failure>,
    },
}

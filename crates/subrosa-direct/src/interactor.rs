//! The [`Interactor`]: a person or a program at one end of a chat. It shows and asks; it decides nothing.

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use subrosa_crypto::ShortString;
use subrosa_net::direct::Path;
use subrosa_types::Timestamp;
use subrosa_wire::Encryption;

use crate::error::{Break, ChatError};
use crate::files::FileOutcome;

/// Shows what happens and says what is wanted.
pub trait Interactor: Send {
    /// What is wanted next; `None` when nothing more will be. A dialer that has nothing more to say leaves once all of it
    /// is delivered; a listener stays until the dialer leaves.
    ///
    /// # Cancel safety
    /// Nothing may be lost when the future is dropped: it is asked again and again.
    fn next(&mut self) -> BoxFuture<'_, Option<Wish>>;

    /// Shows what happened. Texts and names in it are the other side's: make them safe before a terminal sees them
    /// (`subrosa_types::text`).
    ///
    /// # Errors
    /// Nobody can be shown anything any more; the chat ends.
    fn show(&mut self, event: Event) -> Result<(), Unseen>;
}

/// Why nothing can be shown.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Unseen(pub String);

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Say this: at most 64 KiB.
    Say(String),
    /// Offer this file.
    Send(PathBuf),
    /// Accept the file with this number; `None`: all that were offered.
    Accept(Option<u64>),
    /// Decline it, or stop it if it is under way.
    Decline(Option<u64>),
    /// Show the short authentication string.
    Verify,
    /// Leave, once what was said is delivered or a few seconds are over.
    Leave,
}

/// Which way a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From us.
    Sending,
    /// To us.
    Receiving,
}

/// A file of this chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Its number among those of its sender.
    pub number: u64,
    /// Which way it goes.
    pub direction: Direction,
    /// Its name, as it is (or will be) called here; made safe as a file name, not for a terminal.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// There is a link, and both sides proved their keys.
    Connected {
        /// With what it is encrypted.
        encryption: Encryption,
        /// Whether a ticket vouches for the peer. If not, compare `string`.
        vouched: bool,
        /// What both sides see if nobody stands in between. The same over all links of a chat.
        string: ShortString,
        /// The way that frames take.
        path: Path,
        /// Whether this is not the first link.
        again: bool,
    },
    /// Frames take another way now.
    PathChanged(Path),
    /// The link broke; it is made again, or waited for.
    Broken {
        /// Why.
        cause: Break,
        /// What was written and is not delivered yet; it is kept.
        waiting: usize,
    },
    /// No link could be made; tried again.
    Retrying {
        /// Why.
        cause: String,
        /// In so many milliseconds.
        after_ms: u64,
    },
    /// Somebody dialled who was not let in.
    TurnedAway(ChatError),
    /// A text of the other side.
    Message {
        /// Its number among those of its sender.
        number: u64,
        /// The text, as it was sent.
        text: String,
        /// When its sender says it was sent.
        sent_at: Timestamp,
        /// The way that it took.
        path: Path,
    },
    /// The text that was said as the `number`-th was shown to the other side.
    Delivered {
        /// Counted from 1.
        number: u64,
    },
    /// What was wished is not done.
    NotDone {
        /// Stable word.
        code: &'static str,
        /// A sentence.
        message: String,
    },
    /// A file is offered: by the other side, which waits for an answer, or by us.
    FileOffered(FileFacts),
    /// So much of a file is there.
    FileProgress {
        /// Which.
        file: FileFacts,
        /// Bytes that the receiver has.
        done: u64,
    },
    /// A file ended.
    FileEnded {
        /// Which.
        file: FileFacts,
        /// How.
        outcome: FileOutcome,
        /// Where it lies, if it was received.
        path: Option<PathBuf>,
    },
    /// The short authentication string was asked for; `None`: nobody is there yet.
    Verify {
        /// See [`Event::Connected`].
        string: Option<ShortString>,
        /// Whether a ticket vouches for the peer.
        vouched: bool,
    },
    /// The other side said goodbye.
    Left,
}

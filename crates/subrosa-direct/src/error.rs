//! What ends a chat, and what ends one of its links. Each has a stable word for scripts.

use subrosa_crypto::encryptor::EncryptorError;
use subrosa_net::direct::{CommunicatorError, LinkEnd};
use subrosa_wire::Encryption;
use subrosa_wire::proto::DirectRefusalCode;

/// Why a chat ended otherwise than by a goodbye.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The two sides do not insist on the same encryption. Both are told.
    #[error("{}", mismatch(.ours, .theirs, .proved))]
    EncryptionMismatch {
        /// What we insist on.
        ours: Encryption,
        /// What the other side's hello says; `None`: one that this version does not know, or only the other side saw it.
        theirs: Option<Encryption>,
        /// Whether the other side proved that it said so. If not, somebody on the way may have changed it.
        proved: bool,
    },
    /// Who answered has not the key that was expected.
    #[error(
        "who answered does not have the key that the ticket names: somebody may stand in between; nothing was sent. Ask for a \
         fresh ticket, by a way you trust"
    )]
    WrongKey,
    /// What was said was changed on its way, or its maker does not have the key it shows.
    #[error("the other side did not prove its key on this link: somebody may stand in between; nothing was sent")]
    NotProved,
    /// The other side does not let us in.
    #[error("{}", refused(.0))]
    Refused(DirectRefusalCode),
    /// No link could be made.
    #[error(transparent)]
    Communicator(#[from] CommunicatorError),
    /// The first link ended before there was a chat.
    #[error("the link ended before the two sides had agreed on keys: {0}")]
    Handshake(Break),
    /// The link broke and no other could be made in time.
    #[error("the link broke and could not be made again: {0}")]
    Lost(Break),
    /// The other side left before it had everything.
    #[error("the other side left before it had everything: {count} of what you wrote was not delivered")]
    Undelivered {
        /// Messages.
        count: usize,
    },
    /// The interactor cannot show anything any more.
    #[error("nobody looks any more: {0}")]
    Unseen(String),
    /// The encryption failed on our side. We are to blame.
    #[error(transparent)]
    Encryptor(#[from] EncryptorError),
}

fn mismatch(ours: &Encryption, theirs: &Option<Encryption>, proved: &bool) -> String {
    let theirs = theirs.map_or_else(|| "another one".to_owned(), |theirs| theirs.to_string());
    let doubt = if *proved { "" } else { " (or somebody on the way wants it to look so)" };
    format!(
        "the two sides do not ask for the same encryption: {ours} here, {theirs} there{doubt}. Nothing was sent; start both \
         with the same --encryption"
    )
}

fn refused(code: &DirectRefusalCode) -> &'static str {
    match code {
        DirectRefusalCode::Version => "the other side speaks another version; use the same version of subrosa on both",
        DirectRefusalCode::Ticket => "the other side does not accept this ticket; ask for a fresh one",
        DirectRefusalCode::Busy => "the other side is in a chat with somebody else",
        DirectRefusalCode::WrongKey => "the other side says that our key is not the one it expects, or was not proved",
        _ => "the other side did not understand us",
    }
}

impl ChatError {
    /// Stable word for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::EncryptionMismatch { .. } => "encryption_mismatch",
            Self::WrongKey => "wrong_key",
            Self::NotProved => "not_proved",
            Self::Refused(DirectRefusalCode::Version) => "other_version",
            Self::Refused(DirectRefusalCode::Ticket) => "ticket_refused",
            Self::Refused(DirectRefusalCode::Busy) => "busy",
            Self::Refused(_) => "refused",
            Self::Communicator(CommunicatorError::WrongPeer(_)) => "wrong_key",
            Self::Communicator(_) => "no_link",
            Self::Handshake(cause) | Self::Lost(cause) => cause.code(),
            Self::Undelivered { .. } => "undelivered",
            Self::Unseen(_) => "stdout_closed",
            Self::Encryptor(_) => "internal",
        }
    }
}

/// Why a link ended without a goodbye. What was not acknowledged is kept and goes over the next one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// The network failed.
    #[error("{0}")]
    Lost(String),
    /// It ended in order, but nobody said goodbye: somebody may have cut it.
    #[error("it was cut off without a goodbye")]
    Truncated,
    /// Nothing came for too long.
    #[error("the other side is silent")]
    Silent,
    /// Nothing could be sent for too long.
    #[error("the other side does not take what is sent")]
    Stalled,
    /// A record came twice.
    #[error("a record came twice: somebody on the way plays it again")]
    Replayed,
    /// A record came out of its order, or one is missing.
    #[error("a record is missing or came out of order")]
    Reordered,
    /// A record does not open.
    #[error("a record was changed on its way")]
    Altered,
    /// A frame, a record or a text is too large.
    #[error("the other side sent more than is allowed at once")]
    TooLarge,
    /// Something that has no place here.
    #[error("the other side broke the protocol: {0}")]
    Protocol(&'static str),
}

impl Break {
    /// Stable word for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Lost(_) => "link_lost",
            Self::Truncated => "truncated",
            Self::Silent => "silent",
            Self::Stalled => "stalled",
            Self::Replayed => "replayed",
            Self::Reordered => "reordered",
            Self::Altered => "altered",
            Self::TooLarge => "too_large",
            Self::Protocol(_) => "protocol",
        }
    }
}

impl From<LinkEnd> for Break {
    fn from(end: LinkEnd) -> Self {
        match end {
            LinkEnd::Closed => Self::Truncated,
            LinkEnd::Lost(why) => Self::Lost(why),
            LinkEnd::Protocol(_) => Self::TooLarge,
        }
    }
}

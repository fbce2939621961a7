//! Why there is no link, or none any more.

use std::io;
use std::time::Duration;

/// Why a link could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host's name has no address, or the link names no valid host. The link or the resolver is to blame.
    #[error("the address of {host} could not be found")]
    UnknownHost {
        /// As the link names it.
        host: String,
    },
    /// Nobody listens there.
    #[error("nobody answers at {address}")]
    Refused {
        /// Host and port.
        address: String,
    },
    /// No answer in time.
    #[error("{address} did not answer within {} s", .after.as_secs())]
    TimedOut {
        /// Host and port.
        address: String,
        /// How long was waited.
        after: Duration,
    },
    /// Another failure of the network.
    #[error("the connection to {address} failed: {source}")]
    Io {
        /// Host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// Who answers does not have the key that the link names: another server, or somebody in between.
    #[error("this is not the server of your link: {address} has another key")]
    WrongKey {
        /// Host and port.
        address: String,
    },
    /// TLS failed in another way: the peer is no Subrosa server, or a broken one.
    #[error("{address} does not speak TLS 1.3 as a Subrosa server does: {reason}")]
    Tls {
        /// Host and port.
        address: String,
        /// What rustls says.
        reason: String,
    },
    /// The key is right, but what follows is not the protocol: another version, or too busy.
    #[error("the server at {address} did not open the link: {reason}")]
    Protocol {
        /// Host and port.
        address: String,
        /// What was wrong.
        reason: String,
    },
}

impl ConnectError {
    /// Whether the peer's key is not the link's: trying again does not help and nothing must be sent.
    pub const fn is_wrong_key(&self) -> bool {
        matches!(self, Self::WrongKey { .. })
    }
}

/// Why a link ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkEnd {
    /// The server closed it.
    #[error("the server closed the connection")]
    Closed,
    /// Nothing was heard for too long.
    #[error("the server was not heard for {} s", .0.as_secs())]
    Silent(Duration),
    /// The network failed.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The server sent what is no frame, or a frame over the limit.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
}

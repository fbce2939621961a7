//! The interface of everything that can carry frames between two peers.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use subrosa_crypto::encryptor::Side;
use tokio::sync::watch;

/// Largest frame of a direct link, in bytes.
pub const FRAME: usize = 320 * 1024;

/// Makes links to one peer: the first, and after a break the next.
pub trait Communicator: Send {
    /// The end at which we are: who dials begins.
    fn side(&self) -> Side;

    /// Dials the peer, or waits until it dials. May be called again when a link ended.
    ///
    /// # Errors
    /// [`CommunicatorError`]: no link can be made now; whether a later try may do better, its `may_pass` says.
    ///
    /// # Cancel safety
    /// Dropping the future ends the attempt; no link is lost that the peer believes to be up for longer than its timeout.
    fn link(&mut self) -> BoxFuture<'_, Result<Link, CommunicatorError>>;

    /// Gives up what listens: an orderly end after the last link.
    fn close(&mut self) -> BoxFuture<'_, ()>;
}

impl<C: Communicator + ?Sized> Communicator for Box<C> {
    fn side(&self) -> Side {
        (**self).side()
    }

    fn link(&mut self) -> BoxFuture<'_, Result<Link, CommunicatorError>> {
        (**self).link()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        (**self).close()
    }
}

/// A link that is up.
pub struct Link {
    /// Frames to the peer.
    pub outbound: Box<dyn Outbound>,
    /// Frames from the peer.
    pub inbound: Box<dyn Inbound>,
    /// What both ends of this very link know and nobody can make equal on two links (the TLS exporter, RFC 8446 §7.5);
    /// all zero where the transport has none.
    pub binding: [u8; 32],
    /// The way that frames take now.
    pub path: watch::Receiver<Path>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("path", &*self.path.borrow()).finish_non_exhaustive()
    }
}

/// The way that frames take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// From one machine to the other.
    Direct,
    /// Through a relay, which sees ciphertext.
    Relayed,
}

/// The half that sends.
pub trait Outbound: Send {
    /// Sends a frame of at most [`FRAME`] bytes; waits while the peer does not keep up.
    ///
    /// # Errors
    /// [`LinkEnd`] when the link ended. Whether the peer had the last frames is not known then.
    ///
    /// # Cancel safety
    /// Not cancel safe: a frame that was cut off ends the link.
    fn send(&mut self, frame: Bytes) -> BoxFuture<'_, Result<(), LinkEnd>>;

    /// Ends the link after what was sent, within a second.
    fn finish(&mut self) -> BoxFuture<'_, ()>;
}

/// The half that receives.
pub trait Inbound: Send {
    /// The next frame.
    ///
    /// # Errors
    /// [`LinkEnd`] when there will be none.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    fn next(&mut self) -> BoxFuture<'_, Result<Bytes, LinkEnd>>;
}

/// Why a link ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkEnd {
    /// The peer ended it in order.
    #[error("the other side ended the link")]
    Closed,
    /// The network failed, or the peer is gone without a word.
    #[error("the link broke: {0}")]
    Lost(String),
    /// The peer sent what is no frame, or one over the limit.
    #[error("the other side broke the protocol of the link: {0}")]
    Protocol(String),
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum CommunicatorError {
    /// Nobody is there, or the network does not let us; may pass.
    #[error("no link could be made: {0}")]
    Unreachable(String),
    /// Who answers is not who was dialled.
    #[error("somebody else answered: {0}")]
    WrongPeer(String),
    /// This machine does not let us listen or dial.
    #[error("this machine does not allow it: {0}")]
    Environment(String),
    /// There will be no further link.
    #[error("the other side is gone")]
    Ended,
}

impl CommunicatorError {
    /// Whether trying again may help.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

//! The [`Encryptor`]: what makes a direct link secret and unchanged. Sans-IO: messages in, messages out.
//!
//! ```text
//! begin ──► step ⇄ step ──► Step::Done ──► seal / open
//! ```
//!
//! Both sides have said hello before (`direct.proto`): they know each other's identity keys and share a *context*, the
//! hash of both hellos, which the key agreement is bound to. Afterwards both sign everything that was said, so an
//! encryptor does not have to prove who the peer is; it has to make keys that only the two ends of this agreement have.
//!
//! | encryptor | key agreement | records | forward secrecy |
//! |---|---|---|---|
//! | `mls` (in `subrosa-mls`) | a group of two, ML-KEM-768 + X25519 | MLS PrivateMessages | each record has its own key |
//! | [`Rsa`] | RSA-OAEP-SHA256 under a key made for the link | AES-256-GCM, counted nonces | when the link ends |
//! | [`Pseudo`] | none | in the clear | none: for tests |
//!
//! Invariant: what [`Encryptor::open`] gives was sealed by the other end of the agreement, and nothing else opens
//! ([`Pseudo`] keeps neither, and says so in [`Encryptor::protects`]).

mod pseudo;
mod rsa;

use rand_core::CryptoRngCore;
use subrosa_wire::Encryption;

pub use pseudo::Pseudo;
pub use rsa::Rsa;

use crate::keys::{SigningKey, VerifyingKey};

/// Largest plaintext of a record, in bytes.
pub const PLAINTEXT: usize = 160 * 1024;
/// Largest message of a key agreement, in bytes.
pub const AGREEMENT: usize = 64 * 1024;

/// Randomness, handed in.
pub type Rng = Box<dyn CryptoRngCore + Send>;

/// The end of a link at which somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// It dialled.
    Dialer,
    /// It was dialled.
    Listener,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Listener,
            Self::Listener => Self::Dialer,
        }
    }
}

/// What both sides know when a key agreement begins.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    /// Our end.
    pub side: Side,
    /// Our identity key.
    pub own: &'a SigningKey,
    /// The key that the peer's hello names.
    pub peer: &'a VerifyingKey,
    /// SHA-256 of both hellos.
    pub context: &'a [u8; 32],
}

/// What comes next in a key agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing to send: the peer's message comes next.
    Wait,
    /// Send this, then wait for the peer's.
    Send(Vec<u8>),
    /// Send this, and the keys are there.
    SendAndDone(Vec<u8>),
    /// The keys are there.
    Done,
}

/// Why an encryptor does not go on. The peer, or who stands in the way, is to blame unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncryptorError {
    /// A message that has no place in this agreement.
    #[error("the key agreement failed: {0}")]
    Agreement(&'static str),
    /// It was changed on its way, or somebody else made it.
    #[error("a record is not authentic")]
    Inauthentic,
    /// It was opened before.
    #[error("a record was sent twice")]
    Replayed,
    /// More than [`PLAINTEXT`] or [`AGREEMENT`] bytes.
    #[error("a record is too large")]
    TooLarge,
    /// No keys yet, or none any more. The caller is to blame.
    #[error("there are no keys")]
    NoKeys,
    /// We are to blame.
    #[error("internal error of the encryption: {0}")]
    Internal(String),
}

/// Makes a link secret: agrees on keys, then seals and opens records, in order, each once.
///
/// One encryptor serves one chat; [`Encryptor::begin`] starts over for each of its links, and the keys before are gone.
pub trait Encryptor: Send {
    /// Its name on the wire.
    fn kind(&self) -> Encryption;

    /// Whether it keeps anybody from reading and changing what is said.
    fn protects(&self) -> bool {
        true
    }

    /// Forgets all keys and begins an agreement.
    ///
    /// # Errors
    /// [`EncryptorError::Internal`].
    fn begin(&mut self, parties: Parties<'_>) -> Result<Step, EncryptorError>;

    /// Takes the peer's next message of the agreement.
    ///
    /// # Errors
    /// [`EncryptorError`]; the agreement is over then.
    fn step(&mut self, message: &[u8]) -> Result<Step, EncryptorError>;

    /// Seals the next record.
    ///
    /// # Errors
    /// [`EncryptorError::NoKeys`], [`EncryptorError::TooLarge`], [`EncryptorError::Internal`].
    fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, EncryptorError>;

    /// Opens the next record.
    ///
    /// # Errors
    /// [`EncryptorError`]; nothing that comes later opens either, end the link.
    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, EncryptorError>;
}

impl<E: Encryptor + ?Sized> Encryptor for Box<E> {
    fn kind(&self) -> Encryption {
        (**self).kind()
    }

    fn protects(&self) -> bool {
        (**self).protects()
    }

    fn begin(&mut self, parties: Parties<'_>) -> Result<Step, EncryptorError> {
        (**self).begin(parties)
    }

    fn step(&mut self, message: &[u8]) -> Result<Step, EncryptorError> {
        (**self).step(message)
    }

    fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, EncryptorError> {
        (**self).seal(plaintext)
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, EncryptorError> {
        (**self).open(sealed)
    }
}

#[cfg(test)]
mod tests;

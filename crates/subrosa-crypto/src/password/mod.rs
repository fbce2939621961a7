//! Passwords: OPAQUE (RFC 9807) with ristretto255, 3DH, SHA-512 and Argon2id.
//!
//! Reason: the server never sees a password nor anything that can be tried against one without its own secret, and both
//! sides end with keys that only the right password gives.
//!
//! ```text
//! sign-up   client: Registration::start ── request ──▶ server: ServerSetup::registration_response
//!           client: Registration::finish ◀─ response ─┘
//!                   └─ upload ──▶ server: ServerSetup::record_from_upload → the record to store
//! login     client: Login::start ── request ──▶ server: ServerSetup::login_response (record or none)
//!           client: Login::finish ◀─ response ─┘
//!                   └─ finalization ──▶ server: ServerSetup::login_finish → session key, or wrong
//! ```
//!
//! Everything is bound to the username (client identity, and credential identifier of the server's OPRF key), to the
//! server's identity key (server identity) and to this protocol (context). For a username without a record the server
//! answers from a record that it makes up: the same size, the same work, the same refusal at the end.
//!
//! Invariant: what the client computes with a password costs one Argon2id of [`PasswordCost::STANDARD`]; the cost is part
//! of the protocol and not for a server to choose.

use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::errors::ProtocolError;
use opaque_ke::{CipherSuite, Identifiers, Ristretto255, TripleDh};
use precis_profiles::OpaqueString;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use sha2::Sha512;
use subrosa_types::Username;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::keys::VerifyingKey;

mod client;
mod server;

pub use client::{Login, LoginOutcome, Registration};
pub use server::{LoginState, ServerSetup};

/// Bound into every login.
const CONTEXT: &[u8] = b"subrosa v1 opaque";

/// Longest password, in bytes of UTF-8.
pub const PASSWORD: usize = 1024;
/// Shortest password that a sign-up takes, in characters.
pub const SHORTEST: usize = 8;
/// Different characters that a password of a sign-up has at least.
const VARIETY: usize = 4;

/// The suite. Changing anything here makes every stored record useless.
struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Argon2<'static>;
}

/// Lengths of the messages, in bytes.
mod length {
    pub const REGISTRATION_REQUEST: usize = 32;
    pub const REGISTRATION_RESPONSE: usize = 64;
    pub const REGISTRATION_UPLOAD: usize = 192;
    pub const CREDENTIAL_REQUEST: usize = 96;
    pub const CREDENTIAL_RESPONSE: usize = 320;
    pub const CREDENTIAL_FINALIZATION: usize = 64;
}

/// Why a step of OPAQUE failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// A message that is none. The peer is to blame.
    #[error("the password message is malformed")]
    Malformed,
    /// Unknown user or wrong password; nobody can tell which.
    #[error("the username or the password is wrong")]
    Wrong,
    /// The stored record, state or setup is damaged. The server's own store is to blame.
    #[error("the stored password record is damaged")]
    Record,
    /// The cryptographic library failed, or there is not enough memory for Argon2id. The environment is to blame.
    #[error("the password could not be processed; there may not be enough memory")]
    Internal,
}

/// Errors of the library while it reads a message from the peer.
fn malformed<T>(_: ProtocolError<T>) -> PasswordError {
    PasswordError::Malformed
}

/// Errors of the library about what a message from the peer says.
fn from_peer<T>(error: ProtocolError<T>) -> PasswordError {
    match error {
        ProtocolError::InvalidLoginError => PasswordError::Wrong,
        ProtocolError::LibraryError(_) | ProtocolError::Custom(_) => PasswordError::Internal,
        ProtocolError::SerializationError | ProtocolError::SizeError { .. } | ProtocolError::ReflectedValueError => {
            PasswordError::Malformed
        }
    }
}

/// Errors of the library where nobody else has a say.
fn internal<T>(_: ProtocolError<T>) -> PasswordError {
    PasswordError::Internal
}

fn check_length(message: &[u8], length: usize) -> Result<(), PasswordError> {
    if message.len() == length { Ok(()) } else { Err(PasswordError::Malformed) }
}

/// Who logs in where: bound into registration and login, so that a record is good for this name on this server only.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// The name, which both sides have in prepared form.
    pub username: &'a Username,
    /// The server's identity key.
    pub server_key: &'a VerifyingKey,
}

impl<'a> Binding<'a> {
    fn identifiers(self) -> Identifiers<'a> {
        Identifiers { client: Some(self.username.as_str().as_bytes()), server: Some(self.server_key.as_bytes()) }
    }
}

/// Why a text is refused as password. The sentence is for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefusal {
    /// Nothing at all.
    #[error("The password is empty; type one.")]
    Empty,
    /// Over the limit.
    #[error("The password is too long; it may have at most {PASSWORD} bytes.")]
    TooLong,
    /// Characters that another keyboard may produce differently.
    #[error("The password contains a character that not every keyboard enters the same way; leave it out.")]
    Character,
    /// Under the limit; at sign-up only.
    #[error("The password is too short; use at least {SHORTEST} characters. Four random words are a good password.")]
    TooShort,
    /// Easy to guess; at sign-up only.
    #[error("The password is too easy to guess; four random words are a good password.")]
    TooEasy,
}

/// A password in the form of PRECIS `OpaqueString` (RFC 8265 §4.2), so that it is the same from every keyboard.
/// Zeroised when dropped; has no `Debug`.
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Prepares what a person typed.
    ///
    /// # Errors
    /// See [`PasswordRefusal`].
    pub fn prepare(typed: &str) -> Result<Self, PasswordRefusal> {
        if typed.is_empty() {
            return Err(PasswordRefusal::Empty);
        }
        if typed.len() > PASSWORD {
            return Err(PasswordRefusal::TooLong);
        }
        let prepared = OpaqueString::enforce(typed).map_err(|_| PasswordRefusal::Character)?;
        Ok(Self(Zeroizing::new(prepared.into_owned().into_bytes())))
    }

    /// Whether it may protect a new account. Only for sign-up: whoever has an account logs in with what they have.
    ///
    /// # Errors
    /// [`PasswordRefusal::TooShort`] or [`PasswordRefusal::TooEasy`].
    pub fn check_strength(&self, username: &Username) -> Result<(), PasswordRefusal> {
        let text = Zeroizing::new(String::from_utf8_lossy(&self.0).to_lowercase());
        if text.chars().count() < SHORTEST {
            return Err(PasswordRefusal::TooShort);
        }
        let mut different = Zeroizing::new(text.chars().collect::<Vec<_>>());
        different.sort_unstable();
        different.dedup();
        if different.len() < VARIETY || *text == username.as_str() {
            return Err(PasswordRefusal::TooEasy);
        }
        Ok(())
    }

    fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What one guess at a password costs. Part of the protocol: both registration and login must use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

impl PasswordCost {
    /// Argon2id with 64 MiB and three passes (RFC 9106 §4, second choice, on one lane).
    pub const STANDARD: Self = Self { memory_kib: 64 * 1024, iterations: 3, lanes: 1 };

    /// Next to nothing. For tests and simulation: a record made with it protects nothing.
    pub const fn danger_fast() -> Self {
        Self { memory_kib: 8, iterations: 1, lanes: 1 }
    }

    fn ksf(self) -> Result<Argon2<'static>, PasswordError> {
        let params =
            Params::new(self.memory_kib, self.iterations, self.lanes, None).map_err(|_| PasswordError::Internal)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// The key that only the right password gives, the same at each login; the server never has it. Seals the
/// [vault](crate::vault). Zeroised when dropped; has no `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ExportKey([u8; 64]);

impl ExportKey {
    /// The key with these bytes.
    pub(crate) const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

#[cfg(test)]
mod tests;

//! What keys say: identities, signed statements, the chains that make a lying server show, passwords and vaults.
//!
//! Everything that outlives a connection and that people check without trusting the server is a signed statement of
//! `subrosa-wire` (`statements.proto`). This crate turns the unverified form into the usable one, and back:
//!
//! | module | checks |
//! |---|---|
//! | [`keys`] | Ed25519 signatures, each under a fixed label |
//! | [`statement`] | a statement's size, signature and shape |
//! | [`account`] | name ↔ key: the account's own signature and the server's over the same bytes |
//! | [`device`], [`device_list`] | which keys act for an account: certificates in a hash chain |
//! | [`role_log`] | who may do what: the server's hash-chained log, every rule of roles checked again |
//! | [`group_certificate`], [`title`] | what a conversation is, and what it is called |
//! | [`room`] | what a room is, who says to be in it, and words to compare |
//! | [`session`] | that both ends of a connection are who they say |
//! | [`password`], [`vault`] | a password proved by OPAQUE, and the account key sealed under it |
//! | [`safety_number`], [`short_string`] | what two people compare |
//! | [`encryptor`] | that a direct link is secret and unchanged |
//!
//! No clock, no randomness and no socket in here: times and random number generators come in as arguments. Secrets are
//! zeroised when dropped and have no `Debug` that shows them.

pub mod account;
pub mod device;
pub mod device_list;
pub mod encryptor;
pub mod field;
pub mod group_certificate;
pub mod keys;
pub mod password;
pub mod role_log;
pub mod room;
pub mod safety_number;
pub mod session;
pub mod short_string;
pub mod statement;
pub mod title;
pub mod vault;

pub use account::{Account, IdentityError, SelfSigned, verify_directory_entry};
pub use device::{ClaimedDevice, Device};
pub use device_list::{DeviceChange, DeviceList, DeviceListError};
pub use encryptor::{Encryptor, EncryptorError};
pub use field::BadField;
pub use group_certificate::{CertificateError, ConversationKind, GroupCertificate};
pub use keys::{BadKey, BadSignature, Label, SigningKey, VerifyingKey};
pub use password::{
    Binding, ExportKey, Login, LoginOutcome, LoginState, Password, PasswordCost, PasswordError, PasswordRefusal,
    Registration, ServerSetup,
};
pub use role_log::{Checked, Offer, Order, RoleChange, RoleEvent, RoleLog, RoleLogError};
pub use safety_number::{NoSafetyNumber, SafetyNumber};
pub use session::{Channel, SessionError};
pub use short_string::ShortString;
pub use statement::{Statement, StatementError, Verified};
pub use title::TitleRecord;
pub use vault::VaultError;

/// SHA-256, as hash chains use it.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

#[cfg(test)]
mod fixtures;

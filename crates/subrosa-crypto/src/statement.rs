//! Signed statements: from the bytes that travel to a value that may be used, and back.
//!
//! `proto::Signed` is the unverified form, the only one that decodes. [`verify`] gives [`Verified`], the only one that
//! can be read. A statement is hashed and verified as the bytes that arrived, never encoded again: two encodings of one
//! value are two statements, and one of them has no signature.
//!
//! Steps of [`verify`], cheapest first: size, signature under the kind's label, decoding.

use std::ops::Deref;

use prost::Message;
use subrosa_wire::proto::{
    AccountStatement, DeviceCertificate, DeviceListEntry, GroupCertificate, HandOverAcceptance, HandOverOffer,
    RoleLogEntry, RoleOrder, Signed, TitleRecord,
};

use crate::keys::{Label, SigningKey, VerifyingKey};

/// Largest statement, in bytes.
pub const STATEMENT: usize = 4 * 1024;

/// Bytes that are no statement of the expected kind by the expected key. Who sent them is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// More than [`STATEMENT`] bytes.
    #[error("the statement is larger than {STATEMENT} bytes")]
    TooLarge,
    /// Signed, but no statement of this kind; or no signed statement at all.
    #[error("the statement does not decode")]
    Malformed,
    /// Not signed by this key for this purpose.
    #[error("the statement's signature does not verify")]
    BadSignature,
}

mod sealed {
    /// Only the statements of the schema: a new kind needs a label of its own.
    pub trait Sealed {}
}

/// A kind of statement of the schema.
pub trait Statement: Message + Default + sealed::Sealed {
    /// What its signature is for.
    const LABEL: Label;
}

impl sealed::Sealed for AccountStatement {}
impl Statement for AccountStatement {
    const LABEL: Label = Label::Account;
}

impl sealed::Sealed for DeviceCertificate {}
impl Statement for DeviceCertificate {
    const LABEL: Label = Label::Device;
}

impl sealed::Sealed for DeviceListEntry {}
impl Statement for DeviceListEntry {
    const LABEL: Label = Label::DeviceList;
}

impl sealed::Sealed for RoleLogEntry {}
impl Statement for RoleLogEntry {
    const LABEL: Label = Label::RoleLog;
}

impl sealed::Sealed for RoleOrder {}
impl Statement for RoleOrder {
    const LABEL: Label = Label::RoleOrder;
}

impl sealed::Sealed for HandOverOffer {}
impl Statement for HandOverOffer {
    const LABEL: Label = Label::HandOverOffer;
}

impl sealed::Sealed for HandOverAcceptance {}
impl Statement for HandOverAcceptance {
    const LABEL: Label = Label::HandOverAcceptance;
}

impl sealed::Sealed for GroupCertificate {}
impl Statement for GroupCertificate {
    const LABEL: Label = Label::GroupCertificate;
}

impl sealed::Sealed for TitleRecord {}
impl Statement for TitleRecord {
    const LABEL: Label = Label::Title;
}

/// A statement whose signature was verified. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<S> {
    statement: S,
    hash: [u8; 32],
}

impl<S> Verified<S> {
    /// SHA-256 of the statement's bytes.
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The statement, owned. From here on nothing tells that it was verified.
    pub fn into_inner(self) -> S {
        self.statement
    }
}

impl<S> Deref for Verified<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.statement
    }
}

/// Signs a statement.
pub fn sign<S: Statement>(statement: &S, key: &SigningKey) -> Signed {
    let statement = statement.encode_to_vec();
    let signature = key.sign(S::LABEL, &statement).to_vec();
    Signed { statement, signature }
}

/// Checks that `key` made this statement, and gives its content.
///
/// # Errors
/// See [`StatementError`].
pub fn verify<S: Statement>(signed: &Signed, key: &VerifyingKey) -> Result<Verified<S>, StatementError> {
    if signed.statement.len() > STATEMENT {
        return Err(StatementError::TooLarge);
    }
    key.verify(S::LABEL, &signed.statement, &signed.signature).map_err(|_| StatementError::BadSignature)?;
    Ok(Verified { statement: decode(signed)?, hash: hash(signed) })
}

/// The content of a statement that nobody vouches for, to find out whose key to ask for. Never leaves this crate as
/// anything but a claim.
pub(crate) fn decode<S: Statement>(signed: &Signed) -> Result<S, StatementError> {
    if signed.statement.len() > STATEMENT {
        return Err(StatementError::TooLarge);
    }
    S::decode(signed.statement.as_slice()).map_err(|_| StatementError::Malformed)
}

/// SHA-256 of the statement's bytes: how the next link of a chain names this one.
pub fn hash(signed: &Signed) -> [u8; 32] {
    crate::sha256(&signed.statement)
}

/// A signed statement as bytes, for stores and for MLS credentials and extensions.
pub fn to_bytes(signed: &Signed) -> Vec<u8> {
    signed.encode_to_vec()
}

/// The signed statement in bytes that [`to_bytes`] made; nothing is verified.
///
/// # Errors
/// See [`StatementError`].
pub fn from_bytes(bytes: &[u8]) -> Result<Signed, StatementError> {
    // Two tags, two lengths and the signature besides the statement.
    if bytes.len() > STATEMENT + 80 {
        return Err(StatementError::TooLarge);
    }
    Signed::decode(bytes).map_err(|_| StatementError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::rng;

    #[test]
    fn a_statement_is_read_only_after_its_signature_held() {
        let key = SigningKey::generate(&mut rng(1));
        let statement = HandOverAcceptance { offer_hash: vec![1; 32], to: vec![2; 16], at: 3 };
        let signed = sign(&statement, &key);
        let verified = verify::<HandOverAcceptance>(&signed, &key.public()).unwrap();
        assert_eq!(*verified, statement);
        assert_eq!(verified.hash(), hash(&signed));

        let mut other_bytes = signed.clone();
        other_bytes.statement.extend([0x18, 4]);
        assert_eq!(verify::<HandOverAcceptance>(&other_bytes, &key.public()), Err(StatementError::BadSignature));
        let other_key = SigningKey::generate(&mut rng(2)).public();
        assert_eq!(verify::<HandOverAcceptance>(&signed, &other_key), Err(StatementError::BadSignature));
    }

    #[test]
    fn a_statement_cannot_be_taken_for_one_of_another_kind() {
        // An offer and an order have compatible encodings; their labels keep them apart.
        let key = SigningKey::generate(&mut rng(1));
        let offer =
            HandOverOffer { server_key: vec![1; 32], from: vec![2; 16], to: vec![3; 16], seen_position: 4, at: 0 };
        let signed = sign(&offer, &key);
        assert!(decode::<RoleOrder>(&signed).is_ok());
        assert_eq!(verify::<RoleOrder>(&signed, &key.public()), Err(StatementError::BadSignature));
    }

    #[test]
    fn what_is_too_large_or_damaged_is_refused() {
        let key = SigningKey::generate(&mut rng(1));
        let title = TitleRecord { title: "x".repeat(STATEMENT), ..TitleRecord::default() };
        let signed = sign(&title, &key);
        assert_eq!(verify::<TitleRecord>(&signed, &key.public()), Err(StatementError::TooLarge));
        assert_eq!(from_bytes(&to_bytes(&signed)), Ok(signed));
        assert_eq!(from_bytes(&vec![0; STATEMENT + 81]), Err(StatementError::TooLarge));
        assert_eq!(from_bytes(&[0xFF]), Err(StatementError::Malformed));
        let statement = vec![0xFF, 0xFF];
        let signature = key.sign(Label::Title, &statement).to_vec();
        let garbage = Signed { statement, signature };
        assert_eq!(verify::<TitleRecord>(&garbage, &key.public()), Err(StatementError::Malformed));
    }
}

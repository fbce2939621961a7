//! Accounts: who a username is, said by the account's own key and by the server.
//!
//! An account statement ties a random id, a username and an account key together, for one server. Two signatures stand
//! over the same bytes:
//!
//! 1. the account's own ([`SelfSigned`]): nobody registers a key they do not hold, and nobody moves a key to another
//!    name or server;
//! 2. the server's attestation: the server answers for name ↔ key, and cannot deny later what it said.
//!
//! The server checks the first at sign-up and makes the second. A client wants both, and the whole device list behind
//! them, before it has an [`Account`] ([`verify_directory_entry`]), and pins what it got.

use subrosa_types::{AccountId, Timestamp, Username};
use subrosa_wire::proto::{AccountStatement, DirectoryEntry, Signed};

use crate::device_list::{DeviceList, DeviceListError};
use crate::field::{self, BadField};
use crate::keys::{Label, SigningKey, VerifyingKey};
use crate::statement::{self, StatementError};

/// Something that claims an identity and does not prove it. The server that passed it on, or the account that made it,
/// is to blame; no key of it may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not signed by the account, or no statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Not signed by the server.
    #[error("the server's signature over the account does not verify")]
    Attestation,
    /// A field of the wrong shape.
    #[error(transparent)]
    Shape(#[from] BadField),
    /// Made for another server.
    #[error("the account belongs to another server")]
    OtherServer,
    /// Of another account than the one that was asked for.
    #[error("the statement belongs to another account")]
    OtherAccount,
    /// The account's device list does not hold.
    #[error("the device list does not verify: {0}")]
    Devices(#[from] DeviceListError),
}

/// Makes an account's statement about itself. Its two parts are fields of `RegisterFinish` and `ResetAccount`.
pub fn statement(
    id: AccountId,
    username: &Username,
    server_key: &VerifyingKey,
    generation: u32,
    at: Timestamp,
    account_key: &SigningKey,
) -> Signed {
    let statement = AccountStatement {
        account_id: id.to_vec(),
        username: username.as_str().to_owned(),
        account_key: account_key.public().to_vec(),
        server_key: server_key.to_vec(),
        at: at.0,
        generation,
    };
    statement::sign(&statement, account_key)
}

/// An account's statement that the account's own key signed: what a server wants before it attests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelfSigned {
    /// The account.
    pub id: AccountId,
    /// Its name, in prepared form.
    pub username: Username,
    /// Its key.
    pub key: VerifyingKey,
    /// How often the account started over with a new key.
    pub generation: u32,
    /// When the statement was made, by the account's clock.
    pub at: Timestamp,
    signed: Signed,
}

impl SelfSigned {
    /// Checks an account's own signature, with the key that the statement names, and that it was made for this server.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn verify(statement: &[u8], signature: &[u8], server_key: &VerifyingKey) -> Result<Self, IdentityError> {
        if statement.len() > statement::STATEMENT {
            return Err(StatementError::TooLarge.into());
        }
        let signed = Signed { statement: statement.to_vec(), signature: signature.to_vec() };
        // The statement names the key that has to have signed it.
        let key = field::key(&statement::decode::<AccountStatement>(&signed)?.account_key, "account_key")?;
        let verified = statement::verify::<AccountStatement>(&signed, &key)?;
        if verified.server_key != server_key.as_bytes() {
            return Err(IdentityError::OtherServer);
        }
        Ok(Self {
            id: field::account(&verified.account_id, "account_id")?,
            username: Username::from_prepared(&verified.username).map_err(|_| BadField("username"))?,
            key,
            generation: verified.generation,
            at: Timestamp(verified.at),
            signed,
        })
    }

    /// The server's signature over the same bytes. Only for a name and an id that the server has given to this key.
    pub fn attest(&self, server: &SigningKey) -> [u8; 64] {
        server.sign(Label::Attestation, &self.signed.statement)
    }

    /// What the directory answers.
    pub fn directory_entry(&self, attestation: &[u8], device_list: Vec<Signed>) -> DirectoryEntry {
        DirectoryEntry {
            account_statement: self.signed.statement.clone(),
            account_signature: self.signed.signature.clone(),
            attestation: attestation.to_vec(),
            device_list,
        }
    }
}

/// An account with its devices, vouched for by itself and by the server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// Its name.
    pub username: Username,
    /// Its key. Compare with the pinned one: a server can attest a key of its own.
    pub key: VerifyingKey,
    /// How often the account started over with a new key.
    pub generation: u32,
    /// When the statement was made, by the account's clock.
    pub at: Timestamp,
    /// Its devices.
    pub devices: DeviceList,
}

/// Checks everything about a directory entry that can be checked without knowing the account from before.
///
/// Whether it is the account that was asked for, whether its key is the pinned one and whether its device list
/// [extends](DeviceList::extends) the known one is for the caller to compare.
///
/// # Errors
/// See [`IdentityError`].
pub fn verify_directory_entry(entry: &DirectoryEntry, server_key: &VerifyingKey) -> Result<Account, IdentityError> {
    let account = SelfSigned::verify(&entry.account_statement, &entry.account_signature, server_key)?;
    server_key
        .verify(Label::Attestation, &entry.account_statement, &entry.attestation)
        .map_err(|_| IdentityError::Attestation)?;
    let devices = DeviceList::verify(&entry.device_list, account.id, &account.key)?;
    let SelfSigned { id, username, key, generation, at, .. } = account;
    Ok(Account { id, username, key, generation, at, devices })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Person, rng};
    use prost::Message;

    fn server(seed: u64) -> SigningKey {
        SigningKey::generate(&mut rng(seed))
    }

    #[test]
    fn an_account_with_both_signatures_is_accepted() {
        let (server, alice) = (server(1), Person::new(2, "alice"));
        let account = verify_directory_entry(&alice.directory_entry(&server), &server.public()).unwrap();
        assert_eq!((account.id, account.key, account.generation), (alice.id, alice.key.public(), 0));
        assert_eq!(account.username.as_str(), "alice");
        assert_eq!(account.devices.active().count(), 1);
    }

    #[test]
    fn a_server_that_swaps_the_key_cannot_sign_for_the_account() {
        let (server, alice) = (server(1), Person::new(2, "alice"));
        let mut entry = alice.directory_entry(&server);
        let mut swapped = AccountStatement::decode(entry.account_statement.as_slice()).unwrap();
        swapped.account_key = Person::new(3, "mallory").key.public().to_vec();
        entry.account_statement = swapped.encode_to_vec();
        entry.attestation = server.sign(Label::Attestation, &entry.account_statement).to_vec();
        assert_eq!(
            verify_directory_entry(&entry, &server.public()).unwrap_err(),
            IdentityError::Statement(StatementError::BadSignature)
        );
    }

    #[test]
    fn an_account_that_the_server_did_not_attest_is_refused() {
        let (server, alice) = (server(1), Person::new(2, "alice"));
        let mut entry = alice.directory_entry(&server);
        entry.attestation = entry.account_signature.clone();
        assert_eq!(verify_directory_entry(&entry, &server.public()).unwrap_err(), IdentityError::Attestation);
        entry.attestation = Vec::new();
        assert_eq!(verify_directory_entry(&entry, &server.public()).unwrap_err(), IdentityError::Attestation);
    }

    #[test]
    fn a_statement_for_another_server_is_worth_nothing_here() {
        let (here, there, alice) = (server(1), server(9), Person::new(2, "alice"));
        let entry = alice.directory_entry(&there);
        assert_eq!(verify_directory_entry(&entry, &here.public()).unwrap_err(), IdentityError::OtherServer);
    }

    #[test]
    fn fields_of_the_wrong_shape_are_named() {
        let (server, alice) = (server(1), Person::new(2, "alice"));
        let refused = |change: &dyn Fn(&mut AccountStatement)| {
            let signed = statement(alice.id, &alice.name, &server.public(), 0, Timestamp(1), &alice.key);
            let mut content = statement::decode::<AccountStatement>(&signed).unwrap();
            change(&mut content);
            let signed = statement::sign(&content, &alice.key);
            SelfSigned::verify(&signed.statement, &signed.signature, &server.public()).unwrap_err()
        };
        assert_eq!(refused(&|s| s.account_id.truncate(15)), IdentityError::Shape(BadField("account_id")));
        assert_eq!(refused(&|s| s.account_key.truncate(31)), IdentityError::Shape(BadField("account_key")));
        assert_eq!(refused(&|s| s.username = "Alice".into()), IdentityError::Shape(BadField("username")));
        assert_eq!(refused(&|s| s.username = "a b".into()), IdentityError::Shape(BadField("username")));
        assert_eq!(refused(&|s| s.username = "x".repeat(5000)), IdentityError::Statement(StatementError::TooLarge));
        assert_eq!(refused(&|s| s.server_key.clear()), IdentityError::OtherServer);
    }

    #[test]
    fn an_account_cannot_show_the_devices_of_another() {
        let (server, alice, bob) = (server(1), Person::new(2, "alice"), Person::new(3, "bob"));
        let mut entry = alice.directory_entry(&server);
        entry.device_list = bob.directory_entry(&server).device_list;
        assert!(matches!(verify_directory_entry(&entry, &server.public()), Err(IdentityError::Devices(_))));
        entry.device_list.clear();
        assert!(matches!(verify_directory_entry(&entry, &server.public()), Err(IdentityError::Devices(_))));
    }
}

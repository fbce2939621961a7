//! People this profile knows: name, pinned key, and whether the key was compared.

use rusqlite::{Connection, OptionalExtension, Row, params};
use subrosa_crypto::VerifyingKey;
use subrosa_types::{AccountId, Username};

use super::{Result, StoreError, id, key};

/// A person of this server, attested when first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub username: Username,
    /// The pinned account key.
    pub key: VerifyingKey,
    /// A changed key that the person at this end did not accept yet.
    pub new_key: Option<VerifyingKey>,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Hash of the newest device list entry seen.
    pub device_list: Vec<u8>,
}

impl Contact {
    /// Whether the key that the person has now was compared.
    pub const fn is_verified(&self) -> bool {
        self.verified && self.new_key.is_none()
    }
}

const COLUMNS: &str = "account, username, key, new_key, verified, device_list";

type Raw = (Vec<u8>, String, Vec<u8>, Option<Vec<u8>>, bool, Vec<u8>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn contact((account, username, pinned, new_key, verified, device_list): Raw) -> Result<Contact> {
    Ok(Contact {
        account: id(&account, "contact", AccountId::from_bytes)?,
        username: username.parse().map_err(|_| StoreError::Damaged("username"))?,
        key: key(&pinned, "contact key")?,
        new_key: new_key.map(|bytes| key(&bytes, "contact key")).transpose()?,
        verified,
        device_list,
    })
}

/// The contact with this account id.
pub fn by_account(connection: &Connection, account: AccountId) -> Result<Option<Contact>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM contacts WHERE account = ?1"))?
        .query_row([account.as_bytes()], raw)
        .optional()?
        .map(contact)
        .transpose()
}

/// The contact with this name.
pub fn by_name(connection: &Connection, username: &Username) -> Result<Option<Contact>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM contacts WHERE username = ?1"))?
        .query_row([username.as_str()], raw)
        .optional()?
        .map(contact)
        .transpose()
}

/// Those whose changed key the person at this end did not accept yet, by name.
pub fn changed(connection: &Connection) -> Result<Vec<Contact>> {
    let sql = format!("SELECT {COLUMNS} FROM contacts WHERE new_key IS NOT NULL ORDER BY username");
    connection.prepare_cached(&sql)?.query_map([], raw)?.map(|row| contact(row?)).collect()
}

/// Writes a contact.
pub fn save(connection: &Connection, contact: &Contact) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO contacts (account, username, key, new_key, verified, device_list)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            contact.account.as_bytes(),
            contact.username.as_str(),
            contact.key.as_bytes(),
            contact.new_key.as_ref().map(VerifyingKey::as_bytes),
            contact.verified,
            contact.device_list,
        ])?;
    Ok(())
}

//! Accounts.

use rusqlite::{Connection, OptionalExtension, Row};
use subrosa_types::{AccountId, Timestamp};

use super::{AccountNo, StoreError, Stored};

/// What everybody may know of an account, and its number here.
pub(crate) struct AccountRecord {
    pub(crate) no: AccountNo,
    pub(crate) id: AccountId,
    pub(crate) generation: u32,
    pub(crate) username: String,
    pub(crate) account_key: Vec<u8>,
    pub(crate) statement: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) attestation: Vec<u8>,
}

/// What a password login needs.
pub(crate) struct PasswordRecord {
    pub(crate) no: AccountNo,
    pub(crate) password_file: Vec<u8>,
}

/// The key and the signed statements of an account, new or renewed.
pub(crate) struct Identity<'a> {
    pub(crate) generation: u32,
    pub(crate) account_key: &'a [u8; 32],
    pub(crate) statement: &'a [u8],
    pub(crate) signature: &'a [u8],
    pub(crate) attestation: &'a [u8],
    pub(crate) vault: &'a [u8],
}

/// The rest of a new account.
pub(crate) struct NewAccount<'a> {
    pub(crate) id: AccountId,
    pub(crate) username: &'a str,
    pub(crate) skeleton: &'a str,
    pub(crate) email: &'a str,
    pub(crate) password_file: &'a [u8],
    pub(crate) created_at: Timestamp,
}

pub(crate) fn insert(store: &Connection, new: &NewAccount<'_>, identity: &Identity<'_>) -> Stored<AccountNo> {
    store
        .prepare_cached(
            "INSERT INTO account (id, username, skeleton, email, generation, account_key, statement, signature, attestation,
                                  password_file, vault, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute((
            new.id.as_bytes(),
            new.username,
            new.skeleton,
            new.email,
            identity.generation,
            identity.account_key,
            identity.statement,
            identity.signature,
            identity.attestation,
            new.password_file,
            identity.vault,
            new.created_at.0,
        ))?;
    Ok(AccountNo(store.last_insert_rowid()))
}

/// Gives an account a new key.
pub(crate) fn renew(store: &Connection, account: AccountNo, identity: &Identity<'_>) -> Stored<()> {
    store
        .prepare_cached(
            "UPDATE account SET generation = ?2, account_key = ?3, statement = ?4, signature = ?5, attestation = ?6,
                                vault = ?7 WHERE no = ?1",
        )?
        .execute((
            account,
            identity.generation,
            identity.account_key,
            identity.statement,
            identity.signature,
            identity.attestation,
            identity.vault,
        ))?;
    Ok(())
}

/// Whether the name or one that is confusable with it is taken.
pub(crate) fn name_taken(store: &Connection, username: &str, skeleton: &str) -> Stored<bool> {
    Ok(store
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM account WHERE username = ?1 OR skeleton = ?2)")?
        .query_row((username, skeleton), |row| row.get(0))?)
}

/// Whether there is any account at all.
pub(crate) fn any(store: &Connection) -> Stored<bool> {
    Ok(store.prepare_cached("SELECT EXISTS (SELECT 1 FROM account)")?.query_row([], |row| row.get(0))?)
}

pub(crate) fn number(store: &Connection, id: AccountId) -> Stored<Option<AccountNo>> {
    Ok(store
        .prepare_cached("SELECT no FROM account WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?)
}

const RECORD: &str = "SELECT no, id, generation, statement, signature, attestation, username, account_key
                      FROM account WHERE ";

pub(crate) fn by_id(store: &Connection, id: AccountId) -> Stored<Option<AccountRecord>> {
    let mut statement = store.prepare_cached(&format!("{RECORD} id = ?1"))?;
    statement.query_row([id.as_bytes()], record).optional()?.transpose()
}

pub(crate) fn by_number(store: &Connection, no: AccountNo) -> Stored<AccountRecord> {
    let mut statement = store.prepare_cached(&format!("{RECORD} no = ?1"))?;
    statement.query_row([no], record).optional()?.ok_or(StoreError::Damaged("an account is missing"))?
}

pub(crate) fn by_username(store: &Connection, username: &str) -> Stored<Option<AccountRecord>> {
    let mut statement = store.prepare_cached(&format!("{RECORD} username = ?1"))?;
    statement.query_row([username], record).optional()?.transpose()
}

fn record(row: &Row<'_>) -> rusqlite::Result<Stored<AccountRecord>> {
    let id: Vec<u8> = row.get(1)?;
    let Ok(id) = AccountId::from_slice(&id) else { return Ok(Err(StoreError::Damaged("an account id"))) };
    Ok(Ok(AccountRecord {
        no: row.get(0)?,
        id,
        generation: row.get(2)?,
        statement: row.get(3)?,
        signature: row.get(4)?,
        attestation: row.get(5)?,
        username: row.get(6)?,
        account_key: row.get(7)?,
    }))
}

pub(crate) fn password(store: &Connection, username: &str) -> Stored<Option<PasswordRecord>> {
    Ok(store
        .prepare_cached("SELECT no, password_file FROM account WHERE username = ?1")?
        .query_row([username], |row| Ok(PasswordRecord { no: row.get(0)?, password_file: row.get(1)? }))
        .optional()?)
}

pub(crate) fn vault(store: &Connection, account: AccountNo) -> Stored<Vec<u8>> {
    Ok(store.prepare_cached("SELECT vault FROM account WHERE no = ?1")?.query_row([account], |row| row.get(0))?)
}

/// Ids and names behind `after` in the order of ids.
pub(crate) fn page(store: &Connection, after: &[u8], limit: usize) -> Stored<Vec<(AccountId, String)>> {
    let mut statement = store.prepare_cached("SELECT id, username FROM account WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let rows = statement.query_map((after, limit as i64), |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (id, name) = row?;
        Ok((AccountId::from_slice(&id).map_err(|_| StoreError::Damaged("an account id"))?, name))
    })
    .collect()
}

//! Devices and the signed device lists.

use rusqlite::{Connection, OptionalExtension, Row};
use subrosa_types::{AccountId, DeviceId, Timestamp};
use subrosa_wire::proto::Signed;

use super::{AccountNo, DeviceNo, StoreError, Stored, signed};

/// A device as login and directory need it.
#[derive(Debug, Clone)]
pub(crate) struct DeviceRecord {
    pub(crate) no: DeviceNo,
    pub(crate) id: DeviceId,
    pub(crate) account: AccountNo,
    pub(crate) account_id: AccountId,
    pub(crate) key: [u8; 32],
    /// Its certificate, as its MLS leaf must carry it.
    pub(crate) credential: Vec<u8>,
    pub(crate) revoked: bool,
}

const RECORD: &str = "SELECT device.no, device.id, account, device_key, revoked_at, account.id, credential
                      FROM device JOIN account ON account.no = device.account WHERE ";

pub(crate) fn insert(
    store: &Connection,
    id: DeviceId,
    account: AccountNo,
    key: &[u8; 32],
    credential: &[u8],
    now: Timestamp,
) -> Stored<DeviceNo> {
    store
        .prepare_cached(
            "INSERT INTO device (id, account, device_key, credential, last_resort, enrolled_at)
             VALUES (?1, ?2, ?3, ?4, x'', ?5)",
        )?
        .execute((id.as_bytes(), account, key, credential, now.0))?;
    Ok(DeviceNo(store.last_insert_rowid()))
}

pub(crate) fn by_id(store: &Connection, id: DeviceId) -> Stored<Option<DeviceRecord>> {
    let mut statement = store.prepare_cached(&format!("{RECORD} device.id = ?1"))?;
    statement.query_row([id.as_bytes()], record).optional()?.transpose()
}

pub(crate) fn by_number(store: &Connection, no: DeviceNo) -> Stored<DeviceRecord> {
    let mut statement = store.prepare_cached(&format!("{RECORD} device.no = ?1"))?;
    statement.query_row([no], record).optional()?.ok_or(StoreError::Damaged("a device is missing"))?
}

/// Devices of the account that may log in, oldest first.
pub(crate) fn active(store: &Connection, account: AccountNo) -> Stored<Vec<DeviceRecord>> {
    let mut statement =
        store.prepare_cached(&format!("{RECORD} account = ?1 AND revoked_at IS NULL ORDER BY device.no"))?;
    let rows = statement.query_map([account], record)?;
    rows.map(|row| row?).collect()
}

fn record(row: &Row<'_>) -> rusqlite::Result<Stored<DeviceRecord>> {
    let (id, key, account): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(3)?, row.get(5)?);
    let (Ok(id), Ok(key), Ok(account_id)) =
        (DeviceId::from_slice(&id), key.try_into(), AccountId::from_slice(&account))
    else {
        return Ok(Err(StoreError::Damaged("a device")));
    };
    let revoked = row.get::<_, Option<i64>>(4)?.is_some();
    Ok(Ok(DeviceRecord {
        no: row.get(0)?,
        id,
        account: row.get(2)?,
        account_id,
        key,
        credential: row.get(6)?,
        revoked,
    }))
}

/// Ends a device: it may not log in any more, and its key packages are gone.
pub(crate) fn revoke(store: &Connection, device: DeviceNo, now: Timestamp) -> Stored<()> {
    store
        .prepare_cached("UPDATE device SET revoked_at = ?2, last_resort = x'' WHERE no = ?1")?
        .execute((device, now.0))?;
    store.prepare_cached("DELETE FROM key_package WHERE device = ?1")?.execute([device])?;
    store.prepare_cached("DELETE FROM inbox WHERE device = ?1")?.execute([device])?;
    Ok(())
}

pub(crate) fn list(store: &Connection, account: AccountNo) -> Stored<Vec<Signed>> {
    let mut statement =
        store.prepare_cached("SELECT statement, signature FROM device_list WHERE account = ?1 ORDER BY position")?;
    let rows = statement.query_map([account], |row| Ok(Signed { statement: row.get(0)?, signature: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn extend_list(store: &Connection, account: AccountNo, index: u64, entry: &Signed) -> Stored<()> {
    store
        .prepare_cached("INSERT INTO device_list (account, position, statement, signature) VALUES (?1, ?2, ?3, ?4)")?
        .execute((account, signed(index), &entry.statement, &entry.signature))?;
    Ok(())
}

/// Forgets the list of an account that starts over with a new key.
pub(crate) fn clear_list(store: &Connection, account: AccountNo) -> Stored<()> {
    store.prepare_cached("DELETE FROM device_list WHERE account = ?1")?.execute([account])?;
    Ok(())
}

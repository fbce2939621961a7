//! The server's role log as this client followed it, entry by entry as signed.

use prost::Message;
use rusqlite::Connection;
use subrosa_crypto::RoleLog;
use subrosa_wire::proto::Signed;

use super::{Result, StoreError};

/// The log as it was verified when it was written.
pub fn load(connection: &Connection) -> Result<RoleLog> {
    let mut log = RoleLog::default();
    let mut statement = connection.prepare_cached("SELECT signed FROM role_log ORDER BY position")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        let signed = Signed::decode(bytes.as_slice()).map_err(|_| StoreError::Damaged("role log"))?;
        log.append_trusted(&signed).map_err(|_| StoreError::Damaged("role log"))?;
    }
    Ok(log)
}

/// Writes one verified entry.
pub fn append(connection: &Connection, position: u64, signed: &Signed) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO role_log (position, signed) VALUES (?1, ?2)")?
        .execute((position, signed.encode_to_vec()))?;
    Ok(())
}

/// All entries with their times, for the audit view.
pub fn entries(connection: &Connection) -> Result<Vec<Signed>> {
    let mut statement = connection.prepare_cached("SELECT signed FROM role_log ORDER BY position")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|bytes| Signed::decode(bytes?.as_slice()).map_err(|_| StoreError::Damaged("role log"))).collect()
}

//! Key packages: each is handed out once, but for the last resort.

use rusqlite::{Connection, OptionalExtension};

use super::{DeviceNo, Stored};

pub(crate) fn left(store: &Connection, device: DeviceNo) -> Stored<u32> {
    Ok(store
        .prepare_cached("SELECT count(*) FROM key_package WHERE device = ?1")?
        .query_row([device], |row| row.get(0))?)
}

pub(crate) fn add(store: &Connection, device: DeviceNo, package: &[u8]) -> Stored<()> {
    store.prepare_cached("INSERT INTO key_package (device, package) VALUES (?1, ?2)")?.execute((device, package))?;
    Ok(())
}

/// Drops the oldest packages beyond `keep`.
pub(crate) fn trim(store: &Connection, device: DeviceNo, keep: usize) -> Stored<()> {
    store
        .prepare_cached(
            "DELETE FROM key_package WHERE device = ?1 AND no NOT IN
               (SELECT no FROM key_package WHERE device = ?1 ORDER BY no DESC LIMIT ?2)",
        )?
        .execute((device, keep as i64))?;
    Ok(())
}

pub(crate) fn set_last_resort(store: &Connection, device: DeviceNo, package: &[u8]) -> Stored<()> {
    store.prepare_cached("UPDATE device SET last_resort = ?2 WHERE no = ?1")?.execute((device, package))?;
    Ok(())
}

/// Takes the oldest package out of the store; when there is none, a copy of the last resort.
pub(crate) fn take(store: &Connection, device: DeviceNo) -> Stored<Option<Vec<u8>>> {
    let oldest = store
        .prepare_cached(
            "DELETE FROM key_package WHERE no = (SELECT min(no) FROM key_package WHERE device = ?1) RETURNING package",
        )?
        .query_row([device], |row| row.get(0))
        .optional()?;
    if oldest.is_some() {
        return Ok(oldest);
    }
    let last: Vec<u8> =
        store.prepare_cached("SELECT last_resort FROM device WHERE no = ?1")?.query_row([device], |row| row.get(0))?;
    Ok(Some(last).filter(|package| !package.is_empty()))
}

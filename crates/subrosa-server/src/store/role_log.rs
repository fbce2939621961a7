//! The role log and the pending hand-over, as signed.

use rusqlite::{Connection, OptionalExtension};
use subrosa_types::{AccountId, RolePosition};
use subrosa_wire::proto::Signed;

use super::{StoreError, Stored, signed};

pub(crate) fn append(store: &Connection, position: RolePosition, entry: &Signed) -> Stored<()> {
    store.prepare_cached("INSERT INTO role_log (position, statement, signature) VALUES (?1, ?2, ?3)")?.execute((
        signed(position.0),
        &entry.statement,
        &entry.signature,
    ))?;
    Ok(())
}

/// Entries behind `after`, in order.
pub(crate) fn page(store: &Connection, after: RolePosition, limit: usize) -> Stored<Vec<Signed>> {
    let mut statement = store
        .prepare_cached("SELECT statement, signature FROM role_log WHERE position > ?1 ORDER BY position LIMIT ?2")?;
    let rows = statement.query_map((signed(after.0), limit as i64), |row| {
        Ok(Signed { statement: row.get(0)?, signature: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A hand-over that waits for its answer.
pub(crate) struct PendingHandOver {
    pub(crate) to: AccountId,
    pub(crate) offer: Signed,
}

pub(crate) fn pending_hand_over(store: &Connection) -> Stored<Option<PendingHandOver>> {
    let row = store
        .prepare_cached("SELECT to_account, statement, signature FROM hand_over WHERE id = 1")?
        .query_row([], |row| Ok((row.get::<_, Vec<u8>>(0)?, Signed { statement: row.get(1)?, signature: row.get(2)? })))
        .optional()?;
    row.map(|(to, offer)| {
        let to = AccountId::from_slice(&to).map_err(|_| StoreError::Damaged("an account id"))?;
        Ok(PendingHandOver { to, offer })
    })
    .transpose()
}

pub(crate) fn set_hand_over(store: &Connection, to: AccountId, offer: &Signed) -> Stored<()> {
    store
        .prepare_cached(
            "INSERT OR REPLACE INTO hand_over (id, to_account, statement, signature) VALUES (1, ?1, ?2, ?3)",
        )?
        .execute((to.as_bytes(), &offer.statement, &offer.signature))?;
    Ok(())
}

pub(crate) fn clear_hand_over(store: &Connection) -> Stored<()> {
    store.prepare_cached("DELETE FROM hand_over")?.execute([])?;
    Ok(())
}

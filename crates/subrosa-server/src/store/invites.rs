//! Sign-up invitations.

use rusqlite::Connection;
use subrosa_types::Timestamp;

use super::Stored;

/// A sign-up invitation.
pub(crate) struct InviteRecord {
    pub(crate) code: String,
    pub(crate) uses_left: u32,
    pub(crate) expires_at: i64,
}

pub(crate) fn insert(store: &Connection, invite: &InviteRecord, now: Timestamp) -> Stored<()> {
    store
        .prepare_cached("INSERT INTO invite (code, uses_left, expires_at, created_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((&invite.code, invite.uses_left, invite.expires_at, now.0))?;
    Ok(())
}

/// Uses the invitation once. `false` if there is none that is valid now.
pub(crate) fn redeem(store: &Connection, code: &str, now: Timestamp) -> Stored<bool> {
    let used = store
        .prepare_cached(
            "UPDATE invite SET uses_left = uses_left - 1
             WHERE code = ?1 AND uses_left > 0 AND (expires_at = 0 OR expires_at > ?2)",
        )?
        .execute((code, now.0))?;
    prune(store, now)?;
    Ok(used == 1)
}

/// Forgets what is used up or expired.
pub(crate) fn prune(store: &Connection, now: Timestamp) -> Stored<()> {
    store
        .prepare_cached("DELETE FROM invite WHERE uses_left = 0 OR (expires_at <> 0 AND expires_at <= ?1)")?
        .execute([now.0])?;
    Ok(())
}

/// Invitations that are still good, newest first.
pub(crate) fn valid(store: &Connection, now: Timestamp, limit: usize) -> Stored<Vec<InviteRecord>> {
    let mut statement = store.prepare_cached(
        "SELECT code, uses_left, expires_at FROM invite
         WHERE uses_left > 0 AND (expires_at = 0 OR expires_at > ?1) ORDER BY created_at DESC, code LIMIT ?2",
    )?;
    let rows = statement.query_map((now.0, limit as i64), |row| {
        Ok(InviteRecord { code: row.get(0)?, uses_left: row.get(1)?, expires_at: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn count(store: &Connection) -> Stored<usize> {
    let count: i64 = store.prepare_cached("SELECT count(*) FROM invite")?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// `false` if there was no such invitation.
pub(crate) fn revoke(store: &Connection, code: &str) -> Stored<bool> {
    Ok(store.prepare_cached("DELETE FROM invite WHERE code = ?1")?.execute([code])? == 1)
}

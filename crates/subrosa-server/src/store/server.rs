//! The server's own row: identity key and OPAQUE setup.

use rusqlite::{Connection, OptionalExtension};
use subrosa_types::Timestamp;
use zeroize::Zeroizing;

use super::Stored;

/// The secrets as they are stored.
pub(crate) struct Secrets {
    pub(crate) identity_seed: Zeroizing<Vec<u8>>,
    pub(crate) opaque_setup: Zeroizing<Vec<u8>>,
}

pub(crate) fn load(store: &Connection) -> Stored<Option<Secrets>> {
    Ok(store
        .query_row("SELECT identity_seed, opaque_setup FROM server WHERE id = 1", [], |row| {
            Ok(Secrets { identity_seed: Zeroizing::new(row.get(0)?), opaque_setup: Zeroizing::new(row.get(1)?) })
        })
        .optional()?)
}

pub(crate) fn save(store: &Connection, secrets: &Secrets, now: Timestamp) -> Stored<()> {
    store.execute(
        "INSERT INTO server (id, identity_seed, opaque_setup, created_at) VALUES (1, ?1, ?2, ?3)",
        (secrets.identity_seed.as_slice(), secrets.opaque_setup.as_slice(), now.0),
    )?;
    Ok(())
}

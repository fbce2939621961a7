//! The tables, and the steps from older forms of them. `tests/golden/schema.sql` freezes the result.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use super::Stored;

/// One step a released form; a step is never changed after its release.
const STEPS: &[M<'_>] = &[M::up(include_str!("schema.sql"))];

pub(super) fn migrate(connection: &mut Connection) -> Stored<()> {
    Ok(Migrations::from_slice(STEPS).to_latest(connection)?)
}

/// The schema as the database has it, one statement after the other in alphabetical order of names.
///
/// # Errors
/// [`super::StoreError`] if it cannot be read.
pub fn schema(connection: &Connection) -> Result<String, super::StoreError> {
    let mut statement =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")?;
    let mut text = String::new();
    for sql in statement.query_map([], |row| row.get::<_, String>(0))? {
        text.push_str(&sql?);
        text.push_str(";\n\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_stored_form_is_the_frozen_one() {
        let found = super::schema(&super::super::danger_open_in_memory().unwrap()).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/schema.sql");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &found).unwrap();
        }
        assert_eq!(found, std::fs::read_to_string(path).unwrap(), "run with UPDATE_GOLDEN=1 and add a migration");
    }
}

//! The stored format as it is: a change of the schema shows here and wants a migration. `UPDATE_GOLDEN=1` rewrites it.

use std::path::Path;

use rusqlite::Connection;

#[test]
fn the_schema_of_a_new_store_is_the_golden_one() {
    let mut connection = Connection::open_in_memory().unwrap();
    subrosa_engine::store::migrate(&mut connection).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name",
        )
        .unwrap();
    let parts: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let found = format!("-- user_version {version}\n{};\n", parts.join(";\n\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/schema.sql");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap());
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let mut connection = Connection::open_in_memory().unwrap();
    subrosa_engine::store::migrate(&mut connection).unwrap();
    connection.execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(subrosa_engine::store::migrate(&mut connection).is_err());
}

//! The tables in the file, and the way from each version of them to the next.
//!
//! The words in the columns are those of the types' `word()`, and states and outcomes are JSON, so that a person can
//! read the file: `sqlite3 FILE 'select * from processes'`.

use super::connection::Trouble;
use crate::journal::JournalError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

/// One step from a version of the schema to the next one; in a transaction, with all other steps that are due.
type Migration = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// The n-th brings a file from version n to version n + 1; the first begins with an empty file. A new version of the
/// schema is one more function at the end; what stands here is never changed, because files out there have walked it.
const MIGRATIONS: &[Migration] = &[version_1];

/// Marks a SQLite file as one of ours (`PRAGMA application_id`): "PRCN".
const APPLICATION: i32 = i32::from_be_bytes(*b"PRCN");

/// Design notes. `id` is the rowid, so a step is one seek and no index is touched by it: `born`, `parent` and `key` are
/// written once. Keys are unique for each parent; as NULLs are all distinct to an index, no parent counts as 0, which is
/// no process. `meta.next_id` outlives the rows, so an id is not given out again even if somebody deletes them; for the
/// letters AUTOINCREMENT does the same.
fn version_1(file: &Transaction<'_>) -> rusqlite::Result<()> {
    file.execute_batch(
        r#"
        CREATE TABLE meta (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            uid TEXT NOT NULL,
            next_id INTEGER NOT NULL
        );
        INSERT INTO meta VALUES (1, lower(hex(randomblob(4))), 1);

        CREATE TABLE processes (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            version INTEGER NOT NULL,
            stage TEXT NOT NULL,
            state TEXT NOT NULL,
            desired TEXT NOT NULL,
            seq INTEGER NOT NULL,
            parent INTEGER,
            key TEXT,
            born INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            outcome TEXT
        );
        CREATE UNIQUE INDEX process_keys ON processes (coalesce(parent, 0), key) WHERE key IS NOT NULL;
        CREATE INDEX process_children ON processes (parent) WHERE parent IS NOT NULL;

        CREATE TABLE effects (
            process INTEGER NOT NULL,
            kind TEXT NOT NULL,
            host TEXT NOT NULL,
            name TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            made INTEGER NOT NULL,
            ended INTEGER,
            "end" TEXT,
            PRIMARY KEY (process, kind, host, name)
        ) WITHOUT ROWID;

        CREATE TABLE letters (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            ask TEXT NOT NULL
        );
        "#,
    )
}

/// Brings the file up to the present version. Only for whoever holds the lock: a runtime of an older version may be at
/// work on the file otherwise.
pub(super) fn migrate(file: &mut Connection, path: &Path) -> Result<(), JournalError> {
    migrate_by(MIGRATIONS, file, path)
}

/// Makes the tables if the file is empty, which anybody may do at any time.
pub(super) fn create(file: &mut Connection, path: &Path) -> Result<(), JournalError> {
    match version(MIGRATIONS, file, path)? {
        0 => migrate(file, path),
        _ => Ok(()),
    }
}

/// Whether the file can be used as it is, by somebody who does not hold the lock.
pub(super) fn check(file: &Connection, path: &Path) -> Result<(), JournalError> {
    let found = version(MIGRATIONS, file, path)?;
    if found as usize == MIGRATIONS.len() {
        return Ok(());
    }
    let why = match found {
        0 => "it is empty".to_owned(),
        _ => format!(
            "its schema has version {found}, which a runtime must bring up to {} first",
            MIGRATIONS.len()
        ),
    };
    Err(JournalError::Damaged { path: path.to_owned(), why })
}

fn migrate_by(migrations: &[Migration], file: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let trouble = |why| Trouble::new(path).because(why);
    // The version is read within the transaction: two may be creating the same file.
    let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate).map_err(trouble)?;
    let found = version(migrations, &transaction, path)?;
    for migration in &migrations[found as usize..] {
        migration(&transaction).map_err(trouble)?;
    }
    if (found as usize) < migrations.len() {
        transaction.pragma_update(None, "user_version", migrations.len() as u32).map_err(trouble)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(trouble)?;
    }
    transaction.commit().map_err(trouble)
}

/// The version of the file, 0 if it is empty; never more than there are migrations.
fn version(migrations: &[Migration], file: &Connection, path: &Path) -> Result<u32, JournalError> {
    let trouble = |why| Trouble::new(path).because(why);
    let number = |pragma| file.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(trouble);
    let (found, application) = (number("user_version")?, number("application_id")?);
    let sql = "SELECT count(*) FROM sqlite_schema";
    let tables: u32 = file.query_row(sql, [], |row| row.get(0)).map_err(trouble)?;
    if tables == 0 && found == 0 {
        return Ok(0);
    }
    if application != APPLICATION || found <= 0 {
        let why = "it is a SQLite file of some other program".to_owned();
        return Err(JournalError::Damaged { path: path.to_owned(), why });
    }
    let (found, known) = (found as u32, migrations.len() as u32);
    if found > known {
        return Err(JournalError::TooNew { path: path.to_owned(), found, known });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{APPLICATION, JournalError, MIGRATIONS, check, create, migrate, migrate_by, version_1};
    use rusqlite::{Connection, Transaction};
    use std::path::Path;

    fn version_2(file: &Transaction<'_>) -> rusqlite::Result<()> {
        file.execute_batch("ALTER TABLE processes ADD COLUMN label TEXT; UPDATE processes SET label = 'old'")
    }

    fn version_3_fails(file: &Transaction<'_>) -> rusqlite::Result<()> {
        file.execute_batch("DROP TABLE letters; DROP TABLE no_such_table")
    }

    fn path() -> &'static Path {
        Path::new("here")
    }

    fn file_of_version_1() -> Connection {
        let mut file = Connection::open_in_memory().expect("memory");
        migrate_by(&[version_1], &mut file, path()).expect("an empty file");
        let insert =
            "INSERT INTO processes VALUES (1, 'sum', 1, 'running', '{}', 'run', 0, NULL, NULL, 0, 0, NULL)";
        file.execute_batch(insert).expect("the columns of version 1");
        file
    }

    fn version_of(file: &Connection) -> u32 {
        file.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number")
    }

    #[test]
    fn a_file_of_an_older_version_walks_only_the_migrations_it_lacks() {
        let mut file = file_of_version_1();
        migrate_by(&[version_1, version_2], &mut file, path()).expect("version 2");
        let label: String =
            file.query_row("SELECT label FROM processes", [], |row| row.get(0)).expect("the row");
        assert_eq!((label.as_str(), version_of(&file)), ("old", 2));
        migrate_by(&[version_1, version_2], &mut file, path()).expect("nothing is left to do");
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let mut file = file_of_version_1();
        migrate_by(&[version_1, version_2, version_3_fails], &mut file, path()).expect_err("no such table");
        assert_eq!(version_of(&file), 1);
        file.execute_batch("SELECT * FROM letters").expect("it is still there");
        file.execute_batch("SELECT label FROM processes").expect_err("it is not there yet");
    }

    #[test]
    fn a_file_of_a_later_version_is_refused_and_left_alone() {
        let mut file = file_of_version_1();
        file.pragma_update(None, "user_version", 99).expect("a pragma");
        let known = MIGRATIONS.len() as u32;
        for result in [create(&mut file, path()), check(&file, path()), migrate(&mut file, path())] {
            assert!(matches!(result, Err(JournalError::TooNew { found: 99, known: k, .. }) if k == known));
        }
        assert_eq!(version_of(&file), 99);
    }

    #[test]
    fn a_file_of_another_program_is_refused_and_left_alone() {
        let mut file = Connection::open_in_memory().expect("memory");
        file.execute_batch("CREATE TABLE photos (name TEXT)").expect("sql");
        assert!(matches!(create(&mut file, path()), Err(JournalError::Damaged { .. })));
        file.pragma_update(None, "application_id", APPLICATION).expect("a pragma");
        file.pragma_update(None, "user_version", -1).expect("a pragma");
        assert!(matches!(create(&mut file, path()), Err(JournalError::Damaged { .. })));
    }
}

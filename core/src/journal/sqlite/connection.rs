//! How every connection to the file is set up, and what its errors mean.

use crate::journal::{Column, JournalError};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a write waits while somebody else (a postbox, a person with a shell) writes to the file. Only the helper
/// thread of a runtime, or a program that wanted to block, waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// For the one that holds the lock, and for postboxes.
pub(super) fn for_writing(path: &Path) -> Result<Connection, JournalError> {
    let trouble = |why| Trouble::new(path).because(why);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = distrustful(Connection::open_with_flags(path, flags), path)?;
    // SQLite opens a file that it may not write without a word.
    if file.is_readonly("main").map_err(trouble)? {
        return Err(Trouble::new(path).io("it may be read, but not written"));
    }
    let mode = file.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
    match mode.map_err(trouble)?.as_str() {
        "wal" => {}
        mode => {
            let why = format!("SQLite cannot keep a write-ahead log there, only {mode:?}");
            return Err(JournalError::Io { path: path.to_owned(), why });
        }
    }
    // Durable means: it survives a loss of power. <https://sqlite.org/pragma.html#pragma_synchronous>
    file.pragma_update(None, "synchronous", "FULL").map_err(trouble)?;
    Ok(file)
}

/// For those who only look.
pub(super) fn for_reading(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    distrustful(Connection::open_with_flags(path, flags), path)
}

/// Anything may be in the file: <https://sqlite.org/security.html>.
fn distrustful(file: rusqlite::Result<Connection>, path: &Path) -> Result<Connection, JournalError> {
    let set_up = |file: Connection| {
        file.busy_timeout(PATIENCE)?;
        file.pragma_update(None, "trusted_schema", false)?;
        file.pragma_update(None, "cell_size_check", true)?;
        Ok(file)
    };
    file.and_then(set_up).map_err(|why| Trouble::new(path).because(why))
}

/// Turns the errors of SQLite into reasons.
#[derive(Clone, Copy)]
pub(super) struct Trouble<'a> {
    path: &'a Path,
}

impl<'a> Trouble<'a> {
    pub(super) fn new(path: &'a Path) -> Trouble<'a> {
        Trouble { path }
    }

    /// Result codes: <https://sqlite.org/rescode.html>.
    pub(super) fn because(self, error: rusqlite::Error) -> JournalError {
        let (path, why) = (PathBuf::from(self.path), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => JournalError::Refused { path, why },
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::NoLargeFileSupport
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure,
            ) => JournalError::Io { path, why },
            // Not a database, a malformed page, a table or a column that is missing, a value of the wrong type.
            Some(_) | None => JournalError::Damaged { path, why },
        }
    }

    pub(super) fn damaged(self, why: String) -> JournalError {
        JournalError::Damaged { path: self.path.to_owned(), why }
    }

    pub(super) fn refused(self, why: String) -> JournalError {
        JournalError::Refused { path: self.path.to_owned(), why }
    }

    pub(super) fn io(self, error: impl std::fmt::Display) -> JournalError {
        JournalError::Io { path: self.path.to_owned(), why: error.to_string() }
    }
}

/// The first columns of a row, as they are.
pub(super) fn columns<'a, const N: usize>(row: &'a rusqlite::Row<'_>) -> rusqlite::Result<[Column<'a>; N]> {
    let mut columns = [Column::Null; N];
    for (at, column) in columns.iter_mut().enumerate() {
        *column = match row.get_ref(at)? {
            ValueRef::Null => Column::Null,
            ValueRef::Integer(number) => Column::Integer(number),
            ValueRef::Real(number) => Column::Real(number),
            ValueRef::Text(bytes) => Column::Text(bytes),
            ValueRef::Blob(bytes) => Column::Blob(bytes),
        };
    }
    Ok(columns)
}

//! How others look into the journal, while a runtime holds it or after.

use super::connection::{self, Trouble, columns};
use super::schema;
use crate::journal::{BrokenRow, Column, JournalError, LedgerRow, Letter, ProcessRow, Stage};
use crate::{JournalUid, ProcessId};
use rusqlite::{Connection, Params};
use std::path::{Path, PathBuf};

/// A look into a journal, from any program and at any time. It never writes, and holds nobody up. Blocks for as long as
/// it reads, so it is not for actors.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("journal");
/// use procession::journal::{Filter, Reader, Sqlite, Stage};
///
/// let journal = Sqlite::open(&path)?;
/// let reader = Reader::open(&path)?;
/// let failed = reader.processes(&Filter { stages: vec![Stage::Failed], ..Filter::new() })?;
/// assert!(failed.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    file: Connection,
    path: PathBuf,
    /// SQLite's count of the changes that others have made to the file.
    data_version: i64,
}

/// Which processes to read. A row that is too broken to tell passes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only those in one of these stages; all, if empty.
    pub stages: Vec<Stage>,
    /// Only those of this kind.
    pub kind: Option<String>,
}

impl Filter {
    /// Everything.
    pub const fn new() -> Filter {
        Filter { stages: Vec::new(), kind: None }
    }
}

/// The words are our own, so they may stand in SQL.
fn condition(filter: &Filter) -> String {
    let quoted =
        |stages: &[Stage]| stages.iter().map(|s| format!("'{}'", s.word())).collect::<Vec<_>>().join(",");
    let (all, wanted) = (quoted(&Stage::ALL), quoted(&filter.stages));
    let stage = match filter.stages.is_empty() {
        true => String::new(),
        false => format!(" AND (stage IN ({wanted}) OR coalesce(stage, '') NOT IN ({all}))"),
    };
    format!("(?1 IS NULL OR kind = ?1 OR typeof(kind) <> 'text'){stage}")
}

impl Reader {
    /// Opens the journal in this file, which must be there.
    ///
    /// Errors: `Io` if it cannot be read, `Damaged` if it is something else than a journal, or has an older schema that
    /// a runtime must bring up to date first, `TooNew`.
    pub fn open(path: impl AsRef<Path>) -> Result<Reader, JournalError> {
        let path = super::real(path.as_ref())?;
        let file = connection::for_reading(&path)?;
        schema::check(&file, &path)?;
        let mut reader = Reader { file, path, data_version: 0 };
        reader.changed()?;
        Ok(reader)
    }

    /// The identity of the journal.
    pub fn uid(&self) -> Result<JournalUid, JournalError> {
        uid(&self.file, Trouble::new(&self.path))
    }

    /// The processes that pass the filter, in the order of their ids.
    pub fn processes(&self, filter: &Filter) -> Result<Vec<Result<ProcessRow, BrokenRow>>, JournalError> {
        self.rows(&condition(filter), [&filter.kind])
    }

    /// The process with this id, if it is there.
    pub fn process(&self, id: ProcessId) -> Result<Option<Result<ProcessRow, BrokenRow>>, JournalError> {
        Ok(self.rows("id = ?1", [id.number() as i64])?.pop())
    }

    /// The top-level process with this key, if it is there.
    pub fn by_key(&self, key: &str) -> Result<Option<Result<ProcessRow, BrokenRow>>, JournalError> {
        Ok(self.rows("coalesce(parent, 0) = 0 AND key = ?1", [key])?.pop())
    }

    /// The processes that this one has spawned, in the order of their ids.
    pub fn children(&self, id: ProcessId) -> Result<Vec<Result<ProcessRow, BrokenRow>>, JournalError> {
        self.rows("parent = ?1", [id.number() as i64])
    }

    /// The effects of this process, with their ends.
    pub fn effects(&self, id: ProcessId) -> Result<Vec<Result<LedgerRow, BrokenRow>>, JournalError> {
        self.ledger("process = ?1", [id.number() as i64])
    }

    /// What is out there, of all processes, also of those that have ended.
    pub fn open_effects(&self) -> Result<Vec<Result<LedgerRow, BrokenRow>>, JournalError> {
        self.ledger("\"end\" IS NULL", [])
    }

    /// The letters that nobody has taken yet, oldest first.
    pub fn letters(&self) -> Result<Vec<Letter>, JournalError> {
        letters(&self.file).map_err(|e| Trouble::new(&self.path).because(e))
    }

    /// Whether anybody has written since the last call, or for the first one since this was opened. Costs a
    /// microsecond, so a follower can ask as often as it likes.
    pub fn changed(&mut self) -> Result<bool, JournalError> {
        // <https://sqlite.org/pragma.html#pragma_data_version>
        let version = self.file.pragma_query_value(None, "data_version", |row| row.get(0));
        let version = version.map_err(|e| Trouble::new(&self.path).because(e))?;
        let before = std::mem::replace(&mut self.data_version, version);
        Ok(before != version)
    }

    fn rows(
        &self,
        condition: &str,
        params: impl Params,
    ) -> Result<Vec<Result<ProcessRow, BrokenRow>>, JournalError> {
        let names = ProcessRow::COLUMNS.join(", ");
        let sql = format!("SELECT {names} FROM processes WHERE {condition} ORDER BY id");
        self.select(&sql, params, ProcessRow::from_columns)
    }

    fn ledger(
        &self,
        condition: &str,
        params: impl Params,
    ) -> Result<Vec<Result<LedgerRow, BrokenRow>>, JournalError> {
        let names = LedgerRow::COLUMNS.map(|name| format!("\"{name}\"")).join(", ");
        let sql = format!("SELECT {names} FROM effects WHERE {condition} ORDER BY process, kind, host, name");
        self.select(&sql, params, LedgerRow::from_columns)
    }

    fn select<T, const N: usize>(
        &self,
        sql: &str,
        params: impl Params,
        parse: impl Fn(&[Column<'_>; N]) -> T,
    ) -> Result<Vec<T>, JournalError> {
        let read = || {
            let mut statement = self.file.prepare_cached(sql)?;
            let rows = statement.query_map(params, |row| Ok(parse(&columns(row)?)))?;
            rows.collect::<rusqlite::Result<Vec<T>>>()
        };
        read().map_err(|e| Trouble::new(&self.path).because(e))
    }
}

pub(super) fn uid(file: &Connection, trouble: Trouble<'_>) -> Result<JournalUid, JournalError> {
    let text = file.query_row("SELECT uid FROM meta", [], |row| row.get::<_, String>(0));
    let text = text.map_err(|e| trouble.because(e))?;
    let uid = u32::from_str_radix(&text, 16);
    uid.map(JournalUid).map_err(|_| trouble.damaged(format!("its uid is {text:?}, which is no number")))
}

pub(super) fn letters(file: &Connection) -> rusqlite::Result<Vec<Letter>> {
    let mut statement = file.prepare_cached("SELECT number, ask FROM letters ORDER BY number")?;
    let letters = statement.query_map([], |row| {
        let [number, ask] = columns(row)?;
        // The number is the rowid, and a rowid is always an integer.
        let Column::Integer(number) = number else { return Err(rusqlite::Error::InvalidQuery) };
        let ask = match ask {
            Column::Text(text) => serde_json::from_slice(text).map_err(|e| e.to_string()),
            Column::Null | Column::Integer(_) | Column::Real(_) | Column::Blob(_) => {
                Err("it is no text".to_owned())
            }
        };
        Ok(Letter { number, ask })
    })?;
    letters.collect()
}

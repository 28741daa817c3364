//! What only the SQLite journal does. What every journal does is in the contract suite.

mod damage;
mod holding;
mod looking;
mod writing;

use super::{Reader, Sqlite};
use crate::ProcessId;
use crate::journal::contract::Disk;
use crate::journal::{Ask, EffectEnd, EffectRow, Filter, Journal, Postbox, ProcessRow};
use rusqlite::Connection;
use std::path::PathBuf;

/// A journal in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn sqlite(&self) -> Sqlite {
        Sqlite::open(self.path()).expect("a folder of our own")
    }

    fn reader(&self) -> Reader {
        Reader::open(self.path()).expect("a journal")
    }

    /// What a person with a shell does to the file.
    fn edit(&self, sql: &str) {
        Connection::open(self.path()).and_then(|file| file.execute_batch(sql)).expect("sound SQL");
    }

    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).expect("the folder");
        let mut names: Vec<String> =
            names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Disk for Place {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(self.sqlite())
    }
    fn post(&self, ask: Ask) -> i64 {
        Postbox::open(self.path()).and_then(|mut postbox| postbox.post(&ask)).expect("a journal").number
    }
    fn rows(&self) -> Vec<ProcessRow> {
        let rows = self.reader().processes(&Filter::new()).expect("a journal");
        rows.into_iter().map(|row| row.expect("sound")).collect()
    }
    fn effects(&self) -> Vec<(ProcessId, EffectRow, Option<EffectEnd>)> {
        let reader = self.reader();
        let rows = self.rows().into_iter().flat_map(|row| reader.effects(row.id).expect("a journal"));
        let rows = rows.map(|row| row.expect("sound"));
        rows.map(|row| (row.process, row.effect, row.end.map(|(end, _)| end))).collect()
    }
}

#[test]
fn sqlite_keeps_the_contract() {
    crate::journal::contract::holds_on(Place::new);
}

//! The disks of our two journals.

use super::{Disk, holds_on};
use crate::ProcessId;
use crate::journal::{Ask, EffectEnd, EffectRow, Journal, MemoryStore, ProcessRow};

#[test]
fn memory_keeps_the_contract() {
    holds_on(MemoryStore::new);
}

impl Disk for MemoryStore {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(MemoryStore::open(self))
    }
    fn post(&self, ask: Ask) -> i64 {
        MemoryStore::post(self, ask)
    }
    fn rows(&self) -> Vec<ProcessRow> {
        MemoryStore::rows(self)
    }
    fn effects(&self) -> Vec<(ProcessId, EffectRow, Option<EffectEnd>)> {
        MemoryStore::effects(self)
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::{Ask, Disk, EffectEnd, EffectRow, Journal, ProcessId, ProcessRow, holds_on};
    use crate::journal::{Filter, Postbox, Reader, Sqlite};

    #[test]
    fn sqlite_keeps_the_contract() {
        holds_on(|| File(tempfile::tempdir().expect("a temporary folder")));
    }

    struct File(tempfile::TempDir);

    impl File {
        fn path(&self) -> std::path::PathBuf {
            self.0.path().join("journal")
        }
    }

    impl Disk for File {
        fn open(&self) -> Box<dyn Journal> {
            Box::new(Sqlite::open(self.path()).expect("a folder of our own"))
        }
        fn post(&self, ask: Ask) -> i64 {
            Postbox::open(self.path()).and_then(|mut postbox| postbox.post(&ask)).expect("sound").number
        }
        fn rows(&self) -> Vec<ProcessRow> {
            let rows = Reader::open(self.path()).and_then(|reader| reader.processes(&Filter::new()));
            rows.expect("sound").into_iter().map(|row| row.expect("sound")).collect()
        }
        fn effects(&self) -> Vec<(ProcessId, EffectRow, Option<EffectEnd>)> {
            let reader = Reader::open(self.path()).expect("sound");
            let ids = self.rows().into_iter().map(|row| row.id);
            let rows = ids.flat_map(|id| reader.effects(id).expect("sound"));
            let rows = rows.map(|row| row.expect("sound"));
            rows.map(|row| (row.process, row.effect, row.end.map(|(end, _)| end))).collect()
        }
    }
}

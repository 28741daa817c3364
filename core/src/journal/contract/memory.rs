//! The disk of the memory journal; that of the other one is in its tests.

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

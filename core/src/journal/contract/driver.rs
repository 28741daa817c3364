//! A journal driven as a runtime drives it, and short names for what is written.

use super::Disk;
use crate::journal::{
    Ask, Desired, EffectEnd, EffectRow, Entry, Journal, JournalError, Loaded, Note, Order, ProcessRow, Stage,
};
use crate::{ProcessId, WallTime};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// An opening that is driven as a runtime does: sleep until woken, then take all.
pub(in crate::journal) struct Driver {
    pub(in crate::journal) journal: Box<dyn Journal>,
    woken: Receiver<()>,
    ticket: u64,
}

impl Driver {
    pub(in crate::journal) fn load(disk: &impl Disk) -> (Driver, Loaded) {
        let mut journal = disk.open();
        let (wake, woken) = channel();
        journal.wake_with(Arc::new(move || wake.send(()).unwrap_or(())));
        let loaded = journal.load().expect("nobody else holds it, and it is sound");
        (Driver { journal, woken, ticket: 0 }, loaded)
    }

    pub(in crate::journal) fn send(&mut self, entries: Vec<Entry>) -> u64 {
        self.ticket += 1;
        self.journal.send(Order::Write { ticket: self.ticket, entries });
        self.ticket
    }

    /// The next note, however long it takes.
    pub(in crate::journal) fn next(&mut self) -> Note {
        loop {
            if let Some(note) = self.journal.take() {
                return note;
            }
            self.woken.recv().expect("the journal has the waker");
        }
    }

    /// Writes, and waits until it is durable or has failed.
    pub(in crate::journal) fn write(&mut self, entries: Vec<Entry>) -> Result<(), JournalError> {
        let wanted = self.send(entries);
        loop {
            match self.next() {
                Note::Durable { ticket } if ticket == wanted => return Ok(()),
                Note::Durable { ticket } => assert!(ticket < wanted),
                Note::Failed { ticket, why } => {
                    assert_eq!(ticket, wanted);
                    return Err(why);
                }
                Note::Bell => {}
                Note::Letters(_) => panic!("nobody asked for letters"),
            }
        }
    }

    pub(in crate::journal) fn letters(&mut self) -> Vec<(i64, Ask)> {
        self.journal.send(Order::ReadLetters);
        loop {
            match self.next() {
                Note::Letters(letters) => {
                    return letters.into_iter().map(|l| (l.number, l.ask.expect("sound"))).collect();
                }
                Note::Bell => {}
                note @ (Note::Durable { .. } | Note::Failed { .. }) => {
                    panic!("asked for letters, got {note:?}")
                }
            }
        }
    }

    pub(in crate::journal) fn has_no_more_to_say(&mut self) {
        let note = self.journal.take();
        assert!(note.is_none(), "{note:?}");
    }
}

pub(in crate::journal) fn id(number: u64) -> ProcessId {
    ProcessId::new(number).expect("not zero")
}

pub(in crate::journal) fn row(number: u64) -> ProcessRow {
    ProcessRow {
        id: id(number),
        kind: "sum".into(),
        version: 1,
        stage: Stage::Running,
        state: format!("{{\"Adding\":{number}}}"),
        desired: Desired::Run,
        seq: 0,
        parent: None,
        key: None,
        born: WallTime(5),
        changed: WallTime(5),
        outcome: None,
    }
}

pub(in crate::journal) fn born(row: ProcessRow) -> Entry {
    Entry::Born(Box::new(row))
}

pub(in crate::journal) fn step(number: u64, seq: u64, state: Option<&str>) -> Entry {
    let state = state.map(|state| (2, state.to_owned()));
    Entry::Step { id: id(number), seq, stage: Stage::Running, desired: Desired::Run, state, at: WallTime(6) }
}

pub(in crate::journal) fn end(number: u64, seq: u64) -> Entry {
    let outcome = Some("42".to_owned());
    Entry::End { id: id(number), seq, stage: Stage::Finished, outcome, at: WallTime(7) }
}

pub(in crate::journal) fn job(name: &str, attempt: u32) -> EffectRow {
    EffectRow { kind: "job".into(), host: "login".to_owned(), name: name.to_owned(), attempt }
}

pub(in crate::journal) fn made(number: u64, effect: EffectRow) -> Entry {
    Entry::EffectMade { process: id(number), effect, at: WallTime(8) }
}

pub(in crate::journal) fn ended(number: u64, effect: EffectRow, end: EffectEnd) -> Entry {
    Entry::EffectEnded { process: id(number), effect, end, at: WallTime(9) }
}

pub(in crate::journal) fn adopt(key: &str) -> Ask {
    Ask::Adopt { kind: "sum".to_owned(), version: 1, state: "{}".to_owned(), key: key.to_owned() }
}

//! What only the memory journal does. What every journal does is in the contract suite.

use super::{Crash, Memory, MemoryStore};
use crate::journal::{Ask, Desired, Entry, Journal, JournalError, Note, Order, ProcessRow, Stage};
use crate::{ProcessId, WallTime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn born(id: u64) -> Entry {
    Entry::Born(Box::new(ProcessRow {
        id: ProcessId::new(id).expect("not zero"),
        kind: "sum".into(),
        version: 1,
        stage: Stage::Created,
        state: "{}".to_owned(),
        desired: Desired::Pause,
        seq: 0,
        parent: None,
        key: None,
        born: WallTime(0),
        changed: WallTime(0),
        outcome: None,
    }))
}

fn opened(store: &MemoryStore) -> Memory {
    let mut memory = store.open();
    memory.load().expect("nobody else holds it");
    memory
}

fn write(memory: &mut Memory, ticket: u64) {
    memory.send(Order::Write { ticket, entries: vec![born(ticket)] });
}

fn ids(store: &MemoryStore) -> Vec<u64> {
    store.rows().iter().map(|row| row.id.number()).collect()
}

#[test]
fn a_write_before_which_the_power_goes_is_lost() {
    let store = MemoryStore::new();
    store.crash_at(Crash::Before { write: 1 });
    let mut memory = opened(&store);
    (1..=3).for_each(|ticket| write(&mut memory, ticket));
    assert!(memory.crashed() && store.crashed());
    assert!(memory.take().is_none(), "also the note of the first write was not taken in time");
    assert_eq!(ids(&store), [1]);
}

#[test]
fn a_write_after_which_the_power_goes_is_durable_and_nobody_is_told() {
    let store = MemoryStore::new();
    store.crash_at(Crash::After { write: 1 });
    let mut memory = opened(&store);
    (1..=3).for_each(|ticket| write(&mut memory, ticket));
    assert!(memory.crashed());
    assert!(memory.take().is_none());
    assert_eq!(ids(&store), [1, 2]);
}

#[test]
fn every_boundary_of_a_story_is_hit_once_and_the_story_still_ends() {
    fn story(store: &MemoryStore) {
        let mut memory = store.open();
        let loaded = memory.load().expect("nobody else holds it");
        (loaded.next_id.number()..=4).for_each(|id| write(&mut memory, id));
    }
    let quiet = MemoryStore::new();
    story(&quiet);
    assert_eq!(quiet.boundaries(), 8);
    for boundary in 0..quiet.boundaries() {
        let store = MemoryStore::new();
        store.crash_at(Crash::at(boundary));
        story(&store);
        assert_eq!(ids(&store).len() as u64, boundary.div_ceil(2));
        story(&store);
        assert_eq!(ids(&store), [1, 2, 3, 4], "crash at boundary {boundary}");
    }
}

#[test]
fn a_crashed_opening_swallows_all_and_makes_room_for_the_next() {
    let store = MemoryStore::new();
    store.crash_at(Crash::Before { write: 0 });
    let mut dead = opened(&store);
    write(&mut dead, 1);
    let mut alive = opened(&store);
    write(&mut dead, 2);
    dead.send(Order::ReadLetters);
    assert!(dead.take().is_none());
    drop(dead);
    write(&mut alive, 3);
    assert!(matches!(alive.take(), Some(Note::Durable { ticket: 3 })));
    assert!(alive.take().is_none());
    assert_eq!(ids(&store), [3]);
    assert!(!store.crashed());
}

#[test]
fn delayed_notes_come_when_they_are_released_though_the_write_is_durable() {
    let store = MemoryStore::new();
    store.delay_notes(true);
    let mut memory = opened(&store);
    write(&mut memory, 1);
    assert!(memory.take().is_none() && store.delayed());
    assert_eq!(ids(&store), [1]);
    store.release();
    assert!(matches!(memory.take(), Some(Note::Durable { ticket: 1 })));
    assert!(memory.take().is_none() && !store.delayed());
}

#[test]
fn the_waker_is_called_when_there_is_something_to_take_and_not_before() {
    let store = MemoryStore::new();
    let calls = Arc::new(AtomicU32::new(0));
    let mut memory = store.open();
    let seen = calls.clone();
    memory.wake_with(Arc::new(move || {
        seen.fetch_add(1, Ordering::Relaxed);
    }));
    memory.load().expect("nobody else holds it");
    store.delay_notes(true);
    write(&mut memory, 1);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    store.release();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    store.post(Ask::Nudge { process: ProcessId::FIRST });
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[test]
fn a_write_that_fails_is_the_last_until_somebody_mends_and_opens_anew() {
    let store = MemoryStore::new();
    let mut memory = opened(&store);
    store.fail_writes(JournalError::Io { path: "disk".into(), why: "no space".to_owned() });
    write(&mut memory, 1);
    assert!(matches!(memory.take(), Some(Note::Failed { ticket: 1, why: JournalError::Io { .. } })));
    store.mend();
    write(&mut memory, 2);
    assert!(memory.take().is_none());
    assert!(ids(&store).is_empty());
    drop(memory);
    let mut memory = opened(&store);
    write(&mut memory, 1);
    assert!(matches!(memory.take(), Some(Note::Durable { ticket: 1 })));
}

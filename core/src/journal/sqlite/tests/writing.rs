//! The helper thread: groups, failures, and what survives them.

use super::super::lock::Lock;
use super::super::writer::Writer;
use super::super::{connection, schema};
use super::Place;
use crate::journal::contract::{Disk, Driver, born, end, id, row, step};
use crate::journal::{Entry, Journal, JournalError, Note, Order, ProcessRow};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::mpsc::channel;

#[test]
fn writes_that_come_together_are_made_durable_together() {
    const WRITES: u64 = 1000;
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    let other = Connection::open(place.path()).expect("a file");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    for number in 1..=WRITES {
        driver.send(vec![born(row(number))]);
    }
    other.execute_batch("COMMIT").expect("we hold it");
    let mut notes = 0;
    loop {
        notes += 1;
        match driver.next() {
            Note::Durable { ticket: WRITES } => break,
            Note::Durable { .. } => {}
            note @ (Note::Failed { .. } | Note::Letters(_) | Note::Bell) => panic!("{note:?}"),
        }
    }
    assert!(notes <= 2, "the first may have gone alone, and the others waited for the file: {notes}");
}

#[test]
fn an_order_larger_than_a_transaction_is_still_one() {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    let many: Vec<Entry> = (1..=20_000).map(|number| born(row(number))).collect();
    driver.write(many).expect("sound");
    let broken = (1..=20_000).map(|number| end(number, 1)).chain([end(1, 2)]).collect();
    assert!(matches!(driver.write(broken), Err(JournalError::Refused { .. })));
    assert!(place.rows().iter().all(|row| row.outcome.is_none()));
}

#[test]
fn a_full_disk_fails_the_write_keeps_what_was_durable_and_says_why() {
    let place = Place::new();
    drop(place.sqlite());
    let path = place.path();
    let mut file = connection::for_writing(&path).expect("a file");
    schema::migrate(&mut file, &path).expect("a journal");
    file.pragma_update(None, "max_page_count", 40).expect("a pragma");
    let (wake, woken) = channel();
    let lock = Lock::take(&path).expect("nobody has it");
    let watch = lock.watch(&path).expect("it is there");
    let waker: super::super::Waker = Arc::new(move || wake.send(()).unwrap_or(()));
    let writer = Writer::start(file, &path, Some(waker), watch).expect("a thread");
    let mut durable = 0;
    let (lost, why) = 'full: loop {
        let large = ProcessRow { state: "x".repeat(9000), ..row(durable + 1) };
        writer.send(Order::Write { ticket: durable + 1, entries: vec![born(large)] });
        woken.recv().expect("the writer has the waker");
        while let Some(note) = writer.take() {
            match note {
                Note::Durable { ticket } => durable = ticket,
                Note::Failed { ticket, why } => break 'full (ticket, why),
                Note::Letters(_) | Note::Bell => panic!("{note:?}"),
            }
        }
    };
    assert_eq!(lost, durable + 1);
    assert!(matches!(&why, JournalError::Io { why, .. } if why.contains("full")), "{why}");
    drop(writer);
    assert_eq!(place.rows().len() as u64, durable);
}

#[test]
fn an_id_is_not_given_out_again_though_its_row_was_deleted() {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    driver.write(vec![born(row(1)), born(row(2))]).expect("sound");
    drop(driver);
    place.edit("DELETE FROM processes");
    assert_eq!(Driver::load(&place).1.next_id, id(3));
    place
        .edit("INSERT INTO processes SELECT 70, 'sum', 1, 'created', '{}', 'run', 0, NULL, NULL, 0, 0, NULL");
    assert_eq!(Driver::load(&place).1.next_id, id(71));
}

#[test]
fn a_row_that_is_deleted_under_the_runtime_is_noticed_at_its_next_step() {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    driver.write(vec![born(row(1))]).expect("sound");
    place.edit("DELETE FROM processes");
    assert!(matches!(driver.write(vec![step(1, 1, Some("{}"))]), Err(JournalError::Refused { .. })));
}

#[test]
fn a_waker_that_comes_late_is_told_what_it_has_missed() {
    let place = Place::new();
    let mut journal = place.sqlite();
    journal.load().expect("sound");
    journal.send(Order::ReadLetters);
    let (wake, woken) = channel();
    journal.wake_with(Arc::new(move || wake.send(()).unwrap_or(())));
    woken.recv().expect("the journal has the waker");
    assert!(matches!(journal.take(), Some(Note::Letters(_))));
    assert!(journal.take().is_none());
}

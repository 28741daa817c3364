//! What readers see.

use super::Place;
use crate::journal::contract::{Disk, Driver, adopt, born, end, ended, id, job, made, row};
use crate::journal::{EffectEnd, Filter, JournalError, Postbox, ProcessRow, Reader, Stage};
use crate::{JournalUid, WallTime};

fn keyed(number: u64, parent: Option<u64>, key: &str) -> ProcessRow {
    ProcessRow { parent: parent.map(id), key: Some(key.to_owned()), ..row(number) }
}

#[test]
fn a_reader_finds_processes_by_id_key_parent_stage_and_kind() {
    let place = Place::new();
    let (mut driver, loaded) = Driver::load(&place);
    let other = ProcessRow { kind: "other".into(), ..keyed(4, None, "d") };
    let rows = [keyed(1, None, "a"), keyed(2, Some(1), "a"), keyed(3, Some(1), "b"), other];
    driver.write(rows.into_iter().map(born).chain([end(3, 1)]).collect()).expect("sound");
    let reader = place.reader();
    let ids = |rows: Vec<Result<ProcessRow, _>>| -> Vec<u64> {
        rows.into_iter()
            .map(|row: Result<ProcessRow, crate::journal::BrokenRow>| row.expect("sound").id.number())
            .collect()
    };
    assert_eq!(reader.uid().expect("a journal"), loaded.uid);
    assert_eq!(ids(reader.processes(&Filter::new()).expect("a journal")), [1, 2, 3, 4]);
    let finished = Filter { stages: vec![Stage::Finished, Stage::Failed], ..Filter::new() };
    assert_eq!(ids(reader.processes(&finished).expect("a journal")), [3]);
    let others = Filter { kind: Some("other".to_owned()), ..Filter::new() };
    assert_eq!(ids(reader.processes(&others).expect("a journal")), [4]);
    assert_eq!(ids(reader.children(id(1)).expect("a journal")), [2, 3]);
    assert_eq!(ids(reader.by_key("a").expect("a journal").into_iter().collect()), [1]);
    assert_eq!(ids(reader.process(id(3)).expect("a journal").into_iter().collect()), [3]);
    assert!(reader.by_key("b").expect("a journal").is_none(), "it is the key of a child");
    assert!(reader.process(id(9)).expect("a journal").is_none());
}

#[test]
fn a_reader_sees_the_ledger_with_times_and_ends() {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    let effects = vec![made(1, job("a", 1)), made(1, job("b", 2)), ended(1, job("a", 1), EffectEnd::Undone)];
    driver.write([born(row(1)), end(1, 1)].into_iter().chain(effects).collect()).expect("sound");
    let reader = place.reader();
    let all = reader.effects(id(1)).expect("a journal");
    let ends: Vec<_> = all.into_iter().map(|row| row.expect("sound").end).collect();
    assert_eq!(ends, [Some((EffectEnd::Undone, WallTime(9))), None]);
    let open = reader.open_effects().expect("a journal");
    let [Ok(open)] = open.as_slice() else { panic!("{open:?}") };
    assert_eq!((open.process, &open.effect, open.made), (id(1), &job("b", 2), WallTime(8)));
}

#[test]
fn a_follower_hears_of_changes_of_others_and_of_nothing_else() {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    let mut reader = place.reader();
    assert!(!reader.changed().expect("a journal"));
    driver.write(vec![born(row(1))]).expect("sound");
    assert!(reader.changed().expect("a journal"));
    reader.processes(&Filter::new()).expect("a journal");
    assert!(!reader.changed().expect("a journal"));
    place.post(adopt("a"));
    assert!(reader.changed().expect("a journal"));
}

#[test]
fn a_reader_needs_no_runtime() {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    driver.write(vec![born(row(1))]).expect("sound");
    place.post(adopt("a"));
    drop(driver);
    let reader = place.reader();
    assert_eq!(reader.processes(&Filter::new()).expect("a journal").len(), 1);
    assert_eq!(reader.letters().expect("a journal").len(), 1);
}

#[test]
fn neither_a_reader_nor_a_postbox_makes_a_file() {
    let place = Place::new();
    assert!(matches!(Reader::open(place.path()), Err(JournalError::Io { .. })));
    assert!(matches!(Postbox::open(place.path()), Err(JournalError::Io { .. })));
    assert!(place.names().is_empty());
}

#[test]
fn a_person_can_read_states_and_words_in_the_file() {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    driver.write(vec![born(keyed(7, None, "seven")), end(7, 1)]).expect("sound");
    let file = rusqlite::Connection::open(place.path()).expect("a file");
    let sql = "SELECT id || ' ' || kind || ' ' || stage || ' ' || state || ' ' || outcome FROM processes";
    let line: String = file.query_row(sql, [], |row| row.get(0)).expect("a row");
    assert_eq!(line, r#"7 sum finished {"Adding":7} 42"#);
}

#[test]
fn each_journal_has_an_identity_of_its_own_and_keeps_it() {
    let uid_of = |place: &Place| -> JournalUid { Driver::load(place).1.uid };
    let (one, two) = (Place::new(), Place::new());
    let first = uid_of(&one);
    assert_ne!(first, uid_of(&two));
    assert_eq!(first, uid_of(&one));
}

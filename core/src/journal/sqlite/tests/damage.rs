//! Files that were cut off, overwritten, edited by hand, or are something else.

use super::Place;
use crate::journal::contract::{Disk, Driver, adopt, born, end, id, job, made, row};
use crate::journal::{Filter, Journal, JournalError, Postbox, ProcessRow, Reader, Sqlite};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A journal with a bit of everything, closed.
fn full_place() -> Place {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    let keyed = |number: u64| ProcessRow { key: Some(format!("key {number}")), ..row(number) };
    let entries = (1..=60).flat_map(|number| [born(keyed(number)), made(number, job("a", 1))]);
    driver.write(entries.chain((1..=20).map(|number| end(number, 1))).collect()).expect("sound");
    (1..=5).for_each(|number| assert_eq!(place.post(adopt("a")), number));
    drop(driver);
    place
}

/// Does all that one can do with the file; whatever comes is fine, but a panic.
fn use_all(place: &Place) -> Result<(), JournalError> {
    let mut reader = Reader::open(place.path())?;
    reader.uid()?;
    reader.changed()?;
    reader.processes(&Filter::new())?;
    reader.process(id(1))?;
    reader.by_key("key 30")?;
    reader.children(id(1))?;
    reader.effects(id(30))?;
    reader.open_effects()?;
    reader.letters()?;
    Postbox::open(place.path())?.post(&adopt("b"))?;
    let mut journal = Sqlite::open(place.path())?;
    journal.load()?;
    drop(journal);
    let (mut driver, loaded) = Driver::load(place);
    driver.write(vec![born(ProcessRow { id: loaded.next_id, ..row(1) })])
}

#[test]
fn no_damage_to_the_file_makes_a_panic() {
    const FILES: u64 = 300;
    let whole = std::fs::read(full_place().path()).expect("the file");
    let (mut errors, place) = (0, Place::new());
    for seed in 0..FILES {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = whole.clone();
        match random.u8(0..4) {
            0 => bytes.truncate(random.usize(0..whole.len())),
            1 => (0..random.usize(1..40)).for_each(|_| bytes[random.usize(0..whole.len())] = random.u8(..)),
            2 => {
                let (from, length) = (random.usize(0..whole.len()), random.usize(1..5000));
                bytes.iter_mut().skip(from).take(length).for_each(|byte| *byte = random.u8(..));
            }
            _ => bytes[random.usize(0..200)] ^= 1 << random.u8(0..8),
        }
        for name in place.names() {
            std::fs::remove_file(place.folder.path().join(name)).expect("ours");
        }
        std::fs::write(place.path(), &bytes).expect("ours");
        let used = catch_unwind(AssertUnwindSafe(|| use_all(&place)));
        errors += u32::from(used.unwrap_or_else(|_| panic!("seed {seed} makes a panic")).is_err());
    }
    assert!(errors > 30, "most of this damage is seen: {errors}");
}

#[test]
fn something_else_than_a_journal_is_refused_and_left_alone() {
    let place = Place::new();
    for bytes in [
        &b"hello, I am a text file, and not so short a one that SQLite takes me for nothing at all"[..],
        &[7; 8192],
    ] {
        std::fs::write(place.path(), bytes).expect("ours");
        assert!(matches!(Sqlite::open(place.path()), Err(JournalError::Damaged { .. })));
        assert!(matches!(Reader::open(place.path()), Err(JournalError::Damaged { .. })));
        assert!(matches!(Postbox::open(place.path()), Err(JournalError::Damaged { .. })));
        assert_eq!(std::fs::read(place.path()).expect("ours"), bytes);
    }
    assert!(matches!(Sqlite::open(place.folder.path()), Err(JournalError::Io { .. })));
    assert!(matches!(Sqlite::open(place.path().join("no/such/folder")), Err(JournalError::Io { .. })));
}

#[test]
fn an_empty_file_becomes_a_journal_for_its_runtime_only() {
    let place = Place::new();
    std::fs::write(place.path(), "").expect("ours");
    assert!(matches!(Reader::open(place.path()), Err(JournalError::Damaged { .. })));
    place.sqlite().load().expect("it is empty");
    place.reader();
}

#[test]
fn a_journal_that_has_become_empty_is_not_taken_for_a_new_one() {
    let place = full_place();
    place.sqlite().load().expect("sound");
    std::fs::write(place.path(), "").expect("ours");
    match Sqlite::open(place.path()) {
        Err(JournalError::Damaged { why, .. }) => assert!(why.contains("empty"), "{why}"),
        other => panic!("{:?}", other.map(|_| "opened")),
    }
    std::fs::remove_file(place.path()).expect("ours");
    place.sqlite().load().expect("who removes it begins anew");
}

#[test]
fn a_file_that_may_not_be_written_is_an_error_that_says_so() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        return; // may write everything
    }
    let place = full_place();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o400)).expect("ours");
    assert!(matches!(Sqlite::open(place.path()), Err(JournalError::Io { .. })));
    place.reader();
}

#[test]
fn a_table_that_is_missing_is_an_error_that_names_it() {
    for table in ["processes", "effects", "meta", "letters"] {
        let place = full_place();
        place.edit(&format!("DROP TABLE {table}"));
        match place.sqlite().load() {
            Err(JournalError::Damaged { why, .. }) => assert!(why.contains(table), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_row_that_was_spoilt_by_hand_is_named_with_its_column_and_the_others_load() {
    let spoilt = [
        ("stage = 'walking'", "stage is \"walking\", which is no stage"),
        ("desired = x'00'", "desired is bytes, and must be text"),
        ("seq = -1", "seq is -1, which is out of range"),
        ("version = 5000000000", "version is 5000000000, which is out of range"),
        ("version = 1.5", "version is a fraction, and must be a whole number"),
        ("parent = 0", "parent is 0, which is no process"),
        ("state = CAST(x'7bff7d' AS TEXT)", "state is no valid UTF-8"),
        ("born = 'yesterday'", "born is text, and must be a whole number"),
        ("id = -30", "id is -30, which is out of range"),
        ("key = x'01'", "key is bytes, and must be text"),
        ("outcome = x'01'", "outcome is bytes, and must be text"),
    ];
    for (change, expected) in spoilt {
        let place = full_place();
        place.edit(&format!("UPDATE processes SET {change} WHERE id = 30"));
        let (_, loaded) = Driver::load(&place);
        let broken: Vec<_> = loaded.rows.iter().filter_map(|row| row.as_ref().err()).collect();
        assert_eq!((loaded.rows.len(), broken.len()), (40, 1), "{change}");
        assert_eq!(broken[0].why, expected);
        assert_eq!(broken[0].id.abs(), 30);
        let key = (None, "key 30".to_owned());
        let known = loaded.keys.iter().any(|known| (known.parent, known.key.clone()) == key);
        assert_eq!(known, !change.starts_with("key"), "its key stays taken: {change}");
        let read = place.reader().processes(&Filter::new()).expect("a journal");
        assert_eq!(read.iter().filter(|row| row.is_err()).count(), 1, "{change}");
    }
}

#[test]
fn nulls_where_none_may_be_are_named_too() {
    let place = full_place();
    let schema = "SELECT replace(sql, ' NOT NULL', '') FROM sqlite_schema WHERE name = 'processes'";
    place.edit(&format!(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = ({schema}) WHERE name = 'processes'; \
         PRAGMA writable_schema = RESET; UPDATE processes SET stage = NULL WHERE id = 30; \
         UPDATE processes SET kind = NULL WHERE id = 31"
    ));
    let (_, loaded) = Driver::load(&place);
    let broken: Vec<_> = loaded.rows.iter().filter_map(|row| row.as_ref().err()).collect();
    let broken: Vec<_> = broken.into_iter().map(|broken| (broken.id, broken.why.as_str())).collect();
    assert_eq!(broken, [(30, "stage is null, and must be text"), (31, "kind is null, and must be text")]);
}

#[test]
fn a_process_with_an_effect_that_cannot_be_read_is_broken_as_a_whole() {
    let place = full_place();
    place.edit("UPDATE effects SET attempt = 'second' WHERE process = 30");
    let (_, loaded) = Driver::load(&place);
    let broken: Vec<_> = loaded.rows.iter().filter_map(|row| row.as_ref().err()).collect();
    let [broken] = broken.as_slice() else { panic!("{broken:?}") };
    assert_eq!(
        (broken.id, broken.why.as_str()),
        (30, "an effect: attempt is text, and must be a whole number")
    );
    assert!(loaded.keys.iter().any(|known| known.process == 30), "its key stays taken");
}

#[test]
fn a_letter_that_makes_no_sense_is_given_with_the_reason_and_can_be_taken() {
    let place = Place::new();
    drop(place.sqlite());
    place.edit("INSERT INTO letters (ask) VALUES ('{\"Nudge\":{\"process\":0}}'), ('{'), (x'00')");
    let letters = place.reader().letters().expect("a journal");
    assert_eq!(letters.len(), 3);
    assert!(letters.iter().all(|letter| letter.ask.is_err()));
    let (mut driver, _) = Driver::load(&place);
    let taken = letters.iter().map(|l| crate::journal::Entry::LetterTaken { number: l.number }).collect();
    driver.write(taken).expect("sound");
    assert!(driver.letters().is_empty());
}

#[test]
fn a_highest_id_after_which_none_can_come_is_an_error() {
    let place = full_place();
    place.edit("UPDATE processes SET id = 9223372036854775807 WHERE id = 60");
    assert!(matches!(place.sqlite().load(), Err(JournalError::Damaged { .. })));
}

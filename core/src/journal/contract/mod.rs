//! What every journal must do. Each of them gives its [`Disk`], and [`holds_on`] plays all that is written here on it.

mod driver;
mod memory;

pub(super) use driver::{Driver, adopt, born, end, ended, id, job, made, row, step};

use super::{Ask, Desired, EffectEnd, EffectRow, Entry, Journal, JournalError, Note, ProcessRow, Stage};
use crate::{ProcessId, WallTime};

/// What outlives the openings of a journal.
pub(super) trait Disk {
    fn open(&self) -> Box<dyn Journal>;
    fn post(&self, ask: Ask) -> i64;
    /// Every process, by id.
    fn rows(&self) -> Vec<ProcessRow>;
    /// Every effect, by process, kind, host and name.
    fn effects(&self) -> Vec<(ProcessId, EffectRow, Option<EffectEnd>)>;
}

/// Plays the whole suite, each part on a disk of its own.
pub(super) fn holds_on<D: Disk>(new: impl Fn() -> D) {
    let parts: &[fn(&D)] = &[
        a_new_journal_is_empty,
        what_is_written_is_found_again,
        durable_notes_come_in_order_and_name_the_last_ticket,
        an_order_that_is_refused_changes_nothing_and_ends_all_writing,
        what_contradicts_the_journal_is_refused,
        a_key_is_given_out_once_for_each_parent,
        the_same_effect_again_is_no_change_and_after_its_end_opens_it,
        an_effect_that_ended_or_is_unknown_cannot_end,
        letters_are_given_until_one_that_takes_them_is_durable,
        the_bell_rings_when_a_letter_is_posted,
        a_letter_and_its_consequence_are_one,
        a_restart_loads_what_is_unfinished_and_the_ended_children_of_it,
        a_restart_knows_the_keys_of_those_that_ended,
        ids_go_on_after_a_restart,
        only_one_opening_holds_it,
        what_was_sent_before_a_drop_is_durable,
    ];
    for part in parts {
        part(&new());
    }
}

fn a_new_journal_is_empty(disk: &impl Disk) {
    let (mut driver, loaded) = Driver::load(disk);
    assert_eq!(loaded.next_id, ProcessId::FIRST);
    assert!(loaded.rows.is_empty() && loaded.effects.is_empty() && loaded.keys.is_empty());
    assert!(driver.letters().is_empty());
    driver.has_no_more_to_say();
}

fn what_is_written_is_found_again(disk: &impl Disk) {
    let whole = ProcessRow {
        version: u32::MAX,
        stage: Stage::Created,
        state: "\"ä 語 \\u0000\"".to_owned(),
        desired: Desired::Pause,
        seq: 9,
        parent: Some(id(1)),
        key: Some(String::new()),
        born: WallTime(-1),
        changed: WallTime(i64::MAX),
        outcome: Some("null".to_owned()),
        ..row(2)
    };
    let (mut driver, _) = Driver::load(disk);
    driver.write(vec![born(row(1)), born(whole.clone()), born(row(3))]).expect("sound");
    driver.write(vec![step(1, 1, Some("\"b\"")), step(3, 1, None)]).expect("sound");
    drop(driver);
    let (_, loaded) = Driver::load(disk);
    let rows: Vec<ProcessRow> = loaded.rows.into_iter().map(|row| row.expect("sound")).collect();
    let stepped = ProcessRow { seq: 1, changed: WallTime(6), ..row(1) };
    let first = ProcessRow { version: 2, state: "\"b\"".to_owned(), ..stepped.clone() };
    let third = ProcessRow { seq: 1, changed: WallTime(6), ..row(3) };
    assert_eq!(rows, [first, whole, third]);
    assert_eq!(rows, disk.rows());
}

fn durable_notes_come_in_order_and_name_the_last_ticket(disk: &impl Disk) {
    const WRITES: u64 = 500;
    let (mut driver, _) = Driver::load(disk);
    for number in 1..=WRITES {
        driver.send(vec![born(row(number))]);
    }
    let mut last = 0;
    while last < WRITES {
        match driver.next() {
            Note::Durable { ticket } => {
                assert!(ticket > last);
                last = ticket;
                assert!(disk.rows().len() as u64 >= ticket, "a note came before its write was durable");
            }
            note @ (Note::Failed { .. } | Note::Letters(_) | Note::Bell) => panic!("{note:?}"),
        }
    }
    driver.has_no_more_to_say();
}

fn an_order_that_is_refused_changes_nothing_and_ends_all_writing(disk: &impl Disk) {
    let (mut driver, _) = Driver::load(disk);
    driver.send(vec![born(row(1))]);
    let bad = driver.send(vec![born(row(2)), made(2, job("a", 1)), step(99, 1, None)]);
    driver.send(vec![born(row(3))]);
    match driver.next() {
        Note::Durable { ticket: 1 } => {}
        note => panic!("{note:?}"),
    }
    match driver.next() {
        Note::Failed { ticket, why: JournalError::Refused { .. } } => assert_eq!(ticket, bad),
        note => panic!("{note:?}"),
    }
    assert!(driver.letters().is_empty(), "letters can be read still");
    driver.has_no_more_to_say();
    drop(driver);
    assert_eq!(disk.rows(), [row(1)]);
    assert!(disk.effects().is_empty());
}

fn what_contradicts_the_journal_is_refused(disk: &impl Disk) {
    let before = vec![born(row(1)), born(row(2)), end(2, 1)];
    let wrong = [
        vec![born(row(1))],
        vec![born(row(3)), born(row(3))],
        vec![step(2, 2, None)],
        vec![step(2, 2, Some("{}"))],
        vec![end(2, 2)],
        vec![end(1, 1), step(1, 2, None)],
        vec![end(99, 1)],
    ];
    let (mut driver, _) = Driver::load(disk);
    driver.write(before).expect("sound");
    let rows = disk.rows();
    for order in wrong {
        drop(driver);
        (driver, _) = Driver::load(disk);
        let shown = format!("{order:?}");
        let refused = driver.write(order);
        assert!(matches!(refused, Err(JournalError::Refused { .. })), "{shown}: {refused:?}");
        assert_eq!(disk.rows(), rows, "{shown}");
    }
}

fn a_key_is_given_out_once_for_each_parent(disk: &impl Disk) {
    let child = |number, parent, key: &str| ProcessRow { parent, key: Some(key.to_owned()), ..row(number) };
    let (mut driver, _) = Driver::load(disk);
    let fine = vec![
        born(child(1, None, "a")),
        born(child(2, None, "b")),
        born(child(3, Some(id(1)), "a")),
        born(child(4, Some(id(2)), "a")),
        born(row(5)),
        born(row(6)),
    ];
    driver.write(fine).expect("sound");
    for twin in [child(7, None, "a"), child(7, Some(id(2)), "a")] {
        drop(driver);
        (driver, _) = Driver::load(disk);
        assert!(matches!(driver.write(vec![born(twin)]), Err(JournalError::Refused { .. })));
    }
    assert_eq!(disk.rows().len(), 6);
}

fn the_same_effect_again_is_no_change_and_after_its_end_opens_it(disk: &impl Disk) {
    let (mut driver, _) = Driver::load(disk);
    let twice = vec![born(row(1)), made(1, job("a", 1)), made(1, job("a", 2))];
    driver.write(twice).expect("sound");
    assert_eq!(disk.effects(), [(id(1), job("a", 1), None)]);
    driver.write(vec![ended(1, job("a", 7), EffectEnd::Undone)]).expect("sound");
    assert_eq!(disk.effects(), [(id(1), job("a", 1), Some(EffectEnd::Undone))]);
    driver.write(vec![made(1, job("a", 3))]).expect("sound");
    assert_eq!(disk.effects(), [(id(1), job("a", 3), None)]);
}

fn an_effect_that_ended_or_is_unknown_cannot_end(disk: &impl Disk) {
    let (mut driver, _) = Driver::load(disk);
    driver
        .write(vec![born(row(1)), made(1, job("a", 1)), ended(1, job("b", 1), EffectEnd::Never)])
        .expect("sound");
    driver
        .write(vec![ended(1, job("a", 1), EffectEnd::Over), ended(1, job("a", 1), EffectEnd::Kept)])
        .expect("sound");
    driver.write(vec![ended(2, job("a", 1), EffectEnd::Over)]).expect("sound");
    assert_eq!(disk.effects(), [(id(1), job("a", 1), Some(EffectEnd::Over))]);
}

fn letters_are_given_until_one_that_takes_them_is_durable(disk: &impl Disk) {
    let (mut driver, _) = Driver::load(disk);
    let asks =
        [Ask::Nudge { process: id(1) }, Ask::Desire { process: id(2), desired: Desired::Kill }, adopt("a")];
    let numbers = asks.clone().map(|ask| disk.post(ask));
    assert!(numbers[0] < numbers[1] && numbers[1] < numbers[2]);
    let all: Vec<(i64, Ask)> = numbers.into_iter().zip(asks).collect();
    assert_eq!(driver.letters(), all);
    assert_eq!(driver.letters(), all);
    driver.write(vec![Entry::LetterTaken { number: numbers[1] }]).expect("sound");
    driver.write(vec![Entry::LetterTaken { number: numbers[1] }]).expect("once more is no change");
    assert_eq!(driver.letters(), [all[0].clone(), all[2].clone()]);
    driver.write(vec![Entry::LetterTaken { number: numbers[2] }]).expect("sound");
    drop(driver);
    assert!(disk.post(adopt("b")) > numbers[2], "a number is never given out again");
    let (mut driver, _) = Driver::load(disk);
    assert_eq!(driver.letters().len(), 2);
}

fn the_bell_rings_when_a_letter_is_posted(disk: &impl Disk) {
    let (mut driver, _) = Driver::load(disk);
    driver.has_no_more_to_say();
    disk.post(adopt("a"));
    assert!(matches!(driver.next(), Note::Bell));
    driver.has_no_more_to_say();
}

fn a_letter_and_its_consequence_are_one(disk: &impl Disk) {
    let (mut driver, _) = Driver::load(disk);
    let number = disk.post(adopt("a"));
    let twin = || born(ProcessRow { key: Some("a".to_owned()), ..row(1) });
    let refused = driver.write(vec![Entry::LetterTaken { number }, twin(), twin()]);
    assert!(matches!(refused, Err(JournalError::Refused { .. })));
    assert_eq!(driver.letters().len(), 1);
    drop(driver);
    let (mut driver, _) = Driver::load(disk);
    driver.write(vec![twin(), Entry::LetterTaken { number }]).expect("sound");
    assert!(driver.letters().is_empty() && disk.rows().len() == 1);
}

fn a_restart_loads_what_is_unfinished_and_the_ended_children_of_it(disk: &impl Disk) {
    let child = |number, parent| ProcessRow { parent: Some(id(parent)), ..row(number) };
    let (mut driver, _) = Driver::load(disk);
    let rows = [row(1), row(2), child(3, 1), child(4, 1), child(5, 2), child(6, 3), child(7, 2)];
    driver.write(rows.into_iter().map(born).collect()).expect("sound");
    let effects = [1, 2, 3, 4, 5].map(|number| made(number, job("a", 1)));
    driver.write(effects.into()).expect("sound");
    let ends = vec![end(2, 1), end(3, 1), end(5, 1), end(6, 1), ended(4, job("a", 1), EffectEnd::Over)];
    driver.write(ends).expect("sound");
    drop(driver);
    let (_, loaded) = Driver::load(disk);
    let ids: Vec<u64> = loaded.rows.iter().map(|row| row.as_ref().expect("sound").id.number()).collect();
    assert_eq!(ids, [1, 3, 4, 7]);
    let mut effects = loaded.effects;
    effects.sort();
    assert_eq!(effects, [(id(1), job("a", 1)), (id(3), job("a", 1))]);
}

fn a_restart_knows_the_keys_of_those_that_ended(disk: &impl Disk) {
    let keyed = |number, parent, key: &str| ProcessRow { parent, key: Some(key.to_owned()), ..row(number) };
    let (mut driver, _) = Driver::load(disk);
    let rows = [keyed(1, None, "a"), keyed(2, None, "b"), keyed(3, Some(id(1)), "c")];
    driver.write(rows.into_iter().map(born).collect()).expect("sound");
    driver.write(vec![end(1, 1), end(3, 1)]).expect("sound");
    drop(driver);
    let (_, loaded) = Driver::load(disk);
    let known: Vec<_> =
        loaded.keys.iter().map(|known| (known.parent, known.key.as_str(), known.process)).collect();
    assert_eq!(known, [(None, "a", 1)]);
}

fn ids_go_on_after_a_restart(disk: &impl Disk) {
    let (mut driver, _) = Driver::load(disk);
    driver.write(vec![born(row(7)), end(7, 1), born(row(3))]).expect("sound");
    drop(driver);
    let (driver, loaded) = Driver::load(disk);
    assert_eq!(loaded.next_id, id(8));
    drop(driver);
    assert_eq!(Driver::load(disk).1.next_id, id(8));
}

fn only_one_opening_holds_it(disk: &impl Disk) {
    let (first, _) = Driver::load(disk);
    let mut second = disk.open();
    match second.load() {
        Err(JournalError::Held { holder, .. }) => assert_eq!(holder, std::process::id()),
        other => panic!("{other:?}"),
    }
    drop(first);
    second.load().expect("it is free again");
    drop(second);
    Driver::load(disk);
}

fn what_was_sent_before_a_drop_is_durable(disk: &impl Disk) {
    let (mut driver, _) = Driver::load(disk);
    for number in 1..=100 {
        driver.send(vec![born(row(number))]);
    }
    drop(driver);
    assert_eq!(disk.rows().len(), 100);
}

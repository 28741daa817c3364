//! Who holds the file, and who rings.

use super::super::bell::ring;
use super::Place;
use crate::journal::contract::{Disk, Driver, adopt};
use crate::journal::{Entry, Journal, JournalError, Note, Postbox, Sqlite};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

fn mode_of(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn only_the_owner_may_read_the_files_write_them_and_ring() {
    let place = Place::new();
    let mut journal = place.sqlite();
    journal.load().expect("sound");
    for name in place.names() {
        assert_eq!(mode_of(&place.folder.path().join(&name)), 0o600, "{name}");
    }
    assert_eq!(place.names(), ["journal", "journal-shm", "journal-wal", "journal.lock", "journal.sock"]);
    drop(journal);
    assert_eq!(place.names(), ["journal", "journal.lock"]);
}

#[test]
fn two_names_of_one_file_have_one_lock() {
    let place = Place::new();
    let mut journal = place.sqlite();
    journal.load().expect("sound");
    let link = place.folder.path().join("link");
    std::os::unix::fs::symlink(place.path(), &link).expect("a link");
    let mut other = Sqlite::open(&link).expect("it is a journal");
    assert!(matches!(other.load(), Err(JournalError::Held { .. })));
    drop(journal);
    other.load().expect("it is free");
}

/// Not a fact: what the child of the next test does.
#[test]
fn holds_a_journal_for_ever_if_told_to() {
    let Some(path) = std::env::var_os("PROCESSION_TEST_HOLD") else { return };
    let mut journal = Sqlite::open(path).expect("sound");
    journal.load().expect("sound");
    println!("\nheld");
    loop {
        std::thread::park();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test waits for a child that it has killed")]
fn the_lock_and_the_socket_of_one_that_was_killed_are_taken_over() {
    let place = Place::new();
    drop(place.sqlite());
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "--nocapture",
            "journal::sqlite::tests::holding::holds_a_journal_for_ever_if_told_to",
        ])
        .env("PROCESSION_TEST_HOLD", place.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "held"));
    let mut journal = place.sqlite();
    match journal.load() {
        Err(JournalError::Held { holder, .. }) => assert_eq!(holder, child.id()),
        other => panic!("{other:?}"),
    }
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    let mut postbox = Postbox::open(place.path()).expect("a journal");
    assert!(!postbox.post(&adopt("a")).expect("a journal").heard, "the socket is there, but nobody listens");
    journal.load().expect("it is free");
    assert!(postbox.post(&adopt("b")).expect("a journal").heard);
    assert!(matches!(journal.take(), Some(Note::Bell)));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test waits for a child of its own")]
fn a_lock_that_outlives_its_owner_for_a_moment_is_waited_for() {
    let place = Place::new();
    drop(place.sqlite());
    let path = place.folder.path().join("journal.lock");
    let mut dead = Command::new("true").spawn().expect("a program");
    dead.wait().expect("it is ours");
    std::fs::write(&path, format!("{}\n", dead.id())).expect("a file");
    // What a child has of its parent before it becomes another program: the same opening of the file.
    let file = std::fs::File::open(&path).expect("just written");
    flock(&file, FlockOperation::NonBlockingLockExclusive).expect("nobody has it");
    let mut child = Command::new("sleep").arg("0.3").stdin(Stdio::from(file)).spawn().expect("a program");
    place.sqlite().load().expect("it is free when the child has ended");
    child.wait().expect("it is ours");
}

#[test]
fn the_bell_makes_its_descriptor_readable_and_taking_makes_it_silent() {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    let readable = |driver: &Driver| {
        let bell = driver.journal.bell_fd().expect("it is loaded");
        poll(&mut [PollFd::new(&bell, PollFlags::IN)], Some(&rustix::time::Timespec::default()))
            .expect("poll")
            == 1
    };
    assert!(!readable(&driver));
    (1..=3).for_each(|number| assert_eq!(place.post(adopt("a")), number));
    assert!(readable(&driver));
    assert!(matches!(driver.journal.take(), Some(Note::Bell)));
    driver.has_no_more_to_say();
    assert!(!readable(&driver));
}

#[test]
fn more_rings_than_the_socket_holds_hold_nobody_up() {
    let place = Place::new();
    let (mut driver, _) = Driver::load(&place);
    assert!((0..600).all(|_| ring(&place.path())), "somebody listens");
    assert!(matches!(driver.journal.take(), Some(Note::Bell)));
    driver.has_no_more_to_say();
}

#[test]
fn a_path_that_is_longer_than_the_address_of_a_socket_works() {
    let place = Place::new();
    let deep = (0..20).fold(place.folder.path().to_owned(), |path, _| path.join("a-rather-long-name"));
    std::fs::create_dir_all(&deep).expect("a folder");
    let path = deep.join("journal");
    let mut journal = Sqlite::open(&path).expect("sound");
    journal.load().expect("sound");
    assert!(Postbox::open(&path).expect("a journal").post(&adopt("a")).expect("a journal").heard);
    assert!(matches!(journal.take(), Some(Note::Bell)));
}

#[test]
fn a_file_that_is_in_the_way_of_the_socket_is_not_removed() {
    let place = Place::new();
    let precious = place.folder.path().join("journal.sock");
    std::fs::write(&precious, "precious").expect("a file");
    assert!(matches!(place.sqlite().load(), Err(JournalError::Io { .. })));
    assert_eq!(std::fs::read_to_string(&precious).expect("still there"), "precious");
    std::fs::remove_file(&precious).expect("ours");
    place.sqlite().load().expect("the lock was given back");
}

#[test]
fn a_holder_whose_lock_was_removed_writes_no_more() {
    let place = Place::new();
    let (mut first, _) = Driver::load(&place);
    first.write(vec![Entry::LetterTaken { number: 1 }]).expect("it has the lock");
    std::fs::remove_file(place.folder.path().join("journal.lock")).expect("ours");
    let (mut second, _) = Driver::load(&place);
    match first.write(vec![Entry::LetterTaken { number: 2 }]) {
        Err(JournalError::Io { why, .. }) => assert!(why.contains("journal.lock"), "{why}"),
        other => panic!("{other:?}"),
    }
    second.write(vec![Entry::LetterTaken { number: 3 }]).expect("the second one has it now");
}

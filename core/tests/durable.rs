//! The life of a process in a journal: what is durable before what, and what comes back after a crash.
#![allow(missing_docs, reason = "the names say it")]

mod sum;

use procession::journal::{Ask, Crash, Desired, EffectEnd, EffectRow, JournalError, MemoryStore, Stage};
use procession::{
    Handle, Life, Outcome, Parked, Phase, Process, ProcessId, Runtime, RuntimeError, Spawn, State, Step,
    Unreadable, states,
};
use serde::{Deserialize, Serialize};
use stakker::CX;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use sum::{HELD, Sum, SumState, World, listen};

fn world(store: &MemoryStore) -> World {
    World::over(Runtime::builder().journal(store.open()))
}

fn spawn(world: &mut World, a: i64, key: u32) -> Handle<Sum> {
    world.runtime.spawn(SumState::Fetching { a, key }, Spawn::default()).expect("registered")
}

fn id(n: u64) -> ProcessId {
    ProcessId::new(n).expect("not zero")
}

fn stage_of(store: &MemoryStore, n: u64) -> Stage {
    store.rows().into_iter().find(|row| row.id == id(n)).expect("a row").stage
}

#[test]
fn a_transition_is_durable_before_watchers_hear_of_it_and_before_the_next_advance() {
    let store = MemoryStore::new();
    store.delay_notes(true);
    let mut world = world(&store);
    let sum = spawn(&mut world, 1, 2);
    let (told, watcher) = listen();
    sum.watch(watcher);
    sum.launch();
    world.settle();
    assert_eq!(stage_of(&store, 1), Stage::Running, "the row is written");
    assert_eq!(
        (told.borrow().len(), world.asked.get()),
        (1, 0),
        "but nobody has heard of it, and nothing was asked"
    );
    store.release();
    world.settle();
    assert_eq!((told.borrow().len(), world.asked.get()), (2, 1));
}

#[test]
fn a_process_goes_on_in_the_state_that_was_durable() {
    let store = MemoryStore::new();
    let mut first = world(&store);
    spawn(&mut first, 1, HELD).launch();
    first.settle();
    drop(first);
    let mut second = world(&store);
    assert_eq!(second.runtime.recover().expect("recovered").restored, 1);
    second.settle();
    assert_eq!(second.asked.get(), 1, "it was entered again");
    second.release();
    assert_eq!(stage_of(&store, 1), Stage::Finished);
    assert_eq!(second.runtime.live(), 0);
}

#[test]
fn a_crash_at_every_boundary_leads_to_the_same_end() {
    let story = |store: &MemoryStore| {
        let mut world = world(store);
        let _ = world.runtime.recover().expect("recovered");
        if store.rows().is_empty() {
            spawn(&mut world, 1, 2).launch();
        }
        world.settle();
        store.boundaries()
    };
    let quiet = story(&MemoryStore::new());
    assert!(quiet >= 6, "born, running, adding, finished: {quiet}");
    for boundary in 0..quiet {
        let store = MemoryStore::new();
        store.crash_at(Crash::at(boundary));
        story(&store);
        story(&store);
        let rows = store.rows();
        assert_eq!(rows.len(), 1, "boundary {boundary}");
        assert!(rows[0].stage == Stage::Finished || rows[0].stage == Stage::Created, "boundary {boundary}");
        assert_eq!(rows[0].stage == Stage::Finished, rows[0].outcome.as_deref() == Some("3"));
    }
}

#[test]
fn a_kill_is_in_the_journal_at_once_and_survives_a_restart() {
    let store = MemoryStore::new();
    store.delay_notes(true);
    let mut first = world(&store);
    let sum = spawn(&mut first, 1, HELD);
    sum.launch();
    first.settle(); // the launch is on its way to the journal
    sum.kill();
    first.settle();
    assert_eq!(store.rows()[0].desired, Desired::Kill, "although a transition is in flight");
    drop(first);
    store.delay_notes(false);
    let mut second = world(&store);
    let _ = second.runtime.recover().expect("recovered");
    second.settle();
    assert_eq!(stage_of(&store, 1), Stage::Killed);
    assert_eq!(second.asked.get(), 0, "it was not advanced any more");
}

#[test]
fn wishes_left_while_nobody_ran_take_effect_at_the_next_start() {
    let store = MemoryStore::new();
    let mut first = world(&store);
    for key in [HELD, HELD] {
        spawn(&mut first, 1, key).launch();
    }
    first.settle();
    drop(first);
    store.post(Ask::Desire { process: id(1), desired: Desired::Pause });
    store.post(Ask::Desire { process: id(2), desired: Desired::Kill });
    let mut second = world(&store);
    let _ = second.runtime.recover().expect("recovered");
    second.settle();
    assert_eq!((stage_of(&store, 1), stage_of(&store, 2)), (Stage::Paused, Stage::Killed));
    assert!(store.letters().is_empty(), "each letter was taken");
    drop(second);
    let mut third = world(&store);
    let _ = third.runtime.recover().expect("recovered");
    third.settle();
    assert_eq!((stage_of(&store, 1), third.asked.get()), (Stage::Paused, 0), "still paused");
    store.post(Ask::Desire { process: id(1), desired: Desired::Run });
    third.settle();
    assert_eq!((stage_of(&store, 1), third.asked.get()), (Stage::Running, 1));
}

#[test]
fn a_process_that_is_handed_over_is_taken_once() {
    let store = MemoryStore::new();
    let ask = || Ask::Adopt {
        kind: "sum".into(),
        version: 1,
        state: r#"{"Fetching":{"a":1,"key":2}}"#.into(),
        key: "mine".into(),
    };
    store.post(ask());
    store.post(ask());
    let mut world = world(&store);
    let _ = world.runtime.recover().expect("recovered");
    world.settle();
    let rows = store.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].stage, rows[0].key.as_deref()), (Stage::Finished, Some("mine")));
}

#[test]
fn what_cannot_be_read_is_parked_and_the_others_go_on() {
    let store = MemoryStore::new();
    let mut first = world(&store);
    spawn(&mut first, 1, HELD).launch();
    first.settle();
    first.runtime.register(|life| Old { life });
    first.runtime.spawn::<Old>(Before::Here, Spawn::default()).expect("registered").launch();
    first.settle();
    drop(first);
    // The next program has never heard of the kind "old".
    let mut second = world(&store);
    let recovered = second.runtime.recover().expect("recovered");
    assert_eq!(recovered.restored, 1);
    assert!(
        matches!(&recovered.parked[..], [Parked::UnknownKind { kind, .. }] if kind == "old"),
        "{recovered:?}"
    );
    second.settle();
    second.release();
    assert_eq!(
        (stage_of(&store, 1), stage_of(&store, 2)),
        (Stage::Finished, Stage::Running),
        "nothing was lost"
    );
    drop(second);
    // A later program reads the old form; an even later one cannot, and says so.
    let mut third = world(&store);
    third.runtime.register(|life| New { life });
    assert_eq!(third.runtime.recover().expect("recovered").restored, 1);
    third.settle();
    assert_eq!(store.rows()[1].outcome.as_deref(), Some(r#""upgraded""#));
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Before {
    Here,
}
states! { Before { Here => [end] } }
struct Old {
    life: Life<Self>,
}
impl Process for Old {
    const KIND: &'static str = "old";
    type State = Before;
    type Output = String;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, _: CX![], _: Before, step: Step<Self>) {
        self.life.hold(step);
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum After {
    Upgraded,
}
states! { After version 2 (upgrade) { Upgraded => [end] } }
fn upgrade(version: u32, old: procession::json::Value) -> Result<After, Unreadable> {
    match (version, old.as_str()) {
        (1, Some("Here")) => Ok(After::Upgraded),
        (_, _) => Err(Unreadable("neither here nor there".into())),
    }
}
struct New {
    life: Life<Self>,
}
impl Process for New {
    const KIND: &'static str = "old";
    type State = After;
    type Output = String;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, _: CX![], state: After, step: Step<Self>) {
        match state {
            After::Upgraded => step.finish("upgraded".into()),
        }
    }
}

#[test]
fn a_state_of_a_later_version_is_parked_with_its_reason() {
    let store = MemoryStore::new();
    let mut first = world(&store);
    first.runtime.register(|life| New { life });
    first.runtime.spawn::<New>(After::Upgraded, Spawn::default()).expect("registered");
    first.settle();
    drop(first);
    let mut second = world(&store);
    second.runtime.register(|life| Old { life });
    let recovered = second.runtime.recover().expect("recovered");
    assert!(matches!(&recovered.parked[..], [Parked::Unreadable { why, .. }] if why.contains("version 2")));
}

#[test]
fn a_journal_that_cannot_be_written_stops_the_runtime_with_its_reason() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let sum = spawn(&mut world, 1, 2);
    world.settle();
    store.fail_writes(JournalError::Ended);
    sum.launch();
    let stopped = world.runtime.turn(world.now);
    assert!(matches!(stopped, Err(RuntimeError::Journal(JournalError::Ended))), "{stopped:?}");
    assert_eq!(world.asked.get(), 0, "nothing went past the journal");
    assert!(world.runtime.turn(world.now).is_err(), "and it stays stopped");
}

#[test]
fn a_key_names_one_live_process() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let keyed = || Spawn { key: Some("it".into()), ..Spawn::default() };
    let first = world.runtime.spawn::<Sum>(SumState::Fetching { a: 1, key: 2 }, keyed()).expect("free");
    let second = world.runtime.spawn::<Sum>(SumState::Fetching { a: 1, key: 2 }, keyed());
    assert!(matches!(second, Err(procession::SpawnError::KeyTaken(key)) if key == "it"));
    assert_eq!(world.runtime.handle().find::<Sum>(id(1)).and_then(|h| h.id()), first.id());
}

#[cfg(feature = "sqlite")]
#[test]
fn a_runtime_that_sleeps_is_woken_by_its_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("journal");
    let end = {
        let journal = procession::journal::Sqlite::open(&file).expect("a new file");
        let mut runtime = Runtime::builder().journal(journal).build().expect("nobody holds it");
        runtime.register(|life| New { life });
        let process = runtime.spawn::<New>(After::Upgraded, Spawn::default()).expect("registered");
        process.launch();
        // Its own loop sleeps while the helper thread writes. Unless it is woken, this never returns.
        runtime.run_until(&process).expect("runs")
    };
    assert_eq!(end, Outcome::Finished("upgraded".into()));
    let reader = procession::journal::Reader::open(&file).expect("readable");
    let row = reader.process(id(1)).expect("read").expect("there").expect("sound");
    assert_eq!((row.stage, row.outcome.as_deref()), (Stage::Finished, Some(r#""upgraded""#)));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_letter_is_found_though_the_bell_was_taken_away() {
    use procession::journal::{Postbox, Sqlite};
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("journal");
    let mut runtime =
        Runtime::builder().journal(Sqlite::open(&file).expect("new")).build().expect("nobody holds it");
    runtime.register(|life| Old { life });
    runtime.recover().expect("nothing is there");
    let waits = runtime.spawn::<Old>(Before::Here, Spawn::default()).expect("registered");
    waits.launch();
    let mut turns = 0;
    runtime
        .run_while(|_| {
            turns += 1;
            turns < 4
        })
        .expect("runs");
    std::fs::remove_file(folder.path().join("journal.sock")).expect("it hangs there");
    let mut postbox = Postbox::open(&file).expect("sound");
    let posted = postbox.post(&Ask::Desire { process: id(1), desired: Desired::Kill }).expect("posted");
    assert!(!posted.heard, "nobody can be rung");
    assert_eq!(runtime.run_until(&waits).expect("runs"), Outcome::Killed);
}

// ---- the ledger

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Make {
    Deciding,
    Making,
}
states! { Make { Deciding => [Making], Making => [end] } }
struct Maker {
    life: Life<Self>,
    made: Rc<RefCell<Vec<(usize, bool)>>>,
    store: MemoryStore,
}
fn folder() -> EffectRow {
    EffectRow { kind: "directory".into(), host: "h".into(), name: "/w/1".into(), attempt: 1 }
}
impl Process for Maker {
    const KIND: &'static str = "maker";
    type State = Make;
    type Output = ();
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, _: CX![], state: Make, step: Step<Self>) {
        match state {
            Make::Deciding => {
                self.life.owe(folder());
                step.to(Make::Making);
            }
            Make::Making => {
                let known = self.store.effects();
                self.made.borrow_mut().push((known.len(), known.iter().all(|(_, _, end)| end.is_none())));
                self.life.settle(folder(), EffectEnd::Undone);
                step.finish(());
            }
        }
    }
}

#[test]
fn an_effect_is_in_the_ledger_before_the_state_that_has_it_and_ends_with_it() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let made: Rc<RefCell<Vec<(usize, bool)>>> = Rc::default();
    let parts = (made.clone(), store.clone());
    world.runtime.register(move |life| Maker { life, made: parts.0.clone(), store: parts.1.clone() });
    world.runtime.spawn::<Maker>(Make::Deciding, Spawn::default()).expect("registered").launch();
    world.settle();
    assert_eq!(*made.borrow(), [(1, true)]);
    assert_eq!(store.effects(), [(id(1), folder(), Some(EffectEnd::Undone))]);
    assert_eq!(stage_of(&store, 1), Stage::Finished);
}

#[test]
fn pausing_and_resuming_a_thousand_times_loses_nothing() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let sum = spawn(&mut world, 1, HELD);
    sum.launch();
    let turns = Cell::new(0);
    for n in 0..1_000u32 {
        if n % 3 == 0 {
            sum.pause()
        } else {
            sum.resume()
        }
        if n % 7 == 0 {
            world.settle();
            turns.set(turns.get() + 1);
        }
    }
    sum.resume();
    world.settle();
    world.release();
    let ended = world.runtime.run_until(&sum);
    assert!(matches!(ended, Ok(Outcome::Finished(6))), "{ended:?}");
    assert_eq!(world.runtime.phase(&sum), Ok(Phase::Finished(6)));
    assert_eq!(SumState::TABLE.len(), 2);
}

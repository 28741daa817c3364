//! A key leads to one process for ever: what was handed over twice, or after a restart, is not run twice.
#![allow(missing_docs, reason = "the names say it")]

use procession::journal::{Ask, MemoryStore, Stage};
use procession::{Life, Process, Runtime, Spawn, SpawnError, State, Step};
use serde::{Deserialize, Serialize};
use stakker::CX;
use std::time::Instant;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Once;

impl State for Once {}

struct Two {
    life: Life<Self>,
}

impl Process for Two {
    const KIND: &'static str = "two";
    type State = Once;
    type Output = i64;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, _: CX![], _: Once, step: Step<Self>) {
        step.finish(2)
    }
}

#[expect(clippy::disallowed_methods, reason = "time stands still from here on")]
fn runtime(store: &MemoryStore) -> (Runtime, Instant) {
    let start = Instant::now();
    let mut runtime =
        Runtime::builder().virtual_time(start).journal(store.open()).build().expect("nobody holds it");
    runtime.register(|life| Two { life });
    runtime.recover().expect("sound");
    (runtime, start)
}

fn settle(runtime: &mut Runtime, now: Instant) {
    while runtime.turn(now).expect("sound").more {}
}

fn keyed() -> Spawn {
    Spawn { key: Some("a".into()), ..Spawn::default() }
}

fn adopt() -> Ask {
    Ask::Adopt { kind: "two".into(), version: 1, state: "null".into(), key: "a".into() }
}

fn assert_only_one(store: &MemoryStore) {
    let stages: Vec<Stage> = store.rows().iter().map(|row| row.stage).collect();
    assert_eq!(stages, [Stage::Finished]);
}

#[test]
fn the_key_of_a_process_that_has_ended_is_not_used_again_not_even_after_a_restart() {
    let store = MemoryStore::new();
    for _ in 0..3 {
        let (mut runtime, now) = runtime(&store);
        match runtime.spawn::<Two>(Once, keyed()) {
            Ok(two) => two.launch(),
            Err(e) => assert_eq!(e, SpawnError::KeyTaken("a".into())),
        }
        settle(&mut runtime, now);
        assert!(matches!(runtime.spawn::<Two>(Once, keyed()), Err(SpawnError::KeyTaken(_))));
        settle(&mut runtime, now);
    }
    assert_only_one(&store);
}

#[test]
fn a_process_that_is_handed_over_again_and_again_is_run_once() {
    let store = MemoryStore::new();
    for _ in 0..3 {
        let (mut runtime, now) = runtime(&store);
        store.post(adopt());
        store.post(adopt());
        settle(&mut runtime, now);
        store.post(adopt());
        settle(&mut runtime, now);
        assert!(store.letters().is_empty());
    }
    assert_only_one(&store);
}

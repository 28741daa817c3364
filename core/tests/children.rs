//! Parents and children.
#![allow(missing_docs, reason = "the names say it")]

mod sum;

use procession::journal::{MemoryStore, Stage};
use procession::{
    Backoff, Child, Fault, Life, OnFailure, Outcome, Phase, Process, ProcessId, Runtime, Spawn, Step, states,
};
use serde::{Deserialize, Serialize};
use stakker::CX;
use std::time::Duration;
use sum::{HELD, MISSING, Sum, SumState, World};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Family {
    Both { keys: [u32; 2] },
    Restarting { key: u32, at_most: u32 },
    Ignoring { key: u32 },
    Mistaken,
}
states! { Family { Both => [end], Restarting => [end], Ignoring => [end], Mistaken => [end] } }

struct Parent {
    life: Life<Self>,
    left: Option<i64>,
}

impl Process for Parent {
    const KIND: &'static str = "parent";
    type State = Family;
    type Output = String;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, cx: CX![], state: Family, step: Step<Self>) {
        match state {
            Family::Both { keys } => {
                // Two children report to one stream; whoever comes second finishes.
                let report = step.each(|this: &mut Self, _, step, b: i64| match this.left.take() {
                    Some(a) => step.finish((a + b).to_string()),
                    None => {
                        this.left = Some(b);
                        step.stay();
                    }
                });
                self.left = None;
                for (name, key) in ["left", "right"].into_iter().zip(keys) {
                    let report = report.clone();
                    let ret = stakker::Ret::new(move |o: Option<Outcome<i64>>| {
                        if let Some(Outcome::Finished(n)) = o {
                            report.fwd(n);
                        }
                    });
                    self.life.child::<Sum>(cx, Child::new(name), SumState::Fetching { a: 0, key }, ret);
                }
            }
            Family::Restarting { key, at_most } => {
                let backoff = Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(3) };
                let child = Child::new("c").on_failure(OnFailure::Restart { at_most, backoff });
                let told = step.reply(|_, _, step, o: Outcome<i64>| step.finish(format!("{o:?}")));
                self.life.child::<Sum>(cx, child, SumState::Fetching { a: 0, key }, told);
            }
            Family::Ignoring { key } => {
                let told = step.reply(|_, _, step, o: Outcome<i64>| step.finish(format!("{:?}", o.stage())));
                let child = Child::new("c").on_failure(OnFailure::Ignore);
                self.life.child::<Sum>(cx, child, SumState::Fetching { a: 0, key }, told);
            }
            Family::Mistaken => {
                let of_this_kind = SumState::Fetching { a: 0, key: HELD };
                self.life.child::<Sum>(cx, Child::new("c"), of_this_kind, stakker::ret_nop!());
                let told = step.reply(|_, _, step, o: Outcome<String>| step.finish(format!("{o:?}")));
                let child = Child::new("c").on_failure(OnFailure::Ignore);
                self.life.child::<Self>(cx, child, Family::Mistaken, told);
            }
        }
    }
}

fn world(store: &MemoryStore) -> World {
    let mut world = World::over(Runtime::builder().journal(store.open()));
    world.runtime.register(|life| Parent { life, left: None });
    world
}

fn begin(world: &mut World, state: Family) -> procession::Handle<Parent> {
    let parent = world.runtime.spawn(state, Spawn::default()).expect("registered");
    parent.launch();
    world.settle();
    parent
}

fn stages(store: &MemoryStore) -> Vec<Stage> {
    store.rows().iter().map(|row| row.stage).collect()
}

#[test]
fn a_parent_waits_for_its_children_and_uses_what_they_bring() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let parent = begin(&mut world, Family::Both { keys: [3, 4] });
    assert_eq!(world.runtime.phase(&parent), Ok(Phase::Finished("7".into())));
    let rows = store.rows();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1].parent, ProcessId::new(1));
}

#[test]
fn a_failing_child_fails_its_parent_and_takes_its_siblings_along() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let parent = begin(&mut world, Family::Both { keys: [HELD, MISSING] });
    let fault = Fault::Child { key: "right".into(), why: "no such key".into() };
    assert_eq!(world.runtime.phase(&parent), Ok(Phase::Failed(fault)));
    assert_eq!(stages(&store), [Stage::Failed, Stage::Killed, Stage::Failed]);
    assert_eq!(world.runtime.live(), 0);
}

#[test]
fn a_parent_may_decide_for_itself_what_a_failure_means() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let parent = begin(&mut world, Family::Ignoring { key: MISSING });
    assert_eq!(world.runtime.phase(&parent), Ok(Phase::Finished("Failed".into())));
}

#[test]
fn a_key_that_a_child_of_another_kind_has_is_a_failure_with_a_reason() {
    let mut world = world(&MemoryStore::new());
    let parent = begin(&mut world, Family::Mistaken);
    let Ok(Phase::Finished(said)) = world.runtime.phase(&parent) else { panic!("no end") };
    assert!(said.contains("the child c is of another kind"), "{said}");
    assert_eq!(world.runtime.live(), 0);
}

#[test]
fn a_child_that_fails_is_started_afresh_after_a_growing_wait_and_not_for_ever() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let parent = begin(&mut world, Family::Restarting { key: MISSING, at_most: 2 });
    assert_eq!(store.rows().len(), 2, "the first try");
    world.now += Duration::from_millis(1_100);
    world.settle();
    assert_eq!(store.rows().len(), 3, "the second");
    world.now += Duration::from_millis(1_100);
    world.settle();
    assert_eq!(store.rows().len(), 3, "the third waits for longer");
    world.now += Duration::from_secs(1);
    world.settle();
    assert_eq!(store.rows().len(), 4);
    let Ok(Phase::Finished(told)) = world.runtime.phase(&parent) else { panic!("not finished") };
    assert!(told.contains("no such key"), "{told}");
}

#[test]
fn children_are_found_again_after_a_restart_also_those_that_have_ended() {
    let store = MemoryStore::new();
    let mut first = world(&store);
    begin(&mut first, Family::Both { keys: [3, HELD] });
    assert_eq!(stages(&store), [Stage::Running, Stage::Finished, Stage::Running]);
    drop(first);
    let mut second = world(&store);
    assert_eq!(second.runtime.recover().expect("recovered").restored, 2);
    second.settle();
    second.release();
    assert_eq!(stages(&store), [Stage::Finished; 3], "and no third child");
    assert_eq!(store.rows()[0].outcome.as_deref(), Some(r#""8""#));
}

#[test]
fn a_killed_parent_is_killed_after_its_children() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let parent = begin(&mut world, Family::Both { keys: [HELD, HELD] });
    parent.kill();
    world.settle();
    assert_eq!(stages(&store), [Stage::Killed; 3]);
    let seq = |n: usize| store.rows()[n].changed;
    assert!(seq(0) >= seq(1).max(seq(2)));
}

#[test]
fn a_paused_parent_enters_its_state_again_and_finds_its_children() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let parent = begin(&mut world, Family::Both { keys: [3, HELD] });
    parent.pause();
    world.settle();
    parent.resume();
    world.settle();
    assert_eq!(store.rows().len(), 3, "no child was spawned twice");
    world.release();
    assert_eq!(world.runtime.phase(&parent), Ok(Phase::Finished("8".into())));
}

#[test]
fn a_waiting_parent_that_is_paused_restarts_nobody() {
    let store = MemoryStore::new();
    let mut world = world(&store);
    let parent = begin(&mut world, Family::Restarting { key: MISSING, at_most: 2 });
    parent.pause();
    world.settle();
    world.now += Duration::from_secs(60);
    world.settle();
    assert_eq!(store.rows().len(), 2, "the timer was dropped with the state");
    parent.resume();
    world.settle();
    world.now += Duration::from_secs(60);
    world.settle();
    world.now += Duration::from_secs(60);
    world.settle();
    assert_eq!(store.rows().len(), 4);
}

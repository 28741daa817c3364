//! The life of a process, without a journal.
#![allow(missing_docs, reason = "the names say it")]

mod sum;

use procession::journal::Stage;
use procession::{DriveMode, Fault, Life, Outcome, Phase, Process, Runtime, Spawn, State, Step, states};
use serde::{Deserialize, Serialize};
use stakker::CX;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use sum::{DROPPED, HELD, MISSING, PANIC_IN_ADVANCE, PANIC_IN_REPLY, SumState, World, answer, listen};

fn end_of(key: u32) -> Outcome<i64> {
    let mut world = World::new();
    let sum = world.sum(6, key);
    let (told, ret) = answer();
    sum.outcome(ret);
    sum.launch();
    world.settle();
    let end = told.borrow_mut().take();
    end.flatten().expect("an outcome")
}

#[test]
fn a_process_walks_to_its_output() {
    assert_eq!(end_of(4), Outcome::Finished(10));
}

#[test]
fn an_error_of_a_service_is_a_fault_with_its_reason() {
    assert_eq!(end_of(MISSING), Outcome::Failed(Fault::new("failed", "no such key")));
}

#[test]
fn a_dropped_answer_is_a_fault_and_not_a_hang() {
    assert_eq!(end_of(DROPPED), Outcome::Failed(Fault::Abandoned { state: "Fetching".into() }));
}

#[test]
fn a_panic_in_advance_or_in_a_reply_fails_that_process_with_its_message() {
    std::panic::set_hook(Box::new(|_| {}));
    let Outcome::Failed(Fault::Panicked { state, message }) = end_of(PANIC_IN_ADVANCE) else {
        panic!("no fault")
    };
    assert_eq!((state.as_str(), message.as_str()), ("Fetching", "no advance"));
    let Outcome::Failed(Fault::Panicked { message, .. }) = end_of(PANIC_IN_REPLY) else { panic!("no fault") };
    assert!(message.contains("no reply"), "{message}");
}

#[test]
fn a_panic_leaves_all_others_alone() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut world = World::new();
    let others: Vec<_> = (0..1_000).map(|n| world.sum(n, 1)).collect();
    let bad = [world.sum(0, PANIC_IN_ADVANCE), world.sum(0, PANIC_IN_REPLY)];
    others.iter().chain(&bad).for_each(procession::Handle::launch);
    world.settle();
    for (n, other) in others.iter().enumerate() {
        assert_eq!(world.runtime.phase(other), Ok(Phase::Finished(n as i64 + 1)));
    }
    for bad in &bad {
        assert_eq!(world.runtime.phase(bad).map(|p| p.stage()), Ok(Stage::Failed));
    }
    assert_eq!(world.runtime.live(), 0);
}

#[test]
fn a_watcher_hears_the_phase_at_once_and_the_end_last() {
    let mut world = World::new();
    let sum = world.sum(1, HELD);
    let (told, watcher) = listen();
    sum.watch(watcher);
    world.settle();
    assert_eq!(*told.borrow(), [Phase::Created(SumState::Fetching { a: 1, key: HELD })]);
    sum.launch();
    world.settle();
    world.release();
    let told = told.borrow();
    assert_eq!(told[1], Phase::Running(SumState::Fetching { a: 1, key: HELD }));
    assert_eq!(told.last(), Some(&Phase::Finished(6)));
    assert_eq!(told.iter().filter(|p| p.stage().is_end()).count(), 1);
}

#[test]
fn an_answer_that_comes_during_a_pause_is_dropped_and_the_state_is_entered_again() {
    let mut world = World::new();
    let sum = world.sum(1, HELD);
    sum.launch();
    world.settle();
    sum.pause();
    world.settle();
    assert_eq!(world.runtime.phase(&sum), Ok(Phase::Paused(SumState::Fetching { a: 1, key: HELD })));
    world.release();
    assert_eq!(
        world.runtime.phase(&sum).map(|p| p.stage()),
        Ok(Stage::Paused),
        "the late answer was dropped"
    );
    sum.resume();
    world.settle();
    assert_eq!(world.asked.get(), 2, "the state was entered again, so the store was asked again");
    world.release();
    assert_eq!(world.runtime.phase(&sum), Ok(Phase::Finished(6)));
}

#[test]
fn who_asks_for_the_outcome_when_the_end_is_told_is_answered_with_it() {
    let mut world = World::new();
    let sum = world.sum(6, 4);
    let (told, ret) = answer();
    let (asked, ret) = (sum.clone(), Cell::new(Some(ret)));
    sum.watch(stakker::Fwd::new(move |phase: Phase<SumState, i64>| {
        if phase.stage().is_end() {
            ret.take().into_iter().for_each(|ret| asked.outcome(ret));
        }
    }));
    sum.launch();
    world.settle();
    assert_eq!(*told.borrow(), Some(Some(Outcome::Finished(10))));
}

#[test]
fn who_is_answered_may_ask_again_at_once_and_the_outcome_stays_as_long_as_a_handle() {
    let mut world = World::new();
    let sum = world.sum(6, 4);
    let (told, ret) = answer();
    let (asked, ret) = (sum.clone(), Cell::new(Some(ret)));
    sum.outcome(stakker::Ret::new(move |_| ret.take().into_iter().for_each(|ret| asked.outcome(ret))));
    sum.launch();
    world.settle();
    assert_eq!(told.borrow_mut().take(), Some(Some(Outcome::Finished(10))));
    let other = sum.clone();
    drop(sum);
    for _ in 0..2 {
        assert_eq!(world.runtime.phase(&other), Ok(Phase::Finished(10)));
    }
}

#[test]
fn a_process_that_panics_while_it_is_made_was_never_there() {
    let mut world = World::new();
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let fetching = SumState::Fetching { a: 1, key: 2 };
        drop(world.runtime.spawn_with(fetching, |_: Life<sum::Sum>| panic!("not made")));
    }));
    assert!(made.is_err());
    assert_eq!(world.runtime.live(), 0);
    world.settle();
    let sum = world.sum(1, 2);
    sum.launch();
    world.settle();
    assert_eq!(world.runtime.phase(&sum), Ok(Phase::Finished(3)));
}

#[test]
fn a_handle_may_be_dropped_and_the_process_goes_on() {
    let mut world = World::new();
    let sum = world.sum(1, HELD);
    sum.launch();
    drop(sum);
    world.settle();
    assert_eq!(world.runtime.live(), 1);
    world.release();
    assert_eq!(world.runtime.live(), 0);
}

#[test]
fn an_outcome_is_told_also_to_those_who_ask_after_the_end() {
    let mut world = World::new();
    let sum = world.sum(1, 2);
    sum.launch();
    world.settle();
    let (told, ret) = answer();
    sum.clone().outcome(ret);
    assert_eq!(*told.borrow(), Some(Some(Outcome::Finished(3))));
}

// ---- a process that holds guards, cleans up, and can be led astray

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Walk {
    First,
    Second,
    Astray,
    Lost,
    Liar,
    Careless,
}
states! {
    Walk {
        First => [Second, end],
        Second => [First, end],
        Astray => [end],
        Lost => [First],
        Liar => [end],
        Careless => [end],
    }
}

struct Guard(Rc<Cell<i32>>);
impl Guard {
    fn on(count: &Rc<Cell<i32>>) -> Guard {
        count.set(count.get() + 1);
        Guard(count.clone())
    }
}
impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

struct Walker {
    life: Life<Self>,
    guards: Rc<Cell<i32>>,
    waiting: Rc<RefCell<Vec<stakker::Ret<()>>>>,
    seen: Rc<RefCell<Vec<String>>>,
}

impl Process for Walker {
    const KIND: &'static str = "walker";
    type State = Walk;
    type Output = ();
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, cx: CX![], state: Walk, step: Step<Self>) {
        self.seen.borrow_mut().push(format!("advance {}", state.name()));
        self.life.hold(Guard::on(&self.guards));
        match state {
            Walk::First => {
                let due = step.reply(|_, _, step, ()| step.to(Walk::Second));
                self.life.after(cx, Duration::from_secs(60), due);
            }
            Walk::Second => self.waiting.borrow_mut().push(step.reply(|_, _, step, ()| step.to(Walk::First))),
            Walk::Astray => step.to(Walk::First),
            Walk::Lost => step.finish(()),
            Walk::Liar => step.killed(),
            Walk::Careless => drop(step),
        }
    }
    fn clean(&mut self, _: CX![], state: Walk, step: Step<Self>) {
        self.seen.borrow_mut().push(format!("clean {}", state.name()));
        match state {
            Walk::Second => step.to(Walk::First),
            Walk::First | Walk::Astray | Walk::Lost | Walk::Liar | Walk::Careless => step.killed(),
        }
    }
}

struct Path {
    world: World,
    walker: procession::Handle<Walker>,
    guards: Rc<Cell<i32>>,
    waiting: Rc<RefCell<Vec<stakker::Ret<()>>>>,
    seen: Rc<RefCell<Vec<String>>>,
}

fn walk(start: Walk, drive: DriveMode) -> Path {
    let mut world = World::new();
    let guards = Rc::new(Cell::new(0));
    let waiting: Rc<RefCell<Vec<stakker::Ret<()>>>> = Rc::default();
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let parts = (guards.clone(), waiting.clone(), seen.clone());
    world.runtime.register(move |life| Walker {
        life,
        guards: parts.0.clone(),
        waiting: parts.1.clone(),
        seen: parts.2.clone(),
    });
    let walker = world.runtime.spawn(start, Spawn { drive, ..Spawn::default() }).expect("registered");
    walker.launch();
    world.settle();
    Path { world, walker, guards, waiting, seen }
}

#[test]
fn leaving_a_state_by_any_door_drops_what_was_held() {
    let mut path = walk(Walk::First, DriveMode::Continuous);
    assert_eq!((path.guards.get(), path.world.runtime.held_timers()), (1, 1));
    path.walker.pause();
    path.world.settle();
    assert_eq!((path.guards.get(), path.world.runtime.held_timers()), (0, 0), "paused");
    path.walker.resume();
    path.world.settle();
    assert_eq!((path.guards.get(), path.world.runtime.held_timers()), (1, 1), "resumed");
    path.world.now += Duration::from_secs(61);
    path.world.settle();
    assert_eq!(path.world.runtime.phase(&path.walker), Ok(Phase::Running(Walk::Second)));
    assert_eq!((path.guards.get(), path.world.runtime.held_timers()), (1, 0), "the next state holds its own");
    path.walker.kill();
    path.world.settle();
    assert_eq!((path.guards.get(), path.world.runtime.held_timers()), (0, 0), "killed");
}

#[test]
fn a_kill_walks_through_clean_and_ends_in_killed() {
    let mut path = walk(Walk::First, DriveMode::Continuous);
    path.world.now += Duration::from_secs(61);
    path.world.settle();
    path.walker.kill();
    path.walker.resume(); // comes too late: a kill is never taken back
    path.world.settle();
    assert_eq!(path.world.runtime.phase(&path.walker), Ok(Phase::Killed));
    assert_eq!(*path.seen.borrow(), ["advance First", "advance Second", "clean Second", "clean First"]);
    path.waiting.borrow_mut().drain(..).for_each(|late| late.ret(()));
    path.world.settle();
    assert_eq!(path.seen.borrow().len(), 4, "and nothing else happened");
}

#[test]
fn a_step_off_the_table_is_a_fault() {
    let mut path = walk(Walk::Astray, DriveMode::Continuous);
    let fault = Fault::OffTable { from: "Astray".into(), to: "First".into() };
    assert_eq!(path.world.runtime.phase(&path.walker), Ok(Phase::Failed(fault)));
    drop(path);
    let mut path = walk(Walk::Lost, DriveMode::Continuous);
    let fault = Fault::OffTable { from: "Lost".into(), to: "end".into() };
    assert_eq!(path.world.runtime.phase(&path.walker), Ok(Phase::Failed(fault)));
}

#[test]
fn who_says_killed_unasked_is_at_fault() {
    let mut path = walk(Walk::Liar, DriveMode::Continuous);
    let fault = Fault::NotAsked { state: "Liar".into() };
    assert_eq!(path.world.runtime.phase(&path.walker), Ok(Phase::Failed(fault)));
}

#[test]
fn a_dropped_step_is_a_fault_and_not_a_hang() {
    let mut path = walk(Walk::Careless, DriveMode::Continuous);
    let fault = Fault::Abandoned { state: "Careless".into() };
    assert_eq!(path.world.runtime.phase(&path.walker), Ok(Phase::Failed(fault)));
}

#[test]
fn an_answer_to_an_earlier_entry_of_the_same_state_is_dropped() {
    let mut path = walk(Walk::Second, DriveMode::Continuous);
    path.walker.pause();
    path.world.settle();
    path.walker.resume();
    path.world.settle();
    let (first, second) = {
        let mut waiting = path.waiting.borrow_mut();
        let second = waiting.pop();
        (waiting.pop().expect("asked before the pause"), second.expect("asked after it"))
    };
    first.ret(());
    path.world.settle();
    assert_eq!(path.world.runtime.phase(&path.walker), Ok(Phase::Running(Walk::Second)), "nothing happened");
    second.ret(());
    path.world.settle();
    assert_eq!(path.world.runtime.phase(&path.walker), Ok(Phase::Running(Walk::First)));
}

#[test]
fn in_step_mode_each_advance_waits_for_a_nudge() {
    let mut path = walk(Walk::Second, DriveMode::Step);
    assert!(path.seen.borrow().is_empty());
    path.walker.nudge();
    path.world.settle();
    assert_eq!(*path.seen.borrow(), ["advance Second"]);
    path.waiting.borrow_mut().drain(..).for_each(|ret| ret.ret(()));
    path.world.settle();
    assert_eq!(path.seen.borrow().len(), 1, "it is in First, and waits");
    path.walker.nudge();
    path.world.settle();
    assert_eq!(path.seen.borrow().len(), 2);
}

#[test]
fn a_nudge_lets_a_waiting_process_ask_again() {
    let mut path = walk(Walk::Second, DriveMode::Continuous);
    path.walker.nudge();
    path.walker.nudge();
    path.world.settle();
    assert_eq!(*path.seen.borrow(), ["advance Second", "advance Second"], "two nudges before a turn are one");
    assert_eq!(path.guards.get(), 1, "the first entry's guard was dropped");
}

#[test]
fn closing_answers_every_ret_with_nothing() {
    let mut path = walk(Walk::Second, DriveMode::Continuous);
    let (told, ret) = answer();
    path.walker.outcome(ret);
    path.world.settle();
    drop(path.world);
    assert_eq!(*told.borrow(), Some(None));
    assert_eq!(path.guards.get(), 0);
}

#[test]
fn a_process_that_stops_its_own_actor_still_ends_with_a_reason() {
    struct Quitter(Life<Quitter>);
    impl Process for Quitter {
        const KIND: &'static str = "quitter";
        type State = Walk;
        type Output = ();
        fn life(&mut self) -> &mut Life<Self> {
            &mut self.0
        }
        fn advance(&mut self, cx: CX![], _: Walk, step: Step<Self>) {
            self.0.hold(step);
            cx.stop();
        }
    }
    let mut world = World::new();
    let quitter = world.runtime.spawn_with(Walk::First, Quitter);
    let (told, ret) = answer();
    quitter.outcome(ret);
    quitter.launch();
    world.settle();
    let fault = Fault::Stopped { state: "First".into() };
    assert_eq!(*told.borrow(), Some(Some(Outcome::Failed(fault))));
    assert_eq!(world.runtime.live(), 0);
}

#[cfg(feature = "multi-runtime")]
#[test]
fn a_handle_of_one_runtime_is_refused_by_another() {
    let mut one = World::new();
    let two = World::new();
    let mut other = two.runtime;
    let sum = one.sum(1, 2);
    assert_eq!(other.phase(&sum), Err(procession::Refused::OtherRuntime));
    drop(one);
    assert_eq!(other.phase(&sum), Err(procession::Refused::OtherRuntime), "also when the other one is gone");
}

#[test]
fn nothing_left_to_happen_is_an_error_and_not_a_hang() {
    let mut world = World::new();
    let sum = world.sum(1, HELD);
    sum.launch();
    assert!(matches!(world.runtime.run_until(&sum), Err(procession::RuntimeError::Stuck)));
    let _ = Runtime::builder();
}

//! What a runtime holds on to, how long a turn is, and what is left when it is gone.
#![allow(missing_docs, reason = "the names say it")]

mod sum;

use procession::{DriveMode, Handle, Life, Process, Runtime, Spawn, State, Step};
use serde::{Deserialize, Serialize};
use stakker::{CX, Fwd};
use stakker_mio::mio::Interest;
use stakker_mio::{FdSource, MioPoll};
use std::cell::Cell;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use sum::{HELD, PANIC_IN_ADVANCE, PANIC_IN_REPLY, Sum, SumState, World, answer};

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[expect(clippy::disallowed_methods, reason = "a foreign loop has its own clock")]
fn now() -> Instant {
    Instant::now()
}

/// Turns in real time, until there is nothing more to do now.
fn settle(runtime: &mut Runtime) {
    while runtime.turn(now()).expect("a turn").more {}
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Restless;
impl State for Restless {}

/// Nudges itself for ever, and counts.
struct Spinner {
    life: Life<Self>,
    me: Rc<Cell<Option<Handle<Spinner>>>>,
    steps: Rc<Cell<u64>>,
}
impl Process for Spinner {
    const KIND: &'static str = "spinner";
    type State = Restless;
    type Output = u64;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, _: CX![], _: Restless, step: Step<Self>) {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() == 1_000_000 {
            return step.finish(self.steps.get());
        }
        if let Some(me) = self.me.take() {
            me.nudge();
            self.me.set(Some(me));
        }
        step.to(Restless);
    }
}

fn spinner(runtime: &mut Runtime, steps: &Rc<Cell<u64>>) -> Handle<Spinner> {
    let me: Rc<Cell<Option<Handle<Spinner>>>> = Rc::default();
    let parts = (me.clone(), steps.clone());
    runtime.register(move |life| Spinner { life, me: parts.0.clone(), steps: parts.1.clone() });
    let spawn = Spawn { drive: DriveMode::Step, ..Spawn::default() };
    let spinner = runtime.spawn::<Spinner>(Restless, spawn).expect("registered");
    me.set(Some(spinner.clone()));
    spinner.launch();
    spinner.nudge();
    spinner
}

#[test]
fn a_million_self_nudges_do_not_keep_a_due_timer_waiting() {
    let mut world = World::new();
    let steps = Rc::new(Cell::new(0));
    let spinner = spinner(&mut world.runtime, &steps);
    world.runtime.turn(world.now).expect("a turn");
    let before = steps.get();
    assert!(before > 0 && before < 1_000_000, "one turn is bounded: {before}");
    // A timer that is due at the next turn waits for no further step.
    let (seen, seen_at) = (steps.clone(), Rc::new(Cell::new(0)));
    let at = seen_at.clone();
    world.runtime.stakker().after(Duration::from_millis(1), move |_| at.set(seen.get()));
    world.now += Duration::from_millis(2);
    world.runtime.turn(world.now).expect("a turn");
    assert_eq!(seen_at.get(), before, "the timer came before the next step");
    world.settle_for(1_000_000);
    assert!(matches!(world.runtime.phase(&spinner), Ok(procession::Phase::Finished(1_000_000))));
}

#[test]
fn in_real_time_a_slice_of_a_turn_ends_by_the_clock() {
    let mut runtime = Runtime::builder().build().expect("a runtime");
    let steps = Rc::new(Cell::new(0));
    let spinner = spinner(&mut runtime, &steps);
    // Each turn hands out the same few steps between two looks at the clock, however long they take.
    let mut turns = 0u64;
    runtime
        .run_while(|_| {
            turns += 1;
            steps.get() < 1_000_000
        })
        .expect("runs");
    assert!(turns > 100, "a million steps took {turns} turns");
    assert!(matches!(runtime.run_until(&spinner), Ok(procession::Outcome::Finished(1_000_000))));
}

#[test]
fn a_thousand_paused_processes_hold_nothing_but_data() {
    let mut world = World::new();
    let sums: Vec<_> = (0..1_000).map(|_| world.sum(1, HELD)).collect();
    let before = (descriptors(), world.runtime.held_timers());
    sums.iter().for_each(Handle::launch);
    world.settle();
    sums.iter().for_each(Handle::pause);
    world.settle();
    assert_eq!((descriptors(), world.runtime.held_timers()), before);
    assert_eq!(world.runtime.stakker().next_expiry(), None, "no timer at all");
}

#[test]
fn a_panic_among_a_hundred_thousand_concerns_nobody_else() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut world = World::new();
    let answered = Rc::new(Cell::new([0u32; 2]));
    for n in 0..100_000u32 {
        let key = match n {
            40_000 => PANIC_IN_ADVANCE,
            70_000 => PANIC_IN_REPLY,
            _ => 1,
        };
        let sum = world.sum(i64::from(n), key);
        let counted = answered.clone();
        sum.outcome(stakker::Ret::new(move |outcome| {
            let [ended, lost] = counted.get();
            let finished = matches!(outcome, Some(procession::Outcome::Finished(_)));
            counted.set(if finished { [ended + 1, lost] } else { [ended, lost + 1] });
        }));
        sum.launch();
    }
    world.settle_for(1_000_000);
    assert_eq!(answered.get(), [99_998, 2]);
    assert_eq!(world.runtime.live(), 0);
}

#[test]
fn closing_with_a_hundred_thousand_live_processes_answers_every_ret_and_drops_every_value() {
    let alive = Rc::new(());
    let mut world = World::new();
    let (lost, mut handles) = (Rc::new(Cell::new(0u32)), Vec::new());
    for _ in 0..100_000 {
        let token = alive.clone();
        let store = world.store.clone();
        let sum: Handle<Sum> =
            world.runtime.spawn_with(SumState::Fetching { a: 1, key: HELD }, move |mut life| {
                life.hold(token.clone());
                sum::sum_of(life, store.clone())
            });
        let counted = lost.clone();
        sum.outcome(stakker::Ret::new(move |outcome| {
            assert!(outcome.is_none());
            counted.set(counted.get() + 1);
        }));
        handles.push(sum);
    }
    world.settle_for(1_000_000);
    drop(world);
    assert_eq!(lost.get(), 100_000);
    assert_eq!(Rc::strong_count(&alive), 1, "every process was dropped");
    drop(handles); // after the runtime: nothing to do, and nothing to leak
}

#[test]
fn an_idle_runtime_has_a_silent_descriptor_and_a_call_from_outside_makes_it_speak() {
    let mut runtime = Runtime::builder().build().expect("a runtime");
    settle(&mut runtime);
    assert!(!sum::is_readable(&runtime, Duration::ZERO), "nothing to do");
    runtime.remote().call(|_| ()).expect("alive");
    assert!(sum::is_readable(&runtime, Duration::ZERO), "a call from elsewhere");
    settle(&mut runtime);
    assert!(!sum::is_readable(&runtime, Duration::ZERO), "done");
    let rang = Rc::new(Cell::new(false));
    let bell = rang.clone();
    runtime.stakker().after(Duration::from_millis(5), move |_| bell.set(true));
    settle(&mut runtime);
    assert!(sum::is_readable(&runtime, Duration::from_secs(60)), "a timer");
    while !rang.get() {
        runtime.turn(now()).expect("a turn");
    }
    let (told, ret) = answer::<i64>();
    drop(ret);
    assert_eq!(*told.borrow(), Some(None));
}

#[test]
fn a_timer_that_goes_off_within_a_turn_is_due_in_the_next_one() {
    let mut runtime = Runtime::builder().build().expect("a runtime");
    let rang = Rc::new(Cell::new(false));
    let bell = rang.clone();
    runtime.stakker().after(Duration::from_millis(20), move |_| bell.set(true));
    settle(&mut runtime);
    let due = now() + Duration::from_millis(40);
    // The turn looks for input again after this, and finds that the timer has gone off; its own time is from before.
    runtime.remote().call(move |_| while now() < due {}).expect("alive");
    settle(&mut runtime);
    while !rang.get() {
        assert!(sum::is_readable(&runtime, Duration::from_secs(60)), "nobody says that a timer is due");
        runtime.turn(now()).expect("a turn");
    }
}

#[test]
fn of_what_is_left_for_later_one_thing_is_done_in_a_turn() {
    let mut runtime = Runtime::builder().build().expect("a runtime");
    let story: Rc<std::cell::RefCell<Vec<&str>>> = Rc::default();
    for name in ["first", "second"] {
        let told = story.clone();
        runtime.stakker().idle(move |_| told.borrow_mut().push(name));
    }
    assert!(runtime.turn(now()).expect("a turn").more);
    assert_eq!(*story.borrow(), [""; 0], "what is queued now waits for the next turn");
    for so_far in [&["first"][..], &["first", "second"]] {
        assert!(sum::is_readable(&runtime, Duration::ZERO), "there is more to do");
        runtime.turn(now()).expect("a turn");
        assert_eq!(*story.borrow(), so_far);
    }
    settle(&mut runtime);
    assert!(!sum::is_readable(&runtime, Duration::ZERO), "nothing is left");
}

#[test]
fn what_arrives_together_with_the_bell_is_told_in_the_same_turn() {
    let mut runtime = Runtime::builder().build().expect("a runtime");
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let told = Rc::new(Cell::new(false));
    let seen = told.clone();
    // The bell comes first. What is less urgent waits in the poll, of which the descriptor says nothing.
    let (fd, urgency) = (FdSource::new(reader.as_raw_fd()), 1);
    let poll = runtime.stakker().anymap_get::<MioPoll>();
    let source = poll.add(fd, Interest::READABLE, urgency, Fwd::new(move |_| seen.set(true)));
    writer.write_all(b"x").expect("it is open");
    let now = runtime.stakker().now();
    runtime.turn(now).expect("a turn");
    assert!(told.get());
    drop(source);
}

//! Processes that are in no journal: what the framework itself costs.

use crate::peers::raw::Store;
use procession::{Handle, Life, Outcome, Process, Runtime, Step, states};
use serde::{Deserialize, Serialize};
use stakker::{Actor, ActorOwn, CX, Fwd, Ret, actor, call, ret_nop};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SumState {
    Fetching,
    Adding { b: i64 },
}

states! { SumState { Fetching => [Adding, end], Adding => [end] } }

/// Fetches, adds, is done.
pub struct Sum {
    life: Life<Self>,
    a: i64,
    key: u32,
    store: Actor<Store>,
}

impl Process for Sum {
    const KIND: &'static str = "sum";
    type State = SumState;
    type Output = i64;

    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }

    fn advance(&mut self, _: CX![], state: SumState, step: Step<Self>) {
        match state {
            SumState::Fetching => call!([self.store], look_up(self.key, step.reply(Self::on_b))),
            SumState::Adding { b } => step.finish(self.a + b),
        }
    }
}

impl Sum {
    fn on_b(&mut self, _: CX![], step: Step<Self>, b: i64) {
        step.to(SumState::Adding { b });
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum TickState {
    Tick { n: u64 },
    Tock { n: u64 },
}

states! { TickState { Tick => [Tock, end], Tock => [Tick, end] } }

/// Goes to and fro between two states, `n` times.
pub struct Ticker {
    pub life: Life<Self>,
}

impl Process for Ticker {
    const KIND: &'static str = "ticker";
    type State = TickState;
    type Output = u64;

    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }

    fn advance(&mut self, _: CX![], state: TickState, step: Step<Self>) {
        match state {
            TickState::Tick { n: 0 } | TickState::Tock { n: 0 } => step.finish(0),
            TickState::Tick { n } => step.to(TickState::Tock { n: n - 1 }),
            TickState::Tock { n } => step.to(TickState::Tick { n: n - 1 }),
        }
    }
}

/// A runtime with a store in it.
pub struct World {
    runtime: Runtime,
    store: ActorOwn<Store>,
    now: Instant,
    is_virtual: bool,
}

impl World {
    /// On the real clock: for times.
    pub fn new() -> World {
        World::with(Runtime::builder(), false)
    }

    /// On a clock that stands still, so that no system call and no slice of time is among the instructions.
    pub fn still() -> World {
        World::with(Runtime::builder().virtual_time(Instant::now()), true)
    }

    fn with(builder: procession::Builder, is_virtual: bool) -> World {
        let mut runtime = builder.build().expect("a runtime without a journal needs a few descriptors");
        let stakker = runtime.stakker();
        let store = actor!(stakker, Store::init(), ret_nop!());
        World { runtime, store, now: Instant::now(), is_virtual }
    }

    /// Turns until nothing more is to be done.
    pub fn turns(&mut self) {
        loop {
            if !self.is_virtual {
                self.now = Instant::now();
            }
            if !self.runtime.turn(self.now).expect("nothing in a turn can fail here").more {
                return;
            }
        }
    }

    /// `n` steps of one process.
    pub fn steps(&mut self, n: u64) {
        let ticker = self.runtime.spawn_with(TickState::Tick { n }, |life| Ticker { life });
        ticker.launch();
        self.turns();
    }

    /// The same, watched. Answers how often the watcher was told.
    pub fn watched_steps(&mut self, n: u64) -> u64 {
        let told = Rc::new(Cell::new(0));
        let seen = told.clone();
        let ticker = self.runtime.spawn_with(TickState::Tick { n }, |life| Ticker { life });
        ticker.watch(Fwd::new(move |_| seen.set(seen.get() + 1)));
        ticker.launch();
        self.turns();
        told.get()
    }

    fn spawn(&mut self) -> Handle<Sum> {
        let store = self.store.clone();
        self.runtime.spawn_with(SumState::Fetching, move |life| Sum { life, a: 6, key: 1, store })
    }

    /// `n` processes, `batch` at a time, from birth to the answer.
    pub fn spawn_to_complete(&mut self, n: u64, batch: u64) -> i64 {
        let sum = Rc::new(Cell::new(0));
        for _ in 0..n / batch {
            for _ in 0..batch {
                let handle = self.spawn();
                let into = sum.clone();
                handle.outcome(Ret::new(move |o: Option<Outcome<i64>>| {
                    into.set(into.get() + o.and_then(Outcome::finished).unwrap_or_default());
                }));
                handle.launch();
            }
            self.turns();
        }
        sum.get()
    }

    /// `n` processes that hold still in their first state.
    pub fn paused(&mut self, n: u64) -> Vec<Handle<Sum>> {
        let mut all = Vec::with_capacity(n as usize);
        for at in 0..n {
            let handle = self.spawn();
            handle.launch();
            handle.pause();
            all.push(handle);
            // Not all at once: a queue that held a hundred thousand wishes would be counted with the processes.
            if at % 256 == 255 {
                self.turns();
            }
        }
        self.turns();
        all
    }

    /// Lets each of them go on to its end.
    pub fn resume_to_complete(&mut self, paused: &[Handle<Sum>]) -> u64 {
        let ended = Rc::new(Cell::new(0));
        for handle in paused {
            let ended = ended.clone();
            handle.outcome(Ret::new(move |o: Option<_>| ended.set(ended.get() + u64::from(o.is_some()))));
            handle.resume();
        }
        self.turns();
        ended.get()
    }

    /// `n` turns in which there is nothing to do but the time has moved.
    pub fn idle_turns(&mut self, n: u64) {
        for _ in 0..n {
            self.now += Duration::from_micros(1);
            let turn = self.runtime.turn(self.now).expect("nothing in a turn can fail here");
            assert!(!turn.more, "there is nothing to do");
        }
    }
}

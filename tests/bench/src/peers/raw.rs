//! The floor: the same machines as plain stakker actors. No phases, no journal, no isolation of panics.

use stakker::{Actor, ActorOwn, CX, Fwd, Ret, Stakker, actor, call, fwd, ret, ret_nop, ret_to, stop};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// Answers what the machines ask for.
pub struct Store;

impl Store {
    pub fn init(_: CX![]) -> Option<Store> {
        Some(Store)
    }

    pub fn look_up(&mut self, _: CX![], key: u32, ret: Ret<i64>) {
        ret!([ret], i64::from(key) + 3);
    }
}

#[derive(Clone, Copy)]
enum SumState {
    Fetching,
    Adding { b: i64 },
}

/// Fetches, adds, is done; can be told to hold still between the two.
pub struct Sum {
    a: i64,
    key: u32,
    store: Actor<Store>,
    state: SumState,
    paused: bool,
    done: Option<Ret<i64>>,
}

impl Sum {
    pub fn init(
        _: CX![],
        key: u32,
        store: Actor<Store>,
        paused: bool,
        done: Option<Ret<i64>>,
    ) -> Option<Sum> {
        Some(Sum { a: 6, key, store, state: SumState::Fetching, paused, done })
    }

    pub fn advance(&mut self, cx: CX![]) {
        if self.paused {
            return;
        }
        match self.state {
            SumState::Fetching => call!([self.store], look_up(self.key, ret_to!([cx], on_b() as (i64)))),
            SumState::Adding { b } => {
                if let Some(done) = self.done.take() {
                    ret!([done], self.a + b);
                }
                stop!(cx);
            }
        }
    }

    pub fn resume(&mut self, cx: CX![], done: Ret<i64>) {
        self.done = Some(done);
        self.paused = false;
        self.advance(cx);
    }

    fn on_b(&mut self, cx: CX![], b: Option<i64>) {
        if let Some(b) = b {
            self.state = SumState::Adding { b };
            call!([cx], advance());
        }
    }
}

#[derive(Clone, Copy)]
enum TickState {
    Tick { n: u64 },
    Tock { n: u64 },
}

/// Goes to and fro between two states, a message for each step.
pub struct Ticker {
    state: TickState,
    last: u64,
    watcher: Option<Fwd<u64>>,
}

impl Ticker {
    pub fn init(_: CX![], last: u64, watcher: Option<Fwd<u64>>) -> Option<Ticker> {
        Some(Ticker { state: TickState::Tick { n: 0 }, last, watcher })
    }

    pub fn advance(&mut self, cx: CX![]) {
        let n = match self.state {
            TickState::Tick { n } => {
                self.state = TickState::Tock { n: n + 1 };
                n
            }
            TickState::Tock { n } => {
                self.state = TickState::Tick { n: n + 1 };
                n
            }
        };
        if let Some(watcher) = &self.watcher {
            fwd!([watcher], n);
        }
        if n == self.last { stop!(cx) } else { call!([cx], advance()) }
    }
}

/// A stakker with a store in it.
pub struct World {
    pub stakker: Stakker,
    pub now: Instant,
    pub store: ActorOwn<Store>,
}

impl World {
    pub fn new() -> World {
        let now = Instant::now();
        let mut stakker = Stakker::new(now);
        let s = &mut stakker;
        let store = actor!(s, Store::init(), ret_nop!());
        s.run(now, false);
        World { stakker, now, store }
    }

    pub fn run(&mut self) {
        self.stakker.run(self.now, false);
    }

    /// `n` steps of one machine.
    pub fn steps(&mut self, n: u64) {
        let s = &mut self.stakker;
        let ticker = actor!(s, Ticker::init(n, None), ret_nop!());
        call!([ticker], advance());
        s.run(self.now, false);
    }

    /// The same, with a watcher that is told at every step.
    pub fn watched_steps(&mut self, n: u64) {
        let told = Rc::new(Cell::new(0u64));
        let s = &mut self.stakker;
        let watcher = Fwd::new(move |_: u64| told.set(told.get() + 1));
        let ticker = actor!(s, Ticker::init(n, Some(watcher)), ret_nop!());
        call!([ticker], advance());
        s.run(self.now, false);
    }

    /// `n` machines, `batch` at a time, from birth to the answer.
    pub fn spawn_to_complete(&mut self, n: u64, batch: u64) -> i64 {
        let sum = Rc::new(Cell::new(0));
        let mut alive = Vec::new();
        for _ in 0..n / batch {
            for _ in 0..batch {
                let s = &mut self.stakker;
                let into = sum.clone();
                let done = Ret::new(move |x: Option<i64>| into.set(into.get() + x.unwrap_or_default()));
                let sum = actor!(s, Sum::init(1, self.store.clone(), false, Some(done)), ret_nop!());
                call!([sum], advance());
                alive.push(sum);
            }
            self.run();
            alive.clear();
        }
        sum.get()
    }

    /// `n` machines that hold still in their first state.
    pub fn paused(&mut self, n: u64) -> Vec<ActorOwn<Sum>> {
        let mut all = Vec::with_capacity(n as usize);
        for at in 0..n {
            let s = &mut self.stakker;
            all.push(actor!(s, Sum::init(1, self.store.clone(), true, None), ret_nop!()));
            if at % 256 == 255 {
                self.run();
            }
        }
        self.run();
        all
    }

    /// Lets each of them go on to its end.
    pub fn resume_to_complete(&mut self, paused: &[ActorOwn<Sum>]) -> u64 {
        let ended = Rc::new(Cell::new(0));
        for sum in paused {
            let ended = ended.clone();
            let done = Ret::new(move |x: Option<i64>| ended.set(ended.get() + u64::from(x.is_some())));
            call!([sum], resume(done));
        }
        self.stakker.run(self.now, false);
        ended.get()
    }
}

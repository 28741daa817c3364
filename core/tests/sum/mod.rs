//! A process that adds, the store that it asks, and what the tests of the core need besides.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, reason = "the names say it")]

use procession::{Handle, Life, Phase, PhaseOf, Process, Runtime, Step, states};
use serde::{Deserialize, Serialize};
use stakker::{Actor, ActorOwn, CX, Fwd, Ret, actor, call, ret, ret_nop};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

/// The key that the store does not know.
pub const MISSING: u32 = 7;
/// The key for which the store drops the question.
pub const DROPPED: u32 = 9;
/// The key whose answer makes the process panic.
pub const PANIC_IN_REPLY: u32 = 8;
/// The key at which `advance` panics.
pub const PANIC_IN_ADVANCE: u32 = 6;
/// The key for which the store keeps the question until `release`.
pub const HELD: u32 = 5;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SumState {
    Fetching { a: i64, key: u32 },
    Adding { a: i64, b: i64 },
}
states! { SumState { Fetching => [Adding, end], Adding => [end] } }

#[derive(Default)]
pub struct Store {
    held: Vec<Ret<Result<i64, String>>>,
    pub asked: Rc<Cell<u32>>,
}

impl Store {
    pub fn new(_: CX![], asked: Rc<Cell<u32>>) -> Option<Store> {
        Some(Store { held: Vec::new(), asked })
    }
    pub fn get(&mut self, _: CX![], key: u32, ret: Ret<Result<i64, String>>) {
        self.asked.set(self.asked.get() + 1);
        match key {
            DROPPED => drop(ret),
            MISSING => ret!([ret], Err("no such key".to_owned())),
            HELD => self.held.push(ret),
            other => ret!([ret], Ok(i64::from(other))),
        }
    }
    pub fn release(&mut self, _: CX![]) {
        self.held.drain(..).for_each(|ret| ret.ret(Ok(i64::from(HELD))));
    }
}

pub struct Sum {
    life: Life<Self>,
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
            SumState::Fetching { key: PANIC_IN_ADVANCE, .. } => panic!("no advance"),
            SumState::Fetching { a, key } => {
                let answer = step.reply(move |this: &mut Self, cx, step, b| this.on_b(cx, step, a, key, b));
                call!([self.store], get(key, answer));
            }
            SumState::Adding { a, b } => step.finish(a + b),
        }
    }
}

impl Sum {
    fn on_b(&mut self, _: CX![], step: Step<Self>, a: i64, key: u32, b: Result<i64, String>) {
        assert_ne!(key, PANIC_IN_REPLY, "no reply");
        match b {
            Ok(b) => step.to(SumState::Adding { a, b }),
            Err(e) => step.fail(e),
        }
    }
}

pub fn sum_of(life: Life<Sum>, store: Actor<Store>) -> Sum {
    Sum { life, store }
}

/// Whether the descriptor of a runtime becomes readable within `wait`, as a foreign loop sees it.
pub fn is_readable(runtime: &Runtime, wait: std::time::Duration) -> bool {
    use stakker_mio::mio::{Events, Interest, Poll, Token, unix::SourceFd};
    let (mut host, mut events) = (Poll::new().expect("a poll"), Events::with_capacity(4));
    let fd = runtime.fd().expect("real time");
    host.registry().register(&mut SourceFd(&fd), Token(0), Interest::READABLE).expect("registered");
    host.poll(&mut events, Some(wait)).expect("polled");
    !events.is_empty()
}

/// A runtime, the store in it, and a clock that only the test moves.
pub struct World {
    pub runtime: Runtime,
    pub store: ActorOwn<Store>,
    pub asked: Rc<Cell<u32>>,
    pub now: Instant,
}

impl World {
    pub fn new() -> World {
        World::over(procession::Runtime::builder())
    }

    pub fn over(builder: procession::Builder) -> World {
        #[expect(clippy::disallowed_methods, reason = "some moment for virtual time to begin with")]
        let now = Instant::now();
        let mut runtime = builder.virtual_time(now).seed(1).build().expect("a runtime");
        let asked = Rc::new(Cell::new(0));
        let store = actor!(runtime.stakker(), Store::new(asked.clone()), ret_nop!());
        let known = store.clone();
        runtime.register(move |life| Sum { life, store: known.clone() });
        World { runtime, store, asked, now }
    }

    pub fn sum(&mut self, a: i64, key: u32) -> Handle<Sum> {
        let store = self.store.clone();
        self.runtime.spawn_with(SumState::Fetching { a, key }, move |life| Sum { life, store: store.clone() })
    }

    /// Turns until nothing is left to do at this moment.
    pub fn settle(&mut self) {
        self.settle_for(100_000);
    }

    /// The same, for stories of many turns.
    pub fn settle_for(&mut self, turns: u32) {
        for _ in 0..turns {
            if !self.runtime.turn(self.now).expect("a turn").more {
                return;
            }
        }
        panic!("does not come to rest");
    }

    pub fn release(&mut self) {
        call!([self.store], release());
        self.settle();
    }
}

/// Everything that a watcher was told.
pub type Told<T> = Rc<RefCell<Vec<T>>>;

pub fn listen<T: 'static>() -> (Told<T>, Fwd<T>) {
    let told: Told<T> = Rc::default();
    let to = told.clone();
    (told, Fwd::new(move |item| to.borrow_mut().push(item)))
}

pub fn answer<T: 'static>() -> (Rc<RefCell<Option<Option<T>>>>, Ret<T>) {
    let told = Rc::new(RefCell::new(None));
    let to = told.clone();
    (told, Ret::new(move |item| *to.borrow_mut() = Some(item)))
}

pub fn stage<P: Process>(phase: &PhaseOf<P>) -> procession::journal::Stage {
    Phase::stage(phase)
}

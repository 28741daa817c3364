//! The prototype: a process as a task of a tokio `LocalSet`, with a mutex around its state, a channel in, a channel out, a
//! watch for its phase and a notify to hold it. Its states are stepped by messages to itself.

use std::cell::Cell;
use std::rc::Rc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::LocalSet;

/// Messages that may wait for one process.
const INBOX: usize = 8;
/// Questions that may wait for the store.
const STORE_INBOX: usize = 64;

#[derive(Clone, Copy)]
enum State {
    Fetching,
    Adding { b: i64 },
    Tick { n: u64 },
    Tock { n: u64 },
}

enum Message {
    Step,
    Got(i64),
}

/// What a process tells its owner.
pub enum Event {
    Finished(i64),
}

struct Question {
    key: u32,
    answer: mpsc::Sender<Message>,
}

struct Process {
    state: Mutex<State>,
    phase: watch::Sender<State>,
    paused: Cell<bool>,
    gate: Notify,
    inbox: mpsc::Sender<Message>,
    store: mpsc::Sender<Question>,
    last: u64,
}

/// What the owner of a process holds.
pub struct Handle {
    process: Rc<Process>,
    _phase: watch::Receiver<State>,
    events: mpsc::Receiver<Event>,
}

/// A runtime with a store in it.
pub struct World {
    runtime: Runtime,
    local: LocalSet,
    store: mpsc::Sender<Question>,
}

impl Process {
    async fn live(self: Rc<Self>, mut inbox: mpsc::Receiver<Message>, outbox: mpsc::Sender<Event>) {
        while let Some(message) = inbox.recv().await {
            while self.paused.get() {
                self.gate.notified().await;
            }
            let mut state = self.state.lock().await;
            match (*state, message) {
                (State::Fetching, Message::Step) => {
                    let question = Question { key: 1, answer: self.inbox.clone() };
                    let _ = self.store.send(question).await;
                    continue;
                }
                (_, Message::Got(b)) => *state = State::Adding { b },
                (State::Adding { b }, Message::Step) => {
                    let _ = outbox.send(Event::Finished(6 + b)).await;
                    return;
                }
                (State::Tick { n }, Message::Step) if n == self.last => {
                    let _ = outbox.send(Event::Finished(0)).await;
                    return;
                }
                (State::Tick { n }, Message::Step) => *state = State::Tock { n: n + 1 },
                (State::Tock { n }, Message::Step) => *state = State::Tick { n: n + 1 },
            }
            self.phase.send_replace(*state);
            drop(state);
            let _ = self.inbox.send(Message::Step).await;
        }
    }
}

impl World {
    pub fn new() -> World {
        let runtime =
            Builder::new_current_thread().build().expect("a current-thread runtime needs no resource");
        let local = LocalSet::new();
        let (store, mut questions) = mpsc::channel::<Question>(STORE_INBOX);
        local.spawn_local(async move {
            while let Some(question) = questions.recv().await {
                let _ = question.answer.send(Message::Got(i64::from(question.key) + 3)).await;
            }
        });
        World { runtime, local, store }
    }

    fn spawn(&self, state: State, paused: bool, last: u64) -> Handle {
        let (inbox, messages) = mpsc::channel(INBOX);
        let (outbox, events) = mpsc::channel(INBOX);
        let (phase, receiver) = watch::channel(state);
        let process = Rc::new(Process {
            state: Mutex::new(state),
            phase,
            paused: Cell::new(paused),
            gate: Notify::new(),
            inbox: inbox.clone(),
            store: self.store.clone(),
            last,
        });
        self.local.spawn_local(process.clone().live(messages, outbox));
        let _ = inbox.try_send(Message::Step);
        Handle { process, _phase: receiver, events }
    }

    /// An even number `n` of steps of one process.
    pub fn steps(&self, n: u64) {
        let mut handle = self.spawn(State::Tick { n: 0 }, false, n + n % 2);
        self.runtime.block_on(self.local.run_until(async { handle.events.recv().await }));
    }

    /// `n` processes, `batch` at a time, from birth to the answer.
    pub fn spawn_to_complete(&self, n: u64, batch: u64) -> i64 {
        self.runtime.block_on(self.local.run_until(async {
            let mut sum = 0;
            for _ in 0..n / batch {
                let mut alive: Vec<_> = (0..batch).map(|_| self.spawn(State::Fetching, false, 0)).collect();
                for handle in &mut alive {
                    if let Some(Event::Finished(x)) = handle.events.recv().await {
                        sum += x;
                    }
                }
            }
            sum
        }))
    }

    /// `n` processes that hold still in their first state.
    pub fn paused(&self, n: u64) -> Vec<Handle> {
        let all = (0..n).map(|_| self.spawn(State::Fetching, true, 0)).collect();
        self.runtime.block_on(self.local.run_until(tokio::task::yield_now()));
        all
    }

    /// Lets each of them go on to its end.
    pub fn resume_to_complete(&self, paused: &mut [Handle]) -> u64 {
        self.runtime.block_on(self.local.run_until(async {
            for handle in paused.iter() {
                handle.process.paused.set(false);
                handle.process.gate.notify_one();
            }
            let mut ended = 0;
            for handle in paused {
                ended += u64::from(handle.events.recv().await.is_some());
            }
            ended
        }))
    }
}

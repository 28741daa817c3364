//! Processes that are in the journal of a file.

use super::memory::{TickState, Ticker};
use crate::race::Lap;
use procession::journal::Sqlite;
use procession::{Handle, Life, Process, Runtime, Spawn, Step, states};
use serde::{Deserialize, Serialize};
use stakker::{CX, Ret};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

fn runtime(file: &Path) -> Runtime {
    let journal = Sqlite::open(file).expect("the folder is new");
    let mut runtime = Runtime::builder().journal(journal).build().expect("nobody else holds the file");
    runtime.register(|life| Ticker { life });
    runtime
}

/// `live` processes that make `steps` transitions each, all at the same time.
pub fn transitions(file: &Path, live: u64, steps: u64) -> Lap {
    let mut runtime = runtime(file);
    let tickers: Vec<_> = (0..live).map(|_| ticker(&mut runtime, steps)).collect();
    settle(&mut runtime);
    Lap::of(live * steps, || {
        tickers.iter().for_each(Handle::launch);
        runtime.run().expect("the journal can be written");
    })
}

/// One process alone that makes `steps` transitions.
pub fn alone(file: &Path, steps: u64) -> Lap {
    let mut runtime = runtime(file);
    let ticker = ticker(&mut runtime, steps);
    settle(&mut runtime);
    Lap::of(steps, || {
        ticker.launch();
        runtime.run_until(&ticker).expect("the journal can be written");
    })
}

fn ticker(runtime: &mut Runtime, n: u64) -> Handle<Ticker> {
    runtime.spawn(TickState::Tick { n }, Spawn::default()).expect("there is room")
}

/// A process that asks something and waits for the answer, which does not come.
pub struct Waiter {
    life: Life<Self>,
    desk: Desk,
}

/// Where the questions of the waiting lie.
#[derive(Clone, Default)]
pub struct Desk(Rc<RefCell<Vec<Ret<()>>>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Waiting {
    For { what: u64 },
}

states! { Waiting { For => [end] } }

impl Process for Waiter {
    const KIND: &'static str = "waiter";
    type State = Waiting;
    type Output = ();

    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }

    fn advance(&mut self, _: CX![], _: Waiting, step: Step<Self>) {
        self.desk.0.borrow_mut().push(step.reply(|_, _, step, ()| step.finish(())));
    }
}

fn waiting_room(file: &Path) -> (Runtime, Desk) {
    let mut runtime = runtime(file);
    let desk = Desk::default();
    let theirs = desk.clone();
    runtime.register(move |life| Waiter { life, desk: theirs.clone() });
    (runtime, desk)
}

/// Writes a journal in which `n` processes wait.
pub fn write_waiting(file: &Path, n: u64) {
    let (mut runtime, desk) = waiting_room(file);
    let handles: Vec<Handle<Waiter>> = (0..n)
        .map(|what| runtime.spawn(Waiting::For { what }, Spawn::default()).expect("there is room"))
        .collect();
    handles.iter().for_each(Handle::launch);
    runtime.run_while(|_| desk.0.borrow().len() < n as usize).expect("the journal can be written");
}

/// From the file to `n` processes that all wait again, each where it was.
pub fn restore(file: &Path, n: u64) -> Lap {
    let start = Instant::now();
    let (mut runtime, desk) = waiting_room(file);
    assert_eq!(runtime.recover().expect("a whole file").restored as u64, n);
    runtime.run_while(|_| desk.0.borrow().len() < n as usize).expect("the journal can be written");
    let took = start.elapsed();
    drop(runtime);
    Lap { took, units: n }
}

/// How much more memory this program occupies, in bytes, when `n` processes wait than when the runtime was empty.
pub fn waiting_rss(file: &Path, n: u64) -> u64 {
    let (mut runtime, desk) = waiting_room(file);
    settle(&mut runtime);
    let empty = resident();
    // They come and begin to wait little by little, as they do in life.
    for what in 0..n {
        let handle: Handle<Waiter> =
            runtime.spawn(Waiting::For { what }, Spawn::default()).expect("there is room");
        handle.launch();
        if what % 1000 == 999 {
            runtime
                .run_while(|_| (desk.0.borrow().len() as u64) <= what)
                .expect("the journal can be written");
        }
    }
    resident() - empty
}

/// proc(5): the second number of `statm` is the resident set, in pages.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("proc(5) says so");
    pages * rustix::param::page_size() as u64
}

/// Runs until everything that was written so far is durable: the end of a process that is born now comes after it.
fn settle(runtime: &mut Runtime) {
    let last = ticker(runtime, 0);
    last.launch();
    runtime.run_until(&last).expect("the journal can be written");
}

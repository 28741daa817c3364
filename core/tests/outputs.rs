//! The author's code in an output: it is called while nothing is borrowed.
#![allow(missing_docs, reason = "the names say it")]

mod sum;

use procession::{Handle, Life, Outcome, Process, State, Step};
use serde::{Deserialize, Serialize};
use stakker::{CX, Ret};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use sum::World;

thread_local! {
    static PEER: RefCell<Option<Handle<Curious>>> = const { RefCell::new(None) };
}

/// An output that looks into the table of its kind when it is cloned, and when it is dropped.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Look;

fn look() {
    PEER.with_borrow(|peer| drop(peer.clone()));
}

impl Clone for Look {
    fn clone(&self) -> Look {
        look();
        Look
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        look();
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Once;
impl State for Once {}

struct Curious(Life<Curious>);

impl Process for Curious {
    const KIND: &'static str = "curious";
    type State = Once;
    type Output = Look;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.0
    }
    fn advance(&mut self, _: CX![], _: Once, step: Step<Self>) {
        step.finish(Look);
    }
}

#[test]
fn an_output_may_look_into_the_table_whenever_it_is_cloned_or_dropped() {
    let mut world = World::new();
    let mut born = || world.runtime.spawn_with(Once, Curious);
    let [peer, forgotten, asked, unasked] = [born(), born(), born(), born()];
    PEER.set(Some(peer));
    let told = Rc::new(Cell::new(0));
    let count = |told: &Rc<Cell<u32>>| {
        let told = told.clone();
        Ret::new(move |outcome| told.set(told.get() + u32::from(outcome == Some(Outcome::Finished(Look)))))
    };
    for curious in [&forgotten, &asked, &unasked] {
        curious.launch();
    }
    for curious in [&forgotten, &asked] {
        curious.outcome(count(&told));
    }
    drop(forgotten);
    world.settle();
    asked.outcome(count(&told));
    assert_eq!(told.get(), 3);
    drop((asked, unasked));
    PEER.set(None);
    world.settle();
}

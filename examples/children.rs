//! A parent and its children: it waits for three of them, one of which fails at first and is started afresh.
//!
//! ```text
//! cargo run -p procession-examples --bin children
//! ```

use procession::journal::MemoryStore;
use procession::{Backoff, Child, Life, OnFailure, Outcome, Process, Runtime, Spawn, Step, states};
use serde::{Deserialize, Serialize};
use stakker::CX;
use std::{cell::Cell, error::Error, rc::Rc, time::Duration};

/// Works through its children one after the other. The sum so far is all it keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Adding {
    n: u32,
    sum: u32,
}
impl procession::State for Adding {}

struct Parent {
    life: Life<Self>,
}
impl Process for Parent {
    const KIND: &'static str = "parent";
    type State = Adding;
    type Output = u32;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, cx: CX![], Adding { n, sum }: Adding, step: Step<Self>) {
        if n == 3 {
            return step.finish(sum);
        }
        let backoff = Backoff { first: Duration::from_millis(10), cap: Duration::from_secs(1) };
        // The key names the child for this parent: after a restart it is found again, not spawned again.
        let child = Child::new(format!("square-{n}")).on_failure(OnFailure::Restart { at_most: 2, backoff });
        let square = step.reply(move |_, _, step: Step<Self>, outcome: Outcome<u32>| match outcome {
            Outcome::Finished(square) => step.to(Adding { n: n + 1, sum: sum + square }),
            Outcome::Killed => step.fail("a child was killed"),
            Outcome::Failed(fault) => step.fault(fault),
        });
        self.life.child::<Square>(cx, child, Squaring::Of(n), square);
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Squaring {
    Of(u32),
}
states! { Squaring { Of => [end] } }

struct Square {
    life: Life<Self>,
    tries: Rc<Cell<u32>>,
}
impl Process for Square {
    const KIND: &'static str = "square";
    type State = Squaring;
    type Output = u32;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, _: CX![], Squaring::Of(n): Squaring, step: Step<Self>) {
        self.tries.set(self.tries.get() + 1);
        if self.tries.get() == 2 { step.fail("bad luck, once") } else { step.finish(n * n) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let tries = Rc::new(Cell::new(0));
    let mut runtime = Runtime::builder().journal(MemoryStore::new().open()).build()?;
    runtime.register(|life| Parent { life });
    let counter = tries.clone();
    runtime.register(move |life| Square { life, tries: counter.clone() });
    let parent = runtime.spawn::<Parent>(Adding { n: 0, sum: 0 }, Spawn::default())?;
    parent.launch();
    println!("{:?} in {} tries", runtime.run_until(&parent)?, tries.get());
    Ok(())
}

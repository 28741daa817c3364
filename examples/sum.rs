//! The smallest process that asks somebody: it fetches a number from a store, and adds it to its own.
//!
//! ```text
//! cargo run -p procession-examples --bin sum
//! ```

use procession::{Life, Process, Runtime, Step, states};
use serde::{Deserialize, Serialize};
use stakker::{Actor, CX, Ret, actor, call, ret_nop};
use std::error::Error;

/// How far a sum has come. This, and nothing else, is what survives a pause.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum SumState {
    Fetching,
    Adding { b: i64 },
}

states! { SumState { Fetching => [Adding, end], Adding => [end] } }

/// The process: an actor with its lifecycle, and what it needs in order to act.
struct Sum {
    life: Life<Self>,
    store: Actor<Store>,
    a: i64,
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
            // The step becomes the right to answer; until then this process costs nothing but memory.
            SumState::Fetching => call!([self.store], get("b".into(), step.reply(Self::on_b))),
            SumState::Adding { b } => step.finish(self.a + b),
        }
    }
}

impl Sum {
    fn on_b(&mut self, _: CX![], step: Step<Self>, b: Result<i64, String>) {
        match b {
            Ok(b) => step.to(SumState::Adding { b }),
            Err(why) => step.fail(why),
        }
    }
}

/// A service: any actor will do.
struct Store;

impl Store {
    fn init(_: CX![]) -> Option<Store> {
        Some(Store)
    }

    fn get(&mut self, _: CX![], key: String, ret: Ret<Result<i64, String>>) {
        ret.ret(if key == "b" { Ok(40) } else { Err(format!("there is no {key}")) });
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut runtime = Runtime::builder().build()?;
    let store = actor!(runtime.stakker(), Store::init(), ret_nop!());
    let service = store.clone();
    let sum = runtime.spawn_with(SumState::Fetching, move |life| Sum { life, store: service, a: 2 });
    sum.launch();
    println!("{:?}", runtime.run_until(&sum)?);
    Ok(())
}

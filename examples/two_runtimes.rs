//! Two runtimes in one thread, each with its own processes, journal and timers: two libraries in one program may both use
//! Procession and never know of each other. Needs the feature `multi-runtime`.
//!
//! ```text
//! cargo run -p procession-examples --features multi-runtime --bin two_runtimes
//! ```
#![expect(clippy::disallowed_methods, reason = "the loop is ours, so its clock is too")]

use procession::{Handle, Life, Process, Refused, Runtime, RuntimeError, Step, states};
use serde::{Deserialize, Serialize};
use stakker::CX;
use std::error::Error;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Nap {
    Asleep(u64),
}
states! { Nap { Asleep => [end] } }

struct Sleeper {
    life: Life<Self>,
}

impl Process for Sleeper {
    const KIND: &'static str = "sleeper";
    type State = Nap;
    type Output = u64;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, cx: CX![], Nap::Asleep(ms): Nap, step: Step<Self>) {
        let awake = step.reply(move |_, _, step, ()| step.finish(ms));
        self.life.after(cx, Duration::from_millis(ms), awake);
    }
}

fn sleeper(runtime: &mut Runtime, ms: u64) -> Handle<Sleeper> {
    let sleeper = runtime.spawn_with(Nap::Asleep(ms), |life| Sleeper { life });
    sleeper.launch();
    sleeper
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut one, mut two) = (Runtime::builder().build()?, Runtime::builder().build()?);
    let (first, second) = (sleeper(&mut one, 20), sleeper(&mut two, 10));
    while one.live() + two.live() > 0 {
        // A real host would wait for the two descriptors, see `embed_fd`.
        let now = Instant::now();
        let turns = [one.turn(now)?, two.turn(now)?];
        debug_assert!(turns.iter().all(|turn| !turn.more || turn.next.is_some()));
    }
    println!("{:?}, {:?}", one.run_until(&first)?, two.run_until(&second)?);
    // A handle of one is refused by the other.
    let refused = one.run_until(&second);
    println!("{}", matches!(refused, Err(RuntimeError::Refused(Refused::OtherRuntime))));
    Ok(())
}

//! A process that outlives its program: a countdown in a journal. Kill this program at any moment and start it again
//! with the same file: it goes on where it was, and does not begin anew.
//!
//! ```text
//! cargo run -p procession-examples --bin durable -- /tmp/countdown     # Ctrl-C, and once more
//! ```

use procession::journal::{Filter, Reader, Sqlite};
use procession::{Life, Process, Runtime, Spawn, Step, states};
use serde::{Deserialize, Serialize};
use stakker::CX;
use std::error::Error;
use std::time::Duration;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Countdown {
    At(u32),
}

states! { Countdown { At => [At, end] } }

struct Rocket {
    life: Life<Self>,
}

impl Process for Rocket {
    // Old journals know this name, so it never changes.
    const KIND: &'static str = "rocket";
    type State = Countdown;
    type Output = String;

    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }

    fn advance(&mut self, cx: CX![], Countdown::At(n): Countdown, step: Step<Self>) {
        println!("{n}");
        if n == 0 {
            return step.finish("lift off".into());
        }
        // Each step is in the file before the next number is printed.
        let next = step.reply(move |_, _, step, ()| step.to(Countdown::At(n - 1)));
        self.life.after(cx, Duration::from_millis(200), next);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: durable FILE")?;
    let mut runtime = Runtime::builder().journal(Sqlite::open(&path)?).build()?;
    runtime.register(|life| Rocket { life });
    match runtime.recover()?.restored {
        0 => runtime.spawn::<Rocket>(Countdown::At(10), Spawn::default())?.launch(),
        n => println!("{n} found again"),
    }
    runtime.run()?;
    drop(runtime);
    for row in Reader::open(&path)?.processes(&Filter::new())? {
        let row = row?;
        println!("{} {}: {:?}", row.kind, row.id, row.outcome);
    }
    Ok(())
}

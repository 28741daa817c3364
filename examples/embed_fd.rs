//! A foreign event loop: this program has a poll of its own, with a descriptor of its own, and drives a runtime by the
//! one descriptor that the runtime has. Timers and "work now" are inside it, so the loop needs no timeout.
//!
//! ```text
//! cargo run -p procession-examples --bin embed_fd
//! ```
#![expect(clippy::disallowed_methods, reason = "the loop is ours, so its clock is too")]

use procession::{Life, Process, Runtime, Step, states};
use serde::{Deserialize, Serialize};
use stakker::CX;
use stakker_mio::mio::{Events, Interest, Poll, Token, unix::SourceFd};
use std::error::Error;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Beat {
    Next(u32),
}
states! { Beat { Next => [Next, end] } }

/// Sends a byte to the host's own descriptor, four times.
struct Drum {
    life: Life<Self>,
    host: UnixStream,
}

impl Process for Drum {
    const KIND: &'static str = "drum";
    type State = Beat;
    type Output = u32;
    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }
    fn advance(&mut self, cx: CX![], Beat::Next(n): Beat, step: Step<Self>) {
        if n == 4 {
            return step.finish(n);
        }
        let next = step.reply(move |this: &mut Self, _, step, ()| match this.host.write(b"!") {
            Ok(_) => step.to(Beat::Next(n + 1)),
            Err(why) => step.fail(why),
        });
        self.life.after(cx, Duration::from_millis(20), next);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut runtime = Runtime::builder().build()?;
    let drum = runtime.spawn_with(Beat::Next(0), move |life| Drum {
        life,
        host: theirs.try_clone().expect("a descriptor is left"),
    });
    drum.launch();
    let (hosts, runtimes) = (Token(0), Token(1));
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let fd = runtime.fd().ok_or("only virtual time has none")?;
    poll.registry().register(&mut SourceFd(&fd), runtimes, Interest::READABLE)?;
    poll.registry().register(&mut SourceFd(&ours.as_raw_fd()), hosts, Interest::READABLE)?;
    let (mut wakes, mut beats) = (0, 0);
    while runtime.live() > 0 {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == hosts {
                beats += ours.read(&mut [0; 8])?;
            }
            // This poll is edge-triggered, so the runtime has its turns until it says that there is no more.
            while event.token() == runtimes && runtime.turn(Instant::now())?.more {}
            wakes += 1;
        }
    }
    // What was sent in the last turn.
    beats += ours.read(&mut [0; 8])?;
    println!("{beats} beats, {}", if wakes < 40 { "no spinning" } else { "the loop was spinning" });
    Ok(())
}

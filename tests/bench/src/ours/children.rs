//! Commands as processes.

use crate::race::Lap;
use procession::transport::Ended;
use procession::{Handle, Outcome, Runtime, Spawn};
use procession_local::{Command, Config, End, Local, LocalProcess, LocalState, Machine};
use std::num::NonZeroUsize;
use std::path::Path;

/// Runs `true` `n` times as a process that is in no journal, at most `at_once` at once.
pub fn run_true(work: &Path, n: u64, at_once: NonZeroUsize) -> Lap {
    let mut runtime =
        Runtime::builder().build().expect("a runtime without a journal needs a few descriptors");
    let (transport, _local) =
        Local::start(runtime.stakker(), Config::new(work)).expect("the folder is there");
    let (machine, _commands) =
        Machine::start(runtime.stakker(), &transport, work, at_once).expect("the runtime has a poll");
    runtime.register(move |life| LocalProcess::new(life, machine.clone()));
    Lap::of(n, || {
        let spawn = |_| {
            let state = LocalState::new(Command::new(["true"]));
            let handle: Handle<LocalProcess> = runtime.spawn(state, Spawn::default()).expect("there is room");
            handle.launch();
            handle
        };
        let all: Vec<_> = (0..n).map(spawn).collect();
        for handle in all {
            match runtime.run_until(&handle).expect("nothing in a turn can fail here") {
                Outcome::Finished(ran) => assert_eq!(ran.end, End::Ended(Ended::Code(0))),
                other => panic!("{other:?}"),
            }
        }
    })
}

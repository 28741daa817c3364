//! From another thread into a runtime and back.

use crate::race::Lap;
use procession::Runtime;
use std::sync::mpsc::channel;

/// `n` questions from another thread, each after the answer to the one before. The runtime lives on this thread.
pub fn round_trips(n: u64) -> Lap {
    let mut runtime =
        Runtime::builder().build().expect("a runtime without a journal needs a few descriptors");
    let remote = runtime.remote();
    let asker = std::thread::spawn(move || {
        let (answer, answers) = channel();
        let lap = Lap::of(n, || {
            for at in 0..n {
                let answer = answer.clone();
                remote.call(move |_| answer.send(at).expect("somebody waits")).expect("the runtime lives");
                assert_eq!(answers.recv(), Ok(at), "an echo");
            }
        });
        remote.stop().expect("the runtime lives");
        lap
    });
    runtime.run_while(|_| true).expect("nothing in a turn can fail here");
    asker.join().expect("the asker does not panic")
}

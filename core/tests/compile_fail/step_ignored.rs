// A step that nobody uses fails the process, so ignoring one is not silent.
#![deny(unused_must_use)]
use procession::{Process, Step};

fn give<P: Process>(step: Step<P>) -> Step<P> {
    step
}

fn ignore<P: Process>(step: Step<P>) {
    give(step);
}

fn main() {}

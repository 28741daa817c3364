// A step is the right to leave a state once.
use procession::{Process, Step};

fn both<P: Process>(step: Step<P>, state: P::State, output: P::Output) {
    step.to(state);
    step.finish(output);
}

fn main() {}

//! How a process ended, in little memory: what is passed on when it ends, and kept as long as somebody refers to it.

use super::{Fault, Outcome};

/// An [`Outcome`] that is as small as the output. A fault is large and rare, so it has a box of its own.
#[derive(Clone)]
pub(super) enum Remains<O> {
    Finished(O),
    Killed,
    Failed(Box<Fault>),
}

impl<O> From<Outcome<O>> for Remains<O> {
    fn from(outcome: Outcome<O>) -> Remains<O> {
        match outcome {
            Outcome::Finished(output) => Remains::Finished(output),
            Outcome::Killed => Remains::Killed,
            Outcome::Failed(fault) => Remains::Failed(Box::new(fault)),
        }
    }
}

impl<O> From<Remains<O>> for Outcome<O> {
    fn from(remains: Remains<O>) -> Outcome<O> {
        match remains {
            Remains::Finished(output) => Outcome::Finished(output),
            Remains::Killed => Outcome::Killed,
            Remains::Failed(fault) => Outcome::Failed(*fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remains_are_no_larger_than_an_output_and_a_word() {
        assert_eq!(size_of::<Remains<i64>>(), 2 * size_of::<usize>());
        assert_eq!(size_of::<Remains<String>>(), size_of::<String>());
    }
}

//! What follows from an input: a state, a wait, and notes in the ledger.

use crate::{Attempt, State};
use procession::journal::EffectEnd;
use std::time::Duration;

/// What follows from an input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Next {
    /// The state that follows; it may be the same.
    pub state: State,
    /// How long to wait before its verb.
    pub wait: Duration,
    /// What changes in the ledger, in the same write as the state.
    pub ledger: Vec<Ledger>,
}

/// A change in the ledger of what exists on the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ledger {
    /// It is about to be made.
    Open(Thing, u32),
    /// It has ended.
    Close(Thing, u32, EffectEnd),
}

/// What can exist on a host; the number beside it is the attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Thing {
    /// The sandbox.
    Folder,
    /// The job.
    Job,
}

impl Next {
    pub(super) fn to(state: State) -> Next {
        Next::stay(state, Duration::ZERO)
    }

    pub(super) fn stay(state: State, wait: Duration) -> Next {
        Next { state, wait, ledger: Vec::new() }
    }

    pub(super) fn open(mut self, thing: Thing, attempt: Attempt) -> Next {
        self.ledger.push(Ledger::Open(thing, attempt.number));
        self
    }

    // What has ended comes before what is about to be made.
    pub(super) fn close(mut self, thing: Thing, attempt: Attempt, end: EffectEnd) -> Next {
        self.ledger.insert(0, Ledger::Close(thing, attempt.number, end));
        self
    }
}

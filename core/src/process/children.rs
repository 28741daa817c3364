//! Parents and children: a child is a process of its own that its parent finds again under a key, also after a restart.

use super::life::Life;
use super::{Fault, Handle, Outcome, OutcomeOf, Process, Spawn, drive::Poke};
use crate::runtime::{Kernel, RuntimeHandle, Slot};
use stakker::{CX, Core, Ret};
use std::rc::Rc;
use std::time::Duration;

/// A child to be spawned, or found again.
#[derive(Clone, Debug)]
pub struct Child {
    /// Names it within its parent.
    pub key: String,
    /// What its failure means.
    pub on_failure: OnFailure,
}

impl Child {
    /// A child with this key, whose failure is the failure of its parent.
    pub fn new(key: impl Into<String>) -> Child {
        Child { key: key.into(), on_failure: OnFailure::Escalate }
    }

    /// The same child, with another meaning of its failure.
    pub fn on_failure(self, on_failure: OnFailure) -> Child {
        Child { on_failure, ..self }
    }
}

/// What it means that a child failed or was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFailure {
    /// The parent fails too, with [`Fault::Child`].
    Escalate,
    /// The parent is told the outcome, and decides.
    Ignore,
    /// A child that failed is started afresh; when all tries have failed, the parent is told the last outcome.
    Restart {
        /// How often at most, after the first time.
        at_most: u32,
        /// How long to wait before each.
        backoff: Backoff,
    },
}

/// Waiting times that double.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// Before the first repetition.
    pub first: Duration,
    /// At most.
    pub cap: Duration,
}

impl Backoff {
    /// How long to wait before repetition `n`, counted from 0.
    ///
    /// ```
    /// use procession::Backoff;
    /// use std::time::Duration;
    /// let b = Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(60) };
    /// assert_eq!([b.delay(0), b.delay(3), b.delay(99)], [1, 8, 60].map(Duration::from_secs));
    /// ```
    pub fn delay(&self, n: u32) -> Duration {
        self.first.saturating_mul(1u32.checked_shl(n.min(31)).unwrap_or(u32::MAX)).min(self.cap)
    }
}

/// Finds or spawns a child, and sees to it that its outcome is answered.
pub(super) fn adopt<P: Process, C: Process>(
    life: &mut Life<P>,
    cx: CX![P],
    child: Child,
    state: C::State,
    ret: Ret<OutcomeOf<C>>,
) {
    let nursery = Nursery { kernel: life.kernel.clone(), parent: life.slot };
    match child.on_failure {
        OnFailure::Ignore => nursery.watch::<C>(cx, &child.key, &state, ret),
        OnFailure::Escalate => {
            let key = child.key.clone();
            let report = nursery.clone();
            let wrapped = Ret::new(move |outcome: Option<OutcomeOf<C>>| match outcome {
                Some(Outcome::Finished(output)) => ret.ret(Outcome::Finished(output)),
                Some(Outcome::Killed) => report.escalate(&key, "it was killed".into()),
                Some(Outcome::Failed(fault)) => report.escalate(&key, fault.to_string()),
                None => drop(ret),
            });
            nursery.watch::<C>(cx, &child.key, &state, wrapped);
        }
        OnFailure::Restart { at_most, backoff } => {
            Try { nursery, key: child.key, state, at_most, backoff, n: 0 }.go::<C>(cx, ret);
        }
    }
}

/// Where the children of one parent live.
#[derive(Clone)]
struct Nursery {
    kernel: Rc<Kernel>,
    parent: Slot,
}

impl Nursery {
    /// Answers `ret` with the outcome of the child `key`, which is spawned if it does not exist.
    fn watch<C: Process>(&self, core: &mut Core, key: &str, state: &C::State, ret: Ret<OutcomeOf<C>>) {
        let handle: Handle<C> = match self.kernel.child_of(self.parent, key) {
            Some(slot) => Handle::new(&self.kernel, slot),
            None => {
                let spawn = Spawn { key: Some(key.into()), ..Spawn::default() };
                match RuntimeHandle::of(&self.kernel).spawn_child(core, self.parent, state.clone(), spawn) {
                    Ok(handle) => handle,
                    Err(e) => return ret.ret(Outcome::Failed(Fault::new("spawn", e))),
                }
            }
        };
        handle.launch();
        handle.outcome(ret);
    }

    fn escalate(&self, key: &str, why: String) {
        self.kernel.note_child_fault(self.parent, key.into(), why);
        self.kernel.poke(self.parent, Poke::ChildFailed);
    }
}

/// One try at a child that is started afresh when it fails.
struct Try<S> {
    nursery: Nursery,
    key: String,
    state: S,
    at_most: u32,
    backoff: Backoff,
    n: u32,
}

impl<S: 'static> Try<S> {
    fn go<C: Process<State = S>>(self, core: &mut Core, ret: Ret<OutcomeOf<C>>)
    where
        S: Clone,
    {
        // Each try has a key of its own, so that after a restart the parent walks over those that failed already.
        let key = if self.n == 0 { self.key.clone() } else { format!("{}~{}", self.key, self.n) };
        let (nursery, state) = (self.nursery.clone(), self.state.clone());
        let deferrer = core.deferrer();
        let outcome = Ret::new(move |outcome: Option<OutcomeOf<C>>| match outcome {
            Some(Outcome::Failed(_)) if self.n < self.at_most => {
                let known = self.nursery.kernel.child_of(self.nursery.parent, &self.next_key()).is_some();
                let wait = if known { Duration::ZERO } else { self.backoff.delay(self.n) };
                let next = Try { n: self.n + 1, ..self };
                deferrer.defer(move |s| {
                    s.after(wait, move |s| next.go::<C>(s, ret));
                });
            }
            Some(last) => ret.ret(last),
            None => drop(ret),
        });
        nursery.watch::<C>(core, &key, &state, outcome);
    }

    fn next_key(&self) -> String {
        format!("{}~{}", self.key, self.n + 1)
    }
}

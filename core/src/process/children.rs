//! Parents and children: a child is a process of its own that its parent finds again under a key, also after a restart.

use super::desk::Desk;
use super::drive::{self, Poke};
use super::life::Life;
use super::{Fault, Handle, Outcome, OutcomeOf, Process, Spawn};
use crate::runtime::{Kernel, RuntimeHandle, Slot};
use stakker::{Actor, CX, Core, Ret};
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
    let nursery = Nursery { kernel: life.kernel().clone(), parent: life.slot() };
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
            let (parent, epoch, key) = (cx.this().clone(), life.epoch, child.key);
            Try { parent, epoch, key, state, at_most, backoff, n: 0 }.go::<C>(life, cx, ret);
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
            Some(slot) => {
                let desk = Desk::of(&self.kernel);
                let Some(place) = desk.place(slot) else {
                    return ret.ret(Outcome::Failed(Fault::new(
                        "spawn",
                        format_args!("the child {key} is of another kind"),
                    )));
                };
                Handle::new(&desk, place)
            }
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
struct Try<P: Process, S> {
    parent: Actor<P>,
    /// The wait before the next try is held by the state of the parent: one that was left tries no more.
    epoch: u32,
    key: String,
    state: S,
    at_most: u32,
    backoff: Backoff,
    n: u32,
}

impl<P: Process, S: Clone + 'static> Try<P, S> {
    fn go<C: Process<State = S>>(self, life: &mut Life<P>, cx: CX![P], ret: Ret<OutcomeOf<C>>) {
        let nursery = Nursery { kernel: life.kernel().clone(), parent: life.slot() };
        let (key, state) = (self.key_of(self.n), self.state.clone());
        let outcome = Ret::new(move |outcome: Option<OutcomeOf<C>>| match outcome {
            Some(Outcome::Failed(_)) if self.n < self.at_most => self.again::<C>(ret),
            Some(last) => ret.ret(last),
            None => drop(ret),
        });
        nursery.watch::<C>(cx, &key, &state, outcome);
    }

    /// Waits, unless the next try was made already before a restart, and goes on.
    fn again<C: Process<State = S>>(self, ret: Ret<OutcomeOf<C>>) {
        let parent = self.parent.clone();
        in_parent(&parent, self.epoch, move |this, cx| {
            let life = this.life();
            let known = life.kernel().child_of(life.slot(), &self.key_of(self.n + 1)).is_some();
            let wait = if known { Duration::ZERO } else { self.backoff.delay(self.n) };
            let (parent, epoch) = (self.parent.clone(), self.epoch);
            let next = Try { n: self.n + 1, ..self };
            let due = Ret::new(move |due: Option<()>| {
                if due.is_some() {
                    in_parent(&parent, epoch, move |this, cx| next.go::<C>(this.life(), cx, ret));
                }
            });
            life.after(cx, wait, due);
        });
    }

    /// Each try has a key of its own, so that after a restart the parent walks over those that failed already.
    fn key_of(&self, n: u32) -> String {
        if n == 0 { self.key.clone() } else { format!("{}~{n}", self.key) }
    }
}

/// Calls back into the parent, unless it has left the state that it was in.
fn in_parent<P: Process>(parent: &Actor<P>, epoch: u32, call: impl FnOnce(&mut P, CX![P]) + 'static) {
    let target = parent.clone();
    parent.defer(move |s| {
        target.apply(s, move |this, cx| {
            if drive::is_current(this, epoch) {
                call(this, cx);
            }
        });
    });
}

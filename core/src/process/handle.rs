//! What the owner of a process holds.

use super::desk::{AnyDesk, Desk, Found};
use super::drive::{self, Poke};
use super::slab::Place;
use super::{DriveMode, OutcomeOf, PhaseOf, Process};
use crate::journal::Desired;
use crate::runtime::Kernel;
use crate::{ProcessId, State};
use stakker::{Fwd, Ret};
use std::rc::{Rc, Weak};

/// Refers to a process. Cheap to clone, owns nothing: dropping it ends nothing, and the process may end before it.
///
/// Every call is a message: it takes effect in the next turn, and is nothing for a process that has ended.
///
/// ```
/// # use procession::*; use serde::*; use stakker::CX;
/// # #[derive(Clone, Debug, Serialize, Deserialize)] struct Once;
/// # impl State for Once {}
/// # struct Two { life: Life<Self> }
/// # impl Process for Two {
/// #   const KIND: &'static str = "two"; type State = Once; type Output = i64;
/// #   fn life(&mut self) -> &mut Life<Self> { &mut self.life }
/// #   fn advance(&mut self, _: CX![], _: Once, step: Step<Self>) { step.finish(2) }
/// # }
/// let mut runtime = Runtime::builder().build()?;
/// let two: Handle<Two> = runtime.spawn_with(Once, |life| Two { life });
/// two.watch(stakker::fwd_do!(|phase| println!("{phase:?}")));
/// two.launch();
/// assert_eq!(runtime.run_until(&two)?, Outcome::Finished(2));
/// # Ok::<(), RuntimeError>(())
/// ```
pub struct Handle<P: Process> {
    desk: Weak<Desk<P>>,
    place: Place,
}

/// A watcher of a process: the latest phase at once, and again on each change. Changes that follow one another within
/// a turn are told once, with the last of them; the end is always told, and is the last thing told.
pub type Watch<P> = Fwd<PhaseOf<P>>;

/// How to spawn.
#[derive(Clone, Debug, Default)]
pub struct Spawn {
    /// A name under which the process is found again; at most one live process of a parent has it.
    pub key: Option<String>,
    /// How it is driven.
    pub drive: DriveMode,
}

/// Why a runtime refuses a handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// The handle belongs to another runtime.
    #[error("this handle belongs to another runtime")]
    OtherRuntime,
    /// The process is no longer in the table.
    #[error("this process is no longer known")]
    Gone,
}

impl<P: Process> Handle<P> {
    pub(crate) fn new(desk: &Rc<Desk<P>>, place: Place) -> Handle<P> {
        desk.count_handle(place, 1);
        Handle::counted(desk, place)
    }

    /// A handle that the row has counted already.
    pub(super) fn counted(desk: &Rc<Desk<P>>, place: Place) -> Handle<P> {
        Handle { desk: Rc::downgrade(desk), place }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Sets it going.
    pub fn launch(&self) {
        self.desire(Desired::Run);
    }

    /// Lets it make one more `advance`, if it is driven step by step. Otherwise lets it ask again, now, for what it waits
    /// for: it enters its state once more.
    pub fn nudge(&self) {
        if let Some(desk) = self.desk.upgrade() {
            desk.kernel().nudge(desk.slot(self.place));
        }
    }

    /// Lets it hold still in the state that it is in, owning nothing.
    pub fn pause(&self) {
        self.desire(Desired::Pause);
    }

    /// Lets it go on where it was paused: it enters the same state again.
    pub fn resume(&self) {
        self.desire(Desired::Run);
    }

    /// Lets it end and leave nothing behind. A wish that holds until it is fulfilled, and cannot be taken back.
    pub fn kill(&self) {
        self.desire(Desired::Kill);
    }

    /// Tells `watcher` the phase at once and on each change.
    pub fn watch(&self, watcher: Watch<P>) {
        let Some(desk) = self.desk.upgrade() else { return };
        match desk.find(self.place) {
            Some(Found::Live(actor)) => {
                let deferrer = actor.access_deferrer().clone();
                deferrer.defer(move |s| actor.apply(s, |this, cx| drive::on_watch(this, cx, watcher)));
            }
            Some(Found::Over(end)) => watcher.fwd(end.outcome.clone().into()),
            None => {}
        }
        desk.kernel().on_outside();
    }

    /// Answers `waiter` when the process has ended; with nothing if the runtime is closed before.
    pub fn outcome(&self, waiter: Ret<OutcomeOf<P>>) {
        if let Some(desk) = self.desk.upgrade() {
            desk.wait(self.place, waiter);
        }
    }

    /// The number of the process in the journal; none if it is not in one.
    pub fn id(&self) -> Option<ProcessId> {
        self.desk.upgrade()?.id_of(self.place)
    }

    /// The process, as it is found in the table.
    pub(crate) fn find(&self) -> Option<Found<P>> {
        self.desk.upgrade()?.find(self.place)
    }

    pub(crate) fn belongs_to(&self, kernel: &Rc<Kernel>) -> bool {
        self.desk.upgrade().is_some_and(|desk| Rc::ptr_eq(desk.kernel(), kernel))
    }

    fn desire(&self, desired: Desired) {
        if let Some(desk) = self.desk.upgrade() {
            desk.kernel().poke(desk.slot(self.place), Poke::Desire(desired));
        }
    }
}

impl<P: Process> Clone for Handle<P> {
    fn clone(&self) -> Self {
        if let Some(desk) = self.desk.upgrade() {
            desk.count_handle(self.place, 1);
        }
        Handle { desk: self.desk.clone(), place: self.place }
    }
}

impl<P: Process> Drop for Handle<P> {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.upgrade() {
            desk.count_handle(self.place, -1);
        }
    }
}

impl<P: Process> std::fmt::Debug for Handle<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({} {:?}, states {})", P::KIND, self.id(), P::State::TABLE.len())
    }
}

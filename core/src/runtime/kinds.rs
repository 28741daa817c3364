//! The kinds of processes that this runtime can make: by spawning, by taking over, and again after a crash.

use super::{Kernel, Slot};
use crate::journal::{Desired, ProcessRow, Stage};
use crate::planted;
use crate::process::{Birth, Desk, Life, Outcome, OutcomeOf, Process, begin, read_state};
use crate::{Edge, ProcessId, State, Unreadable};
use stakker::Core;
use std::any::Any;
use std::rc::Rc;

/// A kind, without its type.
pub(crate) trait Kind {
    /// For a typed spawn to find the closure.
    fn as_any(&self) -> &dyn Any;
    /// The table of states.
    fn table(&self) -> &'static [Edge];
    /// Checks that a state can be read; makes nothing.
    fn check(&self, version: u32, state: &str) -> Result<(), Unreadable>;
    /// Makes a process that the journal knows: alive, or as the outcome that it had.
    fn restore(
        &self,
        kernel: &Rc<Kernel>,
        core: &mut Core,
        row: &ProcessRow,
        parent: Option<Slot>,
    ) -> Result<Slot, Unreadable>;
}

/// How processes of one kind are made.
pub(crate) struct Maker<P: Process>(pub Rc<dyn Fn(Life<P>) -> P>);

impl<P: Process> Kind for Maker<P> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table(&self) -> &'static [Edge] {
        P::State::TABLE
    }

    fn check(&self, version: u32, state: &str) -> Result<(), Unreadable> {
        read_state::<P::State>(version, state).map(|_| ())
    }

    fn restore(
        &self,
        kernel: &Rc<Kernel>,
        core: &mut Core,
        row: &ProcessRow,
        parent: Option<Slot>,
    ) -> Result<Slot, Unreadable> {
        if row.stage.is_end() {
            let outcome = read_outcome::<P>(row)?;
            return Ok(Desk::<P>::of(kernel).remember(row.id, outcome));
        }
        let state = read_state::<P::State>(row.version, &row.state)?;
        let forgets = row.desired == Desired::Kill && planted::is(planted::Planted::KillForgotten);
        let (stage, desired) =
            if forgets { (Stage::Running, Desired::Run) } else { (row.stage, row.desired) };
        let (id, seq) = (Some(row.id), row.seq);
        let birth = Birth { id, stage, desired, state, stepwise: false, seq, parent };
        let desk = Desk::of(kernel);
        let place = begin(&desk, core, birth, &*self.0);
        Ok(desk.slot(place))
    }
}

fn read_outcome<P: Process>(row: &ProcessRow) -> Result<OutcomeOf<P>, Unreadable> {
    let json = row.outcome.as_deref();
    let missing = || Unreadable("it has ended without an outcome".into());
    let broken = |e: serde_json::Error| Unreadable(e.to_string());
    match row.stage {
        Stage::Killed => Ok(Outcome::Killed),
        Stage::Finished => {
            serde_json::from_str(json.ok_or_else(missing)?).map(Outcome::Finished).map_err(broken)
        }
        Stage::Failed => serde_json::from_str(json.ok_or_else(missing)?).map(Outcome::Failed).map_err(broken),
        Stage::Created | Stage::Running | Stage::Paused | Stage::Killing => Err(missing()),
    }
}

/// The birth of a process that nobody has launched yet.
pub(super) fn unlaunched<P: Process>(
    id: Option<ProcessId>,
    state: P::State,
    stepwise: bool,
    parent: Option<Slot>,
) -> Birth<P> {
    Birth { id, stage: Stage::Created, desired: Desired::Pause, state, stepwise, seq: 0, parent }
}

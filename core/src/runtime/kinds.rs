//! The kinds of processes that this runtime can make: by spawning, by taking over, and again after a crash.

use super::{Kernel, Slot};
use crate::journal::{Desired, ProcessRow, Stage};
use crate::planted;
use crate::process::{Birth, Desk, Life, Outcome, OutcomeOf, Process, begin, read_state};
use crate::{Edge, State, Unreadable};
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
    /// Puts a process that the journal knows into its slot: alive, or as the outcome that it had.
    fn restore(&self, to: Place<'_>, row: &ProcessRow, parent: Option<Slot>) -> Result<(), Unreadable>;
}

/// Where a process is to be made.
pub(crate) struct Place<'a> {
    pub kernel: &'a Rc<Kernel>,
    pub core: &'a mut Core,
    pub slot: Slot,
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

    fn restore(&self, to: Place<'_>, row: &ProcessRow, parent: Option<Slot>) -> Result<(), Unreadable> {
        if row.stage.is_end() {
            let outcome = read_outcome::<P>(row)?;
            Desk::<P>::of(to.kernel).remember(to.slot, outcome);
            return Ok(());
        }
        let state = read_state::<P::State>(row.version, &row.state)?;
        let forgets = row.desired == Desired::Kill && planted::is(planted::Planted::KillForgotten);
        let (stage, desired) =
            if forgets { (Stage::Running, Desired::Run) } else { (row.stage, row.desired) };
        let seq = row.seq;
        let birth = Birth { stage, desired, state, durable: true, stepwise: false, seq, parent };
        begin(&Desk::of(to.kernel), to.core, to.slot, birth, &*self.0);
        Ok(())
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
    state: P::State,
    durable: bool,
    stepwise: bool,
    parent: Option<Slot>,
) -> Birth<P> {
    Birth { stage: Stage::Created, desired: Desired::Pause, state, durable, stepwise, seq: 0, parent }
}

//! The kinds of processes that this program knows: the only place that knows them. Each kind has a file that says how a
//! new process of it begins and what a row of it means to people; [`register`] gives a runtime what they need.

mod bulletin;
mod clerk;
pub(crate) mod command;
mod dialects;
mod door;
pub(crate) mod job;
mod questions;
mod services;

pub(crate) use dialects::dialect;
pub(crate) use services::{Services, register, work};

use crate::view::Sketch;
use procession::journal::ProcessRow;
use procession::{Edge, Process, State};
use procession_batch::SchedulerProcess;
use procession_local::LocalProcess;

/// The kinds by name, each with its table of states.
pub(crate) fn tables() -> Vec<(&'static str, &'static [Edge])> {
    vec![table::<SchedulerProcess>(), table::<LocalProcess>()]
}

fn table<P: Process>() -> (&'static str, &'static [Edge]) {
    (P::KIND, P::State::TABLE)
}

/// What the kind of this row has to say about it; little, if it is not one of ours, or cannot be read.
pub(crate) fn sketch(row: &ProcessRow) -> Sketch {
    match &*row.kind {
        SchedulerProcess::KIND => job::read(row).map_or_else(Sketch::unreadable, |job| job.sketch()),
        LocalProcess::KIND => command::sketch(row).unwrap_or_else(Sketch::unreadable),
        // Somebody else's: its own program knows more.
        _ => Sketch { well: true, ..Sketch::default() },
    }
}

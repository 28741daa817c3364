//! What would be done, to the letter, without doing any of it.

use crate::dialect::{Dialect, Force, clean, evidence};
use crate::monitor::{Row, look};
use crate::staging::{Errand, errands};
use crate::validate::SpecErrors;
use crate::{Place, Plan};
use procession::transport::TransportError;
use serde::Serialize;

/// What would be put on the host, and what would be run there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DryRun {
    /// The folder of the first attempt on the host.
    pub sandbox: String,
    /// What is put there, in order; among it the scripts, word for word.
    pub staging: Vec<Errand>,
    /// The commands, in the order of a life.
    pub commands: Vec<DryCommand>,
}

/// A command that would be run on the host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DryCommand {
    /// What for: `submit`, `status`, `evidence`, `cancel`, `clean`, `monitors`.
    pub purpose: &'static str,
    /// The program and its arguments.
    pub argv: Vec<String>,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    /// The job is not valid, or asks for what the scheduler cannot do.
    #[error("{0}")]
    Spec(SpecErrors),
    /// A path that no host can have.
    #[error(transparent)]
    Path(TransportError),
}

/// What the first attempt at a job would do. The name in `place` is that of a job that does not exist, so a number that is
/// as good as any will do.
///
/// # Errors
/// Everything that keeps the job from being submitted as it is.
pub fn dry_run(plan: &Plan, place: &Place, dialect: &dyn Dialect) -> Result<DryRun, DryRunError> {
    check(plan, dialect).map_err(DryRunError::Spec)?;
    let staging = errands(plan, place, dialect).map_err(DryRunError::Path)?.into();
    let places = std::slice::from_ref(place);
    let commands = [
        ("submit", dialect.submit(&plan.spec, place).argv),
        ("status", dialect.status(places).argv),
        ("evidence", evidence(places).argv),
        ("cancel", dialect.cancel(place, None, Force::Term).argv),
        ("clean", clean(place).argv),
    ];
    let monitors = plan.spec.monitors.iter().enumerate();
    let rows = monitors.map(|(number, monitor)| Row {
        place: place.clone(),
        number,
        monitor: monitor.clone(),
        seen: 0,
    });
    let rows: Vec<Row> = rows.collect();
    let looks = (!rows.is_empty()).then(|| ("monitors", look(&rows).argv));
    let commands = commands.into_iter().chain(looks);
    let commands = commands.into_iter().map(|(purpose, argv)| DryCommand { purpose, argv }).collect();
    Ok(DryRun { sandbox: place.sandbox(), staging, commands })
}

/// Whether this job can be submitted by this dialect: everything that is wrong with it, at once. To be asked before a
/// process is spawned for it.
///
/// # Errors
/// What is wrong with the job itself, and what the scheduler cannot do of it.
pub fn check(plan: &Plan, dialect: &dyn Dialect) -> Result<(), SpecErrors> {
    let mut errors = plan.spec.validate().err().map_or_else(Vec::new, |errors| errors.0);
    errors.extend(dialect.cannot(&plan.spec));
    SpecErrors::result(errors, ())
}

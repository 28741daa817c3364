//! Why a job is where it is: what it waits for, which limit holds it, what is done next and when. In words, for people.

use crate::dialect::Dialect;
use crate::input::doubled;
use crate::machine::{ASK_APART, CLEAN_APART, LONGEST, READ_APART};
use crate::{Job, Last, State, Then, Wish};
use procession::WallTime;
use serde::Serialize;
use std::time::Duration;

/// The answer to "why is it not done?".
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Why {
    /// What it waits for.
    pub waits_for: String,
    /// Which limit holds it, if one may.
    pub limit: Option<String>,
    /// What is done next.
    pub next: String,
    /// When, as far as it is known. A host that does not answer makes it later.
    pub at: Option<WallTime>,
}

/// Why a job is where it is; `since` is when it came there.
pub fn why(job: &Job, since: WallTime, dialect: &dyn Dialect) -> Why {
    let host = &job.plan.host;
    let (waits_for, next) = match &job.at {
        State::Planned => ("to be launched".into(), format!("its files are sent to {host}")),
        State::Staging { .. } => (format!("its files to arrive on {host}"), "it is submitted".into()),
        State::Submitting { .. } => (format!("{host} to accept it"), "it is followed".into()),
        State::Reconciling { wish: Wish::Run, misses, .. } => (
            format!("certainty: nobody knows whether {host} has it, and it was not found {misses} times"),
            "it is looked for again, and submitted anew only if it can never have arrived".into(),
        ),
        State::Reconciling { wish: Wish::End, .. } => {
            (format!("certainty whether {host} has it"), "it is looked for again, to be ended".into())
        }
        State::Queued { reason, job: id, .. } if reason.is_empty() => {
            (format!("the first word about job {id}"), polled())
        }
        State::Queued { reason, job: id, .. } => (format!("job {id} to start: {reason}"), polled()),
        State::Running { job: id, .. } => (format!("job {id} to end{}", warned(job)), polled()),
        State::Seeking { reads, .. } => {
            let tries = format!("evidence of its end, which was not there {reads} times");
            (tries, format!("{host} is asked again; without evidence it will have vanished"))
        }
        State::Collecting { .. } => {
            ("its results to arrive".into(), "they are compared with what it left".into())
        }
        State::Cancelling { tries, then, .. } => {
            let then = match then {
                Last::Collect(_) => "what it left is fetched",
                Last::Clean(_) => "its sandbox is tidied up",
            };
            (format!("it to end; it was told {tries} times"), then.to_string())
        }
        State::Cleaning { tries, then, .. } => {
            let next = match then {
                Then::Again(_) => "it is tried again",
                Then::Over(_) => "it is done",
                Then::Killed | Then::Late => "it is gone",
            };
            (format!("its sandbox on {host} to be tidied up, which failed {tries} times"), next.to_string())
        }
        State::Ended { .. } | State::Killed => ("nothing".into(), "nothing".into()),
    };
    let limit = matches!(job.at, State::Queued { .. }).then(|| dialect.limit());
    Why { waits_for, limit, next, at: waits(&job.at).map(|wait| later(since, wait)) }
}

/// What monitors have warned of, if they have.
fn warned(job: &Job) -> String {
    job.warnings.iter().map(|alarm| format!("; a monitor warns: {alarm}")).collect()
}

fn polled() -> String {
    "its host is asked about all jobs".into()
}

/// How long the machine waits after it came into a state, where it does.
fn waits(state: &State) -> Option<Duration> {
    match state {
        State::Reconciling { misses, .. } if *misses > 0 => Some(ASK_APART),
        State::Seeking { reads, .. } if *reads > 0 => Some(doubled(READ_APART, reads - 1, LONGEST)),
        State::Cleaning { tries, .. } if *tries > 0 => Some(doubled(CLEAN_APART, tries - 1, LONGEST)),
        State::Planned
        | State::Staging { .. }
        | State::Submitting { .. }
        | State::Reconciling { .. }
        | State::Queued { .. }
        | State::Running { .. }
        | State::Seeking { .. }
        | State::Collecting { .. }
        | State::Cancelling { .. }
        | State::Cleaning { .. }
        | State::Ended { .. }
        | State::Killed => None,
    }
}

fn later(since: WallTime, wait: Duration) -> WallTime {
    WallTime(since.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
}

//! What the journal keeps of a job: what was asked for, and how far it has come.

use crate::machine::Rules;
use crate::monitor::Alarm;
use crate::{JobSpec, State};
use procession::Edge;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The state of a [`SchedulerProcess`](crate::SchedulerProcess): all that it must know to go on after a restart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Job {
    /// What was asked for. It never changes.
    pub plan: Plan,
    /// How far it has come.
    pub at: State,
    /// What monitors have warned of, in the order in which it was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Alarm>,
}

/// A job, and where it belongs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The job. It was validated.
    pub spec: JobSpec,
    /// The host, by the name of its transport.
    pub host: String,
    /// The folder on the host below which its sandboxes are made; empty for the work folder of the transport.
    pub root: String,
    /// The folder of this machine that its inputs are relative to; absolute.
    pub base: PathBuf,
    /// The folder of this machine that its results go to, in a folder for each attempt; absolute, and its own.
    pub results: PathBuf,
}

impl Plan {
    /// The job before anything was done.
    pub fn job(self) -> Job {
        Job { plan: self, at: State::Planned, warnings: Vec::new() }
    }

    /// What its owner has laid down for the machine.
    pub fn rules(&self) -> Rules {
        Rules {
            retries: self.spec.retries.clone(),
            remote: self.spec.remote.clone(),
            tasks: self.spec.array.as_ref().map(|array| array.range),
        }
    }

    /// Where the results of an attempt lie: `outputs/` as they were in the sandbox, and `log/` with `stdout`, `stderr` and
    /// `exit`.
    pub fn results_of(&self, attempt: u32) -> PathBuf {
        self.results.join(format!("attempt-{attempt}"))
    }
}

impl procession::State for Job {
    const TABLE: &'static [Edge] = <State as procession::State>::TABLE;

    fn name(&self) -> &'static str {
        self.at.name()
    }
}

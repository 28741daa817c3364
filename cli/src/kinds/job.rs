//! Batch jobs: how one begins, and what its row means to people.

use crate::exit::Trouble;
use crate::jobfile::JobFile;
use crate::view::Sketch;
use procession::journal::{Ask, ProcessRow};
use procession::{JournalUid, Process, ProcessId, State as _, WallTime};
use procession_batch::{Dialect, Fetched, Job, JobName, Outcome, Place, Plan, SchedulerProcess, State, Why};
use std::path::{Path, PathBuf};

/// A job as the journal has it.
pub(crate) struct Read {
    pub(crate) id: ProcessId,
    pub(crate) job: Job,
    /// How it ended, if it did by itself.
    pub(crate) outcome: Option<Outcome>,
}

/// The letter that hands a new job over.
pub(crate) fn adoption(job: JobFile, host: &str, results: PathBuf, key: String) -> Result<Ask, Trouble> {
    let plan = Plan { spec: job.spec, host: host.to_owned(), root: String::new(), base: job.folder, results };
    let state = serde_json::to_string(&plan.job())?;
    Ok(Ask::Adopt { kind: SchedulerProcess::KIND.to_owned(), version: Job::VERSION, state, key })
}

/// The job in this row; none if it is none, or cannot be read.
pub(crate) fn read(row: &ProcessRow) -> Option<Read> {
    if row.kind != SchedulerProcess::KIND || row.version != Job::VERSION {
        return None;
    }
    let job = serde_json::from_str(&row.state).ok()?;
    let outcome = row.outcome.as_deref().and_then(|json| serde_json::from_str(json).ok());
    Some(Read { id: row.id, job, outcome })
}

impl Read {
    /// What there is to say about it.
    pub(crate) fn sketch(&self) -> Sketch {
        Sketch {
            name: Some(self.job.plan.spec.name.clone()),
            host: Some(self.job.plan.host.clone()),
            state: Some(self.job.name().to_owned()),
            detail: self.outcome.as_ref().map_or_else(|| detail(&self.job.at), ToString::to_string),
            attempt: self.attempt(),
            well: self.outcome.as_ref().is_some_and(Outcome::is_success),
            results: Some(self.results()),
        }
    }

    /// Which attempt it is at, or ended with.
    pub(crate) fn attempt(&self) -> Option<u32> {
        match (&self.outcome, &self.job.at) {
            // The state says it a moment before the row does.
            (Some(outcome), _) | (None, State::Ended { outcome }) => Some(outcome.attempt),
            (None, at) => at.attempt().map(|attempt| attempt.number),
        }
    }

    /// Why it is not further, as the machine of jobs has it.
    pub(crate) fn because(&self, since: WallTime, dialect: &dyn Dialect) -> Why {
        procession_batch::why(&self.job, since, dialect)
    }

    /// The folder with what it brought home, or will.
    pub(crate) fn results(&self) -> PathBuf {
        match self.attempt() {
            Some(attempt) => self.job.plan.results_of(attempt),
            None => self.job.plan.results.clone(),
        }
    }

    /// The files that it brought home, as they were verified.
    pub(crate) fn files(&self) -> &[Fetched] {
        self.outcome.as_ref().map_or(&[], |outcome| &outcome.outputs)
    }

    /// Where what it writes lies while it runs, in the work folder of its host. `stream` is `stdout` or `stderr`.
    pub(crate) fn live(&self, stream: &str, uid: JournalUid, attempt: u32) -> String {
        let name = JobName { journal: uid, process: self.id, attempt };
        let place = Place { root: self.job.plan.root.clone(), name };
        format!("{}/{stream}", place.attempt_folder())
    }
}

/// The folder for the results of a job of this name: its own, so the first of `name`, `name-2`, … that is free. It is
/// made, so that nobody else takes it.
pub(crate) fn make_results(below: &Path, name: &str) -> Result<PathBuf, Trouble> {
    let trouble = |path: &Path, why| Trouble::File { path: path.to_owned(), why };
    let below = std::path::absolute(below).map_err(|why| trouble(below, why))?;
    std::fs::create_dir_all(&below).map_err(|why| trouble(&below, why))?;
    let tame = |c: char| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '-' };
    let tamed: String = name.chars().take(64).map(tame).collect();
    let tamed = tamed.trim_start_matches('.');
    let tamed = if tamed.is_empty() { "job" } else { tamed };
    for n in 1_u64.. {
        let path = below.join(if n == 1 { tamed.to_owned() } else { format!("{tamed}-{n}") });
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(trouble(&path, why)),
        }
    }
    unreachable!("there are not so many folders")
}

/// What a state means, in a few words.
fn detail(at: &State) -> String {
    match at {
        State::Planned => "not begun yet".to_owned(),
        State::Staging { .. } => "its files are being sent".to_owned(),
        State::Submitting { .. } => "is being submitted".to_owned(),
        State::Reconciling { .. } => {
            "the submission got no answer; asking the host whether it arrived".to_owned()
        }
        State::Queued { reason, job, .. } if reason.is_empty() => format!("job {job}"),
        State::Queued { reason, job, .. } => format!("job {job}: {reason}"),
        State::Running { job, .. } => format!("job {job}"),
        State::Seeking { job, .. } => format!("job {job} is over; looking for the evidence"),
        State::Collecting { .. } => "its files are being fetched".to_owned(),
        State::Cancelling { .. } => "is being ended".to_owned(),
        State::Cleaning { .. } => "its folder on the host is being tidied up".to_owned(),
        State::Ended { outcome } => outcome.to_string(),
        State::Killed => "killed".to_owned(),
    }
}

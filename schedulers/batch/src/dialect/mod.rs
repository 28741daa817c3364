//! What a scheduler understands, and what its answers mean. A dialect is pure: it writes scripts and command lines and
//! reads answers. It never runs anything, and knows no actor, no clock and no socket.

mod answer;
mod bundle;
mod cksum;
mod direct;
mod frame;
mod gridengine;
mod lsf;
mod payload;
mod pbs;
mod queue;
mod sandbox;
mod slurm;

pub use answer::{AnswerError, BEGIN, END, framed, framed_line, read_cancelled, read_found};
pub use bundle::{BUNDLE, bundle, call_of, parts};
pub use direct::{Direct, scripts as direct_scripts};
pub use frame::Frame;
pub use gridengine::{GridEngine, account as gridengine_account, listing as gridengine_listing};
pub use lsf::{Lsf, MemoryUnit, listing as lsf_listing};
pub use payload::payload;
use payload::{function, sums};
pub use pbs::listing::Flavour as PbsFlavour;
pub use pbs::{Pbs, listing as pbs_listing};
pub use sandbox::{
    CLEAN, EVIDENCE, EXIT_LINES, ExitCause, ExitFile, ListedFile, attempt_folder, clean, evidence, job_file,
    payload_file, script_file, sh,
};
pub use slurm::{Slurm, scripts as slurm_scripts};

use crate::courier::Company;
use crate::poller::{CHUNK, Pace};
use crate::{JobName, JobSpec, Place, Said, SpecError};
use procession::transport::Exit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One way of running jobs on a host: the host itself, Slurm, PBS, and so on.
pub trait Dialect {
    /// Its word in a file of hosts, and in the names of processes: `direct`.
    fn word(&self) -> &'static str;

    /// What this scheduler cannot do of what the job asks for. Empty if it can do all of it.
    fn cannot(&self, spec: &JobSpec) -> Vec<SpecError>;

    /// The folder that is made first, with its parents: the sandbox, or one in it.
    fn folder(&self, place: &Place) -> String {
        place.sandbox()
    }

    /// The files that the scheduler needs beside the inputs, to be staged into the sandbox.
    fn files(&self, spec: &JobSpec, place: &Place) -> Vec<ScriptFile>;

    /// Submits an attempt, or finds that this was done before. Repeating it never starts a second job.
    fn submit(&self, spec: &JobSpec, place: &Place) -> Call<Submitted>;

    /// Asks whether a submission arrived: by its id file, and by its name.
    fn ask(&self, place: &Place) -> Call<Found>;

    /// The same, and makes sure that a submission that has not arrived never starts.
    fn fence(&self, place: &Place) -> Call<Found>;

    /// How far these jobs are; no answer for a job is [`Status::Unknown`]. Some of them are `running`, as far as is known: who of
    /// these has left evidence of the end has ended, though a scheduler that lost its memory says that it runs. A scheduler that
    /// keeps its memory is simply believed.
    fn survey(&self, places: &[Place], running: &[Place]) -> Call<Vec<(JobName, Status)>>;

    /// The same, and nobody's word is doubted.
    fn status(&self, places: &[Place]) -> Call<Vec<(JobName, Status)>> {
        self.survey(places, &[])
    }

    /// Asks again, with all that the scheduler remembers: accounting where it has some, else the listing once more.
    fn look_up(&self, places: &[Place]) -> Call<Vec<(JobName, Status)>>;

    /// Ends a job, or makes sure that it can never start.
    fn cancel(&self, place: &Place, id: Option<&JobId>, force: Force) -> Call<Cancelled>;

    /// How the calls of [`cancel`](Dialect::cancel) for several jobs go together.
    fn cancels(&self) -> Company {
        Company::Bundled
    }

    /// How many jobs one command of [`survey`](Dialect::survey) can ask about. A listing that is the same whoever is asked
    /// about covers all of them: `usize::MAX`.
    fn reach(&self) -> usize {
        CHUNK
    }

    /// How often it may be asked while it has so many of our jobs.
    fn pace(&self, jobs: usize) -> Pace;

    /// What limits the job while it is pending, in words.
    fn limit(&self) -> String;
}

/// A command, and how to read what it answers.
#[derive(Clone)]
pub struct Call<T> {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What the answer means. An error says that the answer tells nothing, about any job.
    pub read: fn(&Exit) -> Result<T, AnswerError>,
}

/// A file that a dialect puts into the sandbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptFile {
    /// Its name in the sandbox.
    pub name: String,
    /// Its contents.
    pub text: String,
    /// Whether it must be executable.
    pub executable: bool,
}

/// The scheduler's own name for a job. Never trusted alone: schedulers give ids out again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What came of a submission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Submitted {
    /// The job is there: submitted just now, or before.
    Accepted(JobId),
    /// It was begun before, and is not known to have come to an end.
    Unsure,
    /// The scheduler or the host declined, and nothing was started.
    Refused(Refusal),
}

/// Why a submission was declined.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The sandbox or the scripts in it are gone.
    #[error("the sandbox is not on the host any more")]
    NoSandbox,
    /// The host has no room for a folder.
    #[error("the host could not make a folder in the sandbox; look at its quota and its permissions")]
    NoSpace,
    /// A program that the dialect needs is not on the host.
    #[error("the host has no `{0}`, or not in the PATH that commands have there")]
    NoProgram(String),
    /// The folder in which the host counts its jobs cannot be made.
    #[error("the folder that keeps the limit of jobs cannot be made on the host")]
    NoSlots,
    /// There is no such account, or no right to use it. In the scheduler's words, as all that follow.
    #[error("the account was refused: {0}")]
    Account(String),
    /// There is no such queue or partition, or it takes no jobs.
    #[error("the queue was refused: {0}")]
    Queue(String),
    /// It asks for what no node has, for more than the rules of the site allow, or in words that are not understood.
    #[error("the request was refused: {0}")]
    Request(String),
    /// The owner has as many jobs there as the site allows.
    #[error("there are too many jobs already: {0}")]
    TooMany(String),
    /// Any other reason.
    #[error("the scheduler refused it: {0}")]
    Scheduler(String),
}

/// What became of a submission whose answer is not known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It arrived.
    Known(JobId),
    /// There is no sign of it, but it could still arrive.
    Absent,
    /// It did not arrive, and can never start a job any more.
    Fenced,
}

/// How far the scheduler says a job is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status {
    /// Waits, with the scheduler's reason.
    Pending(String),
    /// Runs.
    Running,
    /// Has ended, an array with all its tasks; with the scheduler's word for how, if it has one. Only the exit file is
    /// evidence of success.
    Exited(Said),
    /// The scheduler does not know it. That says nothing about how it ended, or whether it did.
    Unknown,
}

/// What an attempt has left behind on the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// The job's id, if it was written down.
    pub id: Option<JobId>,
    /// Whether the payload was started, or can never be.
    pub started: bool,
    /// How it ended, if it has.
    pub exit: Option<ExitFile>,
    /// Of an array: how those of its tasks ended that have, by index. Their files are not listed.
    pub tasks: BTreeMap<u32, ExitFile>,
}

/// How hard to press.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Force {
    /// Ask it to end.
    Term,
    /// End it.
    Kill,
}

/// What came of ending a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cancelled {
    /// Nothing of it runs, and nothing of it can start.
    Gone,
    /// The same, and no payload of it was ever started: not before either.
    Never,
    /// It was there, and has been told. Ask again.
    Still,
}

/// What came of removing a sandbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cleaned {
    /// Nothing of it is left.
    Gone,
    /// Something could not be removed. Try again: somebody may have had a file open.
    Left,
    /// The path is not a sandbox of ours.
    Refused,
}

//! Jobs under Slurm, through its commands: `sbatch`, `squeue`, `scancel`, and `sacct` or `scontrol show job`.
//!
//! Exactly one job: the submission makes a file before it calls `sbatch`, so it is done once; the frame makes a folder before
//! it starts the payload, so a duplicate ends at once. What `sbatch` says of a failure is believed only if it comes
//! from a controller that has decided: one that times out may have taken the job. Jobs are asked for and cancelled by their
//! names, which are theirs alone. An id is not: a controller that lost its memory gives ids out again.
//!
//! A job is submitted with `--no-requeue`. When its node fails it ends as `NODE_FAIL`, and `retries.on = ["node"]` tries
//! again in a fresh sandbox. A site can force a requeue all the same (`ForceRequeueOnFail`); the frame knows by
//! `SLURM_RESTART_COUNT` that it is not a duplicate, and leaves evidence that the node failed.
//!
//! Polls are one `squeue` for all jobs of a host, as text: the JSON of 22.05 ignores filters, and other versions have another
//! form. Read with sbatch(1), squeue(1), scancel(1), sacct(1), scontrol(1) of 22.05 and 24.11.

mod listing;
mod options;
mod reason;
mod refusal;
pub mod scripts;
mod state;

use super::answer::{read_cancelled, read_found};
use super::{
    AnswerError, Call, Cancelled, Dialect, Force, Found, JobId, Refusal, ScriptFile, Status, Submitted,
    framed, sh,
};
use crate::courier::Company;
use crate::poller::Pace;
use crate::{JobName, JobSpec, Place, SpecError};
use procession::transport::Exit;
use std::time::Duration;

/// A Slurm cluster, as a login node sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Slurm;

impl Slurm {
    /// Between two polls when something happens, however few jobs there are: `squeue` costs the controller some 10 ms.
    pub const FASTEST: Duration = Duration::from_secs(1);
    /// Between two polls when something happens, however many jobs there are. What is found out half a minute late is a
    /// small part of the time that so many jobs take.
    pub const SLOWEST: Duration = Duration::from_secs(30);
    /// So much is added for each job: `squeue` costs the controller some 10 µs a job, and sites count the calls.
    const PER_JOB: Duration = Duration::from_millis(3);
}

impl Dialect for Slurm {
    fn word(&self) -> &'static str {
        "slurm"
    }

    fn cannot(&self, spec: &JobSpec) -> Vec<SpecError> {
        options::cannot(spec)
    }

    fn folder(&self, place: &Place) -> String {
        place.attempt_folder()
    }

    fn files(&self, spec: &JobSpec, place: &Place) -> Vec<ScriptFile> {
        options::frame(spec).files(spec, place)
    }

    fn submit(&self, spec: &JobSpec, place: &Place) -> Call<Submitted> {
        let args = place.args().into_iter().chain(options::options(spec, place));
        Call { argv: sh(scripts::SUBMIT, args), read: read_submitted }
    }

    fn ask(&self, place: &Place) -> Call<Found> {
        let args = place.args().into_iter().chain(["look".to_string()]);
        Call { argv: sh(scripts::FENCE, args), read: read_found }
    }

    fn fence(&self, place: &Place) -> Call<Found> {
        let args = place.args().into_iter().chain(["close".to_string()]);
        Call { argv: sh(scripts::FENCE, args), read: read_found }
    }

    fn survey(&self, _: &[Place], running: &[Place]) -> Call<Vec<(JobName, Status)>> {
        let args = running.iter().flat_map(Place::args);
        Call { argv: sh(scripts::STATUS, args), read: |exit| listing::now(&framed(exit)?) }
    }

    fn look_up(&self, places: &[Place]) -> Call<Vec<(JobName, Status)>> {
        let args = places.iter().flat_map(Place::args);
        Call { argv: sh(scripts::LOOK_UP, args), read: |exit| listing::now_and_then(&framed(exit)?) }
    }

    fn cancel(&self, place: &Place, _: Option<&JobId>, force: Force) -> Call<Cancelled> {
        let word = match force {
            Force::Term => "TERM",
            Force::Kill => "KILL",
        };
        let args = place.args().into_iter().chain([word.to_string()]);
        Call { argv: sh(scripts::CANCEL, args), read: read_cancelled }
    }

    /// One listing and one `scancel` for all of them, where each would cost the controller a pass through all its jobs.
    fn cancels(&self) -> Company {
        Company::Joined
    }

    fn reach(&self) -> usize {
        usize::MAX
    }

    fn pace(&self, jobs: usize) -> Pace {
        let jobs = u32::try_from(jobs).unwrap_or(u32::MAX);
        let fastest = Slurm::PER_JOB.saturating_mul(jobs).clamp(Slurm::FASTEST, Slurm::SLOWEST);
        Pace { fastest, slowest: (fastest * 2).min(2 * Slurm::SLOWEST) }
    }

    fn limit(&self) -> String {
        "the priorities of Slurm, and the limits of its partition, account and quality of service".to_string()
    }
}

fn read_submitted(exit: &Exit) -> Result<Submitted, AnswerError> {
    let lines = framed(exit)?;
    let (first, said) = lines.split_first().map_or(("", &[][..]), |(first, said)| (first.as_str(), said));
    let refused = |why: &str| match why {
        "no-sandbox" | "no-script" => Some(Refusal::NoSandbox),
        "no-space" => Some(Refusal::NoSpace),
        "no-sbatch" => Some(Refusal::NoProgram("sbatch".to_string())),
        _ => None,
    };
    let failed = |code: &str| {
        let said: Option<Vec<&str>> = said.iter().map(|line| line.strip_prefix("| ")).collect();
        Some(refusal::declined(code.parse().ok()?, &said?.join("\n")))
    };
    let answer = match first.split_once(' ') {
        None if first == "unsure" && said.is_empty() => Some(Submitted::Unsure),
        Some(("submitted" | "known", id)) if said.is_empty() => {
            Some(Submitted::Accepted(JobId(id.to_string())))
        }
        Some(("refused", why)) if said.is_empty() => refused(why).map(Submitted::Refused),
        Some(("failed", code)) => failed(code),
        Some(_) | None => None,
    };
    answer.ok_or_else(|| AnswerError::Garbled { line: lines.join(" / ") })
}

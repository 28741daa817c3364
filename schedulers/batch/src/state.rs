//! How far a job has come. Plain data: what the journal keeps, and all that a restart needs.

use crate::dialect::{JobId, Refusal};
use crate::{End, Outcome, Said, Task};
use procession::WallTime;
use serde::{Deserialize, Serialize};

/// The states of a job. The diagram is in [`machine`](crate::machine); what a state does when it is entered, for the first
/// time or again, is its [`verb`](State::verb).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Nothing was done yet.
    Planned,
    /// The sandbox is made and filled.
    Staging {
        /// Which attempt.
        attempt: Attempt,
        /// How often the host would not have it.
        #[serde(default)]
        tries: u32,
    },
    /// The job is submitted. Doing it again is safe: the host starts it at most once.
    Submitting {
        /// Which attempt.
        attempt: Attempt,
    },
    /// The submission was begun, and nobody knows how it went.
    Reconciling {
        /// Which attempt.
        attempt: Attempt,
        /// What is to become of the job if it is there.
        wish: Wish,
        /// How often there was no sign of it.
        misses: u32,
    },
    /// The scheduler has it, and it waits.
    Queued {
        /// Which attempt.
        attempt: Attempt,
        /// The scheduler's id.
        job: JobId,
        /// What it waits for, in the scheduler's words.
        reason: String,
    },
    /// It runs.
    Running {
        /// Which attempt.
        attempt: Attempt,
        /// The scheduler's id.
        job: JobId,
    },
    /// The scheduler says that it has ended, or does not know it any more. Neither is evidence.
    Seeking {
        /// Which attempt.
        attempt: Attempt,
        /// The scheduler's id.
        job: JobId,
        /// How it ended, as far as the scheduler says so.
        #[serde(default)]
        said: Said,
        /// How often nothing was found.
        reads: u32,
    },
    /// It has ended, and its files are fetched.
    Collecting {
        /// Which attempt.
        attempt: Attempt,
        /// How and when it ended.
        ending: Ending,
        /// How often a required file was not there.
        tries: u32,
    },
    /// It is being ended.
    Cancelling {
        /// Which attempt.
        attempt: Attempt,
        /// The scheduler's id, if it is known.
        job: Option<JobId>,
        /// How often it was told.
        tries: u32,
        /// What follows.
        then: Last,
    },
    /// The sandbox is removed, or put where it shall stay.
    Cleaning {
        /// Which attempt.
        attempt: Attempt,
        /// How often something could not be removed.
        tries: u32,
        /// What follows.
        then: Then,
    },
    /// Over.
    Ended {
        /// How.
        outcome: Outcome,
    },
    /// Over, because its owner wished so. Nothing of it is left on the host.
    Killed,
}

procession::states! {
    State {
        Planned => [Planned, Staging, Killed],
        Staging => [Staging, Submitting, Cleaning],
        Submitting => [Submitting, Queued, Reconciling, Cancelling],
        Reconciling => [Reconciling, Queued, Cancelling, Cleaning],
        Queued => [Queued, Running, Seeking, Cancelling],
        Running => [Queued, Running, Seeking, Cancelling],
        Seeking => [Queued, Running, Seeking, Collecting, Cancelling],
        Collecting => [Collecting, Cleaning],
        Cancelling => [Collecting, Cancelling, Cleaning],
        Cleaning => [Staging, Cancelling, Cleaning, Ended, Killed],
        Ended => [Ended, end],
        Killed => [Killed, end],
    }
}

impl State {
    /// The attempt that is on the host, or may be; none before the first and after the end.
    pub fn attempt(&self) -> Option<Attempt> {
        match self {
            State::Staging { attempt, .. }
            | State::Submitting { attempt }
            | State::Reconciling { attempt, .. }
            | State::Queued { attempt, .. }
            | State::Running { attempt, .. }
            | State::Seeking { attempt, .. }
            | State::Collecting { attempt, .. }
            | State::Cancelling { attempt, .. }
            | State::Cleaning { attempt, .. } => Some(*attempt),
            State::Planned | State::Ended { .. } | State::Killed => None,
        }
    }
}

/// Which try it is, and why there were others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1. Part of everything remote.
    pub number: u32,
    /// So many attempts before it ran and failed. The owner's retries are counted by this.
    pub failures: u32,
    /// So many attempts before it were lost by the host, and never ran.
    pub losses: u32,
}

impl Attempt {
    /// The first one.
    pub const FIRST: Attempt = Attempt { number: 1, failures: 0, losses: 0 };

    /// The next one, after this one ran and failed.
    pub fn after_failure(self) -> Attempt {
        Attempt { number: self.number + 1, failures: self.failures + 1, ..self }
    }

    /// The next one, after this one was lost.
    pub fn after_loss(self) -> Attempt {
        Attempt { number: self.number + 1, losses: self.losses + 1, ..self }
    }
}

/// What is to become of a job if it turns out to be there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// It goes on.
    Run,
    /// It is ended.
    End,
}

/// How and when a job ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ending {
    /// How.
    pub end: End,
    /// When its payload was started, by the host's clock, if there is evidence.
    pub started: Option<WallTime>,
    /// When it was over, by the host's clock, if there is evidence.
    pub over: Option<WallTime>,
    /// Of an array: each task, by index. The end above is the worst of theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
}

/// What follows when nothing of a job runs any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Last {
    /// What it has left is fetched.
    Collect(Ending),
    /// The sandbox is tidied up.
    Clean(Then),
}

/// What follows when the sandbox is tidied up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// Another attempt.
    Again(Attempt),
    /// The end.
    Over(Outcome),
    /// The end that the owner wished for.
    Killed,
    /// The same, but what was being sent when the wish came may still arrive: the sandbox is removed once more, later.
    Late,
}

/// Why there was no job.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unrun {
    /// Its files could not be sent.
    #[error("its files could not be sent: {0}")]
    Unstaged(procession::transport::TransportError),
    /// The scheduler or the host declined it.
    #[error("{0}")]
    Refused(Refusal),
    /// The host lost it too often.
    #[error("the host lost it {0} times before it could start; look at the host")]
    Lost(u32),
}

//! What each state does.

use super::{ASKS, Rules, TERMS};
use crate::dialect::Force;
use crate::{Remote, State, Then, Verdict};

/// What a state does when it is entered. Each can be done again without harm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verb {
    /// Choose the first attempt.
    Begin,
    /// Make the sandbox and fill it.
    Stage,
    /// Submit, or find that it was done.
    Submit,
    /// Ask whether the submission arrived.
    Ask,
    /// The same, and make sure that it never shall.
    Fence,
    /// Hear from the poller how far the job is.
    Follow,
    /// Read what the attempt has left behind.
    ReadEvidence,
    /// Ask the scheduler again, with all that it remembers.
    LookUp,
    /// Fetch the files.
    Collect,
    /// End the job.
    Cancel(Force),
    /// Remove the sandbox.
    Remove,
    /// Leave the sandbox where it is.
    Keep,
    /// Move the sandbox to where the owner wants it.
    Stash,
    /// Say how it ended.
    Finish,
    /// Say that nothing is left.
    Die,
}

impl State {
    /// What the process does when it enters this state, or enters it again.
    pub fn verb(&self, rules: &Rules) -> Verb {
        match self {
            State::Planned => Verb::Begin,
            State::Staging { .. } => Verb::Stage,
            State::Submitting { .. } => Verb::Submit,
            State::Reconciling { misses, .. } if *misses < ASKS => Verb::Ask,
            State::Reconciling { .. } => Verb::Fence,
            State::Queued { .. } | State::Running { .. } => Verb::Follow,
            // The last look is at the evidence, so a job that ended just now is not lost.
            State::Seeking { reads, .. } if reads % 2 == 0 => Verb::ReadEvidence,
            State::Seeking { .. } => Verb::LookUp,
            State::Collecting { .. } => Verb::Collect,
            State::Cancelling { tries, .. } if *tries < TERMS => Verb::Cancel(Force::Term),
            State::Cancelling { .. } => Verb::Cancel(Force::Kill),
            State::Cleaning { then: Then::Again(_) | Then::Killed | Then::Late, .. } => Verb::Remove,
            State::Cleaning { then: Then::Over(outcome), .. } => match (&rules.remote, &outcome.verdict) {
                // What could not be fetched is still there.
                (Remote::Remove, Verdict::Incomplete { .. }) | (Remote::Keep, _) => Verb::Keep,
                (Remote::Remove, Verdict::Ran(_) | Verdict::Unrun(_)) => Verb::Remove,
                (Remote::Stash(_), _) => Verb::Stash,
            },
            State::Ended { .. } => Verb::Finish,
            State::Killed => Verb::Die,
        }
    }
}

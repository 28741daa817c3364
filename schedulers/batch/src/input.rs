//! What a job can hear: facts, each the answer to what a state does.

use crate::dialect::{Cancelled, Found, Status, Submitted};
use crate::monitor::Alarm;
use crate::outcome::{Fetched, Uncollected};
use crate::tasks::Proof;
use procession::transport::TransportError;
use std::time::Duration;

/// A fact for the machine of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The answer to what the state does.
    Answer(Answer),
    /// The host could not be reached, did not answer in time, or answered nonsense. It is about the host: whatever was
    /// asked may or may not have been done.
    HostAway(Backoff),
    /// The owner wants it gone.
    Kill,
}

/// The answer to a [`Verb`](crate::Verb).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To `Begin`.
    Begun,
    /// To `Stage`: everything is there and verified, or the host will not have it.
    Staged(Result<(), TransportError>),
    /// To `Submit`.
    Submitted(Submitted),
    /// To `Ask` and `Fence`.
    Found(Found),
    /// To `Follow` and `LookUp`.
    Status(Status),
    /// To `Follow`: a monitor saw what is to end the job.
    Alarm(Alarm),
    /// To `ReadEvidence`: what the exit files prove.
    Evidence(Proof),
    /// To `Collect`: what was fetched, or why not all of it.
    Collected(Vec<Fetched>, Result<(), Uncollected>),
    /// To `Cancel`.
    Cancelled(Cancelled),
    /// To `Remove`, `Keep` and `Stash`.
    Tidied(Tidied),
}

/// What became of a sandbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tidied {
    /// It is gone.
    Removed,
    /// It is where the owner wants it.
    Kept,
    /// Something could not be removed or moved.
    Stuck,
}

/// How long to leave a host alone that does not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// How often in a row it has failed, from 1.
    pub failures: u32,
    /// Drawn at random, so that many jobs do not come back at once.
    pub jitter: u8,
}

impl Backoff {
    /// After the first failure.
    pub const FIRST: Duration = Duration::from_secs(1);
    /// Never longer than this: an outage of a minute should not cost an hour.
    pub const LONGEST: Duration = Duration::from_secs(60);

    /// Doubles with each failure, and lies between one half and the whole of that, as the jitter says.
    pub fn delay(self) -> Duration {
        let whole = doubled(Backoff::FIRST, self.failures.saturating_sub(1), Backoff::LONGEST);
        whole / 2 + whole * u32::from(self.jitter) / 510
    }
}

/// `first`, doubled so many times, but never more than `longest`.
pub(crate) fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    2_u32.checked_pow(times).and_then(|by| first.checked_mul(by)).map_or(longest, |delay| delay.min(longest))
}

//! What a job is called on a host, and where it lives there.

use crate::dialect::attempt_folder;
use procession::{JournalUid, ProcessId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of one attempt at one job: `procession-JOURNAL-PROCESS-ATTEMPT`.
///
/// It is the nonce of the submission: no two attempts of any journal share one, the scheduler knows the job by it, the
/// job's processes carry it in their arguments, and the sandbox is called by it. Letters, digits and `-` only.
///
/// ```
/// use procession::{JournalUid, ProcessId};
/// use procession_batch::JobName;
/// let name = JobName { journal: JournalUid(0xbadcafe), process: ProcessId::FIRST, attempt: 2 };
/// assert_eq!(name.to_string(), "procession-0badcafe-1-2");
/// assert_eq!(JobName::parse("procession-0badcafe-1-2"), Some(name));
/// assert_eq!(JobName::parse("my-job"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct JobName {
    /// The journal of the process.
    pub journal: JournalUid,
    /// The process that owns the job.
    pub process: ProcessId,
    /// Which attempt, from 1.
    pub attempt: u32,
}

impl JobName {
    /// What every name begins with. Nothing without it is ever removed from a host.
    pub const PREFIX: &'static str = "procession-";

    /// Reads a name back; none if it is not one of ours, to the letter.
    pub fn parse(text: &str) -> Option<JobName> {
        let mut parts = text.strip_prefix(JobName::PREFIX)?.split('-');
        let name = JobName {
            journal: JournalUid(u32::from_str_radix(parts.next()?, 16).ok()?),
            process: parts.next()?.parse().ok()?,
            attempt: parts.next()?.parse().ok()?,
        };
        (parts.next().is_none() && name.to_string() == text).then_some(name)
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}-{}-{}", JobName::PREFIX, self.journal, self.process, self.attempt)
    }
}

/// Where an attempt lives on its host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The folder on the host below which sandboxes are made; empty for the work folder of the transport.
    pub root: String,
    /// The attempt.
    pub name: JobName,
}

impl Place {
    /// The place of a sandbox that stands in the ledger; none if it is not one of ours.
    ///
    /// ```
    /// use procession_batch::Place;
    /// let place = Place::of_sandbox("/scratch/procession-0badcafe-1-2").expect("one of ours");
    /// assert_eq!((place.root.as_str(), place.name.attempt), ("/scratch", 2));
    /// assert_eq!(place.sandbox(), "/scratch/procession-0badcafe-1-2");
    /// assert!(Place::of_sandbox("/home/me").is_none());
    /// ```
    pub fn of_sandbox(path: &str) -> Option<Place> {
        let (root, name) = match path.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((root, name)) => (root, name),
            None => ("", path),
        };
        Some(Place { root: root.to_string(), name: JobName::parse(name)? })
    }

    /// The folder of this attempt. Each attempt has its own, so that nothing an earlier one left is taken for its own.
    pub fn sandbox(&self) -> String {
        match self.root.trim_end_matches('/') {
            "" if self.root.is_empty() => self.name.to_string(),
            root => format!("{root}/{}", self.name),
        }
    }

    /// The folder in it that is ours: who submitted, what was said, how it ended.
    ///
    /// ```
    /// use procession_batch::Place;
    /// let place = Place::of_sandbox("/scratch/procession-0badcafe-1-2").expect("one of ours");
    /// assert_eq!(place.attempt_folder(), "/scratch/procession-0badcafe-1-2/.attempt-2");
    /// ```
    pub fn attempt_folder(&self) -> String {
        format!("{}/{}", self.sandbox(), attempt_folder(self.name.attempt))
    }

    /// The three arguments by which every script knows the attempt: sandbox, attempt, name.
    pub(crate) fn args(&self) -> [String; 3] {
        [self.sandbox(), self.name.attempt.to_string(), self.name.to_string()]
    }
}

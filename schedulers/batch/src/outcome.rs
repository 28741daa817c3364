//! What a job comes to.

use crate::state::{Ending, Unrun};
use procession::transport::TransportError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a job came to, for its owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Which attempt it was.
    pub attempt: u32,
    /// The word that counts.
    pub verdict: Verdict,
    /// The files that were fetched, sorted by path; each was verified.
    pub outputs: Vec<Fetched>,
}

/// The word that counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The job ran and ended, well or badly; all required outputs are here if it ended well.
    Ran(Ending),
    /// The job ended well, but an output could not be fetched.
    Incomplete {
        /// How the job ended.
        ending: Ending,
        /// Why an output is not here.
        why: Uncollected,
    },
    /// There was no job.
    Unrun(Unrun),
}

/// Why an output is not here.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uncollected {
    /// The job left nothing that matches a required pattern.
    #[error("the job left no {pattern:?}, which is a required output")]
    Missing {
        /// The pattern, as the job file has it.
        pattern: String,
    },
    /// Nothing matches a required pattern, but the job lists a file that does, or left too many files to list.
    #[error("the required output {pattern:?} cannot be seen on the host")]
    Unseen {
        /// The pattern, as the job file has it.
        pattern: String,
    },
    /// A file is not as long as the job left it.
    #[error("{path:?} has {found} bytes, and the job left {listed}")]
    Shorter {
        /// Relative to the sandbox.
        path: String,
        /// What the job left, in bytes.
        listed: u64,
        /// What came, in bytes.
        found: u64,
    },
    /// The host or this machine would not do it.
    #[error("{0}")]
    Transport(TransportError),
}

/// A file that was fetched and verified.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Fetched {
    /// Relative to the results folder of the attempt.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// BLAKE3, in hexadecimal.
    pub hash: String,
}

impl Outcome {
    /// Whether the job did what it was asked to, and everything required is here.
    pub fn is_success(&self) -> bool {
        match &self.verdict {
            Verdict::Ran(ending) => ending.end.is_success(),
            Verdict::Incomplete { ending: _, why: _ } | Verdict::Unrun(_) => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Ran(ending) => ending.end.fmt(f),
            Verdict::Incomplete { ending, why } => write!(f, "{}, but {why}", ending.end),
            Verdict::Unrun(why) => why.fmt(f),
        }
    }
}

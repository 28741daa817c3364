//! How a job can end.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How one attempt at a job ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// By itself, with this exit code.
    Exited {
        /// 0 is success.
        code: i32,
    },
    /// By a signal that was not the scheduler's.
    Signalled {
        /// By number.
        signal: i32,
    },
    /// The scheduler ended it because it used more memory than it was given.
    OutOfMemory,
    /// It was ended because its walltime was over.
    Walltime,
    /// The node it ran on failed.
    NodeFailure,
    /// Somebody else cancelled it: its owner by hand, or an administrator.
    CancelledElsewhere,
    /// It is gone, and nothing tells how it ended: never success.
    Vanished,
}

impl End {
    /// Whether the job did what it was asked to.
    pub fn is_success(&self) -> bool {
        *self == End::Exited { code: 0 }
    }

    /// The kind of this end, as `retries.on` names it; none for success.
    pub fn kind(&self) -> Option<EndKind> {
        match self {
            End::Exited { code: 0 } => None,
            End::Exited { code: _ } => Some(EndKind::Exit),
            End::Signalled { signal: _ } => Some(EndKind::Signal),
            End::OutOfMemory => Some(EndKind::Memory),
            End::Walltime => Some(EndKind::Walltime),
            End::NodeFailure => Some(EndKind::Node),
            End::CancelledElsewhere => Some(EndKind::Cancelled),
            End::Vanished => Some(EndKind::Vanished),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exited { code } => write!(f, "exited with {code}"),
            End::Signalled { signal } => write!(f, "ended by signal {signal}"),
            End::OutOfMemory => f.write_str("out of memory"),
            End::Walltime => f.write_str("out of walltime"),
            End::NodeFailure => f.write_str("its node failed"),
            End::CancelledElsewhere => f.write_str("cancelled by somebody else"),
            End::Vanished => f.write_str("vanished without evidence of its end"),
        }
    }
}

/// The kinds of ends that a job file can ask to try again after.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndKind {
    /// An exit code other than 0.
    Exit,
    /// A signal.
    Signal,
    /// Out of memory.
    Memory,
    /// Out of walltime.
    Walltime,
    /// The node failed.
    Node,
    /// Cancelled by somebody else.
    Cancelled,
    /// No evidence of its end.
    Vanished,
}

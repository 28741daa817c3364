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
    /// It was cancelled, but not by us: by its owner by hand, by an administrator, by a rule of the scheduler.
    CancelledElsewhere {
        /// By whom or by what, if the scheduler says so: `root`, `preemption`.
        by: Option<String>,
    },
    /// A monitor of its owner saw what it was to look for, and it was ended.
    StoppedByMonitor {
        /// What that means, in the owner's words.
        message: String,
        /// The line that was seen.
        line: String,
    },
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
            End::CancelledElsewhere { by: _ } => Some(EndKind::Cancelled),
            End::StoppedByMonitor { message: _, line: _ } => Some(EndKind::Monitor),
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
            End::CancelledElsewhere { by: None } => f.write_str("cancelled by somebody else"),
            End::CancelledElsewhere { by: Some(who) } => write!(f, "cancelled by {who}"),
            End::StoppedByMonitor { message, line } => write!(f, "stopped by a monitor: {message}: {line:?}"),
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
    /// Stopped by a monitor.
    Monitor,
    /// No evidence of its end.
    Vanished,
}

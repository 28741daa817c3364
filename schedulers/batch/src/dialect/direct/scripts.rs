//! The scripts of the direct dialect: POSIX `sh`, with util-linux `setsid` and `flock`.
//!
//! Each runs as `sh -c SCRIPT procession ARGUMENT…`. Whatever varies is an argument, so nothing is ever quoted. The heads
//! of the scripts say which arguments they take and what they answer.

/// Starts a job, detached. `SANDBOX ATTEMPT NAME LIMIT SLOTS WALLTIME SIGNAL BEFORE`; answers `submitted ID`, `known ID`,
/// `unsure`, or `refused WHY`.
pub const SUBMIT: &str = include_str!("sh/submit.sh");

/// The frame around the payload, which lies in the sandbox as `.job-ATTEMPT`. The scheduler is this script itself:
/// `NAME ATTEMPT LIMIT SLOTS WALLTIME SIGNAL BEFORE`. The head of the file, which goes before it, has the sums of the payload; the
/// shell reads all of it before it does any of it, so a file that was cut off does nothing.
pub const JOB: &str = concat!(
    "{\n",
    include_str!("../frame/leave.sh"),
    include_str!("../frame/whole.sh"),
    include_str!("sh/job.sh"),
    "}\n"
);

/// How far jobs are. `(SANDBOX ATTEMPT NAME)…`; answers a line for each: `NAME pending|running|exited|absent`.
pub const STATUS: &str = include_str!("sh/status.sh");

/// Whether a submission arrived. `SANDBOX ATTEMPT NAME look|close`; answers `known ID`, `absent` or `fenced`.
pub const FENCE: &str = include_str!("sh/fence.sh");

/// Ends a job. `SANDBOX ATTEMPT NAME TERM|KILL`; answers `gone` or `still COUNT`.
pub const CANCEL: &str = include_str!("sh/cancel.sh");

//! The limits of the machine, each with its reason, and the rules that the owner lays down.

use crate::{ArrayRange, Remote, Retries};
use std::time::Duration;

/// Files that the host would not have are sent so often, if the reason may pass.
pub const STAGES: u32 = 3;
/// Between two tries to send files; it doubles.
pub const STAGE_APART: Duration = Duration::from_secs(1);
/// There was no sign of a submission so often before it is fenced. Twice, because a scheduler under load answers late.
pub const ASKS: u32 = 2;
/// Between two questions about a submission.
pub const ASK_APART: Duration = Duration::from_secs(5);
/// A host may lose so many attempts before they start; after that something is wrong with it.
pub const MOST_LOSSES: u32 = 16;
/// So often evidence is looked for, and the scheduler asked again in between, before a job has vanished.
pub const READS: u32 = 8;
/// A job that somebody else has cancelled: the scheduler is asked by whom until so many looks are done. Accounting shows the
/// end of a job some seconds late.
pub const EXPLAINS: u32 = 4;
/// After the first read without evidence. It doubles, so the grace is about two minutes: network file systems show a new
/// file up to 60 s late (nfs(5), `acdirmax`).
pub const READ_APART: Duration = Duration::from_millis(500);
/// Outputs that cannot be fetched whole are tried so often.
pub const COLLECTS: u32 = 4;
/// Between two tries to fetch outputs; it doubles.
pub const COLLECT_APART: Duration = Duration::from_secs(2);
/// A job is asked to end so often before it is made to.
pub const TERMS: u32 = 6;
/// After a job was told to end for the first time; it doubles up to [`LONGEST`].
pub const CANCEL_APART: Duration = Duration::from_millis(250);
/// A sandbox that cannot be removed is left to `gc` after so many tries, if the outcome is known.
pub const CLEANS: u32 = 6;
/// Between two tries to remove a sandbox; it doubles up to [`LONGEST`].
pub const CLEAN_APART: Duration = Duration::from_secs(1);
/// Between the two removals of a sandbox that was being filled when its job was killed: longer than a message that was
/// sent before the first one is under way.
pub const LATE_APART: Duration = Duration::from_secs(5);
/// No wait of this machine is longer.
pub const LONGEST: Duration = Duration::from_secs(60);

/// What the owner has laid down.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// When to try again.
    pub retries: Retries,
    /// What becomes of the sandbox.
    pub remote: Remote,
    /// The indices of its tasks, if it is an array.
    pub tasks: Option<ArrayRange>,
}

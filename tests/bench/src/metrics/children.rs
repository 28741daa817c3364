//! Commands on this machine.

use super::Plan;
use crate::ours::children as ours;
use crate::peers::children as bare;
use crate::race::{Lane, Lap, race};
use crate::report::{Limit, Row};
use std::num::NonZeroUsize;
use tempfile::TempDir;

/// Commands in a lap.
const COMMANDS: u64 = 500;
/// Commands at once.
const AT_ONCE: NonZeroUsize = NonZeroUsize::new(8).expect("eight is not zero");

/// How many times a second `true` is run, as a process that can be paused, killed and limited.
pub fn local_exec_rate(plan: &Plan) -> Row {
    let work = TempDir::new().expect("a folder for temporary files");
    let paces = race(
        plan.rounds,
        &mut [
            Lane::new("ours", || ours::run_true(work.path(), COMMANDS, AT_ONCE)),
            Lane::new("posix_spawn", || {
                Lap::of(COMMANDS, || {
                    let well = bare::run_true(COMMANDS, AT_ONCE.get()).expect("this machine has `true`");
                    assert_eq!(well, COMMANDS);
                })
            }),
        ],
    );
    let [ours, bare] = [paces[0].1.least, paces[1].1.least].map(|ns| 1e9 / ns);
    Row::new(
        "local_exec_rate",
        "1/s",
        Some(ours),
        [("posix_spawn", bare)],
        &[Limit::LeastOf(0.9, "posix_spawn")],
    )
}

//! What callgrind runs: one thing, `n` times.

use crate::ours::memory as ours;
use crate::peers::{local_set, raw};

/// A name and what it runs.
pub type Scenario = (&'static str, fn(u64));

/// How many processes are born together in the scenarios of whole lives.
pub const BATCH: u64 = 100;

/// All of them.
pub const SCENARIOS: [Scenario; 10] = [
    ("ours-step", |n| ours::World::still().steps(n)),
    ("ours-step-watched", |n| assert!(ours::World::still().watched_steps(n) > 1)),
    ("ours-spawn", |n| all_summed(ours::World::still().spawn_to_complete(n, BATCH), n)),
    ("ours-resume", |n| {
        let mut world = ours::World::still();
        let paused = world.paused(n);
        assert_eq!(world.resume_to_complete(&paused), n);
    }),
    ("stakker-step", |n| raw::World::new().steps(n)),
    ("stakker-spawn", |n| all_summed(raw::World::new().spawn_to_complete(n, BATCH), n)),
    ("stakker-resume", |n| {
        let mut world = raw::World::new();
        let paused = world.paused(n);
        assert_eq!(world.resume_to_complete(&paused), n);
    }),
    ("waiting-rss", crate::metrics::journal::print_waiting_rss),
    ("local-set-step", |n| local_set::World::new().steps(n)),
    ("local-set-spawn", |n| all_summed(local_set::World::new().spawn_to_complete(n, BATCH), n)),
];

/// Runs the scenario with this name; `false` if there is none.
pub fn run(name: &str, n: u64) -> bool {
    let found = SCENARIOS.iter().find(|(known, _)| *known == name);
    if let Some((_, scenario)) = found {
        scenario(n);
    }
    found.is_some()
}

/// Each sum is 6 + 4.
fn all_summed(sum: i64, n: u64) {
    assert_eq!(sum, 10 * n as i64, "a process did not end well");
}

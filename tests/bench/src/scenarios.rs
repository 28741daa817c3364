//! What callgrind runs: one thing, `n` times.

use crate::peers::{local_set, raw};

/// A name and what it runs.
pub type Scenario = (&'static str, fn(u64));

/// All of them.
pub const SCENARIOS: [Scenario; 4] = [
    ("raw-step", |n| raw::World::new().steps(n)),
    ("raw-spawn", |n| assert_eq!(raw::World::new().spawn_to_complete(n), 10 * n as i64)),
    ("local-set-step", |n| local_set::World::new().steps(n)),
    ("local-set-spawn", |n| assert_eq!(local_set::World::new().spawn_to_complete(n), 10 * n as i64)),
];

/// Runs the scenario with this name; `false` if there is none.
pub fn run(name: &str, n: u64) -> bool {
    let found = SCENARIOS.iter().find(|(known, _)| *known == name);
    if let Some((_, scenario)) = found {
        scenario(n);
    }
    found.is_some()
}

//! The stories of the simulated world.

use procession_tests::world::{Setup, World, cast};

#[test]
fn a_quiet_job_runs_from_beginning_to_end() {
    let mut world =
        World::with_job(Setup { keep_story: true, ..Setup::quiet() }, cast::plain_job(0, "host-0", 30, 0));
    let ending = world.run();
    for line in world.shared.trace.lines() {
        println!("{line}");
    }
    println!("{ending:?}");
    assert_eq!(ending.wrong, None);
}

#[test]
fn storm() {
    let from: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    for seed in from..from + count {
        let mut world = World::new(Setup { keep_story: count == 1, ..Setup::stormy(seed) });
        let ending = world.run();
        for line in world.shared.trace.lines() {
            println!("{line}");
        }
        println!("{seed} {ending:?}");
    }
}

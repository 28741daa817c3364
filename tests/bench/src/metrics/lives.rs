//! What the framework costs a process that is in no journal.

use super::Plan;
use crate::callgrind::instructions;
use crate::count_alloc::live_bytes_during;
use crate::ours::memory as ours;
use crate::peers::{local_set, raw};
use crate::race::{Lane, Lap, Pace, race};
use crate::report::{Limit, Row};
use crate::scenarios::BATCH;

/// Lives or steps in a lap of a race: some milliseconds.
const STEPS: u64 = 200_000;
const LIVES: u64 = 20_000;
/// Units that callgrind counts, at a fiftieth of the speed.
const COUNTED: u64 = 5_000;
/// Processes of which the size is measured.
const SIZED: u64 = 100_000;

const PEERS: [&str; 2] = ["stakker", "local_set"];

/// From one state to the next.
pub fn process_step(plan: &Plan) -> Row {
    let limits = [Limit::Most(125.0), Limit::MostOf(1.35, "stakker")];
    counted(plan, "process_step", "step", &limits)
}

/// From birth to the answer: two states, one question to a service.
pub fn spawn_to_complete(plan: &Plan) -> Row {
    counted(plan, "spawn_to_complete", "spawn", &[Limit::Most(1850.0)])
}

fn counted(plan: &Plan, metric: &'static str, scenario: &str, limits: &[Limit]) -> Row {
    let count =
        |who: &str| if plan.counts { instructions(&format!("{who}-{scenario}"), COUNTED) } else { None };
    let peers = [("stakker", count("stakker")), ("local_set", count("local-set"))];
    let peers = peers.into_iter().filter_map(|(name, x)| Some((name, x?)));
    Row::new(metric, "instructions", count("ours"), peers, limits)
}

/// The same in time.
pub fn process_step_time(plan: &Plan) -> Row {
    let paces = race(
        plan.rounds,
        &mut [
            Lane::new("ours", || world(ours::World::new, |w| Lap::of(STEPS, || w.steps(STEPS)))),
            Lane::new("stakker", || world(raw::World::new, |w| Lap::of(STEPS, || w.steps(STEPS)))),
            Lane::new("local_set", || {
                world(local_set::World::new, |w| Lap::of(STEPS / 10, || w.steps(STEPS / 10)))
            }),
        ],
    );
    timed("process_step_time", paces, &[])
}

/// The same in time.
pub fn spawn_to_complete_time(plan: &Plan) -> Row {
    let well = |sum: i64| assert_eq!(sum, 10 * LIVES as i64, "a process did not end well");
    let paces = race(
        plan.rounds,
        &mut [
            Lane::new("ours", || {
                world(ours::World::new, |w| Lap::of(LIVES, || well(w.spawn_to_complete(LIVES, BATCH))))
            }),
            Lane::new("stakker", || {
                world(raw::World::new, |w| Lap::of(LIVES, || well(w.spawn_to_complete(LIVES, BATCH))))
            }),
            Lane::new("local_set", || {
                world(local_set::World::new, |w| Lap::of(LIVES, || well(w.spawn_to_complete(LIVES, BATCH))))
            }),
        ],
    );
    timed("spawn_to_complete_time", paces, &[Limit::Faster(12.0, "local_set")])
}

/// From the wish to go on to the answer, of processes that were paused.
pub fn resume_to_complete(plan: &Plan) -> Row {
    let all = |ended: u64| assert_eq!(ended, LIVES, "a process did not end");
    let paces = race(
        plan.rounds,
        &mut [
            Lane::new("ours", || {
                world(ours::World::new, |w| {
                    let paused = w.paused(LIVES);
                    Lap::of(LIVES, || all(w.resume_to_complete(&paused)))
                })
            }),
            Lane::new("stakker", || {
                world(raw::World::new, |w| {
                    let paused = w.paused(LIVES);
                    Lap::of(LIVES, || all(w.resume_to_complete(&paused)))
                })
            }),
            Lane::new("local_set", || {
                world(local_set::World::new, |w| {
                    let mut paused = w.paused(LIVES);
                    Lap::of(LIVES, || all(w.resume_to_complete(&mut paused)))
                })
            }),
        ],
    );
    let limit = Limit::Either(Box::new(Limit::Most(100.0)), Box::new(Limit::MostOf(1.4, "stakker")));
    timed("resume_to_complete", paces, &[limit])
}

/// What a watcher adds to a step, in percent. The peer sends a message to its watcher at every step.
pub fn watch_overhead(plan: &Plan) -> Row {
    let paces = race(
        plan.rounds,
        &mut [
            Lane::new("ours", || world(ours::World::new, |w| Lap::of(STEPS, || w.steps(STEPS)))),
            Lane::new("ours watched", || {
                world(ours::World::new, |w| Lap::of(STEPS, || assert!(w.watched_steps(STEPS) > 1)))
            }),
            Lane::new("stakker", || world(raw::World::new, |w| Lap::of(STEPS, || w.steps(STEPS)))),
            Lane::new("stakker watched", || {
                world(raw::World::new, |w| Lap::of(STEPS, || w.watched_steps(STEPS)))
            }),
        ],
    );
    let percent =
        |plain: usize, watched: usize| (paces[watched].1.least / paces[plain].1.least - 1.0) * 100.0;
    Row::new(
        "watch_overhead",
        "percent",
        Some(percent(0, 1)),
        [("stakker", percent(2, 3))],
        &[Limit::Most(8.0)],
    )
}

/// What a paused process takes, with its handle and its row in the table.
pub fn paused_process_bytes(_: &Plan) -> Row {
    let each = |bytes: isize| bytes as f64 / SIZED as f64;
    let ours = world(ours::World::new, |w| each(live_bytes_during(|| w.paused(SIZED))));
    let stakker = world(raw::World::new, |w| each(live_bytes_during(|| w.paused(SIZED))));
    let local_set = world(local_set::World::new, |w| each(live_bytes_during(|| w.paused(SIZED))));
    let peers = PEERS.into_iter().zip([stakker, local_set]);
    Row::new("paused_process_bytes", "bytes", Some(ours), peers, &[Limit::Most(160.0)])
}

fn timed(metric: &'static str, paces: Vec<(&'static str, Pace)>, limits: &[Limit]) -> Row {
    let least = |wanted: &str| paces.iter().find(|(name, _)| *name == wanted).map(|(_, pace)| pace.least);
    let peers = PEERS.into_iter().filter_map(|name| Some((name, least(name)?)));
    Row::new(metric, "ns", least("ours"), peers, limits)
}

/// A world lives for one lap only: with stakker's default features there can be one at a time.
fn world<W, T>(make: impl FnOnce() -> W, run: impl FnOnce(&mut W) -> T) -> T {
    run(&mut make())
}

//! Stories of hosts behind ssh: how often they are connected to, and what an outage of a night does to their jobs.

use procession::journal::{Desired, Stage};
use procession::pool::Rules;
use procession_tests::world::faults::{Faults, PerMille, SshFaults};
use procession_tests::world::{Setup, World, cast};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// So many jobs that last so long, on a host behind ssh where only that goes wrong which is said.
fn world(jobs: usize, lasts: u64, faults: Faults) -> World {
    let setup = Setup { ssh: Some(Rules::default()), faults, keep_story: true, ..Setup::quiet() };
    World::with_jobs(setup, (0..jobs).map(|n| cast::plain_job(n, "host-0", lasts, 0)))
}

/// Nothing goes wrong by chance, and there is time for a long story.
fn patient() -> Faults {
    Faults { late: Duration::from_secs(1)..=Duration::from_secs(20), calm_after: 12 * HOUR, ..Faults::NONE }
}

/// How many commands were sent to the host so far.
fn commands(world: &World) -> usize {
    let lines = world.shared.trace.lines();
    lines.iter().filter(|line| line.contains(" #") && line.contains(" sh -c SCRIPT")).count()
}

fn is_full() -> bool {
    std::env::var("PROCESSION_SIM").is_ok_and(|how| how == "full")
}

#[test]
fn five_hundred_jobs_on_a_host_are_three_connections_at_most() {
    let jobs = if is_full() { 500 } else { 100 };
    let mut world = world(jobs, 30, Faults::NONE);
    let ending = world.run();
    assert_eq!(ending.wrong, None);
    assert_eq!(world.oracle.count(Stage::Finished), jobs);
    assert!(world.hosts[0].knocks().len() <= 3, "{:?}", world.hosts[0].knocks());
}

#[test]
fn an_outage_of_ten_hours_is_one_try_at_a_time_and_all_go_on_by_themselves() {
    let mut world = world(40, 7200, patient());
    let (began, lasts) = (Duration::from_secs(600), 10 * HOUR);
    world.outage(began, 0, lasts);
    world.wish(began + 2 * HOUR, 3, Desired::Kill);
    world.wish(began + 2 * HOUR, 4, Desired::Pause);
    world.wish(began + 9 * HOUR, 4, Desired::Run);
    world.run_to(began + 2 * HOUR + Duration::from_secs(1));
    // Both take effect while nobody can be reached. What is killed is so only when nothing is left of it.
    assert_eq!([Stage::Killing, Stage::Paused].map(|stage| world.oracle.count(stage)), [1, 1]);
    let ending = world.run();
    assert_eq!(ending.wrong, None);
    assert_eq!([Stage::Killed, Stage::Finished].map(|stage| world.oracle.count(stage)), [1, 39]);
    let knocks: Vec<Duration> =
        world.hosts[0].knocks().into_iter().filter(|at| *at > began && *at < began + lasts).collect();
    let gaps: Vec<Duration> = knocks.windows(2).map(|two| two[1] - two[0]).collect();
    assert!((100..260).contains(&knocks.len()), "{} tries", knocks.len());
    assert!(gaps[10..].iter().all(|gap| *gap >= Duration::from_secs(128)), "{gaps:?}");
    assert!(ending.age < began + lasts + HOUR, "they went on when the host was back: {:?}", ending.age);
}

#[test]
fn a_second_factor_is_asked_for_once_and_then_all_go_on_by_themselves() {
    let ssh = SshFaults { locks: PerMille(1000), ..SshFaults::NONE };
    // Only the first try is refused by chance: afterwards it is calm.
    let faults = Faults { ssh, calm_after: Duration::from_secs(1), ..Faults::NONE };
    let mut world = world(20, 30, faults);
    let ending = world.run();
    assert_eq!(ending.wrong, None);
    assert_eq!(world.oracle.count(Stage::Finished), 20);
    assert_eq!(world.hosts[0].knocks().len(), 3, "one that was refused, and two sessions");
}

/// With so many live jobs: the commands that were sent in a quiet hour, and the tries in an hour of outage.
fn hours_of(jobs: usize) -> (usize, usize) {
    let mut world = world(jobs, 40_000, patient());
    world.run_to(HOUR);
    let before = commands(&world);
    world.run_to(2 * HOUR);
    let polls = commands(&world) - before;
    let knocks = world.hosts[0].knocks().len();
    world.outage(2 * HOUR, 0, HOUR);
    world.run_to(3 * HOUR);
    assert_eq!(world.oracle.wrong(), None);
    assert_eq!(world.oracle.ended(), 0, "all of them live");
    (polls, world.hosts[0].knocks().len() - knocks)
}

#[test]
fn many_jobs_are_polled_and_tried_for_as_one() {
    let (one, many) = (hours_of(1), hours_of(if is_full() { 100 } else { 30 }));
    assert!(many.0 <= one.0 + 1, "{} polls for many jobs, {} for one", many.0, one.0);
    assert!(many.1 <= one.1 + 4, "{} tries for many jobs, {} for one", many.1, one.1);
    assert!(one.0 > 50 && one.1 > 10, "{one:?}");
}

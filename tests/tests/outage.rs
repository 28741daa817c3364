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

/// How many commands that ask for the status of jobs were sent.
fn polls(world: &World) -> usize {
    world.shared.trace.lines().iter().filter(|line| line.contains("status") && line.contains(" #")).count()
}

#[test]
fn five_hundred_jobs_on_a_host_are_three_connections_at_most() {
    let mut world = world(500, 30, Faults::NONE);
    let ending = world.run();
    assert_eq!(ending.wrong, None);
    assert_eq!(world.oracle.count(Stage::Finished), 500);
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

#[test]
fn thousands_of_live_jobs_are_one_poll_and_one_try() {
    let jobs = if cfg!(debug_assertions) && !is_full() { 300 } else { 10_000 };
    let mut world = world(jobs, 20_000, patient());
    world.run_to(HOUR);
    assert_eq!(world.oracle.wrong(), None);
    let before = polls(&world);
    world.outage(HOUR, 0, HOUR);
    world.run_to(2 * HOUR);
    let knocks = world.hosts[0].knocks();
    assert_eq!(world.oracle.wrong(), None);
    println!("{before} polls, {} tries", knocks.len());
}

fn is_full() -> bool {
    std::env::var("PROCESSION_SIM").is_ok_and(|how| how == "full")
}

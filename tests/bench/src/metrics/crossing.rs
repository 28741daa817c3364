//! What a turn costs, and a way from another thread into one.

use super::Plan;
use crate::ours::{cross, memory};
use crate::peers::wake;
use crate::race::{Lane, Lap, race};
use crate::report::{Limit, Row};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

const TURNS: u64 = 100_000;
const TRIPS: u64 = 5_000;

/// A turn of a runtime that has nothing to do.
pub fn idle_turn(plan: &Plan) -> Row {
    let paces = race(
        plan.rounds,
        &mut [
            Lane::new("ours", || {
                let mut world = memory::World::new();
                world.turns();
                Lap::of(TURNS, || world.idle_turns(TURNS))
            }),
            Lane::new("stakker_mio", || wake::idle_turns(TURNS)),
        ],
    );
    let [ours, peer] = [paces[0].1.least, paces[1].1.least];
    Row::new("idle_turn", "ns", Some(ours), [("stakker_mio", peer)], &[Limit::Most(300.0)])
}

/// A question from another thread, and its answer. Both threads share one core: with two it would be measured how long a
/// core takes to wake up, which in a virtual machine is ten times all the rest, for us and for the peer.
pub fn cross_thread_round_trip(plan: &Plan) -> Row {
    let everywhere = sched_getaffinity(None).expect("a thread may ask where it runs");
    let mut one = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).find(|cpu| everywhere.is_set(*cpu)).unwrap_or(0);
    one.set(first);
    sched_setaffinity(None, &one).expect("a thread may stay on a core that it has");
    let paces = race(
        plan.rounds,
        &mut [
            Lane::new("ours", || cross::round_trips(TRIPS)),
            Lane::new("mutex_and_waker", || wake::bare(TRIPS)),
        ],
    );
    sched_setaffinity(None, &everywhere).expect("a thread may go back to where it was");
    let [ours, peer] = [paces[0].1.least, paces[1].1.least].map(|ns| ns / 1000.0);
    Row::new("cross_thread_round_trip", "µs", Some(ours), [("mutex_and_waker", peer)], &[Limit::Most(6.0)])
}

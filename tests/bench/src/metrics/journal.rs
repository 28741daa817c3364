//! What durability costs. The files lie in the folder for temporary files; where that is no disk, neither side waits for one.

use super::Plan;
use crate::ours::durable;
use crate::peers::rows::Rows;
use crate::race::{Lane, Lap, race};
use crate::report::{Limit, Row};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Live processes, and transitions of each.
const LIVE: u64 = 10_000;
const STEPS: u64 = 10;
/// Transitions where each waits for the disk.
const COMMITS: u64 = 300;
/// Processes that wait.
pub const WAITING: u64 = 100_000;

/// Transitions a second of ten thousand processes, all of them durable.
pub fn journal_transitions(plan: &Plan) -> Row {
    let paces = race(
        plan.rounds.min(5),
        &mut [
            Lane::new("ours", || fresh(|file| durable::transitions(&file, LIVE, STEPS))),
            Lane::new("commit_each", || {
                with_rows(LIVE, |rows| Lap::of(COMMITS, || written(rows.one_by_one(COMMITS))))
            }),
            Lane::new("batched", || {
                with_rows(LIVE, |rows| {
                    Lap::of(LIVE * STEPS, || (0..STEPS).for_each(|_| written(rows.batched(LIVE))))
                })
            }),
        ],
    );
    let a_second = |lane: usize| 1e9 / paces[lane].1.least;
    let peers = [("commit_each", a_second(1)), ("batched", a_second(2))];
    let limits = [Limit::LeastOf(20.0, "commit_each"), Limit::LeastOf(0.35, "batched")];
    Row::new("journal_transitions", "1/s", Some(a_second(0)), peers, &limits)
}

/// How long a transition takes when nothing else is written.
pub fn transition_latency(plan: &Plan) -> Row {
    let paces = race(
        plan.rounds,
        &mut [
            Lane::new("ours", || fresh(|file| durable::alone(&file, COMMITS))),
            Lane::new("commit", || {
                with_rows(1, |rows| Lap::of(COMMITS, || written(rows.one_by_one(COMMITS))))
            }),
        ],
    );
    let [ours, commit] = [paces[0].1.least, paces[1].1.least].map(|ns| ns / 1000.0);
    Row::new(
        "transition_latency",
        "µs",
        Some(ours),
        [("commit", commit)],
        &[Limit::MostOver(100.0, "commit")],
    )
}

/// From a file with a hundred thousand waiting processes to the moment when all of them wait again.
pub fn restore_100k(plan: &Plan) -> Row {
    let folder = TempDir::new().expect("a folder for temporary files");
    let written = folder.path().join("journal");
    durable::write_waiting(&written, WAITING);
    let paces = race(
        plan.rounds.min(3),
        &mut [
            Lane::new("ours", || durable::restore(&written, WAITING)),
            Lane::new("select", || {
                with_rows(WAITING, |rows| Lap::of(WAITING, || assert_eq!(rows.read_all(), Ok(WAITING))))
            }),
        ],
    );
    let [ours, select] = [paces[0].1.least, paces[1].1.least].map(|ns| ns * WAITING as f64 / 1e9);
    Row::new("restore_100k", "s", Some(ours), [("select", select)], &[Limit::Most(2.0)])
}

/// Memory above an empty runtime, in a program of its own, so that nothing that was freed before is used again.
pub fn waiting_100k_rss(_: &Plan) -> Row {
    let program = std::env::current_exe().expect("this program runs");
    let run = Command::new(program).args(["scenario", "waiting-rss", &WAITING.to_string()]).output();
    let said = String::from_utf8(run.expect("this program can be run").stdout).unwrap_or_default();
    let megabytes = said.trim().parse::<f64>().ok().map(|bytes| bytes / 1e6);
    Row::new("waiting_100k_rss", "MB", megabytes, [], &[Limit::Most(40.0)])
}

/// What the scenario prints for it.
pub fn print_waiting_rss(n: u64) {
    println!("{}", fresh(|file| durable::waiting_rss(&file, n)));
}

fn fresh<T>(run: impl FnOnce(PathBuf) -> T) -> T {
    let folder = TempDir::new().expect("a folder for temporary files");
    run(folder.path().join("journal"))
}

fn with_rows(live: u64, run: impl FnOnce(&mut Rows) -> Lap) -> Lap {
    fresh(|file| run(&mut Rows::create(&file, live).expect("the folder is new")))
}

fn written(result: rusqlite::Result<()>) {
    result.expect("the file can be written");
}

//! The stories of the simulated world: batch jobs, unchanged, among hosts and a journal that fail them.
//!
//! With `PROCESSION_SIM=full` there are ten thousand seeds, and a strike at every boundary, and every pair of strikes in
//! one story; without it a small part of them. A story that goes wrong prints the command that tells it again.

use procession::journal::{Crash, Desired};
use procession_tests::world::boundary::Strike;
use procession_tests::world::{Ending, Setup, World, cast};
use std::time::Duration;

/// How many seeds a full run tells.
const SEEDS: u64 = 10_000;

/// How many of them a quick one tells.
const QUICK_SEEDS: u64 = 100;

/// In a quick run one in so many strikes is tried; it shares no factor with the kinds of strikes.
const QUICK_STRIKES: usize = 11;

/// In a quick run one in so many pairs of strikes is tried.
const QUICK_PAIRS: usize = 40;

fn is_full() -> bool {
    std::env::var("PROCESSION_SIM").is_ok_and(|how| how == "full")
}

/// Does `story` for every item, on all cores if there may be several runtimes in a process; gives what went wrong.
fn each<T: Copy + Send + Sync>(items: &[T], story: impl Fn(T) -> Option<String> + Sync) -> Vec<String> {
    let several = cfg!(feature = "multi-runtime");
    let cores = if several { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    if cores == 1 {
        return items.iter().filter_map(|item| story(*item)).collect();
    }
    std::thread::scope(|scope| {
        let lane = |first: usize| {
            let story = &story;
            move || {
                items.iter().skip(first).step_by(cores).filter_map(|item| story(*item)).collect::<Vec<_>>()
            }
        };
        let lanes: Vec<_> = (0..cores).map(|first| scope.spawn(lane(first))).collect();
        lanes.into_iter().flat_map(|lane| lane.join().expect("a story does not panic")).collect()
    })
}

/// Fails with the first few things that went wrong, and how to see them again.
fn expect_none(wrong: Vec<String>) {
    let first: Vec<&String> = wrong.iter().take(5).collect();
    assert!(wrong.is_empty(), "{} stories went wrong:\n{first:#?}", wrong.len());
}

fn command(variables: &str) -> String {
    format!("{variables} cargo test -p procession-tests --test simulation told_again -- --nocapture")
}

/// The lives of a job in which a strike is put at every boundary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Plain,
    Retried,
    Queued,
    OverTime,
    Stashed,
    Killed,
    StubbornKilled,
    Paused,
}

impl Life {
    const ALL: [Life; 8] = [
        Life::Plain,
        Life::Retried,
        Life::Queued,
        Life::OverTime,
        Life::Stashed,
        Life::Killed,
        Life::StubbornKilled,
        Life::Paused,
    ];

    fn world(self, keep_story: bool) -> World {
        let setup = Setup { keep_story, ..Setup::quiet() };
        let host = "host-0";
        let at = |seconds| Duration::from_secs(seconds);
        match self {
            Life::Plain => World::with_job(setup, cast::plain_job(0, host, 10, 0)),
            Life::Retried => World::with_job(setup, cast::retried_job(0, host, 5, 3)),
            Life::Queued => World::with_job(Setup { at_once: 1, ..setup }, cast::plain_job(0, host, 10, 0)),
            Life::OverTime => World::with_job(setup, cast::long_job(0, host, 60, 10)),
            Life::Stashed => World::with_job(setup, cast::stashed_job(0, host, 5)),
            Life::Killed | Life::StubbornKilled => {
                let job = if self == Life::Killed { cast::plain_job } else { cast::stubborn_job };
                let mut world = World::with_job(setup, job(0, host, 60, 0));
                world.wish(at(10), 0, Desired::Kill);
                world
            }
            Life::Paused => {
                let mut world = World::with_job(setup, cast::plain_job(0, host, 20, 0));
                world.wish(at(3), 0, Desired::Pause);
                world.wish(at(15), 0, Desired::Run);
                world
            }
        }
    }
}

/// What goes wrong in a life.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Effect(u64, Strike),
    Journal(u64),
    Two([(u64, Strike); 2]),
}

fn tell(life: Life, wrong: Wrong, keep_story: bool) -> (World, Ending) {
    let mut world = life.world(keep_story);
    match wrong {
        Wrong::Effect(boundary, strike) => world.shared.boundaries.strike_at(boundary, strike),
        Wrong::Journal(boundary) => world.store.crash_at(Crash::at(boundary)),
        Wrong::Two(both) => {
            both.iter().for_each(|(boundary, strike)| world.shared.boundaries.strike_at(*boundary, *strike));
        }
    }
    let ending = world.run();
    (world, ending)
}

fn verdict(life: Life, wrong: Wrong) -> Option<String> {
    let why = tell(life, wrong, false).1.wrong?;
    Some(format!(
        "{life:?} {wrong:?}: {why}; {}",
        command(&format!("LIFE={life:?} STRIKES='{}'", written(wrong)))
    ))
}

fn written(wrong: Wrong) -> String {
    match wrong {
        Wrong::Effect(boundary, strike) => format!("{boundary}:{strike:?}"),
        Wrong::Journal(boundary) => format!("{boundary}:Journal"),
        Wrong::Two([a, b]) => format!("{}:{:?} {}:{:?}", a.0, a.1, b.0, b.1),
    }
}

fn read(text: &str) -> Wrong {
    let strikes: Vec<(u64, Option<Strike>)> = text
        .split(' ')
        .map(|word| {
            let (boundary, strike) = word.split_once(':').expect("BOUNDARY:STRIKE");
            let strike = Strike::ALL.into_iter().find(|s| format!("{s:?}") == strike);
            (boundary.parse().expect("a boundary is a number"), strike)
        })
        .collect();
    match strikes.as_slice() {
        [(boundary, None)] => Wrong::Journal(*boundary),
        [(boundary, Some(strike))] => Wrong::Effect(*boundary, *strike),
        [(a, Some(first)), (b, Some(second))] => Wrong::Two([(*a, *first), (*b, *second)]),
        other => panic!("these strikes make no story: {other:?}"),
    }
}

#[test]
fn a_quiet_job_runs_from_beginning_to_end() {
    for life in Life::ALL {
        let mut world = life.world(true);
        let ending = world.run();
        assert_eq!(ending.wrong, None, "{life:?}: {:#?}", world.shared.trace.lines());
        let started = world.shared.trace.lines().iter().filter(|line| line.ends_with("has started")).count();
        assert_eq!(started, if life == Life::Retried { 2 } else { 1 }, "{life:?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story_bit_for_bit() {
    for seed in 0..if is_full() { 200 } else { 10 } {
        let told = || {
            let mut world = World::new(Setup { keep_story: true, ..Setup::stormy(seed) });
            let ending = world.run();
            (ending.hash, world.shared.trace.lines())
        };
        let (first, second) = (told(), told());
        assert!(first.1.len() > 100, "there is a story to tell");
        assert_eq!(first, second, "{}", command(&format!("SEED={seed}")));
    }
}

#[test]
fn a_strike_at_any_boundary_of_a_life_breaks_no_promise() {
    let mut stories = Vec::new();
    for life in Life::ALL {
        let quiet = life.world(false).run();
        let effects = (0..quiet.effect_boundaries).flat_map(|b| Strike::ALL.map(|s| Wrong::Effect(b, s)));
        let journal = (0..quiet.journal_boundaries).map(Wrong::Journal);
        stories.extend(effects.chain(journal).map(|wrong| (life, wrong)));
    }
    let some = if is_full() { 1 } else { QUICK_STRIKES };
    let stories: Vec<(Life, Wrong)> = stories.into_iter().step_by(some).collect();
    println!("{} stories", stories.len());
    expect_none(each(&stories, |(life, wrong)| verdict(life, wrong)));
}

#[test]
fn two_strikes_in_one_life_break_no_promise() {
    let quiet = Life::Plain.world(false).run();
    let kinds = [
        (Strike::Crash, Strike::Kill),
        (Strike::Unreachable, Strike::Crash),
        (Strike::ReplyDropped, Strike::CrashAndHangUp),
    ];
    let pairs =
        (0..quiet.effect_boundaries).flat_map(|a| (a + 1..quiet.effect_boundaries).map(move |b| (a, b)));
    let stories: Vec<Wrong> =
        pairs.flat_map(|(a, b)| kinds.map(|(first, second)| Wrong::Two([(a, first), (b, second)]))).collect();
    let some = if is_full() { 1 } else { QUICK_PAIRS };
    let stories: Vec<Wrong> = stories.into_iter().step_by(some).collect();
    println!("{} stories", stories.len());
    expect_none(each(&stories, |wrong| verdict(Life::Plain, wrong)));
}

#[test]
fn whatever_goes_wrong_in_any_seed_no_promise_is_broken() {
    let seeds: Vec<u64> = (0..if is_full() { SEEDS } else { QUICK_SEEDS }).collect();
    println!("{} seeds", seeds.len());
    expect_none(each(&seeds, |seed| {
        let wrong = World::new(Setup::stormy(seed)).run().wrong?;
        Some(format!("seed {seed}: {wrong}; {}", command(&format!("SEED={seed}"))))
    }));
}

#[test]
fn a_story_is_told_again() {
    let variable = |name: &str| std::env::var(name).ok();
    let (lines, ending) = match (variable("SEED"), variable("LIFE"), variable("STRIKES")) {
        (Some(seed), _, _) => {
            let seed = seed.parse().expect("a seed is a number");
            let mut world = World::new(Setup { keep_story: true, ..Setup::stormy(seed) });
            let ending = world.run();
            (world.shared.trace.lines(), ending)
        }
        (None, Some(life), Some(strikes)) => {
            let life = Life::ALL.into_iter().find(|l| format!("{l:?}") == life).expect("one of the lives");
            let (world, ending) = tell(life, read(&strikes), true);
            (world.shared.trace.lines(), ending)
        }
        // Nobody asks for one.
        (None, _, _) => return,
    };
    lines.iter().for_each(|line| println!("{line}"));
    assert_eq!(ending.wrong, None, "{ending:?}");
}

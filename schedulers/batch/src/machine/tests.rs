//! The table, whole: every state with every input, written out and compared; and walks through a host that lies, loses
//! and comes late.

use super::{ASKS, CLEANS, COLLECTS, Ledger, MOST_LOSSES, Next, READS, Rules, TERMS, Thing, Verb, next};
use crate::dialect::{Cancelled, Found, JobId, Refusal, Status, Submitted};
use crate::{
    Answer, Attempt, Backoff, End, EndKind, Ending, Input, Last, Outcome, Retries, State, Then, Tidied,
    Uncollected, Verdict, Wish,
};
use procession::State as _;
use procession::journal::EffectEnd;
use procession::transport::TransportError;
use std::collections::{BTreeMap, BTreeSet};

const FIRST: Attempt = Attempt::FIRST;

fn job() -> JobId {
    JobId("7".into())
}

fn ending(end: End) -> Ending {
    Ending { end, started: None, over: None }
}

fn well() -> Ending {
    ending(End::Exited { code: 0 })
}

fn badly() -> Ending {
    ending(End::Exited { code: 3 })
}

fn outcome() -> Outcome {
    Outcome { attempt: 1, verdict: Verdict::Ran(well()), outputs: vec![] }
}

fn rules() -> Rules {
    Rules { retries: Retries { attempts: 2, on: vec![EndKind::Exit] }, ..Rules::default() }
}

fn states() -> Vec<State> {
    let reconciling = |wish, misses| State::Reconciling { attempt: FIRST, wish, misses };
    let seeking = |said, reads| State::Seeking { attempt: FIRST, job: job(), said, reads };
    let collecting = |ending, tries| State::Collecting { attempt: FIRST, ending, tries };
    let cancelling = |job, tries, then| State::Cancelling { attempt: FIRST, job, tries, then };
    let cleaning = |tries, then| State::Cleaning { attempt: FIRST, tries, then };
    let again = || Then::Again(FIRST.after_loss());
    let worn = Attempt { number: 9, failures: 0, losses: MOST_LOSSES - 1 };
    vec![
        State::Planned,
        State::Staging { attempt: FIRST },
        State::Submitting { attempt: FIRST },
        State::Submitting { attempt: worn },
        reconciling(Wish::Run, 0),
        reconciling(Wish::End, ASKS),
        State::Queued { attempt: FIRST, job: job(), reason: "priority".into() },
        State::Running { attempt: FIRST, job: job() },
        seeking(None, 0),
        seeking(None, READS),
        seeking(Some(End::OutOfMemory), READS),
        seeking(Some(End::Exited { code: 0 }), READS),
        collecting(well(), 0),
        collecting(well(), COLLECTS - 1),
        collecting(badly(), 0),
        State::Collecting { attempt: FIRST.after_failure(), ending: badly(), tries: 0 },
        cancelling(Some(job()), 0, Last::Collect(ending(End::Vanished))),
        cancelling(None, TERMS, Last::Clean(again())),
        cancelling(Some(job()), 1, Last::Clean(Then::Killed)),
        cleaning(0, again()),
        cleaning(CLEANS - 1, Then::Over(outcome())),
        cleaning(CLEANS - 1, Then::Killed),
        cleaning(0, Then::Late),
        State::Ended { outcome: outcome() },
        State::Killed,
    ]
}

fn inputs() -> Vec<Input> {
    let missing = Uncollected::Missing { pattern: "a".into() };
    let answers = [
        Answer::Begun,
        Answer::Staged(Ok(())),
        Answer::Staged(Err(TransportError::NoSpace("a".into()))),
        Answer::Submitted(Submitted::Accepted(job())),
        Answer::Submitted(Submitted::Unsure),
        Answer::Submitted(Submitted::Refused(Refusal::NoSandbox)),
        Answer::Submitted(Submitted::Refused(Refusal::NoSpace)),
        Answer::Found(Found::Known(job())),
        Answer::Found(Found::Absent),
        Answer::Found(Found::Fenced),
        Answer::Status(Status::Pending("other".into())),
        Answer::Status(Status::Running),
        Answer::Status(Status::Exited(None)),
        Answer::Status(Status::Exited(Some(End::Walltime))),
        Answer::Status(Status::Unknown),
        Answer::Evidence(Some(well())),
        Answer::Evidence(Some(badly())),
        Answer::Evidence(None),
        Answer::Collected(vec![], Ok(())),
        Answer::Collected(vec![], Err(missing)),
        Answer::Cancelled(Cancelled::Gone),
        Answer::Cancelled(Cancelled::Still),
        Answer::Tidied(Tidied::Removed),
        Answer::Tidied(Tidied::Kept),
        Answer::Tidied(Tidied::Stuck),
    ];
    let away = Input::HostAway(Backoff { failures: 1, jitter: 255 });
    answers.into_iter().map(Input::Answer).chain([away, Input::Kill]).collect()
}

/// What an entry is called in the table: short, so that a row is a line.
fn brief(thing: &impl std::fmt::Debug) -> String {
    let text = format!("{thing:?}");
    let replaced = [
        ("attempt: Attempt { number: 1, failures: 0, losses: 0 }", "#1"),
        ("attempt: Attempt { number: 2, failures: 1, losses: 0 }", "#2 failed 1"),
        ("attempt: Attempt { number: 9, failures: 0, losses: 15 }", "#9 lost 15"),
        ("Attempt { number: 2, failures: 1, losses: 0 }", "#2 failed 1"),
        ("Attempt { number: 2, failures: 0, losses: 1 }", "#2 lost 1"),
        ("JobId(\"7\")", "7"),
        ("Ending { end: ", ""),
        (", started: None, over: None }", ""),
        ("Outcome { attempt: 1, verdict: ", ""),
        (", outputs: [] }", ""),
        ("Exited { code: 0 }", "Exited 0"),
        ("Exited { code: 3 }", "Exited 3"),
    ];
    replaced.iter().fold(text, |text, (long, short)| text.replace(long, short))
}

fn table() -> String {
    let mut text = String::new();
    for state in states() {
        text += &format!("{}\n", brief(&state));
        let mut ignored = 0;
        for input in inputs() {
            let name = match &input {
                Input::Answer(answer) => brief(answer),
                Input::HostAway(_) => "HostAway".to_string(),
                Input::Kill => "Kill".to_string(),
            };
            let follows = next(state.clone(), input, &rules());
            if follows == (Next { state: state.clone(), wait: std::time::Duration::ZERO, ledger: vec![] }) {
                ignored += 1;
                continue;
            }
            let state = if follows.state == state { "same".to_string() } else { brief(&follows.state) };
            let wait =
                if follows.wait.is_zero() { String::new() } else { format!("  after {:?}", follows.wait) };
            let ledger: String = follows.ledger.iter().map(|note| format!("  {note:?}")).collect();
            text += &format!("    {name:<38} {state}{wait}{ledger}\n");
        }
        text += &format!("    all other {ignored} inputs: no change\n");
    }
    text
}

/// A change of the table is a change of this file, so that a reviewer sees all that it changes.
#[test]
fn every_state_with_every_input_is_as_it_was_decided() {
    let table = table();
    println!("{table}");
    let decided = include_str!("table.txt");
    assert!(
        table == decided,
        "the table has changed: compare the output of this test with src/machine/table.txt"
    );
}

#[test]
fn the_named_transitions_are_those_that_happen() {
    let mut happen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for state in states() {
        let follow = happen.entry(state.name()).or_default();
        follow.extend(inputs().into_iter().map(|input| next(state.clone(), input, &rules()).state.name()));
    }
    for edge in State::TABLE {
        let named: BTreeSet<&str> = edge.to.iter().copied().filter(|to| *to != "end").collect();
        assert_eq!(happen.remove(edge.from), Some(named), "{}", edge.from);
    }
    assert!(happen.is_empty());
}

#[test]
fn a_kill_that_is_repeated_changes_nothing() {
    for state in states() {
        let once = next(state, Input::Kill, &rules()).state;
        assert_eq!(next(once.clone(), Input::Kill, &rules()), Next::to(once));
    }
}

#[test]
fn a_host_that_is_away_changes_no_job() {
    for state in states() {
        for failures in [1, 5, u32::MAX] {
            let next = next(state.clone(), Input::HostAway(Backoff { failures, jitter: 7 }), &rules());
            assert_eq!((&next.state, next.ledger.len()), (&state, 0));
            assert!(next.wait >= Backoff::FIRST / 2 && next.wait <= Backoff::LONGEST);
        }
    }
}

#[test]
fn states_survive_the_journal() {
    for state in states() {
        let json = serde_json::to_string(&state).expect("written");
        assert_eq!(serde_json::from_str::<State>(&json).expect("read"), state, "{json}");
    }
}

/// A host as the machine may meet it: what was asked happens or not, and the answer comes or not.
#[derive(Default)]
struct World {
    sandboxes: BTreeMap<u32, Sandbox>,
    ledger: BTreeMap<(Thing, u32), Option<EffectEnd>>,
}

/// What is true of one attempt.
#[derive(Default)]
struct Sandbox {
    present: bool,
    begun: bool,
    id: bool,
    /// Made by the job, or by a fence.
    started: bool,
    alive: bool,
    starts: u32,
    exit: Option<End>,
}

struct Dice(u64);

impl Dice {
    /// One in so many; a linear congruential generator is random enough for a walk.
    fn one_in(&mut self, n: u64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).is_multiple_of(n)
    }
}

impl World {
    /// Time passes: jobs start, end, and are lost.
    fn pass(&mut self, dice: &mut Dice) {
        for sandbox in self.sandboxes.values_mut().filter(|s| s.alive) {
            if sandbox.starts == 0 {
                if dice.one_in(3) {
                    // The frame: whoever makes the folder first wins, and the other ends.
                    sandbox.alive = !std::mem::replace(&mut sandbox.started, true) && sandbox.present;
                    sandbox.starts += u32::from(sandbox.alive);
                }
            } else if dice.one_in(4) {
                sandbox.alive = false;
                let codes = [End::Exited { code: 0 }, End::Exited { code: 3 }, End::Signalled { signal: 9 }];
                let end = codes[usize::from(dice.one_in(2)) + usize::from(dice.one_in(3))].clone();
                // A node that dies leaves nothing.
                sandbox.exit = if dice.one_in(8) { None } else { Some(end) };
            }
        }
    }

    fn carry_out(&mut self, state: &State, verb: Verb, dice: &mut Dice) -> Answer {
        let number = attempt_of(state);
        self.check_rows(verb, number);
        let sandbox = self.sandboxes.entry(number).or_default();
        match verb {
            Verb::Begin => Answer::Begun,
            Verb::Stage => {
                sandbox.present = true;
                if dice.one_in(20) {
                    Answer::Staged(Err(TransportError::NoSpace("x".into())))
                } else {
                    Answer::Staged(Ok(()))
                }
            }
            Verb::Submit => Answer::Submitted(sandbox.submit(dice)),
            Verb::Ask | Verb::Fence => Answer::Found(sandbox.find(verb == Verb::Fence)),
            Verb::Follow | Verb::LookUp => Answer::Status(sandbox.status(dice)),
            Verb::ReadEvidence => Answer::Evidence(sandbox.exit.clone().map(ending)),
            Verb::Collect if dice.one_in(5) => {
                Answer::Collected(vec![], Err(Uncollected::Missing { pattern: "a".into() }))
            }
            Verb::Collect => Answer::Collected(vec![], Ok(())),
            Verb::Cancel(_) => {
                (sandbox.begun, sandbox.started) = (true, true);
                let there = std::mem::replace(&mut sandbox.alive, false);
                Answer::Cancelled(if there { Cancelled::Still } else { Cancelled::Gone })
            }
            Verb::Remove if dice.one_in(4) => Answer::Tidied(Tidied::Stuck),
            Verb::Remove => {
                sandbox.present = false;
                Answer::Tidied(Tidied::Removed)
            }
            Verb::Keep | Verb::Stash => Answer::Tidied(Tidied::Kept),
            Verb::Finish | Verb::Die => unreachable!("these end the walk"),
        }
    }

    /// Nothing is made on the host before the ledger has it.
    fn check_rows(&self, verb: Verb, number: u32) {
        let open = |thing| self.ledger.get(&(thing, number)) == Some(&None);
        match verb {
            Verb::Stage => assert!(open(Thing::Folder), "a folder without a row"),
            Verb::Submit => assert!(open(Thing::Folder) && open(Thing::Job), "a job without a row"),
            Verb::Begin | Verb::Ask | Verb::Fence | Verb::Follow | Verb::ReadEvidence | Verb::LookUp => {}
            Verb::Collect | Verb::Cancel(_) | Verb::Remove | Verb::Keep | Verb::Stash => {}
            Verb::Finish | Verb::Die => {}
        }
    }

    fn note(&mut self, note: Ledger) {
        match note {
            Ledger::Open(thing, number) => {
                let before = self.ledger.insert((thing, number), None);
                assert_eq!(before, None, "an attempt is made once");
            }
            Ledger::Close(thing, number, end) => {
                let row = self.ledger.get_mut(&(thing, number)).expect("what ends was begun");
                row.get_or_insert(end);
            }
        }
    }

    fn check(&self) {
        for (number, sandbox) in &self.sandboxes {
            assert!(sandbox.starts <= 1, "attempt {number} was started {} times", sandbox.starts);
        }
        assert!(self.sandboxes.values().filter(|s| s.alive).count() <= 1, "two attempts at once");
    }
}

impl Sandbox {
    fn submit(&mut self, dice: &mut Dice) -> Submitted {
        if !self.present || dice.one_in(40) {
            // Somebody purged the scratch disk.
            self.present = false;
            return Submitted::Refused(Refusal::NoSandbox);
        }
        if self.id {
            return Submitted::Accepted(job());
        }
        if std::mem::replace(&mut self.begun, true) {
            return Submitted::Unsure;
        }
        // It may die between any two of its steps.
        self.alive = !dice.one_in(6);
        self.id = self.alive && !dice.one_in(6);
        if self.id { Submitted::Accepted(job()) } else { Submitted::Unsure }
    }

    fn find(&mut self, close: bool) -> Found {
        if !self.present || !std::mem::replace(&mut self.begun, true) {
            return Found::Fenced;
        }
        if self.id || self.alive {
            return Found::Known(job());
        }
        if !close {
            return Found::Absent;
        }
        self.started = true;
        Found::Fenced
    }

    fn status(&self, dice: &mut Dice) -> Status {
        match (self.alive, self.starts) {
            // A listing may be late.
            _stale if dice.one_in(6) => Status::Unknown,
            (true, 0) => Status::Pending("waits".into()),
            (true, _) => Status::Running,
            (false, _) if dice.one_in(2) => Status::Exited(Some(End::Exited { code: 0 })),
            (false, _) => Status::Unknown,
        }
    }
}

fn attempt_of(state: &State) -> u32 {
    match state {
        State::Planned | State::Killed => 0,
        State::Staging { attempt } | State::Submitting { attempt } | State::Reconciling { attempt, .. } => {
            attempt.number
        }
        State::Queued { attempt, .. } | State::Running { attempt, .. } | State::Seeking { attempt, .. } => {
            attempt.number
        }
        State::Collecting { attempt, .. } | State::Cancelling { attempt, .. } => attempt.number,
        State::Cleaning { attempt, .. } => attempt.number,
        State::Ended { outcome } => outcome.attempt,
    }
}

fn walk(seed: u64) -> (World, State) {
    let (mut world, mut dice, mut state) = (World::default(), Dice(seed), State::Planned);
    let rules = rules();
    let mut killed = false;
    // Far more steps than any life needs: a walk that is longer goes in circles.
    for _ in 0..5_000 {
        let verb = state.verb(&rules);
        if matches!(verb, Verb::Finish | Verb::Die) {
            return (world, state);
        }
        world.pass(&mut dice);
        let happens = !dice.one_in(5);
        let answer = happens.then(|| world.carry_out(&state, verb, &mut dice));
        world.check();
        killed |= dice.one_in(60);
        // The process gives a kill to each state that it enters while it is being killed.
        let input = match answer.filter(|_| !dice.one_in(5)) {
            _wish if killed && dice.one_in(2) => Input::Kill,
            Some(answer) => Input::Answer(answer),
            None => Input::HostAway(Backoff { failures: 1, jitter: 0 }),
        };
        let follows = next(state, input, &rules);
        follows.ledger.into_iter().for_each(|note| world.note(note));
        state = follows.state;
    }
    panic!("seed {seed} never ends: {state:?}");
}

#[test]
fn whatever_the_host_does_nothing_starts_twice_and_success_has_evidence() {
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..20_000 {
        let (world, state) = walk(seed);
        assert!(!world.sandboxes.values().any(|s| s.alive), "seed {seed}: something runs on");
        assert!(
            world.ledger.values().all(Option::is_some),
            "seed {seed}: a row without an end: {:?}",
            world.ledger
        );
        let word = match &state {
            State::Ended { outcome } if outcome.is_success() => {
                let exit = &world.sandboxes[&outcome.attempt].exit;
                assert_eq!(
                    exit.as_ref(),
                    Some(&End::Exited { code: 0 }),
                    "seed {seed}: success without evidence"
                );
                "success".to_string()
            }
            State::Ended { outcome } => outcome.to_string(),
            state => {
                assert_eq!(*state, State::Killed);
                assert!(
                    !world.sandboxes.values().any(|s| s.present),
                    "seed {seed}: killed, and something is left"
                );
                "killed".to_string()
            }
        };
        *ends.entry(word).or_default() += 1;
    }
    for word in ["success", "killed", "exited with 3", "vanished without evidence of its end"] {
        assert!(ends.contains_key(word), "the walks never met {word:?}: {ends:?}");
    }
}

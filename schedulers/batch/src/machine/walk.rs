//! Walks through a host that lies, loses and comes late: whatever it does, the promises of the machine hold.

use super::{Ledger, Rules, Thing, Verb, next};
use crate::dialect::{Cancelled, Found, JobId, Refusal, Status, Submitted};
use crate::monitor::Alarm;
use crate::{Answer, Backoff, End, EndKind, Ending, Input, Proof, Retries, Said, State, Tidied, Uncollected};
use procession::journal::EffectEnd;
use procession::transport::TransportError;
use std::collections::BTreeMap;

fn job() -> JobId {
    JobId("7".into())
}

fn ending(end: End) -> Ending {
    Ending { end, started: None, over: None, tasks: vec![] }
}

fn rules() -> Rules {
    Rules { retries: Retries { attempts: 2, on: vec![EndKind::Exit] }, ..Rules::default() }
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
        let number = state.attempt().map_or(0, |attempt| attempt.number);
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
            Verb::Follow if matches!(state, State::Running { .. }) && dice.one_in(40) => {
                Answer::Alarm(Alarm {
                    attempt: number,
                    monitor: 0,
                    message: "NaN".into(),
                    line: "NaN".into(),
                })
            }
            Verb::Follow | Verb::LookUp => Answer::Status(sandbox.status(dice)),
            Verb::ReadEvidence => Answer::Evidence(match sandbox.exit.clone() {
                Some(end) => Proof::Whole(ending(end)),
                None => Proof::Part(vec![]),
            }),
            Verb::Collect if dice.one_in(5) => {
                Answer::Collected(vec![], Err(Uncollected::Unseen { pattern: "a".into() }))
            }
            Verb::Collect => Answer::Collected(vec![], Ok(())),
            Verb::Cancel(_) => {
                sandbox.begun = true;
                let was_started = std::mem::replace(&mut sandbox.started, true);
                let there = std::mem::replace(&mut sandbox.alive, false);
                Answer::Cancelled(match (there, was_started) {
                    (true, _) => Cancelled::Still,
                    (false, true) => Cancelled::Gone,
                    (false, false) => Cancelled::Never,
                })
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
            (false, _) if dice.one_in(2) => Status::Exited(Said::of(End::Exited { code: 0 })),
            (false, _) => Status::Unknown,
        }
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

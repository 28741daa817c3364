//! The table, whole: every state with every input, written out and compared.

use super::{ASKS, CLEANS, COLLECTS, EXPLAINS, MOST_LOSSES, Next, READS, Rules, STAGES, TERMS, next};
use crate::dialect::{Cancelled, Found, JobId, Refusal, Status, Submitted};
use crate::monitor::Alarm;
use crate::{
    Answer, Attempt, Backoff, End, EndKind, Ending, Input, Last, Outcome, Proof, Retries, Said, State, Then,
    Tidied, Uncollected, Verdict, Wish,
};
use procession::State as _;
use procession::transport::TransportError;
use std::collections::{BTreeMap, BTreeSet};

const FIRST: Attempt = Attempt::FIRST;

fn job() -> JobId {
    JobId("7".into())
}

fn ending(end: End) -> Ending {
    Ending { end, started: None, over: None, tasks: vec![] }
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
    let seeking = |end, reads| State::Seeking {
        attempt: FIRST,
        job: job(),
        said: Said { end, ..Said::default() },
        reads,
    };
    let collecting = |ending, tries| State::Collecting { attempt: FIRST, ending, tries };
    let cancelling = |job, tries, then| State::Cancelling { attempt: FIRST, job, tries, then };
    let cleaning = |tries, then| State::Cleaning { attempt: FIRST, tries, then };
    let again = || Then::Again(FIRST.after_loss());
    let worn = Attempt { number: 9, failures: 0, losses: MOST_LOSSES - 1 };
    vec![
        State::Planned,
        State::Staging { attempt: FIRST, tries: 0 },
        State::Staging { attempt: FIRST, tries: STAGES - 1 },
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
        seeking(Some(End::CancelledElsewhere { by: None }), 0),
        seeking(Some(End::CancelledElsewhere { by: None }), EXPLAINS),
        collecting(well(), 0),
        collecting(well(), COLLECTS - 1),
        collecting(badly(), 0),
        State::Collecting { attempt: FIRST.after_failure(), ending: badly(), tries: 0 },
        cancelling(Some(job()), 0, Last::Collect(ending(End::Vanished))),
        cancelling(Some(job()), 0, Last::Collect(ending(End::CancelledElsewhere { by: None }))),
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
    let unseen = Uncollected::Unseen { pattern: "a".into() };
    let answers = [
        Answer::Begun,
        Answer::Staged(Ok(())),
        Answer::Staged(Err(TransportError::NoSpace("a".into()))),
        Answer::Staged(Err(TransportError::NotFound("a".into()))),
        Answer::Submitted(Submitted::Accepted(job())),
        Answer::Submitted(Submitted::Unsure),
        Answer::Submitted(Submitted::Refused(Refusal::NoSandbox)),
        Answer::Submitted(Submitted::Refused(Refusal::NoSpace)),
        Answer::Found(Found::Known(job())),
        Answer::Found(Found::Absent),
        Answer::Found(Found::Fenced),
        Answer::Status(Status::Pending("other".into())),
        Answer::Status(Status::Running),
        Answer::Status(Status::Exited(Said::default())),
        Answer::Status(Status::Exited(Said::of(End::Walltime))),
        Answer::Status(Status::Unknown),
        Answer::Alarm(Alarm { attempt: 1, monitor: 0, message: "it diverged".into(), line: "NaN".into() }),
        Answer::Evidence(Proof::Whole(well())),
        Answer::Evidence(Proof::Whole(badly())),
        Answer::Evidence(Proof::Part(vec![])),
        Answer::Collected(vec![], Ok(())),
        Answer::Collected(vec![], Err(missing)),
        Answer::Collected(vec![], Err(unseen)),
        Answer::Cancelled(Cancelled::Gone),
        Answer::Cancelled(Cancelled::Never),
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
        ("Said { end: None, tasks: {} }", "nothing"),
        ("Said { end: Some(", "("),
        ("), tasks: {} }", ")"),
        (", started: None, over: None, tasks: [] }", ""),
        ("Outcome { attempt: 1, verdict: ", ""),
        (", outputs: [] }", ""),
        ("Alarm(Alarm { attempt: 1, monitor: 0, message: \"it diverged\", line: \"NaN\" })", "Alarm"),
        ("StoppedByMonitor { message: \"it diverged\", line: \"NaN\" }", "StoppedByMonitor"),
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

#[test]
fn an_output_over_its_limit_is_told_at_once() {
    let why = Uncollected::Transport(TransportError::TooLarge { path: "out".into(), limit: 7 });
    let state = State::Collecting { attempt: FIRST, ending: well(), tries: 0 };
    let told = next(state, Input::Answer(Answer::Collected(vec![], Err(why.clone()))), &rules());
    let verdict = Verdict::Incomplete { ending: well(), why };
    let over = Then::Over(Outcome { attempt: 1, verdict, outputs: vec![] });
    assert_eq!(told.state, State::Cleaning { attempt: FIRST, tries: 0, then: over });
    assert!(told.wait.is_zero());
}

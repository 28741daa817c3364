//! The machine of a batch job: what it does next, as a function of its state and of what it hears.
//!
//! ```text
//!  Planned ─▶ Staging ─staged─▶ Submitting ─accepted─▶ Queued ─▶ Running
//!                ▲                  │    ▲               │          │
//!                │                  │    └ reply lost:   └────┬─────┘ ended, or not known any more
//!                │           unsure │      submit again       ▼
//!                │                  ▼                      Seeking ─ runs after all ─▶ Queued, Running
//!         another attempt     Reconciling ─known─▶ Queued   │    │
//!                │                  │                       │    │ no evidence, and the grace is over
//!                │                  │ fenced       evidence │    ▼
//!                │                  │                       │  Cancelling ◀─ Kill, refused
//!                │                  │                       ▼    │ gone
//!                │                  │                  Collecting◀┤
//!                │                  ▼                       │    │
//!                └───────────── Cleaning ◀──────────────────┴────┘
//!                                   └─▶ Ended, Killed
//! ```
//!
//! It knows no actor, no clock, no socket and no random number; the process of the job drives it. Each state has one
//! [`Verb`]: the process carries it out whenever it enters the state, also after a pause or a restart, and gives the
//! answer to [`next`]. So every verb must be harmless when it is done twice, and none is undone by forgetting it.
//!
//! Three promises live here. A job is submitted anew only if the last attempt can never start. Success needs the exit
//! file. `Killed` is reached only through `Cleaning`, when nothing of the job runs and its sandbox is gone.

mod judgement;
mod limits;
mod next;
#[cfg(test)]
mod tests;
mod verb;
#[cfg(test)]
mod walk;

pub use limits::{
    ASK_APART, ASKS, CANCEL_APART, CLEAN_APART, CLEANS, COLLECT_APART, COLLECTS, EXPLAINS, LATE_APART,
    LONGEST, MOST_LOSSES, READ_APART, READS, Rules, STAGE_APART, STAGES, TERMS,
};
pub use next::{Ledger, Next, Thing};
pub use verb::Verb;

use crate::dialect::{Cancelled, Found, JobId, Refusal, Status, Submitted};
use crate::input::{Answer, Input, Tidied, doubled};
use crate::monitor::Alarm;
use crate::outcome::{Outcome, Uncollected, Verdict};
use crate::planted;
use crate::state::State::{
    Cancelling, Cleaning, Collecting, Ended, Killed, Planned, Queued, Reconciling, Running, Seeking, Staging,
    Submitting,
};
use crate::state::{Attempt, Ending, Last, State, Then, Unrun, Wish};
use crate::{End, Fetched, Proof, Said};
use judgement::{is_loss, may_pass, proven, unproven};
use procession::journal::EffectEnd;
use procession::transport::TransportError;

/// What follows from hearing `input` in `state`. This is the table: no pair is left to chance, and a state or an answer
/// that is new does not compile until somebody has decided what it means everywhere.
#[rustfmt::skip] // A row is a line.
pub fn next(state: State, input: Input, rules: &Rules) -> Next {
    let answer = match input {
        Input::Answer(answer) => answer,
        Input::Kill => return on_kill(state),
        // It says nothing about the job. A submission without an answer is repeated too: the host knows if it has it.
        Input::HostAway(backoff) => return Next::stay(state, backoff.delay()),
    };
    match (state, answer) {
        (Planned, Answer::Begun) => begin(Attempt::FIRST),
        (Staging { attempt, tries }, Answer::Staged(sent)) => on_staged(attempt, tries, sent),
        (Submitting { attempt }, Answer::Submitted(how)) => on_submitted(attempt, how),
        (Reconciling { attempt, wish, misses }, Answer::Found(found)) => on_found(attempt, wish, misses, found),
        (Reconciling { attempt, wish, .. }, Answer::Submitted(Submitted::Accepted(job))) => arrived(attempt, wish, job),
        (Queued { attempt, job, .. } | Running { attempt, job }, Answer::Status(word)) => on_status(attempt, job, word),
        (Running { attempt, job }, Answer::Alarm(alarm)) => on_alarm(attempt, job, alarm),
        (Seeking { attempt, job, said, reads }, Answer::Evidence(proof)) =>
            on_evidence(attempt, job, said, reads, proof, rules),
        (Seeking { attempt, job, said, reads }, Answer::Status(word)) => on_word(attempt, job, said, reads, word),
        (Collecting { attempt, ending, tries }, Answer::Collected(files, all)) =>
            on_collected(attempt, ending, tries, files, all, rules),
        (Cancelling { attempt, job, tries, then }, Answer::Cancelled(how)) => on_cancelled(attempt, job, tries, then, how),
        (Cleaning { attempt, tries, then }, Answer::Tidied(how)) => on_tidied(attempt, tries, then, how),
        // A submission that we gave up on was accepted after all: it must not run on unseen.
        (Cleaning { attempt, then, .. }, Answer::Submitted(Submitted::Accepted(job))) =>
            Next::to(Cancelling { attempt, job: Some(job), tries: 0, then: Last::Clean(then) }),
        // An answer that this state did not ask for belongs to a state that was left. It changes nothing.
        (state @ (Planned | Staging { .. } | Submitting { .. } | Reconciling { .. } | Queued { .. } | Running { .. }
            | Seeking { .. } | Collecting { .. } | Cancelling { .. } | Cleaning { .. } | Ended { .. } | Killed),
            Answer::Begun | Answer::Staged(_) | Answer::Submitted(_) | Answer::Found(_) | Answer::Status(_) | Answer::Alarm(_)
            | Answer::Evidence(_) | Answer::Collected(..) | Answer::Cancelled(_) | Answer::Tidied(_)) => Next::to(state),
    }
}

/// From every state there is a way to `Killed`, and it leads past everything that may exist on the host.
fn on_kill(state: State) -> Next {
    let cancel = |attempt, job| {
        Next::to(Cancelling { attempt, job: Some(job), tries: 0, then: Last::Clean(Then::Killed) })
    };
    match state {
        Planned => Next::to(Killed),
        // It may be there or not: that comes first.
        Submitting { attempt } => Next::to(Reconciling { attempt, wish: Wish::End, misses: 0 }),
        Reconciling { attempt, misses, wish: _ } => {
            Next::to(Reconciling { attempt, wish: Wish::End, misses })
        }
        Queued { attempt, job, .. } | Running { attempt, job } | Seeking { attempt, job, .. } => {
            cancel(attempt, job)
        }
        Cancelling { attempt, job, tries, then: _ } => {
            Next::to(Cancelling { attempt, job, tries, then: Last::Clean(Then::Killed) })
        }
        // Nothing of the job runs in these. But a file that is on its way would make the sandbox anew.
        Staging { attempt, tries: _ } => clean(attempt, Then::Late),
        Collecting { attempt, .. } => clean(attempt, Then::Killed),
        Cleaning { then: Then::Killed | Then::Late, .. } => Next::to(state),
        Cleaning { attempt, tries, then: Then::Again(_) } => {
            Next::to(Cleaning { attempt, tries, then: Then::Killed })
        }
        // It may be on its way to where it was to stay.
        Cleaning { attempt, tries, then: Then::Over(_) } => {
            Next::to(Cleaning { attempt, tries, then: Then::Late })
        }
        // It was over before the wish came.
        Ended { .. } | Killed => Next::to(state),
    }
}

fn on_staged(attempt: Attempt, tries: u32, sent: Result<(), TransportError>) -> Next {
    match sent {
        Ok(()) => Next::to(Submitting { attempt }).open(Thing::Job, attempt),
        // What a session that was cut had begun may go on for a moment, and be in the way of the next one.
        Err(why) if tries + 1 < STAGES && may_pass(&why) => {
            Next::stay(Staging { attempt, tries: tries + 1 }, doubled(STAGE_APART, tries, LONGEST))
        }
        Err(why) => clean(attempt, unrun(attempt, Unrun::Unstaged(why))),
    }
}

fn on_submitted(attempt: Attempt, how: Submitted) -> Next {
    // A refusal comes from one command; an earlier one for this attempt may still arrive. Cancelling shuts the door.
    let refused = |then| Next::to(Cancelling { attempt, job: None, tries: 0, then: Last::Clean(then) });
    match how {
        Submitted::Accepted(job) => arrived(attempt, Wish::Run, job),
        Submitted::Unsure => Next::to(Reconciling { attempt, wish: Wish::Run, misses: 0 }),
        Submitted::Refused(Refusal::NoSandbox) => refused(lost(attempt)),
        Submitted::Refused(
            why @ (Refusal::NoSpace
            | Refusal::NoSlots
            | Refusal::NoProgram(_)
            | Refusal::Account(_)
            | Refusal::Queue(_)
            | Refusal::Request(_)
            | Refusal::TooMany(_)
            | Refusal::Scheduler(_)),
        ) => refused(unrun(attempt, Unrun::Refused(why))),
    }
}

fn on_found(attempt: Attempt, wish: Wish, misses: u32, found: Found) -> Next {
    let never = |then| clean(attempt, then).close(Thing::Job, attempt, EffectEnd::Never);
    match (found, wish) {
        (Found::Known(job), wish) => arrived(attempt, wish, job),
        (Found::Absent, wish) => {
            Next::stay(Reconciling { attempt, wish, misses: misses.saturating_add(1) }, ASK_APART)
        }
        (Found::Fenced, Wish::Run) => never(lost(attempt)),
        (Found::Fenced, Wish::End) => never(Then::Killed),
    }
}

fn arrived(attempt: Attempt, wish: Wish, job: JobId) -> Next {
    match wish {
        Wish::Run => Next::to(Queued { attempt, job, reason: String::new() }),
        Wish::End => {
            Next::to(Cancelling { attempt, job: Some(job), tries: 0, then: Last::Clean(Then::Killed) })
        }
    }
}

fn on_status(attempt: Attempt, job: JobId, status: Status) -> Next {
    match status {
        // Also when it ran: its node failed, and the scheduler put it back into the queue.
        Status::Pending(reason) => Next::to(Queued { attempt, job, reason }),
        Status::Running => Next::to(Running { attempt, job }),
        Status::Exited(said) => Next::to(Seeking { attempt, job, said, reads: 0 }),
        Status::Unknown => Next::to(Seeking { attempt, job, said: Said::default(), reads: 0 }),
    }
}

/// It is ended, and what it left is fetched: its owner wants to see why.
fn on_alarm(attempt: Attempt, job: JobId, alarm: Alarm) -> Next {
    let Alarm { message, line, .. } = alarm;
    let end = End::StoppedByMonitor { message, line };
    let ending = Ending { end, started: None, over: None, tasks: Vec::new() };
    Next::to(Cancelling { attempt, job: Some(job), tries: 0, then: Last::Collect(ending) })
}

fn on_evidence(attempt: Attempt, job: JobId, said: Said, reads: u32, proof: Proof, rules: &Rules) -> Next {
    let over = |ending| {
        Next::to(Collecting { attempt, ending, tries: 0 }).close(Thing::Job, attempt, EffectEnd::Over)
    };
    match proof {
        // How it ended is known. Who has cancelled it, accounting may still tell.
        Proof::Whole(ending)
            if !ending.end.is_success() && said.is_cancelled_by_nobody() && reads < EXPLAINS =>
        {
            look_again(attempt, job, said, reads)
        }
        Proof::Whole(ending) => over(proven(ending, &said)),
        Proof::Part(_) if planted::is(planted::Planted::AbsenceMeansFinished) => {
            over(Ending { end: End::Exited { code: 0 }, started: None, over: None, tasks: Vec::new() })
        }
        Proof::Part(_) if reads < READS => look_again(attempt, job, said, reads),
        // The grace is over. Wherever it is, it must not go on unseen.
        Proof::Part(left) => {
            let ending = unproven(left, &said, rules.tasks);
            Next::to(Cancelling { attempt, job: Some(job), tries: 0, then: Last::Collect(ending) })
        }
    }
}

fn on_word(attempt: Attempt, job: JobId, said: Said, reads: u32, status: Status) -> Next {
    match status {
        Status::Pending(_) | Status::Running => on_status(attempt, job, status),
        Status::Exited(word) => look_again(attempt, job, said.and(word), reads),
        Status::Unknown => look_again(attempt, job, said, reads),
    }
}

fn look_again(attempt: Attempt, job: JobId, said: Said, reads: u32) -> Next {
    let state = Seeking { attempt, job, said, reads: reads.saturating_add(1) };
    Next::stay(state, doubled(READ_APART, reads, LONGEST))
}

fn on_collected(
    attempt: Attempt,
    ending: Ending,
    tries: u32,
    files: Vec<Fetched>,
    all: Result<(), Uncollected>,
    rules: &Rules,
) -> Next {
    match all {
        Ok(()) => settled(attempt, Verdict::Ran(ending), files, rules),
        // A job that failed need not have made its outputs.
        Err(_) if !ending.end.is_success() => settled(attempt, Verdict::Ran(ending), files, rules),
        // Time makes nothing smaller.
        Err(why @ Uncollected::Transport(TransportError::TooLarge { .. })) => {
            settled(attempt, Verdict::Incomplete { ending, why }, files, rules)
        }
        // It may come yet: file systems show late what others wrote, and disks that are full are tidied.
        Err(Uncollected::Unseen { .. } | Uncollected::Shorter { .. } | Uncollected::Transport(_))
            if tries + 1 < COLLECTS =>
        {
            let state = Collecting { attempt, ending, tries: tries + 1 };
            Next::stay(state, doubled(COLLECT_APART, tries, LONGEST))
        }
        Err(why) => settled(attempt, Verdict::Incomplete { ending, why }, files, rules),
    }
}

fn on_cancelled(attempt: Attempt, job: Option<JobId>, tries: u32, then: Last, how: Cancelled) -> Next {
    match (how, then) {
        // It was accepted, and the scheduler has lost it before it could start: a controller that crashed forgets jobs.
        (Cancelled::Never, Last::Collect(Ending { end, .. })) if is_loss(&end) => {
            clean(attempt, lost(attempt)).close(Thing::Job, attempt, EffectEnd::Never)
        }
        (Cancelled::Gone | Cancelled::Never, then) => {
            let never = job.is_none() || how == Cancelled::Never;
            let end = if never { EffectEnd::Never } else { EffectEnd::Undone };
            let next = match then {
                Last::Collect(ending) => Next::to(Collecting { attempt, ending, tries: 0 }),
                Last::Clean(then) => clean(attempt, then),
            };
            next.close(Thing::Job, attempt, end)
        }
        (Cancelled::Still, then) => {
            let state = Cancelling { attempt, job, tries: tries.saturating_add(1), then };
            Next::stay(state, doubled(CANCEL_APART, tries, LONGEST))
        }
    }
}

fn on_tidied(attempt: Attempt, tries: u32, then: Then, how: Tidied) -> Next {
    let again = |then| {
        let state = Cleaning { attempt, tries: tries.saturating_add(1), then };
        Next::stay(state, doubled(CLEAN_APART, tries, LONGEST))
    };
    match (how, then) {
        (Tidied::Removed, Then::Late) => {
            Next::stay(Cleaning { attempt, tries: 0, then: Then::Killed }, LATE_APART)
        }
        (Tidied::Removed, then @ (Then::Again(_) | Then::Over(_) | Then::Killed)) => {
            after(then).close(Thing::Folder, attempt, EffectEnd::Undone)
        }
        (Tidied::Kept, then @ Then::Over(_)) => after(then).close(Thing::Folder, attempt, EffectEnd::Kept),
        // An outcome does not wait for ever for somebody's open file. The ledger says that the folder is still there.
        (Tidied::Stuck, then @ Then::Over(_)) if tries + 1 >= CLEANS => {
            after(then).close(Thing::Folder, attempt, EffectEnd::Kept)
        }
        (Tidied::Stuck, then @ Then::Over(_)) => again(then),
        // A later kill means that nothing at all is left, so an attempt is gone before the next one is made.
        (Tidied::Kept | Tidied::Stuck, then @ (Then::Again(_) | Then::Killed | Then::Late)) => again(then),
    }
}

fn begin(attempt: Attempt) -> Next {
    Next::to(Staging { attempt, tries: 0 }).open(Thing::Folder, attempt)
}

fn clean(attempt: Attempt, then: Then) -> Next {
    Next::to(Cleaning { attempt, tries: 0, then })
}

fn after(then: Then) -> Next {
    match then {
        Then::Again(attempt) => begin(attempt),
        Then::Over(outcome) => Next::to(Ended { outcome }),
        Then::Killed | Then::Late => Next::to(Killed),
    }
}

/// The host lost an attempt that never ran. The owner's retries are not touched by that.
fn lost(attempt: Attempt) -> Then {
    let again = attempt.after_loss();
    if again.losses < MOST_LOSSES { Then::Again(again) } else { unrun(attempt, Unrun::Lost(again.losses)) }
}

/// The job has ended, and its files are here or never will be.
fn settled(attempt: Attempt, verdict: Verdict, outputs: Vec<Fetched>, rules: &Rules) -> Next {
    let retry = match &verdict {
        Verdict::Ran(ending) => ending.end.kind().is_some_and(|kind| rules.retries.on.contains(&kind)),
        Verdict::Incomplete { .. } | Verdict::Unrun(_) => false,
    };
    if retry && attempt.failures + 1 < rules.retries.attempts {
        return clean(attempt, Then::Again(attempt.after_failure()));
    }
    clean(attempt, Then::Over(Outcome { attempt: attempt.number, verdict, outputs }))
}

fn unrun(attempt: Attempt, why: Unrun) -> Then {
    Then::Over(Outcome { attempt: attempt.number, verdict: Verdict::Unrun(why), outputs: Vec::new() })
}

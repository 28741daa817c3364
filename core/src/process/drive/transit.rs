//! A transition: a state is left, the change is durable, the next state is entered.

use super::tell::tell;
use super::walk::settle;
use crate::ProcessId;
use crate::journal::{Desired, Entry, Stage};
use crate::process::life::{Life, Marks};
use crate::process::row::{Kept, Pending};
use crate::process::{Fault, Outcome, OutcomeOf, Process, Remains, State};
use stakker::CX;

/// Leaves the present state for another stage or state. Whether that was entered at once; if not, the journal comes first.
#[inline(always)]
pub(super) fn transit<P: Process>(this: &mut P, cx: CX![P], stage: Stage, state: Option<P::State>) -> bool {
    let life = this.life();
    leave(life);
    if life.marks.any(Marks::DURABLE) {
        write(this, cx, stage, state);
        return false;
    }
    enter(life, cx, stage, state);
    true
}

/// Lets the journal have a transition.
fn write<P: Process>(this: &mut P, cx: CX![P], stage: Stage, state: Option<P::State>) {
    let life = this.life();
    let (desired, at) = (life.desired, life.kernel().wall());
    let written = match state.as_ref().map(serde_json::to_string).transpose() {
        Ok(json) => json.map(|json| (P::State::VERSION, json)),
        Err(e) => {
            let why = format!("its state cannot be written as JSON: {e}");
            return end(this, cx, Outcome::Failed(Fault::Unreadable { why }));
        }
    };
    commit(life, Pending::Enter(stage, state), |id, seq| Entry::Step {
        id,
        seq,
        stage,
        desired,
        state: written,
        at,
    });
}

/// Ends the process.
pub(super) fn end<P: Process>(this: &mut P, cx: CX![P], outcome: OutcomeOf<P>) {
    let life = this.life();
    leave(life);
    life.desire_children(Desired::Kill);
    match life.marks.any(Marks::DURABLE) {
        true => write_end(life, outcome),
        false => end_now(life, cx, outcome),
    }
}

/// Lets the journal have the end.
fn write_end<P: Process>(life: &mut Life<P>, outcome: OutcomeOf<P>) {
    let at = life.kernel().wall();
    let (outcome, json) = match outcome_json(&outcome) {
        Ok(json) => (outcome, json),
        Err(why) => {
            let lost: OutcomeOf<P> = Outcome::Failed(Fault::Unreadable { why });
            let json = outcome_json(&lost).unwrap_or_default();
            (lost, json)
        }
    };
    let stage = outcome.stage();
    commit(life, Pending::End(Box::new(outcome)), |id, seq| Entry::End { id, seq, stage, outcome: json, at });
}

/// The output or the fault, as it stands in the journal.
fn outcome_json<O: serde::Serialize>(outcome: &Outcome<O>) -> Result<Option<String>, String> {
    let json = match outcome {
        Outcome::Finished(output) => serde_json::to_string(output),
        Outcome::Failed(fault) => serde_json::to_string(fault),
        Outcome::Killed => return Ok(None),
    };
    json.map(Some).map_err(|e| format!("it cannot be written as JSON: {e}"))
}

/// Hands a transition to the journal, together with the ledger entries that were noted for it.
fn commit<P: Process>(life: &mut Life<P>, pending: Pending<P>, entry: impl FnOnce(ProcessId, u64) -> Entry) {
    let noted = life.more(|more| {
        more.seq += 1;
        more.pending = Some(pending);
        Some((entry(more.id?, more.seq), std::mem::take(&mut more.ledger)))
    });
    let Some((entry, ledger)) = noted.flatten() else { return };
    life.marks.set(Marks::COMMITTING);
    life.kernel().write(life.slot(), ledger.into_iter().chain([entry]));
}

/// The transition is in the journal: now it is true.
pub(super) fn on_durable<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    life.marks.clear(Marks::COMMITTING);
    match life.more(|more| more.pending.take()).flatten() {
        Some(Pending::Enter(stage, state)) => {
            enter(life, cx, stage, state);
            settle(this, cx);
        }
        Some(Pending::End(outcome)) => end_now(life, cx, *outcome),
        None => {}
    }
}

/// Ends an epoch: answers that are on their way are late from now on, and what was held is dropped.
#[inline]
pub(super) fn leave<P: Process>(life: &mut Life<P>) {
    life.epoch = life.epoch.wrapping_add(1);
    if life.marks.any(Marks::HOLDING) {
        drop_guards(life);
    }
    life.marks.clear(Marks::DRIVEN.and(Marks::HOLDING));
}

#[inline(never)]
fn drop_guards<P: Process>(life: &Life<P>) {
    let is_guard = |kept: &Kept<P>| matches!(kept, Kept::Guard(_));
    drop(life.more(|more| more.kept.take_out(is_guard)));
}

#[inline]
fn enter<P: Process>(life: &mut Life<P>, cx: CX![P], stage: Stage, state: Option<P::State>) {
    life.stage = stage;
    if let Some(state) = state {
        life.state = state;
    }
    tell(life, cx);
}

#[inline(always)]
pub(super) fn enter_end<P: Process>(
    life: &mut Life<P>,
    cx: CX![P],
    stage: Stage,
    remains: Remains<P::Output>,
) {
    life.stage = stage;
    // Said before there is other work: what is read as soon as it is written has to be waited for.
    cx.stop();
    life.desk.ended(life.place, remains);
}

fn end_now<P: Process>(life: &mut Life<P>, cx: CX![P], outcome: OutcomeOf<P>) {
    enter_end(life, cx, outcome.stage(), outcome.into());
}

//! Carries out what [`table`](super::table) decides: the only place that calls `advance`, `clean` and the replies.
//!
//! Every entry point runs inside the process's own actor, so nothing here is ever re-entered. A transition goes through
//! three moments: the state is left (its epoch ends, what it held is dropped), the transition is durable, the new state
//! is entered (watchers hear of it, and it is driven).

use super::life::{Kept, Life, Marks, More, Pending};
use super::state::{END, is_named};
use super::step::{Step, Word, state_name};
use super::table::{self, Verdict};
use super::{Fault, Outcome, OutcomeOf, PhaseOf, Process, State};
use crate::journal::{Desired, Entry, Stage};
use crate::planted;
use crate::runtime::Slot;
use stakker::{CX, Fwd, Ret};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a process can be told from outside its own code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Poke {
    /// Go on: it waited in the backlog for this turn, or was restored just now.
    Drive,
    /// Its transition is durable.
    Durable,
    /// Its owner wants this.
    Desire(Desired),
    /// Make one step, or ask again for what you wait for.
    Nudge,
    /// A child has ended.
    ChildEnded,
    /// A child that it depends on did not finish.
    ChildFailed,
}

pub(crate) fn on_poke<P: Process>(this: &mut P, cx: CX![P], poke: Poke) {
    match poke {
        Poke::Drive => {
            this.life().marks.clear(Marks::QUEUED);
            settle(this, cx);
        }
        Poke::Durable => on_durable(this, cx),
        Poke::Desire(desired) => on_desire(this, cx, desired),
        Poke::Nudge => on_nudge(this, cx),
        Poke::ChildEnded => on_child_ended(this, cx),
        Poke::ChildFailed => on_child_failed(this, cx),
    }
}

/// Whether a build that checks finds a transition that the table does not name.
#[inline]
fn is_off_table<P: Process>(life: &Life<P>, state: &P::State) -> bool {
    cfg!(debug_assertions) && !is_named(P::State::TABLE, life.state.name(), state.name())
}

/// The process said something with its step.
pub(super) fn on_word<P: Process>(this: &mut P, cx: CX![P], epoch: u32, word: Word<P>) {
    let life = this.life();
    if life.epoch != epoch || life.marks.any(Marks::COMMITTING) {
        return on_late(this, "a step");
    }
    match table::judge(life.stage, word.said()) {
        Verdict::Enter(stage) => {
            let Word::To(state) = word else { return };
            if is_off_table(life, &state) {
                let fault = Fault::OffTable { from: state_name(life), to: state.name().into() };
                return end(this, cx, Outcome::Failed(fault));
            }
            transit(this, cx, stage, Some(state));
        }
        Verdict::End(_) => {
            let outcome = match word {
                Word::Finish(output) => Outcome::Finished(output),
                Word::Killed => Outcome::Killed,
                Word::Fail(fault) => Outcome::Failed(*fault),
                Word::Abandon | Word::To(_) => Outcome::Failed(Fault::Abandoned { state: state_name(life) }),
            };
            let fault = match &outcome {
                Outcome::Finished(_) if cfg!(debug_assertions) => off_table(life),
                Outcome::Finished(_) | Outcome::Killed | Outcome::Failed(_) => None,
            };
            end(this, cx, fault.map_or(outcome, Outcome::Failed));
        }
        Verdict::NotAsked => {
            let fault = Fault::NotAsked { state: state_name(life) };
            end(this, cx, Outcome::Failed(fault));
        }
        Verdict::Late => on_late(this, "a step"),
    }
}

fn off_table<P: Process>(life: &Life<P>) -> Option<Fault> {
    let from = life.state.name();
    let named = is_named(P::State::TABLE, from, END) || life.stage == Stage::Killing;
    (!named).then(|| Fault::OffTable { from: from.into(), to: END.into() })
}

#[cold]
pub(super) fn on_late<P: Process>(this: &mut P, what: &str) {
    let life = this.life();
    log::debug!("{}: {what} came for a state that was left already; dropped", life.title());
}

/// Whether a reply of this epoch is still wanted.
#[inline]
pub(super) fn is_current<P: Process>(this: &mut P, epoch: u32) -> bool {
    let life = this.life();
    let current = life.epoch == epoch || planted::is(planted::Planted::EpochIgnored);
    current && !life.marks.any(Marks::COMMITTING)
}

/// Calls a method of the author's with a fresh step, and hears what it says.
pub(super) fn hear<P: Process>(this: &mut P, cx: CX![P], call: impl FnOnce(&mut P, CX![P], Step<P>)) {
    let life = this.life();
    let (epoch, step) = (life.epoch, Step::new(life, life.desk.open()));
    guarded(this, cx, epoch, |this, cx| call(this, cx, step));
    if let Some(word) = this.life().desk.close() {
        on_word(this, cx, epoch, word);
    }
}

/// Calls the author's code. A panic in it becomes the fault of this process.
#[inline]
fn guarded<P: Process>(this: &mut P, cx: CX![P], epoch: u32, call: impl FnOnce(&mut P, CX![P])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(this, cx))) {
        on_panic(this, cx, epoch, panic);
    }
}

#[cold]
fn on_panic<P: Process>(this: &mut P, cx: CX![P], epoch: u32, panic: Box<dyn std::any::Any + Send>) {
    let fault = Fault::Panicked { state: state_name(this.life()), message: panic_text(panic) };
    log::error!("{}: {fault}", this.life().title());
    on_word(this, cx, epoch, Word::Fail(Box::new(fault)));
}

/// What a panic said.
pub(crate) fn panic_text(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other.downcast::<&'static str>().map_or("(no message)".into(), |text| (*text).into()),
    }
}

/// Leaves the present state for another stage or state.
fn transit<P: Process>(this: &mut P, cx: CX![P], stage: Stage, state: Option<P::State>) {
    leave(this.life());
    if !this.life().marks.any(Marks::DURABLE) {
        enter(this.life(), cx, stage, state);
        return settle(this, cx);
    }
    let life = this.life();
    let (desired, at, slot) = (life.desired, life.kernel().wall(), life.slot);
    let Some(id) = life.id() else { return };
    let written = match state.as_ref().map(serde_json::to_string).transpose() {
        Ok(json) => json.map(|json| (P::State::VERSION, json)),
        Err(e) => {
            let why = format!("its state cannot be written as JSON: {e}");
            return end(this, cx, Outcome::Failed(Fault::Unreadable { why }));
        }
    };
    let more = life.more();
    more.seq += 1;
    let step = Entry::Step { id, seq: more.seq, stage, desired, state: written, at };
    more.pending = Some(Pending::Enter(stage, state));
    commit(life, step, slot);
}

/// Ends the process.
fn end<P: Process>(this: &mut P, cx: CX![P], outcome: OutcomeOf<P>) {
    leave(this.life());
    let life = this.life();
    life.kernel().desire_children(life.slot, Desired::Kill);
    if !life.marks.any(Marks::DURABLE) {
        return enter_end(this, cx, outcome);
    }
    let (at, slot) = (life.kernel().wall(), life.slot);
    let Some(id) = life.id() else { return };
    let (outcome, json) = match outcome_json(&outcome) {
        Ok(json) => (outcome, json),
        Err(why) => {
            let lost: OutcomeOf<P> = Outcome::Failed(Fault::Unreadable { why });
            let json = outcome_json(&lost).unwrap_or_default();
            (lost, json)
        }
    };
    let more = life.more();
    more.seq += 1;
    let entry = Entry::End { id, seq: more.seq, stage: outcome.stage(), outcome: json, at };
    more.pending = Some(Pending::End(Box::new(outcome)));
    commit(life, entry, slot);
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
fn commit<P: Process>(life: &mut Life<P>, entry: Entry, slot: Slot) {
    life.marks.set(Marks::COMMITTING);
    let ledger = std::mem::take(&mut life.more().ledger);
    life.kernel().write(slot, ledger.into_iter().chain([entry]));
}

/// The transition is in the journal: now it is true.
fn on_durable<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    life.marks.clear(Marks::COMMITTING);
    match life.more.as_mut().and_then(|more| more.pending.take()) {
        Some(Pending::Enter(stage, state)) => {
            enter(life, cx, stage, state);
            settle(this, cx);
        }
        Some(Pending::End(outcome)) => enter_end(this, cx, *outcome),
        None => {}
    }
}

/// Ends an epoch: answers that are on their way are late from now on, and what was held is dropped.
#[inline]
fn leave<P: Process>(life: &mut Life<P>) {
    life.epoch = life.epoch.wrapping_add(1);
    if life.marks.any(Marks::HOLDING)
        && let Some(more) = &mut life.more
    {
        more.kept.retain(|kept| !matches!(kept, Kept::Guard(_)));
    }
    life.marks.clear(Marks::DRIVEN.and(Marks::HOLDING));
}

#[inline]
fn enter<P: Process>(life: &mut Life<P>, cx: CX![P], stage: Stage, state: Option<P::State>) {
    life.stage = stage;
    if let Some(state) = state {
        life.state = state;
    }
    if life.more.is_some() {
        tell(life, cx);
    }
}

/// Lets the watchers know, once for each burst of transitions: they see the latest phase, not each one between.
fn tell<P: Process>(life: &mut Life<P>, cx: CX![P]) {
    let Some(more) = &life.more else { return };
    if life.marks.any(Marks::TELLING) || !more.kept.iter().any(|kept| matches!(kept, Kept::Watcher(_))) {
        return;
    }
    life.marks.set(Marks::TELLING);
    let actor = cx.this().clone();
    cx.lazy(move |s| {
        actor.apply(s, |this, _| {
            let life = this.life();
            life.marks.clear(Marks::TELLING);
            let phase = life.phase();
            if let Some(more) = &life.more {
                tell_watchers(&more.kept, &phase);
            }
        });
    });
}

/// Compares what is with what is desired, and moves on if they differ; else drives the state.
fn settle<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    if life.marks.any(Marks::COMMITTING) {
        return;
    }
    match table::next(life.stage, life.desired) {
        Some(stage) => {
            if stage == Stage::Killing {
                life.kernel().desire_children(life.slot, Desired::Kill);
            }
            transit(this, cx, stage, None);
        }
        None => drive(this, cx),
    }
}

/// Calls `advance` or `clean`, if this turn still has room for a step.
#[inline]
fn drive<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    let killing = match life.stage {
        Stage::Running => false,
        Stage::Killing => true,
        Stage::Created | Stage::Paused | Stage::Finished | Stage::Killed | Stage::Failed => return,
    };
    if life.marks.any(Marks::QUEUED.and(Marks::DRIVEN)) {
        return;
    }
    if killing && life.kernel().has_live_children(life.slot) {
        life.marks.set(Marks::OUTLIVED);
        return;
    }
    let waits_for_nudge = life.marks.any(Marks::STEPWISE) && !killing;
    if waits_for_nudge && !life.kernel().has_nudge(life.slot) {
        return;
    }
    call_author(this, cx);
}

/// How many states a process may walk through before the messages of others are read.
const STATES_IN_A_ROW: u32 = 64;

/// Calls `advance` or `clean`, and again for each state that it goes on to at once, as long as this turn has room.
fn call_author<P: Process>(this: &mut P, cx: CX![P]) {
    for _ in 0..STATES_IN_A_ROW {
        let life = this.life();
        if !life.kernel().take_step() {
            life.marks.set(Marks::QUEUED);
            return life.kernel().queue(life.slot);
        }
        // Only a step that is taken uses up its nudge.
        if life.marks.any(Marks::STEPWISE) {
            life.kernel().take_nudge(life.slot);
        }
        life.marks.set(Marks::DRIVEN);
        let (epoch, killing, state) = (life.epoch, life.stage == Stage::Killing, life.state.clone());
        let step = Step::new(life, life.desk.open());
        guarded(this, cx, epoch, move |this, cx| {
            if killing { this.clean(cx, state, step) } else { this.advance(cx, state, step) }
        });
        let life = this.life();
        match life.desk.close() {
            None => return,
            // The common case by itself: nothing stands between this word and the next state.
            Some(Word::To(state))
                if life.epoch == epoch && life.walks_freely() && !is_off_table(life, &state) =>
            {
                leave(life);
                life.state = state;
                if life.more.is_some() {
                    tell(life, cx);
                }
            }
            Some(word) => return on_word(this, cx, epoch, word),
        }
    }
    let life = this.life();
    life.marks.set(Marks::QUEUED);
    life.kernel().poke_now(life.slot, Poke::Drive);
}

fn enter_end<P: Process>(this: &mut P, cx: CX![P], outcome: OutcomeOf<P>) {
    let life = this.life();
    life.stage = outcome.stage();
    let mut parent = None;
    if let Some(mut more) = life.more.take() {
        parent = more.parent;
        tell_end(&mut more, &outcome);
    }
    life.kernel().clone().ended::<P>(life.slot, outcome, parent);
    cx.stop();
}

/// Tells everybody who waits for the end of a process.
pub(super) fn tell_end<P: Process>(more: &mut More<P>, outcome: &OutcomeOf<P>) {
    let kept = std::mem::take(&mut more.kept);
    tell_watchers(&kept, &outcome.clone().into());
    for kept in kept {
        match kept {
            Kept::Waiter(waiter) => waiter.ret(outcome.clone()),
            Kept::Guard(guard) => drop(guard),
            Kept::Watcher(watcher) => drop(watcher),
        }
    }
}

fn tell_watchers<P: Process>(kept: &[Kept<P>], phase: &PhaseOf<P>) {
    for kept in kept {
        match kept {
            Kept::Watcher(watcher) => watcher.fwd(phase.clone()),
            Kept::Guard(_) | Kept::Waiter(_) => {}
        }
    }
}

fn on_desire<P: Process>(this: &mut P, cx: CX![P], wish: Desired) {
    let life = this.life();
    let desired = table::merge(life.desired, wish);
    if desired == life.desired || life.stage.is_end() {
        return;
    }
    life.desired = desired;
    let moves_now = !life.marks.any(Marks::COMMITTING) && table::next(life.stage, desired).is_some();
    // A desire that leads to a transition is written with it; any other is written by itself, so that it survives.
    if life.marks.any(Marks::DURABLE) && !moves_now {
        write_desire(life);
    }
    if moves_now {
        settle(this, cx);
    }
}

fn write_desire<P: Process>(life: &mut Life<P>) {
    let Some(id) = life.id() else { return };
    // While a transition is on its way, its stage is the one that the journal has next.
    let (stage, ending) = match life.more.as_ref().and_then(|m| m.pending.as_ref()) {
        Some(Pending::Enter(stage, _)) => (*stage, false),
        Some(Pending::End(_)) => (life.stage, true),
        None => (life.stage, false),
    };
    if ending {
        return;
    }
    let (desired, at) = (life.desired, life.kernel().wall());
    let more = life.more();
    more.seq += 1;
    let entry = Entry::Step { id, seq: more.seq, stage, desired, state: None, at };
    life.kernel().note(entry);
}

fn on_nudge<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    if life.marks.any(Marks::COMMITTING) || life.marks.any(Marks::QUEUED) || life.stage != Stage::Running {
        return;
    }
    if !life.marks.any(Marks::STEPWISE) {
        life.kernel().drop_nudges(life.slot);
        leave(life);
    }
    drive(this, cx);
}

fn on_child_ended<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    if life.marks.any(Marks::OUTLIVED) && !life.kernel().has_live_children(life.slot) {
        life.marks.clear(Marks::OUTLIVED);
        settle(this, cx);
    }
}

fn on_child_failed<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    if life.stage != Stage::Running || life.marks.any(Marks::COMMITTING) {
        return;
    }
    if let Some((key, why)) = life.kernel().take_child_fault(life.slot) {
        let epoch = life.epoch;
        on_word(this, cx, epoch, Word::Fail(Box::new(Fault::Child { key, why })));
    }
}

/// Begins to tell `watcher` of the phases: of the present one at once.
pub(super) fn on_watch<P: Process>(this: &mut P, _: CX![P], watcher: Fwd<PhaseOf<P>>) {
    let life = this.life();
    watcher.fwd(life.phase());
    life.more().kept.push(Kept::Watcher(watcher));
}

pub(super) fn on_outcome<P: Process>(this: &mut P, _: CX![P], waiter: Ret<OutcomeOf<P>>) {
    this.life().more().kept.push(Kept::Waiter(waiter));
}

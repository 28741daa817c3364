//! Carries out what [`table`](super::table) decides: the only place that calls `advance`, `clean` and the replies.
//!
//! Every entry point runs inside the process's own actor, so nothing here is ever re-entered. A transition goes through
//! three moments: the state is left (its epoch ends, what it held is dropped), the transition is durable, the new state
//! is entered (watchers hear of it, and it is driven).

mod tell;
mod transit;
mod walk;
mod wish;

pub(super) use tell::{on_watch, tell_end};

use super::life::{Life, Marks};
use super::state::{END, is_named};
use super::step::{Step, Word, state_name};
use super::table::{self, Verdict};
use super::{Fault, Outcome, Process, State};
use crate::journal::{Desired, Stage};
use crate::planted;
use stakker::CX;
use std::panic::{AssertUnwindSafe, catch_unwind};
use transit::{end, on_durable, transit};
use walk::{goes_on, heed_apart, on_turn, settle, walk};
use wish::{on_child_ended, on_child_failed, on_desire, on_nudge};

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

#[inline(always)]
pub(crate) fn on_poke<P: Process>(this: &mut P, cx: CX![P], poke: Poke) {
    // What most are told, by itself.
    if let Poke::Desire(desired) = poke {
        return on_desire(this, cx, desired);
    }
    on_other_poke(this, cx, poke);
}

#[inline(never)]
fn on_other_poke<P: Process>(this: &mut P, cx: CX![P], poke: Poke) {
    match poke {
        Poke::Drive => on_turn(this, cx),
        Poke::Durable => on_durable(this, cx),
        Poke::Desire(desired) => on_desire(this, cx, desired),
        Poke::Nudge => on_nudge(this, cx),
        Poke::ChildEnded => on_child_ended(this, cx),
        Poke::ChildFailed => on_child_failed(this, cx),
    }
}

/// Whether a build that checks finds a transition that the table does not name.
#[inline]
fn is_off_table<P: Process>(life: &Life<P>, to: &str) -> bool {
    cfg!(debug_assertions) && !is_named(P::State::TABLE, life.state.name(), to)
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
            if is_off_table(life, state.name()) {
                let fault = Fault::OffTable { from: state_name(life), to: state.name().into() };
                return end(this, cx, Outcome::Failed(fault));
            }
            if transit(this, cx, stage, Some(state)) {
                settle(this, cx);
            }
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

/// Calls a method of the author's with a fresh step, and goes where it says.
pub(super) fn hear<P: Process>(this: &mut P, cx: CX![P], call: impl FnOnce(&mut P, CX![P], Step<P>)) {
    let epoch = this.life().epoch;
    guarded(this, cx, epoch, |this, cx| {
        let step = Step::new(this.life());
        call(this, cx, step);
    });
    if goes_on(this, cx, |this, cx, word| heed_apart(this, cx, epoch, word)) {
        walk(this, cx);
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

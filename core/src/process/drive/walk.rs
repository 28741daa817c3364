//! Calls of the author's code, as long as the turn has room.

use super::tell::tell;
use super::transit::{end, leave, transit};
use super::{END, Poke, guarded, is_off_table, on_word};
use crate::journal::{Desired, Stage};
use crate::process::life::Marks;
use crate::process::step::{Step, Word};
use crate::process::{Outcome, Process, State, table};
use stakker::CX;

/// Compares what is with what is desired, and moves on as long as they differ; then drives the state.
pub(super) fn settle<P: Process>(this: &mut P, cx: CX![P]) {
    loop {
        let life = this.life();
        if life.marks.any(Marks::COMMITTING) {
            return;
        }
        let Some(stage) = table::next(life.stage, life.desired) else { return drive(this, cx) };
        if stage == Stage::Killing {
            life.kernel().desire_children(life.slot(), Desired::Kill);
        }
        if !transit(this, cx, stage, None) {
            return;
        }
    }
}

/// Calls `advance` or `clean`, if this turn still has room for a step.
#[inline]
pub(super) fn drive<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    let killing = match life.stage {
        Stage::Running => false,
        Stage::Killing => true,
        Stage::Created | Stage::Paused | Stage::Finished | Stage::Killed | Stage::Failed => return,
    };
    if life.marks.any(Marks::QUEUED.and(Marks::DRIVEN)) {
        return;
    }
    if killing && life.kernel().has_live_children(life.slot()) {
        life.marks.set(Marks::OUTLIVED);
        return;
    }
    let waits_for_nudge = life.marks.any(Marks::STEPWISE) && !killing;
    if waits_for_nudge && !life.desk.has_nudge(life.place) {
        return;
    }
    walk(this, cx);
}

/// How many states a process may walk through before the messages of others are read.
const STATES_IN_A_ROW: u32 = 64;

/// Calls `advance` or `clean`, and again for each state that it goes on to at once, as long as this turn has room.
pub(super) fn walk<P: Process>(this: &mut P, cx: CX![P]) {
    for _ in 0..STATES_IN_A_ROW {
        let life = this.life();
        if !life.kernel().take_step() {
            life.marks.set(Marks::QUEUED);
            return life.kernel().queue(life.slot());
        }
        // Only a step that is taken uses up its nudge.
        if life.marks.any(Marks::STEPWISE) {
            life.desk.take_nudge(life.place);
        }
        life.marks.set(Marks::DRIVEN);
        let (epoch, killing, state) = (life.epoch, life.stage == Stage::Killing, life.state.clone());
        let step = Step::new(life, life.desk.open());
        guarded(this, cx, epoch, move |this, cx| {
            if killing { this.clean(cx, state, step) } else { this.advance(cx, state, step) }
        });
        if !goes_on(this, cx, epoch) {
            return;
        }
    }
    let life = this.life();
    life.marks.set(Marks::QUEUED);
    life.kernel().poke_now(life.slot(), Poke::Drive);
}

/// Hears the word that a call has left. Whether the process went on at once, to a state that is to be driven now.
#[inline(always)]
pub(super) fn goes_on<P: Process>(this: &mut P, cx: CX![P], epoch: u32) -> bool {
    let life = this.life();
    match life.desk.close_call() {
        None => false,
        // The common case by itself: nothing stands between this word and the next state.
        Some(Word::To(state))
            if life.epoch == epoch && life.walks_freely() && !is_off_table(life, state.name()) =>
        {
            leave(life);
            life.state = state;
            tell(life, cx);
            true
        }
        Some(word) => {
            heed(this, cx, epoch, word);
            false
        }
    }
}

/// The second most common case by itself: it ends, and nothing stands in the way.
fn heed<P: Process>(this: &mut P, cx: CX![P], epoch: u32, word: Word<P>) {
    let life = this.life();
    match word {
        Word::Finish(output) if life.epoch == epoch && life.walks_freely() && !is_off_table(life, END) => {
            end(this, cx, Outcome::Finished(output));
        }
        word => on_word(this, cx, epoch, word),
    }
}

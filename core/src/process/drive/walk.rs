//! Calls of the author's code, as long as the turn has room.

use super::tell::tell;
use super::transit::{enter_end, leave, transit};
use super::{END, Poke, guarded, is_off_table, on_word};
use crate::journal::{Desired, Stage};
use crate::process::life::Marks;
use crate::process::step::{Step, Word};
use crate::process::{Process, Remains, State, table};
use stakker::CX;

/// There is room in this turn for what had to wait.
pub(super) fn on_turn<P: Process>(this: &mut P, cx: CX![P]) {
    this.life().marks.clear(Marks::QUEUED);
    settle(this, cx);
}

/// Compares what is with what is desired, moves on if they differ, and drives the state.
pub(super) fn settle<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    if life.marks.any(Marks::COMMITTING) {
        return;
    }
    match table::next(life.stage, life.desired) {
        Some(stage) => move_on(this, cx, stage),
        None => drive(this, cx),
    }
}

/// Moves on to the stage where the desire of its owner leads, and drives the state: from there the same desire leads
/// nowhere.
#[inline(always)]
pub(super) fn move_on<P: Process>(this: &mut P, cx: CX![P], stage: Stage) {
    if stage == Stage::Killing {
        this.life().desire_children(Desired::Kill);
    }
    if transit(this, cx, stage, None) {
        drive(this, cx);
    }
}

/// Calls `advance` or `clean`, if this turn still has room for a step.
#[inline(always)]
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
    if waits_for_nudge && !life.desk.nudges.has(life.place) {
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
            life.desk.nudges.take(life.place);
        }
        life.marks.set(Marks::DRIVEN);
        let (epoch, killing) = (life.epoch, life.stage == Stage::Killing);
        guarded(this, cx, epoch, |this, cx| {
            let life = this.life();
            let (state, step) = (life.state.clone(), Step::new(life));
            if killing { this.clean(cx, state, step) } else { this.advance(cx, state, step) }
        });
        if !goes_on(this, cx, |this, cx, word| heed(this, cx, epoch, word)) {
            return;
        }
    }
    let life = this.life();
    life.marks.set(Marks::QUEUED);
    life.kernel().poke_now(life.slot(), Poke::Drive);
}

/// Hears the word that a call has left. Whether the process went on at once, to a state that is to be driven now; any other
/// word is for `heed`.
#[inline(always)]
pub(super) fn goes_on<P: Process>(
    this: &mut P,
    cx: CX![P],
    heed: impl FnOnce(&mut P, CX![P], Word<P>),
) -> bool {
    let life = this.life();
    match life.desk.close_call() {
        None => false,
        // The common case by itself: nothing stands between this word and the next state.
        Some(Word::To(state)) if life.walks_freely() && !is_off_table(life, state.name()) => {
            leave(life);
            life.state = state;
            tell(life, cx);
            true
        }
        Some(word) => {
            heed(this, cx, word);
            false
        }
    }
}

/// The second most common case by itself: it ends, and nothing stands in the way.
#[inline(always)]
fn heed<P: Process>(this: &mut P, cx: CX![P], epoch: u32, word: Word<P>) {
    let life = this.life();
    match word {
        Word::Finish(output) if life.walks_freely() && !is_off_table(life, END) => {
            leave(life);
            life.desire_children(Desired::Kill);
            enter_end(life, cx, Stage::Finished, Remains::Finished(output));
        }
        word => on_word(this, cx, epoch, word),
    }
}

/// The same, out of line: otherwise each method that takes an answer would have a copy of it.
#[inline(never)]
pub(super) fn heed_apart<P: Process>(this: &mut P, cx: CX![P], epoch: u32, word: Word<P>) {
    heed(this, cx, epoch, word);
}

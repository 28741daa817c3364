//! What its owner, its journal and its children tell a process.

use super::on_word;
use super::transit::leave;
use super::walk::{drive, move_on, settle};
use crate::journal::{Desired, Entry, Stage};
use crate::process::life::{Life, Marks};
use crate::process::row::Pending;
use crate::process::step::Word;
use crate::process::{Fault, Process, table};
use stakker::CX;

/// Its owner wants something else. Where that leads to another stage, it goes there.
#[inline(always)]
pub(super) fn on_desire<P: Process>(this: &mut P, cx: CX![P], wish: Desired) {
    let life = this.life();
    let desired = table::merge(life.desired, wish);
    if desired == life.desired || life.stage.is_end() {
        return;
    }
    life.desired = desired;
    let may_move = !life.marks.any(Marks::COMMITTING);
    match table::next(life.stage, desired).filter(|_| may_move) {
        Some(stage) => move_on(this, cx, stage),
        // A desire that leads to a transition is written with it; any other is written by itself, so that it survives.
        None if life.marks.any(Marks::DURABLE) => write_desire(life),
        None => {}
    }
}

fn write_desire<P: Process>(life: &Life<P>) {
    let (desired, at) = (life.desired, life.kernel().wall());
    let entry = life.more(|more| {
        // While a transition is on its way, its stage is the one that the journal has next.
        let stage = match &more.pending {
            Some(Pending::Enter(stage, _)) => *stage,
            Some(Pending::End(_)) => return None,
            None => life.stage,
        };
        more.seq += 1;
        Some(Entry::Step { id: more.id?, seq: more.seq, stage, desired, state: None, at })
    });
    if let Some(entry) = entry.flatten() {
        life.kernel().note(entry);
    }
}

pub(super) fn on_nudge<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    if life.marks.any(Marks::COMMITTING) || life.marks.any(Marks::QUEUED) || life.stage != Stage::Running {
        return;
    }
    if !life.marks.any(Marks::STEPWISE) {
        life.desk.nudges.clear(life.place);
        leave(life);
    }
    drive(this, cx);
}

/// If it waited for this child to be gone, and for no other, it goes on.
pub(super) fn on_child_ended<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    if life.marks.any(Marks::OUTLIVED) && !life.kernel().has_live_children(life.slot()) {
        life.marks.clear(Marks::OUTLIVED);
        settle(this, cx);
    }
}

pub(super) fn on_child_failed<P: Process>(this: &mut P, cx: CX![P]) {
    let life = this.life();
    if life.stage != Stage::Running || life.marks.any(Marks::COMMITTING) {
        return;
    }
    if let Some((key, why)) = life.kernel().take_child_fault(life.slot()) {
        let epoch = life.epoch;
        on_word(this, cx, epoch, Word::Fail(Box::new(Fault::Child { key, why })));
    }
}

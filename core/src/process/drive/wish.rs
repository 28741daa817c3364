//! What its owner, its journal and its children tell a process.

use super::on_word;
use super::transit::leave;
use super::walk::drive;
use crate::journal::{Desired, Entry, Stage};
use crate::process::life::{Life, Marks};
use crate::process::row::Pending;
use crate::process::step::Word;
use crate::process::{Fault, Process, table};
use stakker::CX;

/// Whether the wish leads to a transition now.
#[inline(always)]
pub(super) fn on_desire<P: Process>(life: &mut Life<P>, wish: Desired) -> bool {
    let desired = table::merge(life.desired, wish);
    if desired == life.desired || life.stage.is_end() {
        return false;
    }
    life.desired = desired;
    let moves_now = !life.marks.any(Marks::COMMITTING) && table::next(life.stage, desired).is_some();
    // A desire that leads to a transition is written with it; any other is written by itself, so that it survives.
    if life.marks.any(Marks::DURABLE) && !moves_now {
        write_desire(life);
    }
    moves_now
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
        life.desk.drop_nudges(life.place);
        leave(life);
    }
    drive(this, cx);
}

/// Whether it waited for this child to be gone, and for no other.
pub(super) fn on_child_ended<P: Process>(life: &mut Life<P>) -> bool {
    if !life.marks.any(Marks::OUTLIVED) || life.kernel().has_live_children(life.slot()) {
        return false;
    }
    life.marks.clear(Marks::OUTLIVED);
    true
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

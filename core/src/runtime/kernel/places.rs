//! The process table: who lives where, and how each is told something.

use super::Kernel;
use crate::ProcessId;
use crate::process::{Found, OutcomeOf, Over, Poke, Process, Resident};
use crate::runtime::rows::{Row, Slot};

impl Kernel {
    /// Takes a place for a process that is about to be made.
    pub(crate) fn take_slot(&self, id: Option<ProcessId>) -> Slot {
        let slot = self.rows.borrow_mut().insert(Row { id, ..Row::default() });
        if let Some(id) = id {
            self.by_id.borrow_mut().insert(id, slot);
        }
        slot
    }

    /// Puts a resident into its place.
    pub(crate) fn house(&self, slot: Slot, resident: Box<dyn Resident>) {
        if !resident.is_over() {
            self.live.set(self.live.get() + 1);
        }
        if let Some(row) = self.rows.borrow_mut().get_mut(slot) {
            row.resident = Some(resident);
        }
    }

    pub(crate) fn find<P: Process>(&self, slot: Slot) -> Option<Found<P>> {
        let rows = self.rows.borrow();
        Found::of(rows.get(slot)?.resident.as_ref()?.as_any())
    }

    pub(crate) fn id_of(&self, slot: Slot) -> Option<ProcessId> {
        self.rows.borrow().get(slot)?.id
    }

    pub(crate) fn slot_of(&self, id: ProcessId) -> Option<Slot> {
        self.by_id.borrow().get(&id).copied()
    }

    pub(crate) fn count_handle(&self, slot: Slot, by: i32) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get_mut(slot) else { return };
        row.handles = row.handles.saturating_add_signed(by);
        let unwanted = row.handles == 0 && row.resident.as_ref().is_some_and(|r| r.is_over());
        let gone = if unwanted { rows.remove(slot) } else { None };
        drop(rows);
        drop(gone);
    }

    /// A process has ended: its actor goes, its outcome stays for those who still refer to it.
    pub(crate) fn ended<P: Process>(&self, slot: Slot, outcome: OutcomeOf<P>, parent: Option<Slot>) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get_mut(slot) else { return };
        self.live.set(self.live.get().saturating_sub(1));
        let id = row.id;
        let actor = match row.handles {
            0 => rows.remove(slot).and_then(|row| row.resident),
            _ => row.resident.replace(Box::new(Over::<P>(outcome))),
        };
        drop(rows);
        drop(actor);
        if let Some(id) = id {
            self.by_id.borrow_mut().remove(&id);
        }
        self.leave_children(slot);
        if let Some(parent) = parent {
            self.poke(parent, Poke::ChildEnded);
        }
    }

    /// Tells a process something: now, or from outside a turn when there is room in the next ones.
    pub(crate) fn poke(&self, slot: Slot, poke: Poke) {
        if self.in_turn.get() {
            self.poke_now(slot, poke);
        } else {
            self.agenda.borrow_mut().push_back((slot, poke));
            self.ring();
        }
    }

    /// Tells a process something as the next message of this turn.
    pub(crate) fn poke_now(&self, slot: Slot, poke: Poke) {
        if let Some(resident) = self.rows.borrow().get(slot).and_then(|row| row.resident.as_ref()) {
            resident.poke(poke);
        }
    }

    /// Takes a place back in which nobody came to live.
    pub(in crate::runtime) fn forget(&self, slot: Slot) {
        let gone = self.rows.borrow_mut().remove(slot);
        if let Some(id) = gone.as_ref().and_then(|row| row.id) {
            self.by_id.borrow_mut().remove(&id);
        }
        self.kin.borrow_mut().retain(|_, child| *child != slot);
    }

    /// Whether a process that has not ended lives in this place.
    pub(in crate::runtime) fn is_live(&self, slot: Slot) -> bool {
        self.rows.borrow().get(slot).is_some_and(|r| r.resident.as_ref().is_some_and(|r| !r.is_over()))
    }

    pub(in crate::runtime) fn live(&self) -> usize {
        self.live.get()
    }

    pub(crate) fn nudge(&self, slot: Slot) {
        let first = match self.rows.borrow_mut().get_mut(slot) {
            Some(row) => {
                row.nudges = row.nudges.saturating_add(1);
                row.nudges == 1
            }
            None => false,
        };
        // One message stands for all nudges that come before it is read.
        if first {
            self.poke(slot, Poke::Nudge);
        }
    }

    pub(crate) fn has_nudge(&self, slot: Slot) -> bool {
        self.rows.borrow().get(slot).is_some_and(|row| row.nudges > 0)
    }

    pub(crate) fn take_nudge(&self, slot: Slot) {
        if let Some(row) = self.rows.borrow_mut().get_mut(slot) {
            row.nudges = row.nudges.saturating_sub(1);
        }
    }

    pub(crate) fn drop_nudges(&self, slot: Slot) {
        if let Some(row) = self.rows.borrow_mut().get_mut(slot) {
            row.nudges = 0;
        }
    }
}

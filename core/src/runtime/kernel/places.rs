//! The process table: who lives where, and how each is told something.

use super::Kernel;
use crate::ProcessId;
use crate::process::{AnyDesk, Poke};
use crate::runtime::rows::{Row, Slot};
use std::any::TypeId;
use std::rc::Rc;

impl Kernel {
    /// Takes a place for a process that is about to be made.
    pub(crate) fn take_slot(&self, id: Option<ProcessId>) -> Slot {
        let slot = self.rows.borrow_mut().insert(Row::of(id));
        if let Some(id) = id {
            self.by_id.borrow_mut().insert(id, slot);
        }
        slot
    }

    /// A resident has moved into this place of the desk with this number.
    pub(crate) fn house(&self, slot: Slot, desk: u16, place: u32, is_live: bool) {
        self.live.set(self.live.get() + usize::from(is_live));
        if let Some(row) = self.rows.borrow_mut().get_mut(slot) {
            (row.desk, row.place) = (desk, place);
        }
    }

    /// Where at the desk with this number the process lives; none if it is at another.
    pub(crate) fn place_of(&self, slot: Slot, desk: u16) -> Option<u32> {
        self.rows.borrow().get(slot).filter(|row| row.desk == desk).map(|row| row.place)
    }

    /// The one desk of this type; made if there is none, with the number that it gets.
    pub(crate) fn desk<D: AnyDesk + 'static>(&self, make: impl FnOnce(u16) -> D) -> Rc<D> {
        let known = self.desk_types.borrow().get(&TypeId::of::<D>()).cloned();
        if let Some(Ok(desk)) = known.map(Rc::downcast) {
            return desk;
        }
        let count = self.desks.borrow().len() + 1;
        let desk = Rc::new(make(u16::try_from(count).expect("a program has fewer than 65,535 kinds")));
        // A runtime that is closing keeps nothing that refers to it.
        if !self.is_closing() {
            self.desks.borrow_mut().push(desk.clone());
            self.desk_types.borrow_mut().insert(TypeId::of::<D>(), desk.clone());
        }
        desk
    }

    /// Calls `with` for the desk and the place of this process, if anybody lives there.
    fn at<T>(&self, slot: Slot, with: impl FnOnce(&dyn AnyDesk, u32) -> T) -> Option<T> {
        let (desk, place) = self.rows.borrow().get(slot).map(|row| (row.desk, row.place))?;
        let desks = self.desks.borrow();
        desks.get(usize::from(desk.checked_sub(1)?)).map(|desk| with(&**desk, place))
    }

    pub(crate) fn id_of(&self, slot: Slot) -> Option<ProcessId> {
        self.rows.borrow().get(slot)?.id()
    }

    pub(crate) fn slot_of(&self, id: ProcessId) -> Option<Slot> {
        self.by_id.borrow().get(&id).copied()
    }

    pub(crate) fn count_handle(&self, slot: Slot, by: i32) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get_mut(slot) else { return };
        row.handles = row.handles.saturating_add_signed(by);
        let is_last = row.handles == 0;
        drop(rows);
        // Nothing is borrowed when an outcome is dropped: it may be anything.
        if is_last && let Some((desk, place)) = self.home(slot).filter(|(desk, place)| !desk.is_live(*place))
        {
            self.rows.borrow_mut().remove(slot);
            desk.vacate(place);
        }
    }

    fn home(&self, slot: Slot) -> Option<(Rc<dyn AnyDesk>, u32)> {
        let (desk, place) = self.rows.borrow().get(slot).map(|row| (row.desk, row.place))?;
        let desk = self.desks.borrow().get(usize::from(desk.checked_sub(1)?))?.clone();
        Some((desk, place))
    }

    /// A process has ended. Its place, and whether somebody still refers to it; if not, its row is gone.
    pub(crate) fn count_out(&self, slot: Slot) -> Option<(u32, bool)> {
        let mut rows = self.rows.borrow_mut();
        let row = rows.get_mut(slot)?;
        self.live.set(self.live.get().saturating_sub(1));
        let (id, place, is_wanted) = (row.id(), row.place, row.handles > 0);
        if !is_wanted {
            rows.remove(slot);
        }
        drop(rows);
        if let Some(id) = id {
            self.by_id.borrow_mut().remove(&id);
        }
        Some((place, is_wanted))
    }

    /// What follows for its kin when a process has ended and its actor is gone.
    pub(crate) fn after_end(&self, slot: Slot, parent: Option<Slot>) {
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
        self.at(slot, |desk, place| desk.poke(place, poke));
    }

    /// Takes a place back in which nobody came to live.
    pub(in crate::runtime) fn forget(&self, slot: Slot) {
        let gone = self.rows.borrow_mut().remove(slot);
        if let Some(id) = gone.as_ref().and_then(Row::id) {
            self.by_id.borrow_mut().remove(&id);
        }
        self.kin.borrow_mut().retain(|_, child| *child != slot);
    }

    /// Whether a process that has not ended lives in this place.
    pub(in crate::runtime) fn is_live(&self, slot: Slot) -> bool {
        self.at(slot, |desk, place| desk.is_live(place)) == Some(true)
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

//! The process table: who lives where, and how each is told something.

use super::Kernel;
use crate::ProcessId;
use crate::process::{AnyDesk, Poke};
use crate::runtime::slot::Slot;
use std::any::Any;
use std::rc::Rc;

impl Kernel {
    /// A process lives in this slot from now on.
    pub(crate) fn count_in(&self, slot: Slot, id: Option<ProcessId>) {
        self.live.set(self.live.get() + 1);
        if let Some(id) = id {
            self.list(slot, id);
        }
    }

    /// The process with this number is found in this slot.
    pub(crate) fn list(&self, slot: Slot, id: ProcessId) {
        self.by_id.borrow_mut().insert(id, slot);
    }

    /// A process has ended.
    #[inline(always)]
    pub(crate) fn count_out(&self, id: Option<ProcessId>) {
        self.live.set(self.live.get() - 1);
        if let Some(id) = id {
            self.by_id.borrow_mut().remove(&id);
        }
    }

    /// The one desk of this type; made if there is none, with the number that it gets.
    pub(crate) fn desk<D: AnyDesk>(&self, make: impl FnOnce(u16) -> D) -> Rc<D> {
        // To borrow alone is cheaper than to be counted, and nobody else does.
        let known =
            self.desks.borrow_mut().iter().find_map(|desk| Rc::downcast(desk.clone() as Rc<dyn Any>).ok());
        known.unwrap_or_else(|| self.add_desk(make))
    }

    #[cold]
    fn add_desk<D: AnyDesk>(&self, make: impl FnOnce(u16) -> D) -> Rc<D> {
        let count = self.desks.borrow().len() + 1;
        let desk = Rc::new(make(u16::try_from(count).expect("a program has fewer than 65,535 kinds")));
        // A runtime that is closing keeps nothing that refers to it.
        if !self.is_closing() {
            self.desks.borrow_mut().push(desk.clone());
        }
        desk
    }

    /// The desk at which this process lives.
    pub(in crate::runtime) fn desk_of(&self, slot: Slot) -> Option<Rc<dyn AnyDesk>> {
        self.desks.borrow().get(usize::from(slot.desk.checked_sub(1)?)).cloned()
    }

    pub(crate) fn id_of(&self, slot: Slot) -> Option<ProcessId> {
        self.desk_of(slot)?.id_of(slot.place)
    }

    pub(crate) fn slot_of(&self, id: ProcessId) -> Option<Slot> {
        self.by_id.borrow().get(&id).copied()
    }

    pub(super) fn count_handle(&self, slot: Slot, by: i32) {
        if let Some(desk) = self.desk_of(slot) {
            desk.count_handle(slot.place, by);
        }
    }

    /// Tells a process something: now, or from outside a turn when there is room in the next ones.
    #[inline]
    pub(crate) fn poke(&self, slot: Slot, poke: Poke) {
        if self.in_turn.get() {
            self.poke_now(slot, poke);
        } else {
            self.agenda.borrow_mut().push(slot, poke);
            self.ring();
        }
    }

    /// Tells a process something as the next message of this turn.
    pub(crate) fn poke_now(&self, slot: Slot, poke: Poke) {
        if let Some(desk) = self.desk_of(slot) {
            desk.poke(slot.place, poke);
        }
    }

    /// Whether a process that has not ended lives in this place.
    pub(in crate::runtime) fn is_live(&self, slot: Slot) -> bool {
        self.desk_of(slot).is_some_and(|desk| desk.is_live(slot.place))
    }

    pub(in crate::runtime) fn live(&self) -> usize {
        usize::try_from(self.live.get()).unwrap_or(0)
    }

    pub(crate) fn nudge(&self, slot: Slot) {
        // One message stands for all nudges that come before it is read.
        if self.desk_of(slot).is_some_and(|desk| desk.add_nudge(slot.place)) {
            self.poke(slot, Poke::Nudge);
        }
    }
}

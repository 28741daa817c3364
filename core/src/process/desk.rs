//! One desk for each kind: where its processes live, and where one that is inside `advance` puts its word, so that it is
//! heard as soon as `advance` has returned.
//!
//! Design note: a word that went through the queue of the Stakker like every other message would cost a closure, a copy of
//! it and a second dispatch: half of what a step costs. A cell in each process would cost memory that a paused one must
//! not have. So there is one desk for all processes of a kind; it knows by a number whose turn it is. And because it knows
//! their type, it keeps their actors side by side, without a box for each.

use super::drive::{self, Poke};
use super::step::Word;
use super::{OutcomeOf, Process};
use crate::runtime::{Kernel, Slot};
use stakker::{Actor, ActorOwn};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// See the [module](self). It also leads to the kernel, so that a `Life` needs one pointer for both.
pub(crate) struct Desk<P: Process> {
    pub(super) kernel: Rc<Kernel>,
    /// By which the kernel finds it, from 1.
    number: u16,
    residents: RefCell<Vec<Resident<P>>>,
    /// The first place that is free, in a list through all of them; the length if none is.
    free: Cell<u32>,
    /// Counts the calls of the author's code, from 1.
    calls: Cell<u64>,
    /// The number of the call that is going on; 0 between calls.
    current: Cell<u64>,
    word: Cell<Option<Word<P>>>,
}

/// Who lives in a place.
enum Resident<P: Process> {
    /// Nobody; the next free place.
    Nobody(u32),
    /// The actor.
    Live(ActorOwn<P>),
    /// What came of it, for the handles that are still there. Boxed, because an outcome may be large.
    Over(Box<OutcomeOf<P>>),
}

/// What a typed handle finds.
pub(crate) enum Found<P: Process> {
    Live(Actor<P>),
    Over(OutcomeOf<P>),
}

/// A desk, for those who do not know its kind.
pub(crate) trait AnyDesk {
    /// Tells the process in this place something, at the next opportunity. Nothing happens to one that has ended.
    fn poke(&self, place: u32, poke: Poke);
    /// Whether a process that has not ended lives there.
    fn is_live(&self, place: u32) -> bool;
    /// Makes the place free, and drops what was there.
    fn vacate(&self, place: u32);
    /// Drops everybody.
    fn close(&self);
}

impl<P: Process> Desk<P> {
    /// The desk of this kind in this runtime.
    pub(crate) fn of(kernel: &Rc<Kernel>) -> Rc<Desk<P>> {
        kernel.desk(|number| Desk {
            kernel: kernel.clone(),
            number,
            residents: RefCell::default(),
            free: Cell::new(0),
            calls: Cell::new(0),
            current: Cell::new(0),
            word: Cell::new(None),
        })
    }

    pub(crate) fn kernel(&self) -> &Rc<Kernel> {
        &self.kernel
    }

    /// The process in this slot of the kernel, if it is of this kind.
    pub(crate) fn find(&self, slot: Slot) -> Option<Found<P>> {
        let place = self.kernel.place_of(slot, self.number)?;
        match self.residents.borrow().get(place as usize)? {
            Resident::Live(own) => Some(Found::Live((**own).clone())),
            Resident::Over(outcome) => Some(Found::Over((**outcome).clone())),
            Resident::Nobody(_) => None,
        }
    }

    /// Lets a process move in.
    pub(crate) fn settle(&self, slot: Slot, own: ActorOwn<P>) {
        let place = self.take_place(Resident::Live(own));
        self.kernel.house(slot, self.number, place, true);
    }

    /// Keeps the outcome of a process that had ended before this runtime began.
    pub(crate) fn remember(&self, slot: Slot, outcome: OutcomeOf<P>) {
        let place = self.take_place(Resident::Over(Box::new(outcome)));
        self.kernel.house(slot, self.number, place, false);
    }

    /// A process has ended: its actor goes, its outcome stays for those who still refer to it.
    pub(crate) fn ended(&self, slot: Slot, outcome: OutcomeOf<P>, parent: Option<Slot>) {
        let Some((place, is_wanted)) = self.kernel.count_out(slot) else { return };
        if is_wanted {
            let after = Resident::Over(Box::new(outcome));
            let actor =
                self.residents.borrow_mut().get_mut(place as usize).map(|r| std::mem::replace(r, after));
            drop(actor);
        } else {
            self.vacate(place);
        }
        self.kernel.after_end(slot, parent);
    }

    fn take_place(&self, resident: Resident<P>) -> u32 {
        let place = self.free.get();
        let mut residents = self.residents.borrow_mut();
        match residents.get_mut(place as usize) {
            Some(free) => {
                if let Resident::Nobody(next) = std::mem::replace(free, resident) {
                    self.free.set(next);
                }
            }
            None => {
                residents.push(resident);
                self.free.set(place + 1);
            }
        }
        place
    }

    /// A call begins; its number.
    #[inline]
    pub(super) fn open(&self) -> u64 {
        let call = self.calls.get() + 1;
        self.calls.set(call);
        self.current.set(call);
        call
    }

    /// Lays down `word`, if the call with this number is going on; gives it back if not.
    #[inline]
    pub(super) fn lay(&self, call: u64, word: Word<P>) -> Option<Word<P>> {
        if self.current.get() != call {
            return Some(word);
        }
        self.word.set(Some(word));
        None
    }

    /// The call is over; what was laid down.
    #[inline]
    pub(super) fn close_call(&self) -> Option<Word<P>> {
        self.current.set(0);
        self.word.take()
    }
}

impl<P: Process> AnyDesk for Desk<P> {
    fn poke(&self, place: u32, poke: Poke) {
        if let Some(Resident::Live(own)) = self.residents.borrow().get(place as usize) {
            let actor: Actor<P> = (**own).clone();
            own.defer(move |s| actor.apply(s, move |this, cx| drive::on_poke(this, cx, poke)));
        }
    }

    fn is_live(&self, place: u32) -> bool {
        matches!(self.residents.borrow().get(place as usize), Some(Resident::Live(_)))
    }

    fn vacate(&self, place: u32) {
        let free = Resident::Nobody(self.free.replace(place));
        // Dropped when nothing is borrowed: what it owned may ask for its place.
        let gone = self.residents.borrow_mut().get_mut(place as usize).map(|r| std::mem::replace(r, free));
        drop(gone);
    }

    fn close(&self) {
        let residents = std::mem::take(&mut *self.residents.borrow_mut());
        self.free.set(0);
        drop(residents);
    }
}

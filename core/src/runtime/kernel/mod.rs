//! What all parts of a runtime share: the desks, the agenda, the outbox. Processes reach it through their `Life`, handles
//! through a weak reference. It knows no Stakker, so nothing here can run anybody's code.

use super::agenda::Agenda;
use super::budget::Budget;
use super::clock::Clock;
use super::kinds::Kind;
use super::outbox::Outbox;
use super::slot::Slot;
use crate::process::{AnyDesk, Place, Poke};
use crate::{JournalUid, ProcessId, WallTime};
use stakker_mio::mio::Waker;
use std::cell::{Cell, OnceCell, Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

mod kin;
mod places;
mod record;

pub(crate) struct Kernel {
    /// Where the process with this number lives.
    by_id: RefCell<BTreeMap<ProcessId, Slot>>,
    /// The children of a parent by key; those without a parent have nobody's slot. Made for the first of them, so that
    /// where there are none nobody looks into it.
    kin: OnceCell<RefCell<BTreeMap<(Slot, String), Slot>>>,
    /// Keys in the journal that a new process must not use, though `kin` may not have them any more: those of all
    /// top-level processes, and those of children that are parked.
    taken_keys: RefCell<BTreeSet<(Option<ProcessId>, String)>>,
    child_faults: RefCell<BTreeMap<Slot, (String, String)>>,
    kinds: RefCell<BTreeMap<String, Rc<dyn Kind>>>,
    agenda: RefCell<Agenda>,
    outbox: RefCell<Outbox>,
    /// One for each kind: together they are the process table. So few that each can be looked at to find one.
    desks: RefCell<Vec<Rc<dyn AnyDesk>>>,
    budget: Budget,
    wall: Cell<WallTime>,
    next_id: Cell<ProcessId>,
    uid: Cell<JournalUid>,
    durable: Cell<bool>,
    live: Cell<isize>,
    timers: Cell<isize>,
    last_letter: Cell<i64>,
    letters_due: Cell<bool>,
    rng: RefCell<fastrand::Rng>,
    in_turn: Cell<bool>,
    rung: Cell<bool>,
    stopped: Cell<bool>,
    closing: Cell<bool>,
    waker: Option<Arc<Waker>>,
}

impl Kernel {
    pub(super) fn new(clock: Clock, now: Instant, waker: Option<Arc<Waker>>, seed: u64) -> Kernel {
        Kernel {
            by_id: RefCell::default(),
            kin: OnceCell::new(),
            taken_keys: RefCell::default(),
            child_faults: RefCell::default(),
            kinds: RefCell::default(),
            agenda: RefCell::default(),
            outbox: RefCell::default(),
            desks: RefCell::default(),
            budget: Budget::new(clock, now),
            wall: Cell::new(clock.wall(now)),
            next_id: Cell::new(ProcessId::FIRST),
            uid: Cell::new(JournalUid(0)),
            durable: Cell::new(false),
            live: Cell::new(0),
            timers: Cell::new(0),
            last_letter: Cell::new(0),
            letters_due: Cell::new(false),
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            in_turn: Cell::new(false),
            rung: Cell::new(false),
            stopped: Cell::new(false),
            closing: Cell::new(false),
            waker,
        }
    }

    /// Begins a turn. Whether it was asked for with [`ring`](Self::ring).
    pub(super) fn begin_turn(&self, now: Instant, wall: WallTime) -> bool {
        self.in_turn.set(true);
        self.wall.set(wall);
        self.budget.begin_turn(now);
        self.rung.take()
    }

    pub(super) fn end_turn(&self) {
        self.in_turn.set(false);
    }

    /// Something was asked from outside a turn, so there must be one.
    pub(crate) fn on_outside(&self) {
        if !self.in_turn.get() {
            self.ring();
        }
    }

    /// Makes the descriptor readable.
    pub(super) fn ring(&self) {
        if self.rung.replace(true) {
            return;
        }
        if let Some(Err(e)) = self.waker.as_ref().map(|w| w.wake()) {
            log::error!("the waker of the runtime failed: {e}");
        }
    }

    /// The desk of the process that is to be told something next, if there is room.
    pub(super) fn next_desk(&self) -> Option<Rc<dyn AnyDesk>> {
        let first = self.agenda.borrow().first();
        self.desk_of(first.filter(|_| self.budget.has_room())?)
    }

    /// Who is to be told what next, if that is one of this desk and there is room.
    #[inline]
    pub(crate) fn next_at_desk(&self, desk: u16) -> Option<(Place, Poke)> {
        let is_next = |slot: Slot| slot.desk == desk && self.budget.has_room();
        let (slot, poke) = self.agenda.borrow_mut().pop_if(is_next)?;
        Some((slot.place, poke))
    }

    pub(super) fn has_room(&self) -> bool {
        self.budget.has_room()
    }

    pub(super) fn has_work(&self) -> bool {
        !self.agenda.borrow().is_empty() || self.outbox.borrow().has_order()
    }

    /// Takes a step from the budget of this turn.
    #[inline]
    pub(crate) fn take_step(&self) -> bool {
        self.budget.take()
    }

    /// Lets a process wait for the next turn.
    #[cold]
    pub(crate) fn queue(&self, slot: Slot) {
        self.agenda.borrow_mut().push(slot, Poke::Drive);
    }

    pub(crate) fn stop(&self) {
        self.stopped.set(true);
        self.on_outside();
    }

    pub(super) fn take_stop(&self) -> bool {
        self.stopped.take()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Drops every actor. Their values go when the Stakker runs next.
    pub(super) fn close(&self) {
        self.closing.set(true);
        let kinds = std::mem::take(&mut *self.kinds.borrow_mut());
        let desks = std::mem::take(&mut *self.desks.borrow_mut());
        self.agenda.borrow_mut().clear();
        self.live.set(0);
        desks.iter().for_each(|desk| desk.close());
        drop((kinds, desks));
    }

    pub(crate) fn uid(&self) -> JournalUid {
        self.uid.get()
    }

    pub(crate) fn wall(&self) -> WallTime {
        self.wall.get()
    }

    pub(crate) fn rng(&self) -> RefMut<'_, fastrand::Rng> {
        self.rng.borrow_mut()
    }

    pub(crate) fn count_timer(&self, by: isize) {
        self.timers.set(self.timers.get() + by);
    }

    pub(super) fn timers(&self) -> usize {
        usize::try_from(self.timers.get()).unwrap_or(0)
    }

    pub(super) fn kinds(&self) -> Ref<'_, BTreeMap<String, Rc<dyn Kind>>> {
        self.kinds.borrow()
    }

    pub(super) fn add_kind(&self, name: &str, kind: Rc<dyn Kind>) -> Option<Rc<dyn Kind>> {
        self.kinds.borrow_mut().insert(name.into(), kind)
    }
}

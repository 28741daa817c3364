//! What all parts of a runtime share: the table, the agenda, the outbox. Processes reach it through their `Life`, handles
//! through a weak reference. It knows no Stakker, so nothing here can run anybody's code.

use super::budget::Budget;
use super::clock::Clock;
use super::kinds::Kind;
use super::outbox::Outbox;
use super::rows::{Row, Rows, Slot};
use crate::journal::{Desired, Entry};
use crate::process::{Found, OutcomeOf, Over, Poke, Process, Resident};
use crate::{JournalUid, ProcessId, WallTime};
use slotmap::Key;
use stakker_mio::mio::Waker;
use std::any::{Any, TypeId};
use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct Kernel {
    rows: RefCell<Rows>,
    /// Where the process with this number lives.
    by_id: RefCell<BTreeMap<ProcessId, Slot>>,
    /// The children of a parent by key; those without a parent have the null slot.
    kin: RefCell<BTreeMap<(Slot, String), Slot>>,
    /// Keys in the journal that a new process must not use, though `kin` may not have them any more: those of all
    /// top-level processes, and those of children that are parked.
    taken_keys: RefCell<BTreeSet<(Option<ProcessId>, String)>>,
    child_faults: RefCell<BTreeMap<Slot, (String, String)>>,
    kinds: RefCell<BTreeMap<String, Rc<dyn Kind>>>,
    /// Who is to be told what, when there is room in a turn. First come, first served.
    agenda: RefCell<VecDeque<(Slot, Poke)>>,
    outbox: RefCell<Outbox>,
    /// What all processes of a kind share, by type.
    shared: RefCell<BTreeMap<TypeId, Rc<dyn Any>>>,
    budget: Budget,
    wall: Cell<WallTime>,
    next_id: Cell<ProcessId>,
    uid: Cell<JournalUid>,
    durable: Cell<bool>,
    live: Cell<usize>,
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
            rows: RefCell::default(),
            by_id: RefCell::default(),
            kin: RefCell::default(),
            taken_keys: RefCell::default(),
            child_faults: RefCell::default(),
            kinds: RefCell::default(),
            agenda: RefCell::default(),
            outbox: RefCell::default(),
            shared: RefCell::default(),
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

    // ---- turns

    pub(super) fn begin_turn(&self, now: Instant, wall: WallTime) {
        self.in_turn.set(true);
        self.rung.set(false);
        self.wall.set(wall);
        self.budget.begin_turn(now);
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

    /// Tells some of those on the agenda, if there is room. Whether anybody was told.
    pub(super) fn begin_some(&self) -> bool {
        let mut told = false;
        for _ in 0..32 {
            if self.agenda.borrow().is_empty() || !self.budget.has_room() {
                break;
            }
            let Some((slot, poke)) = self.agenda.borrow_mut().pop_front() else { break };
            self.poke_now(slot, poke);
            told = true;
        }
        told
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
        self.agenda.borrow_mut().push_back((slot, Poke::Drive));
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
        let rows = std::mem::take(&mut *self.rows.borrow_mut());
        let kinds = std::mem::take(&mut *self.kinds.borrow_mut());
        let shared = std::mem::take(&mut *self.shared.borrow_mut());
        self.agenda.borrow_mut().clear();
        self.live.set(0);
        drop((rows, kinds, shared));
    }

    // ---- the table

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
    pub(super) fn forget(&self, slot: Slot) {
        let gone = self.rows.borrow_mut().remove(slot);
        if let Some(id) = gone.as_ref().and_then(|row| row.id) {
            self.by_id.borrow_mut().remove(&id);
        }
        self.kin.borrow_mut().retain(|_, child| *child != slot);
    }

    /// Whether a process that has not ended lives in this place.
    pub(super) fn is_live(&self, slot: Slot) -> bool {
        self.rows.borrow().get(slot).is_some_and(|r| r.resident.as_ref().is_some_and(|r| !r.is_over()))
    }

    pub(super) fn live(&self) -> usize {
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

    // ---- parents and children

    pub(crate) fn child_of(&self, parent: Slot, key: &str) -> Option<Slot> {
        self.kin.borrow().get(&(parent, key.to_owned())).copied()
    }

    /// Enters a child under its key. Its outcome is kept until the parent ends.
    pub(crate) fn enter_child(&self, parent: Option<Slot>, key: String, child: Slot) {
        self.kin.borrow_mut().insert((parent.unwrap_or_else(Slot::null), key), child);
        if parent.is_some() {
            self.count_handle(child, 1);
        }
    }

    /// Remembers that the journal has a process with this key.
    pub(super) fn take_key(&self, parent: Option<ProcessId>, key: String) {
        self.taken_keys.borrow_mut().insert((parent, key));
    }

    /// Whether the journal would refuse a process with this key, though none may live under it.
    pub(super) fn is_key_taken(&self, parent: Option<ProcessId>, key: &str) -> bool {
        self.taken_keys.borrow().contains(&(parent, key.to_owned()))
    }

    fn children(&self, parent: Slot) -> Vec<Slot> {
        let kin = self.kin.borrow();
        kin.range((parent, String::new())..).take_while(|((p, _), _)| *p == parent).map(|(_, c)| *c).collect()
    }

    pub(crate) fn desire_children(&self, parent: Slot, desired: Desired) {
        if self.kin.borrow().is_empty() {
            return;
        }
        self.children(parent).into_iter().for_each(|child| self.poke(child, Poke::Desire(desired)));
    }

    pub(crate) fn has_live_children(&self, parent: Slot) -> bool {
        if self.kin.borrow().is_empty() {
            return false;
        }
        self.children(parent).into_iter().any(|child| self.is_live(child))
    }

    fn leave_children(&self, parent: Slot) {
        if self.kin.borrow().is_empty() {
            return;
        }
        let children = self.children(parent);
        self.kin.borrow_mut().retain(|(p, _), _| *p != parent);
        children.into_iter().for_each(|child| self.count_handle(child, -1));
    }

    pub(crate) fn note_child_fault(&self, parent: Slot, key: String, why: String) {
        self.child_faults.borrow_mut().insert(parent, (key, why));
    }

    pub(crate) fn take_child_fault(&self, parent: Slot) -> Option<(String, String)> {
        self.child_faults.borrow_mut().remove(&parent)
    }

    // ---- the journal

    pub(super) fn outbox(&self) -> RefMut<'_, Outbox> {
        self.outbox.borrow_mut()
    }

    /// Writes an entry that nobody waits for.
    pub(crate) fn note(&self, entry: Entry) {
        self.outbox.borrow_mut().note(entry);
        self.on_outside();
    }

    /// Writes the entries of a transition; the process is told when they are durable.
    pub(crate) fn write(&self, slot: Slot, entries: impl Iterator<Item = Entry>) {
        self.outbox.borrow_mut().write(slot, entries);
    }

    pub(super) fn on_durable(&self, ticket: u64) {
        let landed = self.outbox.borrow_mut().landed(ticket);
        self.agenda.borrow_mut().extend(landed.into_iter().map(|slot| (slot, Poke::Durable)));
    }

    pub(super) fn open_journal(&self, uid: JournalUid, next_id: ProcessId) {
        self.uid.set(uid);
        self.next_id.set(next_id);
        self.durable.set(true);
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.durable.get()
    }

    pub(crate) fn new_id(&self) -> ProcessId {
        let id = self.next_id.get();
        self.next_id.set(id.next());
        id
    }

    /// Whether this letter is new. A letter is given again until its taking is durable.
    pub(super) fn is_new_letter(&self, number: i64) -> bool {
        number > self.last_letter.replace(number.max(self.last_letter.get()))
    }

    /// It is time to look for letters, whether or not somebody rang.
    pub(super) fn look_for_letters(&self) {
        self.letters_due.set(true);
    }

    pub(super) fn take_letters_due(&self) -> bool {
        self.letters_due.take()
    }

    // ---- what the runtime gives to everybody

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

    /// The one `T` of this runtime.
    pub(crate) fn shared<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let known = self.shared.borrow().get(&TypeId::of::<T>()).cloned();
        if let Some(Ok(shared)) = known.map(Rc::downcast) {
            return shared;
        }
        let shared = Rc::new(make());
        // A runtime that is closing keeps nothing that refers to it.
        if !self.is_closing() {
            self.shared.borrow_mut().insert(TypeId::of::<T>(), shared.clone());
        }
        shared
    }

    pub(super) fn kinds(&self) -> Ref<'_, BTreeMap<String, Rc<dyn Kind>>> {
        self.kinds.borrow()
    }

    pub(super) fn add_kind(&self, name: &str, kind: Rc<dyn Kind>) -> Option<Rc<dyn Kind>> {
        self.kinds.borrow_mut().insert(name.into(), kind)
    }
}

//! One desk for each kind: the table of its processes, and where one that is inside `advance` puts its word, so that it is
//! heard as soon as `advance` has returned.
//!
//! Design note: a word that went through the queue of the Stakker like every other message would cost a closure, a copy of
//! it and a second dispatch: half of what a step costs. A cell in each process would cost memory that a paused one must
//! not have. So there is one desk for all processes of a kind; it knows by a number whose turn it is. And because it knows
//! their type, it keeps their rows side by side, without a box for each.

mod end;

use super::drive::{self, Poke};
use super::few::Few;
use super::life::Birth;
use super::nudges::Nudges;
use super::row::{End, Kept, More, Row};
use super::slab::{Place, Slab};
use super::step::Word;
use super::{OutcomeOf, Process};
use crate::ProcessId;
use crate::runtime::{Kernel, Slot};
use stakker::{Actor, ActorOwn, Ret, Stakker};
use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

/// See the [module](self). It also leads to the kernel, so that a `Life` needs one pointer for both.
pub(crate) struct Desk<P: Process> {
    pub(super) kernel: Rc<Kernel>,
    /// By which the kernel finds it, from 1.
    number: u16,
    /// Nobody's code runs while it is borrowed: what leaves it is dropped afterwards.
    rows: RefCell<Slab<Row<P>>>,
    pub(super) nudges: Nudges,
    /// Counts where calls of the author's code begin and where they end. While one goes on, this is its number.
    calls: Cell<u64>,
    word: Cell<Option<Word<P>>>,
    /// The actor of the first process that ended. See [`let_go`](Self::let_go).
    ended: OnceCell<Actor<P>>,
}

/// What a typed handle finds.
pub(crate) enum Found<P: Process> {
    Live(Actor<P>),
    Over(Rc<End<P>>),
}

/// A desk, for those who do not know its kind.
pub(crate) trait AnyDesk: Any {
    /// Tells the process in this place something, at the next opportunity. Nothing happens to one that has ended.
    fn poke(&self, place: Place, poke: Poke);
    /// Tells those of this desk that come next on the agenda, between two messages, and at most so many. How many.
    fn tell_next(&self, stakker: &mut Stakker, at_most: u32) -> u32;
    /// Whether a process that has not ended lives there.
    fn is_live(&self, place: Place) -> bool;
    /// Its number in the journal.
    fn id_of(&self, place: Place) -> Option<ProcessId>;
    /// There are so many handles more, or fewer. After the last one an outcome is forgotten.
    fn count_handle(&self, place: Place, by: i32);
    /// Leaves a nudge, and says whether it is the only one.
    fn add_nudge(&self, place: Place) -> bool;
    /// Drops everybody.
    fn close(&self);
}

impl<P: Process> Desk<P> {
    /// The desk of this kind in this runtime.
    pub(crate) fn of(kernel: &Rc<Kernel>) -> Rc<Desk<P>> {
        kernel.desk(|number| Desk {
            kernel: kernel.clone(),
            number,
            rows: RefCell::default(),
            nudges: Nudges::default(),
            calls: Cell::new(0),
            word: Cell::new(None),
            ended: OnceCell::new(),
        })
    }

    pub(crate) fn kernel(&self) -> &Rc<Kernel> {
        &self.kernel
    }

    /// What the kernel calls this place.
    pub(crate) fn slot(&self, place: Place) -> Slot {
        Slot { desk: self.number, place }
    }

    /// The place that the kernel calls so, if it is at this desk.
    pub(crate) fn place(&self, slot: Slot) -> Option<Place> {
        (slot.desk == self.number).then_some(slot.place)
    }

    /// The process in this place.
    pub(crate) fn find(&self, place: Place) -> Option<Found<P>> {
        let mut rows = self.rows.borrow_mut();
        let row = rows.at_mut(place)?;
        if let Some(actor) = row.actor() {
            return Some(Found::Live(actor.clone()));
        }
        row.share_end().map(Found::Over)
    }

    /// Lets a process move in.
    pub(super) fn settle(&self, own: ActorOwn<P>, birth: &Birth<P>) -> Place {
        let &Birth { id, seq, parent, .. } = birth;
        let is_tied = id.is_some() || parent.is_some();
        let more = is_tied.then(|| More::tied(id, seq, parent));
        let place = self.rows.borrow_mut().insert(Row::live(own, more));
        self.kernel.count_in(self.slot(place), id);
        place
    }

    /// Keeps a place for a process that is made now, and for a handle to it.
    #[inline]
    pub(super) fn reserve(&self) -> Place {
        self.rows.borrow_mut().insert_with(|| Row::reserved(1))
    }

    /// Lets a process move in where a place was kept for it.
    #[inline]
    pub(super) fn settle_at(&self, place: Place, own: ActorOwn<P>) {
        if let Some(row) = self.rows.borrow_mut().at_mut(place) {
            row.fill(own);
            self.kernel.count_in(self.slot(place), None);
        }
    }

    /// Keeps the outcome of a process that had ended before this runtime began.
    pub(crate) fn remember(&self, id: ProcessId, outcome: OutcomeOf<P>) -> Slot {
        let place = self.rows.borrow_mut().insert(Row::over(Rc::new(End { id: Some(id), outcome }), 0));
        let slot = self.slot(place);
        self.kernel.list(slot, id);
        slot
    }

    /// Lets `waiter` know the outcome: now, or when the process has ended.
    #[inline]
    pub(super) fn wait(&self, place: Place, waiter: Ret<OutcomeOf<P>>) {
        let mut rows = self.rows.borrow_mut();
        let refused = match rows.at_mut(place) {
            Some(row) => row.keep_first_waiter(waiter),
            None => Some(waiter),
        };
        drop(rows);
        if let Some(waiter) = refused {
            self.wait_beside_others(place, waiter);
        }
    }

    #[inline(never)]
    fn wait_beside_others(&self, place: Place, waiter: Ret<OutcomeOf<P>>) {
        match self.find(place) {
            Some(Found::Live(_)) => self.keep(place, Kept::Waiter(waiter)),
            Some(Found::Over(end)) => {
                waiter.ret(end.outcome.clone());
                self.kernel.on_outside();
            }
            None => {}
        }
    }

    /// Calls `with` for what few processes have, if this one has it. It must not call anybody's code.
    pub(super) fn more<T>(&self, place: Place, with: impl FnOnce(&mut More<P>) -> T) -> Option<T> {
        self.rows.borrow_mut().at_mut(place)?.more().map(with)
    }

    /// Calls `with` for what the process keeps. Whom it calls may come back for more.
    pub(super) fn lend(&self, place: Place, with: impl FnOnce(&[Kept<P>])) {
        let lent = self.more(place, |more| std::mem::replace(&mut more.kept, Few::None));
        let Some(kept) = lent else { return };
        with(kept.as_slice());
        let later = self.more(place, |more| std::mem::replace(&mut more.kept, kept));
        if let Some(later) = later {
            later.consume(|kept| self.keep(place, kept));
        }
    }

    /// Keeps something for a process. If that has ended, it is dropped, when nothing is borrowed.
    pub(super) fn keep(&self, place: Place, kept: Kept<P>) {
        let mut rows = self.rows.borrow_mut();
        let refused = match rows.at_mut(place) {
            Some(row) => row.keep(kept),
            None => Some(kept),
        };
        drop(rows);
        drop(refused);
    }

    /// A call begins; its number.
    #[inline]
    pub(super) fn open(&self) -> u64 {
        let call = self.calls.get() + 1;
        self.calls.set(call);
        call
    }

    /// Lays down `word`, if the call with this number is going on; gives it back if not.
    #[inline]
    pub(super) fn lay(&self, call: u64, word: Word<P>) -> Option<Word<P>> {
        if self.calls.get() != call {
            return Some(word);
        }
        // A call has one step and that says one word, so there is none yet. To look for one to be dropped would cost a
        // third of a step.
        let before = self.word.replace(Some(word));
        debug_assert!(before.is_none(), "a step says one word");
        std::mem::forget(before);
        None
    }

    /// The call is over; what was laid down.
    #[inline]
    pub(super) fn close_call(&self) -> Option<Word<P>> {
        self.calls.set(self.calls.get() + 1);
        self.word.take()
    }

    /// The actor in this place.
    pub(super) fn actor(&self, place: Place) -> Option<Actor<P>> {
        // Nobody else borrows now, and to borrow alone is cheaper than to be counted.
        self.rows.borrow_mut().at(place)?.actor().cloned()
    }
}

impl<P: Process> AnyDesk for Desk<P> {
    fn poke(&self, place: Place, poke: Poke) {
        if let Some(actor) = self.actor(place) {
            let deferrer = actor.access_deferrer().clone();
            deferrer.defer(move |s| actor.apply(s, move |this, cx| drive::on_poke(this, cx, poke)));
        }
    }

    fn tell_next(&self, stakker: &mut Stakker, at_most: u32) -> u32 {
        for told in 0..at_most {
            let Some((place, poke)) = self.kernel.next_at_desk(self.number) else { return told };
            // Whoever is on the agenda was made before this turn's calls were run, so it has its value, and there is
            // nothing to keep for an actor that waits for one: `query` is `apply` without that.
            if let Some(actor) = self.actor(place) {
                actor.query(stakker, |this, cx| drive::on_poke(this, cx, poke));
            }
        }
        at_most
    }

    fn is_live(&self, place: Place) -> bool {
        self.rows.borrow().at(place).is_some_and(|row| row.actor().is_some())
    }

    fn id_of(&self, place: Place) -> Option<ProcessId> {
        self.rows.borrow().at(place)?.id()
    }

    #[inline]
    fn count_handle(&self, place: Place, by: i32) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.at_mut(place) else { return };
        let handles = row.handles();
        *handles = handles.saturating_add_signed(by);
        if *handles == 0 && row.actor().is_none() {
            drop(rows);
            self.forget(place);
        }
    }

    fn add_nudge(&self, place: Place) -> bool {
        self.is_live(place) && self.nudges.add(place)
    }

    fn close(&self) {
        let rows = std::mem::take(&mut *self.rows.borrow_mut());
        drop(rows);
    }
}

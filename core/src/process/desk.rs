//! One desk for each kind: the table of its processes, and where one that is inside `advance` puts its word, so that it is
//! heard as soon as `advance` has returned.
//!
//! Design note: a word that went through the queue of the Stakker like every other message would cost a closure, a copy of
//! it and a second dispatch: half of what a step costs. A cell in each process would cost memory that a paused one must
//! not have. So there is one desk for all processes of a kind; it knows by a number whose turn it is. And because it knows
//! their type, it keeps their rows side by side, without a box for each.

use super::drive::{self, Poke};
use super::few::Few;
use super::life::Birth;
use super::row::{End, Kept, More, Row};
use super::slab::{Place, Slab};
use super::step::Word;
use super::{OutcomeOf, Process};
use crate::ProcessId;
use crate::runtime::{Kernel, Slot};
use stakker::{Actor, ActorOwn, Ret, Stakker};
use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// See the [module](self). It also leads to the kernel, so that a `Life` needs one pointer for both.
pub(crate) struct Desk<P: Process> {
    pub(super) kernel: Rc<Kernel>,
    /// By which the kernel finds it, from 1.
    number: u16,
    /// Nobody's code runs while it is borrowed: what leaves it is dropped afterwards.
    rows: RefCell<Slab<Row<P>>>,
    /// Nudges that were not used yet. Few processes have one at a time.
    nudges: RefCell<BTreeMap<Place, u32>>,
    /// Counts the calls of the author's code, from 1.
    calls: Cell<u64>,
    /// The number of the call that is going on; 0 between calls.
    current: Cell<u64>,
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
    /// Tells it now, between two messages.
    fn tell(&self, stakker: &mut Stakker, place: Place, poke: Poke);
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
            nudges: RefCell::default(),
            calls: Cell::new(0),
            current: Cell::new(0),
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
        match self.rows.borrow().at(place)? {
            Row::Live { own, .. } | Row::Awaited { own, .. } => Some(Found::Live((**own).clone())),
            Row::Over { end, .. } => Some(Found::Over(end.clone())),
            Row::Changing => None,
        }
    }

    /// Lets a process move in, of which there are so many handles.
    pub(super) fn settle(&self, own: ActorOwn<P>, birth: &Birth<P>, handles: u32) -> Place {
        let &Birth { id, seq, parent, .. } = birth;
        let is_tied = id.is_some() || parent.is_some();
        let more = is_tied.then(|| More::tied(id, seq, parent));
        let place = self.rows.borrow_mut().insert(Row::live(own, more, handles));
        self.kernel.count_in(self.slot(place), id);
        place
    }

    /// Keeps the outcome of a process that had ended before this runtime began.
    pub(crate) fn remember(&self, id: ProcessId, outcome: OutcomeOf<P>) -> Slot {
        let place = self.rows.borrow_mut().insert(Row::over(End { id: Some(id), outcome }));
        let slot = self.slot(place);
        self.kernel.list(slot, id);
        slot
    }

    /// A process has ended: who waits for it is told, its actor goes, its outcome stays for those who still refer to it.
    pub(super) fn ended(&self, place: Place, outcome: OutcomeOf<P>) {
        let gone = self.rows.borrow_mut().remove_if(place, Row::is_forgotten);
        match gone {
            Some(gone) => self.part(place, gone, &outcome),
            None => self.leave_behind(place, outcome),
        }
    }

    /// The same, of one that somebody refers to.
    fn leave_behind(&self, place: Place, outcome: OutcomeOf<P>) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.at_mut(place).filter(|row| row.actor().is_some()) else { return };
        let handles = row.handles().copied().unwrap_or_default();
        let end = Rc::new(End { id: row.id(), outcome });
        let gone = std::mem::replace(row, Row::Over { end: end.clone(), handles });
        drop(rows);
        self.part(place, gone, &end.outcome);
    }

    /// What follows for others when a process has ended.
    #[inline(always)]
    fn part(&self, place: Place, gone: Row<P>, outcome: &OutcomeOf<P>) {
        self.drop_nudges(place);
        let (own, parent) = match gone {
            // The common case by itself: it was in no journal, and one waits for it.
            Row::Awaited { own, waiter, .. } => {
                self.kernel.count_out(None);
                waiter.ret(outcome.clone());
                (own, None)
            }
            Row::Live { own, more: None, .. } => {
                self.kernel.count_out(None);
                (own, None)
            }
            Row::Live { own, more: Some(more), .. } => {
                self.kernel.count_out(more.id);
                drive::tell_end(more.kept, outcome);
                (own, more.parent)
            }
            Row::Over { .. } | Row::Changing => return,
        };
        self.let_go(own);
        self.kernel.after_end(self.slot(place), parent);
    }

    /// Lets go of an actor that stops by itself.
    ///
    /// An owner that is dropped sends its actor the message to end. That is a second end for one that stops already, and
    /// costs as much as the first. So the owner is left with an actor that ended long ago, and to which it says nothing.
    fn let_go(&self, mut own: ActorOwn<P>) {
        let ended = self.ended.get_or_init(|| (*own).clone());
        *own = ended.clone();
    }

    /// Lets `waiter` know the outcome: now, or when the process has ended.
    pub(super) fn wait(&self, place: Place, waiter: Ret<OutcomeOf<P>>) {
        let end = match self.rows.borrow_mut().at_mut(place) {
            Some(Row::Over { end, .. }) => end.clone(),
            Some(row) => return row.keep(Kept::Waiter(waiter)),
            None => return,
        };
        waiter.ret(end.outcome.clone());
        self.kernel.on_outside();
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
        match rows.at_mut(place) {
            Some(row @ (Row::Live { .. } | Row::Awaited { .. })) => row.keep(kept),
            Some(Row::Over { .. } | Row::Changing) | None => {
                drop(rows);
                drop(kept);
            }
        }
    }

    pub(super) fn has_nudge(&self, place: Place) -> bool {
        self.nudges.borrow().contains_key(&place)
    }

    pub(super) fn take_nudge(&self, place: Place) {
        let mut nudges = self.nudges.borrow_mut();
        match nudges.get_mut(&place) {
            Some(left @ 2..) => *left -= 1,
            Some(_) => drop(nudges.remove(&place)),
            None => {}
        }
    }

    pub(super) fn drop_nudges(&self, place: Place) {
        let mut nudges = self.nudges.borrow_mut();
        if !nudges.is_empty() {
            nudges.remove(&place);
        }
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

    /// The actor in this place.
    pub(super) fn actor(&self, place: Place) -> Option<Actor<P>> {
        Some((**self.rows.borrow().at(place)?.actor()?).clone())
    }
}

impl<P: Process> AnyDesk for Desk<P> {
    fn poke(&self, place: Place, poke: Poke) {
        if let Some(actor) = self.actor(place) {
            let deferrer = actor.access_deferrer().clone();
            deferrer.defer(move |s| actor.apply(s, move |this, cx| drive::on_poke(this, cx, poke)));
        }
    }

    fn tell(&self, stakker: &mut Stakker, place: Place, poke: Poke) {
        if let Some(actor) = self.actor(place) {
            actor.apply(stakker, move |this, cx| drive::on_poke(this, cx, poke));
        }
    }

    fn is_live(&self, place: Place) -> bool {
        self.rows.borrow().at(place).is_some_and(|row| row.actor().is_some())
    }

    fn id_of(&self, place: Place) -> Option<ProcessId> {
        self.rows.borrow().at(place)?.id()
    }

    fn count_handle(&self, place: Place, by: i32) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.at_mut(place) else { return };
        if let Some(handles) = row.handles() {
            *handles = handles.saturating_add_signed(by);
        }
        let forgotten = match row {
            Row::Over { handles: 0, .. } => rows.remove(place),
            Row::Over { .. } | Row::Live { .. } | Row::Awaited { .. } | Row::Changing => None,
        };
        // Nothing is borrowed when an outcome is dropped: it may be anything.
        drop(rows);
        drop(forgotten);
    }

    fn add_nudge(&self, place: Place) -> bool {
        if !self.is_live(place) {
            return false;
        }
        let mut nudges = self.nudges.borrow_mut();
        let left = nudges.entry(place).or_default();
        *left = left.saturating_add(1);
        *left == 1
    }

    fn close(&self) {
        let rows = std::mem::take(&mut *self.rows.borrow_mut());
        drop(rows);
    }
}

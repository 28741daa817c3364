//! The end of a process: who is told, what goes, and what stays.

use super::Desk;
use crate::process::row::{End, Rest, Row};
use crate::process::slab::Place;
use crate::process::{OutcomeOf, Poke, Process, Remains, drive};
use stakker::ActorOwn;
use std::rc::Rc;

impl<P: Process> Desk<P> {
    /// A process has ended: who waits for it is told, its actor goes, its outcome stays for those who still refer to it.
    ///
    /// Here is the common case: nobody refers to it, it was in no journal, and at most one waits for it.
    #[inline(always)]
    pub(in crate::process) fn ended(&self, place: Place, remains: Remains<P::Output>) {
        let gone = self.rows.borrow_mut().remove_if(place, Row::is_light);
        let Some((Some(own), rest)) = gone.map(Row::parts) else { return self.leave_behind(place, remains) };
        // Made before there is other work: what is read as soon as it is written has to be waited for.
        let outcome = remains.into();
        self.nudges.clear(place);
        self.kernel.count_out(None);
        self.let_go(own);
        if let Rest::Waiter { waiter, .. } = rest {
            waiter.ret(outcome);
        }
        self.leave_children(place);
    }

    /// The same of one that somebody refers to.
    #[inline(never)]
    fn leave_behind(&self, place: Place, remains: Remains<P::Output>) {
        let awaited = self.rows.borrow_mut().at(place).and_then(Row::is_awaited);
        let Some(is_awaited) = awaited else { return self.end_one_with_more(place, remains.into()) };
        // Cloned while nothing is borrowed: that is the author's code.
        let copy = is_awaited.then(|| remains.clone().into());
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.at_mut(place) else { return };
        let left = Row::left(Box::new(remains), *row.handles());
        let (own, rest) = std::mem::replace(row, left).parts();
        drop(rows);
        self.nudges.clear(place);
        self.kernel.count_out(None);
        if let Some(own) = own {
            self.let_go(own);
        }
        if let (Rest::Waiter { waiter, .. }, Some(copy)) = (rest, copy) {
            waiter.ret(copy);
        }
        self.leave_children(place);
    }

    /// The same of one that was in a journal, is a child, or kept something.
    #[inline(never)]
    fn end_one_with_more(&self, place: Place, outcome: OutcomeOf<P>) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.at_mut(place).filter(|row| row.actor().is_some()) else { return };
        let (id, handles) = (row.id(), *row.handles());
        let end = Rc::new(End { id, outcome });
        let gone = match handles {
            0 => rows.remove(place),
            _ => Some(std::mem::replace(row, Row::over(end.clone(), handles))),
        };
        drop(rows);
        let Some((Some(own), rest)) = gone.map(Row::parts) else { return };
        self.nudges.clear(place);
        self.kernel.count_out(id);
        let parent = match rest {
            Rest::More { more, .. } => {
                drive::tell_end(more.kept, &end.outcome);
                more.parent
            }
            Rest::Nothing { .. } | Rest::Waiter { .. } | Rest::Left { .. } | Rest::Over { .. } => None,
        };
        self.let_go(own);
        self.leave_children(place);
        if let Some(parent) = parent {
            self.kernel.poke(parent, Poke::ChildEnded);
        }
    }

    /// A process that has ended leaves its children, if it has any.
    #[inline(always)]
    fn leave_children(&self, place: Place) {
        if self.kernel.has_kin() {
            self.kernel.leave_children(self.slot(place));
        }
    }

    /// Lets go of an actor that stops by itself.
    ///
    /// An owner that is dropped sends its actor the message to end. That is a second end for one that stops already, and
    /// costs as much as the first. So the owner is left with an actor that ended long ago, and to which it says nothing.
    #[inline(always)]
    fn let_go(&self, mut own: ActorOwn<P>) {
        let ended = self.ended.get_or_init(|| (*own).clone());
        *own = ended.clone();
    }

    /// Drops an outcome that nobody refers to any more, when nothing is borrowed: it may be anything.
    #[inline(never)]
    pub(super) fn forget(&self, place: Place) {
        let gone = self.rows.borrow_mut().remove(place);
        drop(gone);
    }
}

//! What a desk has of a process: its actor and what few processes have at a time; later what came of it.

use super::few::Few;
use super::slab::overwrite;
use super::{OutcomeOf, PhaseOf, Process, Remains};
use crate::ProcessId;
use crate::journal::{Entry, Stage};
use crate::runtime::Slot;
use stakker::{Actor, ActorOwn, Fwd, Ret};
use std::any::Any;
use std::rc::Rc;

/// See the [module](self). Kept small: a paused process is little more than this and its state.
pub(super) struct Row<P: Process> {
    /// Its actor, from when it is made until it has ended. Beside what else there is, so that it is found without asking what that is.
    own: Option<ActorOwn<P>>,
    rest: Rest<P>,
}

/// What there is beside the actor. Each counts the handles, in the place where an enum has room to spare.
pub(super) enum Rest<P: Process> {
    Nothing {
        handles: u32,
    },
    /// Only somebody who waits for the end: so common that it needs no box.
    Waiter {
        handles: u32,
        waiter: Ret<OutcomeOf<P>>,
    },
    More {
        handles: u32,
        more: Box<More<P>>,
    },
    /// It has ended, and is still referred to. Nobody has asked for its outcome since.
    Left {
        handles: u32,
        remains: Box<Remains<P::Output>>,
    },
    /// The same of one that was asked for its outcome, or that had more.
    Over {
        handles: u32,
        end: Rc<End<P>>,
    },
}

/// What remains of a process.
pub(crate) struct End<P: Process> {
    pub id: Option<ProcessId>,
    pub outcome: OutcomeOf<P>,
}

/// What processes have that are in a journal, are children, or keep something.
pub(super) struct More<P: Process> {
    /// The number in the journal, of a process that is in one.
    pub id: Option<ProcessId>,
    pub seq: u64,
    pub parent: Option<Slot>,
    pub kept: Few<Kept<P>>,
    pub pending: Option<Pending<P>>,
    /// Ledger entries that go into the journal with the next transition.
    pub ledger: Vec<Entry>,
}

/// What a process keeps.
pub(super) enum Kept<P: Process> {
    /// Dropped when the state is left.
    Guard(Box<dyn Any>),
    /// Told of each phase.
    Watcher(Fwd<PhaseOf<P>>),
    /// Told of the end.
    Waiter(Ret<OutcomeOf<P>>),
}

/// The transition that is on its way to the journal.
pub(super) enum Pending<P: Process> {
    Enter(Stage, Option<P::State>),
    /// Boxed, because an outcome may be large and comes once.
    End(Box<OutcomeOf<P>>),
}

impl<P: Process> More<P> {
    /// Of a process with this number and this parent.
    pub fn tied(id: Option<ProcessId>, seq: u64, parent: Option<Slot>) -> More<P> {
        More { id, seq, parent, kept: Few::None, pending: None, ledger: Vec::new() }
    }

    fn with(kept: Kept<P>) -> Box<More<P>> {
        Box::new(More { kept: Few::One(kept), ..More::tied(None, 0, None) })
    }
}

impl<P: Process> Row<P> {
    pub fn live(own: ActorOwn<P>, more: Option<More<P>>) -> Row<P> {
        let rest = match more {
            Some(more) => Rest::More { handles: 0, more: Box::new(more) },
            None => Rest::Nothing { handles: 0 },
        };
        Row { own: Some(own), rest }
    }

    /// Of a process that is being made.
    pub fn reserved(handles: u32) -> Row<P> {
        Row { own: None, rest: Rest::Nothing { handles } }
    }

    /// Gives a reserved row its actor.
    #[inline(always)]
    pub fn fill(&mut self, own: ActorOwn<P>) {
        overwrite(&mut self.own, Some(own));
    }

    pub fn left(remains: Box<Remains<P::Output>>, handles: u32) -> Row<P> {
        Row { own: None, rest: Rest::Left { handles, remains } }
    }

    pub fn over(end: Rc<End<P>>, handles: u32) -> Row<P> {
        Row { own: None, rest: Rest::Over { handles, end } }
    }

    /// The actor, of one that has not ended.
    pub fn actor(&self) -> Option<&Actor<P>> {
        self.own.as_deref()
    }

    pub fn id(&self) -> Option<ProcessId> {
        match &self.rest {
            Rest::More { more, .. } => more.id,
            Rest::Over { end, .. } => end.id,
            Rest::Nothing { .. } | Rest::Waiter { .. } | Rest::Left { .. } => None,
        }
    }

    /// How many handles there are, plus one if a parent may still ask for it.
    pub fn handles(&mut self) -> &mut u32 {
        let (Rest::Nothing { handles }
        | Rest::Waiter { handles, .. }
        | Rest::More { handles, .. }
        | Rest::Left { handles, .. }
        | Rest::Over { handles, .. }) = &mut self.rest;
        handles
    }

    /// Whether the process has not ended, and nobody refers to it but at most one who waits for its end.
    pub fn is_light(&self) -> bool {
        let is_alone = matches!(self.rest, Rest::Nothing { handles: 0 } | Rest::Waiter { handles: 0, .. });
        is_alone && self.own.is_some()
    }

    /// Whether somebody waits for the end of a process that lives and has nothing else beside its actor.
    pub fn is_awaited(&self) -> Option<bool> {
        self.own.as_ref()?;
        match self.rest {
            Rest::Nothing { .. } => Some(false),
            Rest::Waiter { .. } => Some(true),
            Rest::More { .. } | Rest::Left { .. } | Rest::Over { .. } => None,
        }
    }

    /// What came of one that has ended, shared from now on: so it can be cloned, which is the author's code, while nothing
    /// is borrowed.
    pub fn share_end(&mut self) -> Option<Rc<End<P>>> {
        if let Rest::Left { handles, .. } = self.rest
            && let Rest::Left { remains, .. } = std::mem::replace(&mut self.rest, Rest::Nothing { handles })
        {
            *self = Row::over(Rc::new(End { id: None, outcome: (*remains).into() }), handles);
        }
        match &self.rest {
            Rest::Over { end, .. } => Some(end.clone()),
            Rest::Nothing { .. } | Rest::Waiter { .. } | Rest::More { .. } | Rest::Left { .. } => None,
        }
    }

    /// Its parts: the actor of one that has not ended, and all the rest.
    pub fn parts(self) -> (Option<ActorOwn<P>>, Rest<P>) {
        (self.own, self.rest)
    }

    /// Keeps something for a process, and gives it back if that has ended.
    pub fn keep(&mut self, kept: Kept<P>) -> Option<Kept<P>> {
        match (&mut self.rest, kept) {
            (Rest::More { more, .. }, kept) => more.kept.push(kept),
            (Rest::Left { .. } | Rest::Over { .. }, kept) => return Some(kept),
            (&mut Rest::Nothing { handles }, Kept::Waiter(waiter)) => {
                self.rest = Rest::Waiter { handles, waiter };
            }
            (&mut Rest::Nothing { handles }, kept @ (Kept::Guard(_) | Kept::Watcher(_))) => {
                self.rest = Rest::More { handles, more: More::with(kept) };
            }
            (&mut Rest::Waiter { handles, .. }, kept) => {
                let first = std::mem::replace(&mut self.rest, Rest::Nothing { handles });
                if let Rest::Waiter { waiter, .. } = first {
                    let mut more = More::with(Kept::Waiter(waiter));
                    more.kept.push(kept);
                    self.rest = Rest::More { handles, more };
                }
            }
        }
        None
    }

    /// The common case by itself: somebody waits for the end of a process that has nothing yet. Gives back who cannot be
    /// kept so.
    #[inline(always)]
    pub fn keep_first_waiter(&mut self, waiter: Ret<OutcomeOf<P>>) -> Option<Ret<OutcomeOf<P>>> {
        let Rest::Nothing { handles } = self.rest else { return Some(waiter) };
        overwrite(&mut self.rest, Rest::Waiter { handles, waiter });
        None
    }

    /// What few processes have, of one that has it.
    pub fn more(&mut self) -> Option<&mut More<P>> {
        match &mut self.rest {
            Rest::More { more, .. } => Some(more),
            Rest::Nothing { .. } | Rest::Waiter { .. } | Rest::Left { .. } | Rest::Over { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Life, State, Step};
    use serde::{Deserialize, Serialize};
    use stakker::CX;

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Once;
    impl State for Once {}

    struct Plain {
        life: Life<Self>,
    }

    impl Process for Plain {
        const KIND: &'static str = "plain";
        type State = Once;
        type Output = String;

        fn life(&mut self) -> &mut Life<Self> {
            &mut self.life
        }

        fn advance(&mut self, _: CX![], _: Once, step: Step<Self>) {
            step.finish(String::new());
        }
    }

    #[test]
    fn a_row_is_four_words() {
        assert_eq!(size_of::<Row<Plain>>(), 4 * size_of::<usize>());
    }
}

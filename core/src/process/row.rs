//! What a desk has of a process: its actor and what few processes have at a time; later what came of it.

use super::few::Few;
use super::{OutcomeOf, PhaseOf, Process};
use crate::ProcessId;
use crate::journal::{Entry, Stage};
use crate::runtime::Slot;
use stakker::{ActorOwn, Fwd, Ret};
use std::any::Any;
use std::rc::Rc;

/// See the [module](self). Kept small: a paused process is little more than this and its state.
pub(super) enum Row<P: Process> {
    Live {
        own: ActorOwn<P>,
        more: Option<Box<More<P>>>,
        handles: u32,
    },
    /// The same, of one that has nothing but somebody who waits for its end: so common that it needs no box.
    Awaited {
        own: ActorOwn<P>,
        waiter: Ret<OutcomeOf<P>>,
        handles: u32,
    },
    /// It has ended, and is still referred to.
    Over {
        end: Rc<End<P>>,
        handles: u32,
    },
    /// Only while it becomes another one.
    Changing,
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
    pub fn live(own: ActorOwn<P>, more: Option<More<P>>, handles: u32) -> Row<P> {
        Row::Live { own, more: more.map(Box::new), handles }
    }

    pub fn over(end: End<P>) -> Row<P> {
        Row::Over { end: Rc::new(end), handles: 0 }
    }

    /// The actor, of one that has not ended.
    pub fn actor(&self) -> Option<&ActorOwn<P>> {
        match self {
            Row::Live { own, .. } | Row::Awaited { own, .. } => Some(own),
            Row::Over { .. } | Row::Changing => None,
        }
    }

    pub fn id(&self) -> Option<ProcessId> {
        match self {
            Row::Live { more, .. } => more.as_ref()?.id,
            Row::Awaited { .. } | Row::Changing => None,
            Row::Over { end, .. } => end.id,
        }
    }

    /// How many handles there are, plus one if a parent may still ask for it.
    pub fn handles(&mut self) -> Option<&mut u32> {
        match self {
            Row::Live { handles, .. } | Row::Awaited { handles, .. } | Row::Over { handles, .. } => {
                Some(handles)
            }
            Row::Changing => None,
        }
    }

    /// Whether nobody refers to the process, which has not ended.
    pub fn is_forgotten(&self) -> bool {
        matches!(self, Row::Live { handles: 0, .. } | Row::Awaited { handles: 0, .. })
    }

    /// Keeps something for a process that has not ended.
    #[inline(always)]
    pub fn keep(&mut self, kept: Kept<P>) {
        *self = match (std::mem::replace(self, Row::Changing), kept) {
            (Row::Live { own, more: None, handles }, Kept::Waiter(waiter)) => {
                Row::Awaited { own, waiter, handles }
            }
            (Row::Live { own, more: None, handles }, kept @ (Kept::Guard(_) | Kept::Watcher(_))) => {
                Row::Live { own, more: Some(More::with(kept)), handles }
            }
            (Row::Live { own, more: Some(mut more), handles }, kept) => {
                more.kept.push(kept);
                Row::Live { own, more: Some(more), handles }
            }
            (Row::Awaited { own, waiter, handles }, kept) => {
                let mut more = More::with(Kept::Waiter(waiter));
                more.kept.push(kept);
                Row::Live { own, more: Some(more), handles }
            }
            (row @ (Row::Over { .. } | Row::Changing), _) => row,
        }
    }

    /// What few processes have, of one that has it.
    pub fn more(&mut self) -> Option<&mut More<P>> {
        match self {
            Row::Live { more, .. } => more.as_deref_mut(),
            Row::Awaited { .. } | Row::Over { .. } | Row::Changing => None,
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

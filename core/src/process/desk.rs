//! Where a process that is inside `advance` puts its word, so that it is heard as soon as `advance` has returned.
//!
//! Design note: a word that went through the queue of the Stakker like every other message would cost a closure, a copy of
//! it and a second dispatch: half of what a step costs. A cell in each process would cost memory that a paused one must
//! not have. So there is one desk for all processes of a kind; it knows by a number whose turn it is.

use super::Process;
use super::step::Word;
use crate::runtime::Kernel;
use std::cell::Cell;
use std::rc::Rc;

/// See the [module](self). It also leads to the kernel, so that a `Life` needs one pointer for both.
pub(crate) struct Desk<P: Process> {
    pub(super) kernel: Rc<Kernel>,
    /// Counts the calls of the author's code, from 1.
    calls: Cell<u64>,
    /// The number of the call that is going on; 0 between calls.
    current: Cell<u64>,
    word: Cell<Option<Word<P>>>,
}

impl<P: Process> Desk<P> {
    /// The desk of this kind in this runtime.
    pub(crate) fn of(kernel: &Rc<Kernel>) -> Rc<Desk<P>> {
        kernel.shared(|| Desk {
            kernel: kernel.clone(),
            calls: Cell::new(0),
            current: Cell::new(0),
            word: Cell::new(None),
        })
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
    pub(super) fn close(&self) -> Option<Word<P>> {
        self.current.set(0);
        self.word.take()
    }
}

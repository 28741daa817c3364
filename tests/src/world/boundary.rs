//! The moments between effects, counted, so that something can go wrong at each of them.
//!
//! Every step of everything that runs on a simulated host has two: just before it, and just after it. A story is told
//! once without a strike to count them, and then once for each boundary and each kind of strike.

use std::cell::RefCell;
use std::rc::Rc;

/// What goes wrong at a boundary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Strike {
    /// The runtime dies; what it has begun on the host goes on.
    Crash,
    /// The runtime dies, and the command that is at this boundary dies with the connection.
    CrashAndHangUp,
    /// The reply to the request that is at this boundary never comes: its `Ret` is dropped.
    ReplyDropped,
    /// The connection breaks: every request in flight ends as unreachable, and what has begun goes on.
    Unreachable,
    /// The host starts anew: all that runs on it is gone, its disk stays.
    Reboot,
    /// The owner wants the process to be killed.
    Kill,
    /// The owner pauses the process, and lets it go on a while later.
    Pause,
}

impl Strike {
    /// Every kind.
    pub const ALL: [Strike; 7] = [
        Strike::Crash,
        Strike::CrashAndHangUp,
        Strike::ReplyDropped,
        Strike::Unreachable,
        Strike::Reboot,
        Strike::Kill,
        Strike::Pause,
    ];
}

/// The counter of the boundaries of a world; a clone is the same one.
#[derive(Clone, Default)]
pub struct Boundaries(Rc<RefCell<Count>>);

#[derive(Default)]
struct Count {
    passed: u64,
    planned: Vec<(u64, Strike)>,
}

impl Boundaries {
    /// Plans a strike at this boundary, counted from 0.
    pub fn strike_at(&self, boundary: u64, strike: Strike) {
        self.0.borrow_mut().planned.push((boundary, strike));
    }

    /// How many boundaries were passed.
    pub fn passed(&self) -> u64 {
        self.0.borrow().passed
    }

    /// Whether every strike that was planned has happened.
    pub fn all_struck(&self) -> bool {
        self.0.borrow().planned.is_empty()
    }

    /// Passes one, and says whether something goes wrong here.
    pub fn pass(&self) -> Option<Strike> {
        let mut count = self.0.borrow_mut();
        let here = count.passed;
        count.passed += 1;
        let at = count.planned.iter().position(|(boundary, _)| *boundary == here)?;
        Some(count.planned.swap_remove(at).1)
    }
}

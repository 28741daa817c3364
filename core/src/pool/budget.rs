//! A budget that several runtimes of one user share, so that they keep the limits of a host together.

mod file;

pub use file::FileBudget;

use crate::WallTime;
use std::any::Any;
use std::time::Duration;

/// Whether a session may be opened, as far as others are concerned. It is asked on the thread of the pool just before each
/// try, so at most [`Rules::hourly`](super::Rules::hourly) times an hour and a little more often while others stand in the
/// way: it must answer at once.
pub trait Budget: 'static {
    /// Takes the right to open a session now. The [`Seat`] is kept until the session has ended.
    fn claim(&mut self, now: WallTime) -> Result<Seat, Later>;
}

/// The right to have a session; dropping it gives the right back.
pub struct Seat {
    _held: Box<dyn Any>,
}

impl Seat {
    /// A right that is given back when `held` is dropped.
    pub fn new(held: impl Any) -> Seat {
        Seat { _held: Box::new(held) }
    }
}

/// Why a session may not be opened now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{why}; try again in {wait:?}")]
pub struct Later {
    /// How long to wait before it is asked again; longer than nothing.
    pub wait: Duration,
    /// Why, in words.
    pub why: String,
}

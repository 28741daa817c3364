//! How much of other people's work a turn may do before timers, input and the host have their turn.

use super::clock::Clock;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A turn hands out steps in chunks of this many, and looks at the clock only between chunks.
const CHUNK: u32 = 32;

/// After this long a turn begins no further chunk. Half of what a due timer may wait for (100 µs), because a chunk and the
/// way back to the timers take their time too.
const SLICE: Duration = Duration::from_micros(50);

/// In virtual time the clock stands still during a turn, so chunks are counted instead.
const VIRTUAL_CHUNKS: u32 = 8;

/// The steps that are left in this turn.
pub(super) struct Budget {
    clock: Clock,
    began: Cell<Instant>,
    steps: Cell<u32>,
    chunks: Cell<u32>,
}

impl Budget {
    pub(super) fn new(clock: Clock, now: Instant) -> Budget {
        Budget { clock, began: Cell::new(now), steps: Cell::new(CHUNK), chunks: Cell::new(1) }
    }

    pub(super) fn begin_turn(&self, now: Instant) {
        self.began.set(now);
        self.steps.set(CHUNK);
        self.chunks.set(1);
    }

    /// Takes one step from the budget, if there is one left.
    #[inline]
    pub(super) fn take(&self) -> bool {
        match self.steps.get() {
            0 => self.refill(),
            n => {
                self.steps.set(n - 1);
                true
            }
        }
    }

    /// Whether a further step would be granted.
    pub(super) fn has_room(&self) -> bool {
        self.steps.get() > 0 || self.may_refill()
    }

    #[cold]
    fn refill(&self) -> bool {
        if !self.may_refill() {
            return false;
        }
        self.chunks.set(self.chunks.get() + 1);
        self.steps.set(CHUNK - 1);
        true
    }

    fn may_refill(&self) -> bool {
        match self.clock.is_real() {
            true => self.clock.now(self.began.get()).saturating_duration_since(self.began.get()) < SLICE,
            false => self.chunks.get() < VIRTUAL_CHUNKS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_in_virtual_time_ends_after_its_chunks() {
        let start = Clock::real().now_at_start();
        let budget = Budget::new(Clock::virtual_at(start), start);
        let granted = (0..10_000).filter(|_| budget.take()).count();
        assert_eq!(granted, (CHUNK * VIRTUAL_CHUNKS) as usize);
        assert!(!budget.has_room());
        budget.begin_turn(start);
        assert!(budget.has_room() && budget.take());
    }
}

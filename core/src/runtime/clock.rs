//! The clock: one of the two files that may ask the system for the time.
#![expect(clippy::disallowed_methods, reason = "this is where the runtime's time comes from")]

use crate::WallTime;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the calendar shows when a virtual clock starts: 2030-01-01 00:00 UTC.
const VIRTUAL_EPOCH_MS: i64 = 1_893_456_000_000;

/// Where time comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    /// The system's clocks.
    Real,
    /// Whoever calls `turn`. Only the calendar is computed.
    Virtual { start: Instant },
}

impl Clock {
    pub(super) fn real() -> Clock {
        Clock::Real
    }

    pub(super) fn virtual_at(start: Instant) -> Clock {
        Clock::Virtual { start }
    }

    pub(super) fn is_real(&self) -> bool {
        matches!(self, Clock::Real)
    }

    /// The time: the system's, or the one that the caller had last.
    pub(super) fn now(&self, last: Instant) -> Instant {
        match self {
            Clock::Real => Instant::now(),
            Clock::Virtual { .. } => last,
        }
    }

    /// The time at which a runtime begins.
    pub(super) fn now_at_start(&self) -> Instant {
        match self {
            Clock::Real => Instant::now(),
            Clock::Virtual { start } => *start,
        }
    }

    /// What the calendar shows at `now`.
    pub(super) fn wall(&self, now: Instant) -> WallTime {
        match self {
            Clock::Real => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Clock::Virtual { start } => {
                let since = now.saturating_duration_since(*start);
                WallTime(VIRTUAL_EPOCH_MS + i64::try_from(since.as_millis()).unwrap_or(0))
            }
        }
    }
}

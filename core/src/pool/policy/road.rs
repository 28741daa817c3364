//! The road to the host: what is known about whether another session can be opened.
//!
//! ```text
//!             opened                      failed, or broke at once
//!  Untried ───────────▶ Open ◀───────────────────────────▶ Blocked ─┐ failed again: rarer
//!     ▲ │                 │              opened               │  ▲───┘
//!     │ └─────────────────┴──── credentials or key refused ───┤
//!     └──────── retry ──────────────── Barred ◀───────────────┘            Closed: for good
//! ```

use crate::Backoff;
use crate::transport::TransportError;
use std::time::{Duration, Instant};

/// How long to wait after a failure, before the jitter: some seconds of an outage cost some seconds, and a night of it
/// twelve tries an hour.
pub(super) const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(500), cap: Duration::from_secs(300) };

/// What is known about the road to the host.
pub(super) enum Road {
    /// Nothing. With `wanted` somebody has asked for a try.
    Untried { wanted: bool },
    /// The last session that was tried was opened. So many failed before it or broke at once, one after the other.
    Open { failures: u32 },
    /// The last one was not opened, or broke at once.
    Blocked(Block),
    /// The host refused us, or we refused the host: nothing is tried any more.
    Barred(TransportError),
    /// The pool was closed.
    Closed,
}

/// Since when, why, and until when.
pub(super) struct Block {
    /// How many failed one after the other; at least 1.
    pub(super) failures: u32,
    /// What the last one failed of.
    pub(super) why: String,
    /// When the first of them failed.
    pub(super) since: Instant,
    /// Not before this.
    pub(super) next: Instant,
    /// Whether somebody has asked since the last try. A host that nobody asks for is left alone.
    pub(super) asked: bool,
}

impl Road {
    /// What follows when a session could not be opened, or broke at once.
    pub(super) fn after_failure(&mut self, why: TransportError, now: Instant, random: u64) {
        let (before, since) = match self {
            Road::Closed | Road::Barred(_) => return,
            Road::Untried { .. } => (0, now),
            Road::Open { failures } => (*failures, now),
            Road::Blocked(block) => (block.failures, block.since),
        };
        let why = match why {
            TransportError::Unreachable { why, .. } => why,
            other => other.to_string(),
        };
        let next = now + jittered(BACKOFF.delay(before), random);
        let failures = before.saturating_add(1);
        *self = Road::Blocked(Block { failures, why, since, next, asked: false });
    }

    /// What follows when a session was opened.
    pub(super) fn after_success(&mut self) {
        *self = match self {
            Road::Closed => Road::Closed,
            Road::Untried { .. } | Road::Barred(_) => Road::Open { failures: 0 },
            Road::Open { failures } => Road::Open { failures: *failures },
            // One that breaks at once has not proved much.
            Road::Blocked(block) => Road::Open { failures: block.failures },
        };
    }

    /// A session has lasted: what failed before it does not count any more.
    pub(super) fn forget_failures(&mut self) {
        if let Road::Open { failures } = self {
            *failures = 0;
        }
    }

    /// Somebody says that it is worth a try.
    pub(super) fn retry(&mut self) {
        match self {
            Road::Untried { .. } | Road::Barred(_) | Road::Blocked(_) => {
                *self = Road::Untried { wanted: true };
            }
            Road::Open { .. } | Road::Closed => {}
        }
    }

    /// Somebody has asked for the host.
    pub(super) fn ask(&mut self) {
        if let Road::Blocked(block) = self {
            block.asked = true;
        }
    }

    /// A try begins.
    pub(super) fn begin(&mut self) {
        match self {
            Road::Untried { wanted } => *wanted = false,
            Road::Blocked(block) => block.asked = false,
            Road::Open { .. } | Road::Barred(_) | Road::Closed => {}
        }
    }

    /// Whether it asks for a try by itself.
    pub(super) fn wants_try(&self) -> bool {
        match self {
            Road::Untried { wanted } => *wanted,
            Road::Blocked(block) => block.asked,
            Road::Open { .. } | Road::Barred(_) | Road::Closed => false,
        }
    }

    /// Whether a session may be tried at all, now or later.
    pub(super) fn is_open_to_tries(&self) -> bool {
        match self {
            Road::Untried { .. } | Road::Open { .. } | Road::Blocked(_) => true,
            Road::Barred(_) | Road::Closed => false,
        }
    }

    /// When it may be tried at the earliest, as far as it is known here.
    pub(super) fn not_before(&self) -> Option<Instant> {
        match self {
            Road::Blocked(block) => Some(block.next),
            Road::Untried { .. } | Road::Open { .. } | Road::Barred(_) | Road::Closed => None,
        }
    }
}

/// Between a half and the whole of it, so that those who failed together do not come back together.
pub(super) fn jittered(delay: Duration, random: u64) -> Duration {
    let half = delay / 2;
    let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
    half + Duration::from_micros(if micros == 0 { 0 } else { random % (micros + 1) })
}

/// A time in words that people read at a glance: `850 ms`, `42 s`, `4 min 10 s`, `3 h 5 min`.
pub(super) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..=99 => format!("{seconds} s"),
        100..=7199 => format!("{} min {} s", seconds / 60, seconds % 60),
        _hours => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "an instant to count from")]
    use super::*;

    fn failure() -> TransportError {
        TransportError::Unreachable { host: "h".into(), why: "refused".into() }
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_five_minutes() {
        let now = Instant::now();
        let mut road = Road::Untried { wanted: false };
        let mut waits = Vec::new();
        for _ in 0..12 {
            road.after_failure(failure(), now, u64::MAX / 2);
            waits.push(road.not_before().expect("a blocked road has a time").duration_since(now));
        }
        for (n, wait) in waits.iter().enumerate() {
            let whole = BACKOFF.delay(u32::try_from(n).expect("a small number"));
            assert!(*wait >= whole / 2 && *wait <= whole, "{n}: {wait:?} of {whole:?}");
        }
        assert!(waits[0] <= Duration::from_millis(500));
        assert!(waits[11] >= Duration::from_secs(150) && waits[11] <= Duration::from_secs(300));
    }

    #[test]
    fn a_success_that_does_not_last_does_not_reset_the_wait() {
        let now = Instant::now();
        let mut road = Road::Untried { wanted: false };
        (0..6).for_each(|_| road.after_failure(failure(), now, 0));
        road.after_success();
        road.after_failure(failure(), now, 0);
        assert!(road.not_before() >= Some(now + Duration::from_secs(16)));
        road.after_success();
        road.forget_failures();
        road.after_failure(failure(), now, 0);
        assert!(road.not_before() <= Some(now + Duration::from_millis(500)));
    }

    #[test]
    fn what_is_barred_or_closed_is_not_tried_until_somebody_says_so() {
        let now = Instant::now();
        let barred = || Road::Barred(TransportError::AuthFailed { host: "h".into(), why: "no".into() });
        let mut road = barred();
        road.after_failure(failure(), now, 0);
        assert!(!road.is_open_to_tries());
        road.retry();
        assert!(road.is_open_to_tries() && road.wants_try());
        road.begin();
        assert!(!road.wants_try(), "one wish is one try");
        let mut road = Road::Closed;
        road.retry();
        road.after_success();
        assert!(!road.is_open_to_tries());
    }

    #[test]
    fn times_are_read_at_a_glance() {
        let words = [850, 42_000, 250_000, 11_100_000].map(|ms| in_words(Duration::from_millis(ms)));
        assert_eq!(words, ["850 ms", "42 s", "4 min 10 s", "3 h 5 min"]);
    }
}

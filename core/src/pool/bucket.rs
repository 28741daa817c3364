//! How often something may be done: a token bucket, and a hard cap for any hour.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The hour of the hard cap.
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// A token bucket with a cap. It tells when the next one may be taken, and forgets what is older than an hour.
///
/// The tokens are kept as the moment at which the bucket will be full again, so that no rounding adds up.
pub(super) struct Bucket {
    burst: u32,
    refill: Duration,
    hourly: usize,
    /// None before the first one is taken.
    full_at: Option<Instant>,
    /// When each was taken, oldest first, for an hour.
    taken: VecDeque<Instant>,
}

impl Bucket {
    /// A full one. `burst` and `hourly` are at least 1.
    pub(super) fn new(burst: u32, refill: Duration, hourly: u32) -> Bucket {
        let hourly = usize::try_from(hourly).unwrap_or(usize::MAX);
        Bucket { burst, refill, hourly, full_at: None, taken: VecDeque::new() }
    }

    /// When the next may be taken; a moment that is past means now.
    pub(super) fn ready_at(&self, now: Instant) -> Instant {
        let by_tokens = self.full_at.map_or(now, |full| {
            let others = self.refill.saturating_mul(self.burst - 1);
            full.checked_sub(others).unwrap_or(now)
        });
        let recent = self.in_hour(now);
        let by_cap = match recent < self.hourly {
            true => now,
            // When so many have left the window that one more fits.
            false => self.taken[self.taken.len() - self.hourly] + HOUR,
        };
        by_tokens.max(by_cap)
    }

    /// Whether at least so many may be taken in a row.
    pub(super) fn has(&self, now: Instant, tokens: u32) -> bool {
        let missing = self.full_at.map_or(Duration::ZERO, |full| full.saturating_duration_since(now));
        let spare = self.hourly - self.in_hour(now).min(self.hourly);
        tokens <= self.burst
            && missing <= self.refill.saturating_mul(self.burst - tokens)
            && usize::try_from(tokens).is_ok_and(|tokens| tokens <= spare)
    }

    /// Takes one. Only when it is ready.
    pub(super) fn take(&mut self, now: Instant) {
        self.full_at = Some(self.full_at.map_or(now, |full| full.max(now)) + self.refill);
        while self.taken.front().is_some_and(|at| now.saturating_duration_since(*at) >= HOUR) {
            self.taken.pop_front();
        }
        self.taken.push_back(now);
    }

    /// Gives the last one back: it was not used.
    pub(super) fn put_back(&mut self) {
        if self.taken.pop_back().is_some() {
            self.full_at = self.full_at.and_then(|full| full.checked_sub(self.refill));
        }
    }

    /// How many were taken in the last hour.
    pub(super) fn in_hour(&self, now: Instant) -> usize {
        self.taken.iter().rev().take_while(|at| now.saturating_duration_since(**at) < HOUR).count()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "an instant to count from")]
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_burst_is_free_and_then_one_comes_with_each_refill() {
        let start = Instant::now();
        let mut bucket = Bucket::new(3, seconds(10), 100);
        for _ in 0..3 {
            assert!(bucket.ready_at(start) <= start);
            bucket.take(start);
        }
        assert_eq!(bucket.ready_at(start), start + seconds(10));
        bucket.take(start + seconds(10));
        assert_eq!(bucket.ready_at(start + seconds(10)), start + seconds(20));
        // A long rest fills it, and no more than that.
        let later = start + seconds(1000);
        assert!(bucket.has(later, 3) && !bucket.has(later, 4));
    }

    #[test]
    fn no_hour_has_more_than_its_cap() {
        let start = Instant::now();
        let mut bucket = Bucket::new(5, seconds(1), 6);
        let mut now = start;
        let mut taken = Vec::new();
        for _ in 0..40 {
            now = now.max(bucket.ready_at(now));
            bucket.take(now);
            taken.push(now);
        }
        for at in &taken {
            let in_hour = taken.iter().filter(|t| **t >= *at && **t < *at + HOUR).count();
            assert!(in_hour <= 6, "{in_hour} in an hour");
        }
        assert!(now.duration_since(start) >= HOUR * 5, "six an hour, so forty need at least six windows");
    }

    #[test]
    fn what_was_not_used_counts_for_nothing() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1, seconds(60), 1);
        bucket.take(start);
        assert_eq!(bucket.ready_at(start), start + HOUR);
        bucket.put_back();
        assert!(bucket.ready_at(start) <= start);
        assert_eq!(bucket.in_hour(start), 0);
    }
}

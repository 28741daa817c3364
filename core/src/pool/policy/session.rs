//! One session, as the policy sees it: who is on it, how many more it takes, and how long it will be used.

use super::{RAISE_AFTER, REST, STRIKES};
use crate::planted;
use crate::pool::{Rules, Urgency};
use std::time::Instant;

/// A session that is open.
pub(in crate::pool) struct Session {
    /// When it was open.
    pub(super) opened: Instant,
    /// From then on it is too old.
    pub(super) old_at: Instant,
    /// Whether it gets no new work.
    pub(super) draining: bool,
    /// So many channels it takes, the one for control included.
    pub(super) limit: u32,
    control: u32,
    work: u32,
    bulk: u32,
    /// Since when nobody has used it.
    idle_since: Instant,
    /// When its limit may rise by one again.
    raise_at: Instant,
    /// It gets nothing before this: it refused a channel though no other was in use.
    rest_until: Option<Instant>,
    /// How often in a row it did so.
    strikes: u32,
}

impl Session {
    pub(super) fn new(now: Instant, old_at: Instant, rules: &Rules) -> Session {
        Session {
            opened: now,
            old_at,
            draining: false,
            limit: full(rules),
            control: 0,
            work: 0,
            bulk: 0,
            idle_since: now,
            raise_at: now,
            rest_until: None,
            strikes: 0,
        }
    }

    /// Channels in use.
    pub(super) fn in_use(&self) -> u32 {
        self.control + self.work + self.bulk
    }

    pub(super) fn is_old(&self, now: Instant) -> bool {
        now >= self.old_at
    }

    /// Whether it takes one more of this kind. The last channel is for control, unless it is the only one.
    pub(super) fn has_room(&self, urgency: Urgency, now: Instant) -> bool {
        let limit = match urgency {
            Urgency::Control => self.limit,
            Urgency::Work | Urgency::Bulk => (self.limit - 1).max(1),
        };
        let in_use = match urgency {
            Urgency::Control => self.in_use(),
            // Control on its own channel takes nothing from the others.
            Urgency::Work | Urgency::Bulk => self.in_use() - self.control.min(self.spare()),
        };
        !self.draining && self.rest_until.is_none_or(|until| until <= now) && in_use < limit
    }

    /// How many channels are for control alone.
    fn spare(&self) -> u32 {
        u32::from(self.limit > 1)
    }

    /// How ill it suits something of this kind; the least is taken. Work keeps away from bulk, and bulk keeps together.
    pub(super) fn misfit(&self, urgency: Urgency, now: Instant) -> (bool, bool, bool, u32) {
        let (apart, together) = match urgency {
            Urgency::Control => (false, false),
            Urgency::Work => (self.bulk > 0, false),
            Urgency::Bulk => (self.work > 0, self.bulk == 0),
        };
        (self.is_old(now), apart, together, self.in_use())
    }

    /// Whether bulk and work share it.
    pub(super) fn is_mixed(&self) -> bool {
        self.bulk > 0 && self.work > 0
    }

    pub(super) fn has_bulk(&self) -> bool {
        self.bulk > 0
    }

    pub(super) fn lend(&mut self, urgency: Urgency) {
        *self.count(urgency) += 1;
    }

    /// A channel is back, and it was of use.
    pub(super) fn give_back(&mut self, urgency: Urgency, now: Instant) {
        self.take_off(urgency, now);
        self.strikes = 0;
    }

    /// The host refused this channel. Whether that is so strange that the session had better end.
    pub(super) fn refuse(&mut self, urgency: Urgency, now: Instant) -> bool {
        self.take_off(urgency, now);
        self.lower(self.in_use(), now)
    }

    /// The host refused one of the channels that are in use now. Whether that is so strange that the session had better end.
    pub(super) fn full(&mut self, now: Instant) -> bool {
        self.lower(self.in_use().saturating_sub(1), now)
    }

    fn lower(&mut self, to: u32, now: Instant) -> bool {
        self.limit = self.limit.min(to).max(1);
        self.raise_at = now + RAISE_AFTER;
        if to == 0 {
            // Servers free a channel a little later than we do, so this need not be its last word.
            self.strikes += 1;
            self.rest_until = Some(now + REST);
        }
        self.strikes >= STRIKES
    }

    /// Tries one channel more, if it is long ago that one was refused.
    pub(super) fn raise(&mut self, now: Instant, rules: &Rules) {
        if self.limit < full(rules) && now >= self.raise_at {
            self.limit += 1;
            self.raise_at = now + RAISE_AFTER;
        }
    }

    /// When something about it changes by itself that those who wait would like to know.
    pub(super) fn next_room(&self, rules: &Rules) -> Option<Instant> {
        let raise = (self.limit < full(rules)).then_some(self.raise_at);
        let times = [raise, self.rest_until].into_iter().flatten();
        if self.draining { None } else { times.min() }
    }

    /// When it will have been idle for too long; never while it is used.
    pub(super) fn idle_at(&self, rules: &Rules) -> Option<Instant> {
        (self.in_use() == 0).then(|| self.idle_since + rules.idle)
    }

    /// The rest is over, if it is.
    pub(super) fn wake(&mut self, now: Instant) {
        self.rest_until = self.rest_until.filter(|until| *until > now);
    }

    fn take_off(&mut self, urgency: Urgency, now: Instant) {
        let count = self.count(urgency);
        *count = count.saturating_sub(1);
        if self.in_use() == 0 {
            self.idle_since = now;
        }
    }

    fn count(&mut self, urgency: Urgency) -> &mut u32 {
        match urgency {
            Urgency::Control => &mut self.control,
            Urgency::Work => &mut self.work,
            Urgency::Bulk => &mut self.bulk,
        }
    }
}

/// All the channels that a session may have, the one for control included.
fn full(rules: &Rules) -> u32 {
    let control = if planted::is(planted::Planted::ChannelsUncounted) { 3 } else { 1 };
    rules.channels.saturating_add(control)
}

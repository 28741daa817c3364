//! When a session is pumped.

use super::Session;
use stakker::{Cx, FixedTimerKey, at, call, idle};
use std::time::Instant;

/// The next pump, and when the last one was.
#[derive(Default)]
pub(super) struct Cadence {
    /// One is queued already.
    queued: bool,
    /// In which turn the last one was.
    last: Option<Instant>,
    /// When there is to be one though nothing came.
    alarm: Option<(Instant, FixedTimerKey)>,
}

impl Cadence {
    /// There is to be a pump, now or in the next turn. Each brings what leads to another one, and all that is queued is served
    /// before the sockets of others: with as many as there was something to do for, turns took 10 ms (measured).
    pub(super) fn pump_soon(&mut self, cx: &mut Cx<'_, Session>) {
        if std::mem::replace(&mut self.queued, true) {
            return;
        }
        match self.last == Some(cx.now()) {
            true => idle!([cx], pump()),
            false => call!([cx], pump()),
        }
    }

    /// There is a pump now.
    pub(super) fn on_pump(&mut self, now: Instant) {
        self.queued = false;
        self.last = Some(now);
    }

    /// When to wake the session though nothing came, in the place of what was said before.
    pub(super) fn set_alarm(&mut self, cx: &mut Cx<'_, Session>, when: Option<Instant>) {
        if self.alarm.as_ref().map(|(set, _)| *set) == when {
            return;
        }
        if let Some((_, timer)) = self.alarm.take() {
            cx.timer_del(timer);
        }
        self.alarm = when.map(|when| (when, at!(when, [cx], on_alarm())));
    }

    /// The alarm has gone off.
    pub(super) fn on_alarm(&mut self) {
        self.alarm = None;
    }
}

//! What the policy says about itself: why there is no session, and the report.

use super::road::{Road, in_words};
use super::{PATIENCE, Policy};
use crate::WallTime;
use crate::pool::report::{Health, Report, SessionReport, SessionStage, Waiting};
use crate::transport::TransportError;
use std::time::Instant;

impl Policy {
    /// Why nobody can wait for a channel now; none if it is worth it.
    pub(super) fn refusal(&self, now: Instant) -> Option<TransportError> {
        if self.is_served() {
            return None;
        }
        let open_at = self.open_at(now);
        let why = match &self.road {
            Road::Closed => "its pool is closed".to_owned(),
            Road::Barred(why) => return Some(why.clone()),
            // Nobody has asked for so long that what is known says nothing about now.
            Road::Blocked(_) if self.opening.is_none() && self.has_slot() && open_at <= now => return None,
            Road::Blocked(block) => {
                let down = in_words(now.saturating_duration_since(block.since));
                let next = if self.opening.is_some() {
                    "it is being tried".to_owned()
                } else {
                    format!("next try in {}", in_words(open_at.saturating_duration_since(now)))
                };
                format!("{}; down for {down}, {next}", block.why)
            }
            Road::Untried { .. } | Road::Open { .. } => {
                if self.opening.is_some() || open_at <= now + PATIENCE {
                    return None;
                }
                let next = in_words(open_at.saturating_duration_since(now));
                format!("{}; next try in {next}", self.spent())
            }
        };
        Some(TransportError::Unreachable { host: self.host.clone(), why })
    }

    /// Too many wait already.
    pub(super) fn overrun(&self, what: &str) -> TransportError {
        let (most, host) = (self.rules.most_waiting, &self.host);
        TransportError::Refused(format!("{most} wait for {what} of {host} already, the limit"))
    }

    pub(super) fn health_at(&self, now: Instant) -> Health {
        let is_served = self.is_served();
        match &self.road {
            Road::Closed => Health::Down,
            Road::Barred(_) | Road::Blocked(_) if is_served => Health::Degraded,
            Road::Barred(_) => Health::NeedsAuth,
            Road::Blocked(_) => Health::Down,
            Road::Untried { .. } | Road::Open { .. } if self.refusal(now).is_some() => Health::Down,
            Road::Untried { .. } => Health::Unknown,
            Road::Open { .. } => Health::Up,
        }
    }

    /// How everything is. `wall` says what the calendar shows at a moment.
    pub(in crate::pool) fn report(&self, now: Instant, wall: impl Fn(Instant) -> WallTime) -> Report {
        let opening = self.opening.map(|(id, began)| SessionReport {
            number: id.0,
            stage: SessionStage::Opening,
            since: wall(began),
            channels: 0,
            limit: 0,
        });
        let sessions = self.sessions.iter().map(|(id, session)| SessionReport {
            number: id.0,
            stage: if session.draining { SessionStage::Draining } else { SessionStage::Serving },
            since: wall(session.opened),
            channels: session.in_use(),
            limit: session.limit,
        });
        Report {
            host: self.host.clone(),
            health: self.health_at(now),
            since: wall(self.health.1),
            why: self.why(now),
            next_try: self.wants_open(now).then(|| wall(self.open_at(now).max(now))),
            sessions: sessions.chain(opening).collect(),
            max_sessions: self.rules.max_sessions,
            opened_in_hour: u32::try_from(self.bucket.in_hour(now)).unwrap_or(u32::MAX),
            hourly: self.rules.hourly,
            waiting: Waiting {
                control: self.queue.control(),
                work: self.queue.work(),
                host: self.hopeful.len(),
            },
        }
    }

    fn why(&self, now: Instant) -> Option<String> {
        match &self.road {
            Road::Closed => Some("its pool is closed".to_owned()),
            Road::Barred(why) => Some(why.to_string()),
            Road::Blocked(block) => Some(block.why.clone()),
            Road::Untried { .. } | Road::Open { .. } => {
                let waits = self.wants_open(now) && self.open_at(now) > now;
                (waits || self.refusal(now).is_some()).then(|| self.spent())
            }
        }
    }

    /// Why no session may be opened though the host is well.
    fn spent(&self) -> String {
        match &self.held {
            Some((_, why)) => why.clone(),
            None => {
                let (hourly, burst) = (self.rules.hourly, self.rules.burst);
                format!("as often as it may be connected to: {burst} times in a row, {hourly} times an hour")
            }
        }
    }

    fn has_slot(&self) -> bool {
        self.count() < self.rules.max_sessions as usize
    }
}

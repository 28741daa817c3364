//! The policy among hosts that fail it. First tables of single rules, then walks in which everything happens.
#![expect(clippy::disallowed_methods, reason = "an instant to count from")]

mod rules;
mod walk;

use super::{Effect, Event, Policy, SessionId, Ticket};
use crate::pool::{Requester, Rules, Urgency, Want};
use crate::transport::TransportError;
use std::time::{Duration, Instant};

fn unreachable() -> TransportError {
    TransportError::Unreachable { host: "host".into(), why: "connection refused".into() }
}

fn denied() -> TransportError {
    TransportError::AuthFailed { host: "host".into(), why: "no key fits".into() }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A policy with a clock, to tell what happens in the order it does.
struct Tale {
    policy: Policy,
    start: Instant,
    now: Instant,
    tickets: u64,
}

impl Tale {
    fn new(rules: Rules) -> Tale {
        let now = Instant::now();
        Tale { policy: Policy::new("host", rules, now), start: now, now, tickets: 0 }
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.policy.on(event, self.now, 0)
    }

    /// Somebody asks; his ticket, and what follows.
    fn ask(&mut self, want: impl Into<Want>) -> (Ticket, Vec<Effect>) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        (ticket, self.on(Event::Asked(ticket, want.into())))
    }

    /// Time passes, and the policy is woken whenever it wants to be.
    fn pass(&mut self, time: Duration) -> Vec<Effect> {
        let until = self.now + time;
        let mut effects = Vec::new();
        while let Some(next) = self.policy.next(self.now).filter(|next| *next <= until) {
            self.now = self.now.max(next);
            effects.extend(self.on(Event::Tick));
            let again = self.policy.next(self.now);
            assert!(again.is_none_or(|again| again > self.now), "it wants to be woken for ever");
        }
        self.now = until;
        effects
    }

    /// A session that is open, with nobody on it.
    fn opened(rules: Rules) -> (Tale, SessionId) {
        let mut tale = Tale::new(rules);
        let (ticket, effects) = tale.ask(Urgency::Work);
        assert_eq!(effects, [Effect::Open(SessionId(1))]);
        let granted = tale.on(Event::Opened(SessionId(1)));
        assert_eq!(granted, [Effect::Grant(ticket, SessionId(1), Urgency::Work.into())]);
        assert_eq!(tale.on(Event::Returned(SessionId(1), Urgency::Work)), []);
        (tale, SessionId(1))
    }
}

/// Who was lent what.
fn grants(effects: &[Effect]) -> Vec<(Ticket, SessionId)> {
    let grant = |effect: &Effect| match effect {
        Effect::Grant(ticket, id, _) => Some((*ticket, *id)),
        Effect::Fail(..) | Effect::Up(_) | Effect::Forget(_) | Effect::Open(_) | Effect::Close(_) => None,
    };
    effects.iter().filter_map(grant).collect()
}

/// Which sessions were opened.
fn opens(effects: &[Effect]) -> Vec<SessionId> {
    let open = |effect: &Effect| match effect {
        Effect::Open(id) => Some(*id),
        Effect::Grant(..) | Effect::Fail(..) | Effect::Up(_) | Effect::Forget(_) | Effect::Close(_) => None,
    };
    effects.iter().filter_map(open).collect()
}

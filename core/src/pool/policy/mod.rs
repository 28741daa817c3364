//! What a pool does, as a function of what happened, when, and one random number. It knows no actor, no clock and no
//! session: whoever drives it gives each [`Event`] with the time, carries out the [`Effect`]s in their order, and comes back
//! with [`Event::Tick`] at the time that [`Policy::next`] names.
//!
//! The rules: a channel of an open session is lent at once. A session is opened only if somebody waits that no session can
//! take, one at a time and within the limits of [`Rules`]. While no session can be had nobody waits for one.

mod road;
mod session;
#[cfg(test)]
mod tests;
mod view;

use super::bucket::Bucket;
use super::lease::{Urgency, Want};
use super::queue::Queue;
use super::report::Health;
use super::rules::Rules;
use crate::transport::TransportError;
use road::{Road, jittered};
use session::Session;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Tries to open a session are at least so far apart: what stands before many a login node counts new connections a second.
const APART: Duration = Duration::from_millis(200);
/// If the limits allow the next try only after so long, nobody is kept waiting for a channel: the host counts as down.
const PATIENCE: Duration = Duration::from_secs(30);
/// A session that has lived so long proves that the road is good.
const STEADY: Duration = Duration::from_secs(30);
/// Of a session that refused a channel one more is tried after so long.
const RAISE_AFTER: Duration = Duration::from_secs(600);
/// A session that refused its only channel is left alone for so long.
const REST: Duration = Duration::from_secs(1);
/// A session that refused its only channel so often in a row is given up.
const STRIKES: u32 = 3;

/// Who waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Ticket(pub(super) u64);

/// A session, from its first try to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct SessionId(pub(super) u64);

/// What happened.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// Somebody wants a channel.
    Asked(Ticket, Want),
    /// The host refused a channel that was lent, and its holder wants another one.
    Refused(SessionId, Ticket, Want),
    /// A channel is free again.
    Returned(SessionId, Urgency),
    /// Somebody wants to know when the host is up.
    WhenUp(Ticket),
    /// A session is open.
    Opened(SessionId),
    /// A session could not be opened, or broke.
    Ended(SessionId, TransportError),
    /// A session refused a channel.
    Full(SessionId),
    /// A session should get no new work.
    Worn(SessionId),
    /// The budget that is shared with others does not allow this session now: nothing was opened.
    Held(SessionId, Duration, String),
    /// Somebody says that it is worth a try.
    Retry,
    /// The pool is to end.
    Close,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    /// Lend a channel of this session.
    Grant(Ticket, SessionId, Want),
    /// Answer with this reason.
    Fail(Ticket, TransportError),
    /// Answer that the host can be asked.
    Up(Ticket),
    /// Drop whoever waits: there will be no answer.
    Forget(Ticket),
    /// Open a session.
    Open(SessionId),
    /// Close a session. It is forgotten.
    Close(SessionId),
}

/// The state of a pool.
pub(super) struct Policy {
    host: String,
    rules: Rules,
    road: Road,
    bucket: Bucket,
    queue: Queue,
    /// Who waits for the host.
    hopeful: Vec<Ticket>,
    sessions: BTreeMap<SessionId, Session>,
    /// The one that is being opened, and when that began.
    opening: Option<(SessionId, Instant)>,
    last_try: Option<Instant>,
    /// The shared budget allows nothing before this, and why.
    held: Option<(Instant, String)>,
    numbers: u64,
    health: (Health, Instant),
}

impl Policy {
    pub(super) fn new(host: &str, rules: Rules, now: Instant) -> Policy {
        let rules = rules.sound();
        Policy {
            host: host.to_owned(),
            road: Road::Untried { wanted: false },
            bucket: Bucket::new(rules.burst, rules.refill, rules.hourly),
            rules,
            queue: Queue::default(),
            hopeful: Vec::new(),
            sessions: BTreeMap::new(),
            opening: None,
            last_try: None,
            held: None,
            numbers: 0,
            health: (Health::Unknown, now),
        }
    }

    /// Takes in what happened, and says what is to be done.
    pub(super) fn on(&mut self, event: Event, now: Instant, random: u64) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.sessions.values().any(|session| now >= session.opened + STEADY) {
            self.road.forget_failures();
        }
        match event {
            Event::Asked(ticket, want) => self.on_asked(ticket, want, now, &mut out),
            Event::WhenUp(ticket) => self.on_when_up(ticket, now, &mut out),
            Event::Refused(id, ticket, want) => {
                self.on_refused(id, now, random, |s, now| s.refuse(want.urgency, now));
                self.queue.push_refused(ticket, want);
            }
            Event::Full(id) => self.on_refused(id, now, random, Session::full),
            Event::Returned(id, urgency) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.give_back(urgency, now);
                }
            }
            Event::Worn(id) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.draining = true;
                }
            }
            Event::Opened(id) => self.on_opened(id, now, random, &mut out),
            Event::Ended(id, why) => self.on_ended(id, why, now, random),
            Event::Held(id, wait, why) => self.on_held(id, wait, why, now),
            Event::Retry => self.road.retry(),
            Event::Close => self.on_close(&mut out),
            Event::Tick => {}
        }
        self.settle(now, random, &mut out);
        let health = self.health_at(now);
        if health != self.health.0 {
            self.health = (health, now);
        }
        out
    }

    /// When to come back with [`Event::Tick`], if nothing happens before.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let overdue = self.opening.map(|(_, began)| began + self.rules.open_within);
        let open = self.wants_open(now).then(|| self.open_at(now));
        let serving = || self.sessions.values().filter(|session| !session.draining);
        let idle = serving().filter_map(|session| session.idle_at(&self.rules)).filter(|at| *at > now).min();
        let old = serving().map(|session| session.old_at).filter(|at| *at > now).min();
        let room = serving().filter_map(|session| session.next_room(&self.rules)).min();
        let room = room.filter(|_| !self.queue.is_empty());
        [overdue, open, idle, old, room].into_iter().flatten().min()
    }

    fn on_asked(&mut self, ticket: Ticket, want: Want, now: Instant, out: &mut Vec<Effect>) {
        self.road.ask();
        if let Some(why) = self.refusal(now) {
            out.push(Effect::Fail(ticket, why));
        } else if self.queue.len() >= self.rules.most_waiting {
            out.push(Effect::Fail(ticket, self.overrun("a channel")));
        } else {
            self.queue.push(ticket, want);
        }
    }

    fn on_when_up(&mut self, ticket: Ticket, now: Instant, out: &mut Vec<Effect>) {
        if self.refusal(now).is_none() {
            out.push(Effect::Up(ticket));
        } else if matches!(self.road, Road::Closed) || self.hopeful.len() >= self.rules.most_waiting {
            out.push(Effect::Forget(ticket));
        } else {
            self.hopeful.push(ticket);
        }
    }

    /// A session refused a channel. One that refuses even its only one is as good as broken.
    fn on_refused(
        &mut self,
        id: SessionId,
        now: Instant,
        random: u64,
        note: impl Fn(&mut Session, Instant) -> bool,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if note(session, now) && !session.draining {
            session.draining = true;
            let why = TransportError::Refused("a session took not a single channel".to_owned());
            self.road.after_failure(why, now, random);
        }
    }

    fn on_opened(&mut self, id: SessionId, now: Instant, random: u64, out: &mut Vec<Effect>) {
        if self.sessions.contains_key(&id) {
            return;
        }
        if self.opening.take_if(|(opening, _)| *opening == id).is_none() || matches!(self.road, Road::Closed)
        {
            // It comes too late: it counts as failed, or nobody wants it any more.
            return out.push(Effect::Close(id));
        }
        self.road.after_success();
        self.held = None;
        let old_at = now + self.rules.age - jittered(self.rules.age / 10, random);
        self.sessions.insert(id, Session::new(now, old_at, &self.rules));
    }

    fn on_ended(&mut self, id: SessionId, why: TransportError, now: Instant, random: u64) {
        if self.opening.take_if(|(opening, _)| *opening == id).is_some() {
            match why {
                TransportError::AuthFailed { .. }
                | TransportError::HostKeyChanged { .. }
                | TransportError::HostKeyUnknown { .. }
                    if self.road.is_open_to_tries() =>
                {
                    self.road = Road::Barred(why);
                }
                why => self.road.after_failure(why, now, random),
            }
        } else if let Some(session) = self.sessions.remove(&id)
            && now < session.opened + STEADY
        {
            self.road.after_failure(why, now, random);
        }
    }

    fn on_held(&mut self, id: SessionId, wait: Duration, why: String, now: Instant) {
        if self.opening.take_if(|(opening, _)| *opening == id).is_some() {
            self.bucket.put_back();
            self.held = Some((now + wait, why));
            // It was no try: whoever asked for one still does.
            match &mut self.road {
                Road::Untried { wanted } => *wanted = true,
                Road::Blocked(block) => block.asked = true,
                Road::Open { .. } | Road::Barred(_) | Road::Closed => {}
            }
        }
    }

    fn on_close(&mut self, out: &mut Vec<Effect>) {
        self.road = Road::Closed;
        self.sessions.values_mut().for_each(|session| session.draining = true);
        out.extend(self.hopeful.drain(..).map(Effect::Forget));
    }

    /// Does all that has become possible.
    fn settle(&mut self, now: Instant, random: u64, out: &mut Vec<Effect>) {
        if let Some((id, _)) = self.opening.filter(|(_, began)| now >= *began + self.rules.open_within) {
            let late = format!("no session within {}", road::in_words(self.rules.open_within));
            self.on_ended(id, TransportError::TimedOut(late), now, random);
        }
        self.lend(now, out);
        self.retire(now, out);
        if self.wants_open(now) && self.open_at(now) <= now {
            self.open(now, out);
        }
        if !self.queue.is_empty()
            && self.opening.is_none()
            && let Some(why) = self.refusal(now)
        {
            self.road.ask();
            let waiting = std::iter::from_fn(|| self.queue.pop());
            out.extend(waiting.map(|(ticket, _)| Effect::Fail(ticket, why.clone())));
        }
        if self.is_served() {
            out.extend(self.hopeful.drain(..).map(Effect::Up));
        }
    }

    /// Lends channels to those who wait, in their order, as long as there are any.
    fn lend(&mut self, now: Instant, out: &mut Vec<Effect>) {
        for session in self.sessions.values_mut() {
            session.wake(now);
            if !self.queue.is_empty() {
                session.raise(now, &self.rules);
            }
        }
        while let Some(want) = self.queue.first() {
            let urgency = want.urgency;
            let fits = self.sessions.iter_mut().filter(|(_, session)| session.has_room(urgency, now));
            let best = fits.min_by_key(|(id, session)| (session.misfit(urgency, now), **id));
            let Some((id, session)) = best else { return };
            session.lend(urgency);
            let (ticket, want) = self.queue.pop().expect("somebody is first");
            out.push(Effect::Grant(ticket, *id, want));
        }
    }

    /// Closes what is not needed any more, and lets go of what is too old.
    fn retire(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let is_full = self.count() >= self.rules.max_sessions as usize;
        let is_draining = self.sessions.values().any(|session| session.draining);
        let has_young = self.has_young(now);
        // Where there is no room for a young one beside it, the oldest has to go first.
        let makes_room = is_full && !is_draining && !has_young && matches!(self.road, Road::Open { .. });
        let oldest = self.sessions.iter().min_by_key(|(_, session)| session.old_at).map(|(id, _)| *id);
        for (id, session) in &mut self.sessions {
            let goes_first = makes_room && Some(*id) == oldest;
            if session.is_old(now) && (has_young || goes_first || session.in_use() == 0) {
                session.draining = true;
            }
            let is_idle = session.idle_at(&self.rules).is_some_and(|at| at <= now);
            if is_idle && self.queue.is_empty() {
                session.draining = true;
            }
        }
        let over = self.sessions.extract_if(.., |_, session| session.draining && session.in_use() == 0);
        out.extend(over.map(|(id, _)| Effect::Close(id)));
    }

    fn open(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.numbers += 1;
        let id = SessionId(self.numbers);
        self.bucket.take(now);
        self.last_try = Some(now);
        self.held = None;
        self.road.begin();
        self.opening = Some((id, now));
        out.push(Effect::Open(id));
    }

    /// Whether a session should be opened, now or as soon as it may be.
    fn wants_open(&self, now: Instant) -> bool {
        let has_slot = self.opening.is_none() && self.count() < self.rules.max_sessions as usize;
        let is_hoped_for = !self.hopeful.is_empty() && !self.is_served();
        has_slot
            && self.road.is_open_to_tries()
            && (!self.queue.is_empty()
                || is_hoped_for
                || self.road.wants_try()
                || self.needs_young(now)
                || self.needs_company(now))
    }

    /// Whether all that serve are too old, and one of them is in use.
    fn needs_young(&self, now: Instant) -> bool {
        let old_in_use = |session: &Session| !session.draining && session.is_old(now) && session.in_use() > 0;
        !self.has_young(now) && self.sessions.values().any(old_in_use)
    }

    /// Whether work and bulk share a session, and one for work alone can be had without using up the burst.
    fn needs_company(&self, now: Instant) -> bool {
        let mut serving = self.sessions.values().filter(|session| !session.draining);
        matches!(self.road, Road::Open { .. })
            && self.held.is_none()
            && self.bucket.has(now, 2)
            && serving.clone().any(Session::is_mixed)
            && serving.all(Session::has_bulk)
    }

    /// When the next session may be opened, if nobody else stands in its way.
    fn open_at(&self, now: Instant) -> Instant {
        let apart = self.last_try.map(|at| at + APART);
        let held = self.held.as_ref().map(|(until, _)| *until);
        let others = [apart, held, self.road.not_before()].into_iter().flatten().max();
        self.bucket.ready_at(now).max(others.unwrap_or(now))
    }

    /// All sessions, the one that is being opened included.
    fn count(&self) -> usize {
        self.sessions.len() + usize::from(self.opening.is_some())
    }

    /// Whether a session gets work.
    fn is_served(&self) -> bool {
        self.sessions.values().any(|session| !session.draining)
    }

    fn has_young(&self, now: Instant) -> bool {
        self.sessions.values().any(|session| !session.draining && !session.is_old(now))
    }
}

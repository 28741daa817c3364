//! Walks in which everything happens, in any order, against a model of the host that knows nothing of the policy.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// The host and everybody who uses it, as they are.
struct World {
    tale: Tale,
    rules: Rules,
    rng: fastrand::Rng,
    /// Who waits for a channel; those for control apart.
    waiting: BTreeMap<Ticket, Want>,
    hopeful: BTreeSet<Ticket>,
    opening: BTreeSet<SessionId>,
    /// One of them that will never be answered: when the policy must have given it up.
    mute: Option<(SessionId, Instant)>,
    sessions: BTreeMap<SessionId, Session>,
    /// When each was opened; those that the shared budget held back do not count.
    opens: Vec<Instant>,
    /// Since when nothing may be tried any more.
    barred: bool,
    weather: Weather,
    answered: u64,
    /// When the last try failed, if nobody has said since that another is worth it.
    failed_at: Option<Instant>,
    tries_while_down: u64,
}

struct Session {
    opened: Instant,
    lent: Vec<Urgency>,
    /// So many channels the host really takes; all if it is more.
    takes: usize,
    worn: bool,
    /// Whether it has ever refused a channel, so that the policy may be careful.
    refused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weather {
    Good,
    Down,
    Denies,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = fastrand::Rng::with_seed(seed);
        let rules = Rules {
            max_sessions: rng.u32(1..=3),
            channels: rng.u32(1..=4),
            burst: rng.u32(1..=4),
            refill: seconds(rng.u64(1..=60)),
            hourly: rng.u32(5..=30),
            age: seconds(rng.u64(300..=3000)),
            idle: seconds(rng.u64(30..=300)),
            ..Rules::default()
        };
        World {
            tale: Tale::new(rules.clone()),
            rules,
            rng,
            waiting: BTreeMap::new(),
            hopeful: BTreeSet::new(),
            opening: BTreeSet::new(),
            mute: None,
            sessions: BTreeMap::new(),
            opens: Vec::new(),
            barred: false,
            weather: Weather::Good,
            answered: 0,
            failed_at: None,
            tries_while_down: 0,
        }
    }

    fn on(&mut self, event: Event) {
        let random = self.rng.u64(..);
        let effects = self.tale.policy.on(event, self.tale.now, random);
        let mut follows = Vec::new();
        for effect in effects {
            match effect {
                Effect::Grant(ticket, id, want) => follows.extend(self.on_grant(ticket, id, want)),
                Effect::Fail(ticket, why) => {
                    assert!(self.waiting.remove(&ticket).is_some(), "answered twice");
                    let reachable = self.sessions.values().any(|session| self.surely_serves(session));
                    assert!(!reachable, "{why}, though there is a session");
                    self.answered += 1;
                }
                Effect::Up(ticket) => {
                    assert!(self.hopeful.remove(&ticket), "answered twice");
                }
                Effect::Forget(ticket) => assert!(self.hopeful.remove(&ticket), "answered twice"),
                Effect::Open(id) => follows.extend(self.on_open(id)),
                Effect::Close(id) => {
                    let session = self.sessions.remove(&id);
                    assert!(session.is_none_or(|session| session.lent.is_empty()), "closed in use");
                }
            }
            self.check_counts();
        }
        for event in follows {
            if let Event::Refused(_, again, want) = event {
                self.waiting.insert(again, want);
            }
            self.on(event);
        }
        self.check_waiting();
    }

    fn on_grant(&mut self, ticket: Ticket, id: SessionId, want: Want) -> Option<Event> {
        assert_eq!(self.waiting.remove(&ticket), Some(want), "answered twice");
        self.answered += 1;
        let control_waits = self.waiting.values().any(|want| want.urgency == Urgency::Control);
        assert!(want.urgency == Urgency::Control || !control_waits, "work overtakes control");
        let session = self.sessions.get_mut(&id).expect("what is lent is open");
        assert!(!session.worn, "a worn session gets new work");
        session.lent.push(want.urgency);
        if session.lent.len() <= session.takes {
            return None;
        }
        session.lent.pop();
        session.refused = true;
        self.tale.tickets += 1;
        Some(Event::Refused(id, Ticket(self.tale.tickets), want))
    }

    fn on_open(&mut self, id: SessionId) -> Option<Event> {
        assert!(!self.barred, "a try though the credentials were refused");
        let (now, from) = (self.tale.now, self.tale.now - seconds(3600).min(self.tale.now - self.tale.start));
        if let Some(last) = self.opens.last() {
            assert!(now >= *last + Duration::from_millis(200), "two tries at once");
        }
        if let Some(at) = self.failed_at {
            // Half of the shortest wait is jitter.
            assert!(
                now >= at + Duration::from_millis(250),
                "another try {:?} after one that failed",
                now - at
            );
            self.tries_while_down += 1;
        }
        if self.rng.u8(..) < 20 {
            let wait = Duration::from_millis(self.rng.u64(1..100_000));
            return Some(Event::Held(id, wait, "others".into()));
        }
        self.opens.push(now);
        assert!(self.opening.insert(id));
        self.mute = (self.rng.u8(..) < 5).then_some((id, now + self.rules.open_within));
        let recent: Vec<Instant> = self.opens.iter().copied().filter(|at| *at > from || now < from).collect();
        assert!(recent.len() <= self.rules.hourly as usize, "{} opens in an hour", recent.len());
        for (n, at) in recent.iter().enumerate() {
            let refilled = (now - *at).as_secs() / self.rules.refill.as_secs();
            let allowed = u64::from(self.rules.burst) + refilled;
            assert!((recent.len() - n) as u64 <= allowed, "a burst that is too long");
        }
        None
    }

    fn check_counts(&self) {
        assert!(self.opening.len() <= 1, "two tries in flight");
        let all = self.opening.len() + self.sessions.len();
        assert!(all <= self.rules.max_sessions as usize, "{all} sessions");
        for session in self.sessions.values() {
            let work = session.lent.iter().filter(|urgency| **urgency != Urgency::Control).count();
            assert!(session.lent.len() <= self.rules.channels as usize + 1, "too many channels");
            assert!(work <= self.rules.channels as usize, "the channel for control is lent to work");
        }
    }

    /// Nobody waits for a session that serves and has room, and nobody waits at all without hope.
    fn check_waiting(&self) {
        let free = |session: &Session| session.lent.len() <= self.rules.channels as usize;
        let mut serving = self.sessions.values().filter(|session| self.surely_serves(session));
        let idle_channel = serving.any(free);
        let control = self.waiting.values().filter(|want| want.urgency == Urgency::Control).count();
        assert!(control == 0 || !idle_channel, "control waits though a channel is free");
        if self.barred && self.sessions.is_empty() {
            assert!(self.waiting.is_empty(), "somebody waits for what nobody tries");
        }
    }

    /// What may be too old, or has refused a channel, need not be lent.
    fn surely_serves(&self, session: &Session) -> bool {
        let young = self.rules.age * 9 / 10;
        !session.worn && !session.refused && self.tale.now < session.opened + young
    }

    fn step(&mut self) {
        match self.rng.u8(0..100) {
            0..=39 => self.ask(),
            40..=69 => self.give_back(),
            70..=74 => self.when_up(),
            75..=79 => self.trouble(),
            80..=81 => self.change_weather(),
            82 => self.retry(),
            _time => {
                let top = [50, 2_000, 60_000, 600_000][self.rng.usize(0..4)];
                let time = Duration::from_millis(self.rng.u64(0..top));
                self.pass(time);
            }
        }
    }

    fn ask(&mut self) {
        let urgency = [Urgency::Control, Urgency::Work, Urgency::Work, Urgency::Bulk][self.rng.usize(0..4)];
        let want = Want { urgency, requester: Requester(self.rng.u64(0..4)) };
        self.tale.tickets += 1;
        self.waiting.insert(Ticket(self.tale.tickets), want);
        self.on(Event::Asked(Ticket(self.tale.tickets), want));
    }

    fn when_up(&mut self) {
        self.tale.tickets += 1;
        self.hopeful.insert(Ticket(self.tale.tickets));
        self.on(Event::WhenUp(Ticket(self.tale.tickets)));
    }

    fn give_back(&mut self) {
        let busy: Vec<SessionId> =
            self.sessions.iter().filter(|(_, s)| !s.lent.is_empty()).map(|(id, _)| *id).collect();
        if let Some(id) = self.rng.choice(busy) {
            let session = self.sessions.get_mut(&id).expect("it is one of them");
            let urgency = session.lent.swap_remove(self.rng.usize(0..session.lent.len()));
            self.on(Event::Returned(id, urgency));
        }
    }

    fn trouble(&mut self) {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        let Some(id) = self.rng.choice(ids) else { return };
        let session = self.sessions.get_mut(&id).expect("it is one of them");
        match self.rng.u8(0..3) {
            0 => {
                session.worn = true;
                self.on(Event::Worn(id));
            }
            1 => {
                session.takes = session.lent.len().max(1);
                session.refused = true;
                self.on(Event::Full(id));
            }
            _breaks => {
                self.sessions.remove(&id);
                self.on(Event::Ended(id, unreachable()));
            }
        }
    }

    fn change_weather(&mut self) {
        self.weather = [Weather::Good, Weather::Good, Weather::Down, Weather::Denies][self.rng.usize(0..4)];
        if self.weather == Weather::Down {
            while let Some((id, _)) = self.sessions.pop_first() {
                self.on(Event::Ended(id, unreachable()));
            }
        }
    }

    fn retry(&mut self) {
        // A person may retry what is just being tried: that changes nothing.
        (self.barred, self.failed_at) = (false, None);
        self.on(Event::Retry);
    }

    /// Time passes; tries come to their end, and the policy is woken when it wants to be.
    fn pass(&mut self, time: Duration) {
        let until = self.tale.now + time;
        loop {
            let next = self.tale.policy.next(self.tale.now).filter(|next| *next <= until);
            let quick = self.tale.now + Duration::from_millis(self.rng.u64(1..5_000));
            match (self.opening.first().copied(), next) {
                (Some(id), next)
                    if self.mute.is_none() && quick <= until && next.is_none_or(|next| quick <= next) =>
                {
                    self.tale.now = quick;
                    self.answer(id);
                }
                (_, Some(next)) => {
                    self.tale.now = self.tale.now.max(next);
                    self.give_up();
                    self.on(Event::Tick);
                    let again = self.tale.policy.next(self.tale.now);
                    assert!(again.is_none_or(|again| again > self.tale.now), "woken for ever");
                }
                (_, None) => break,
            }
        }
        self.tale.now = until;
        assert!(self.mute.is_none_or(|(_, at)| at > until), "a try that never ends is not given up");
    }

    /// What is never answered ends when the policy does not wait for it any more.
    fn give_up(&mut self) {
        if let Some((id, _)) = self.mute.take_if(|(_, at)| *at <= self.tale.now) {
            self.opening.remove(&id);
            self.failed_at = None;
        }
    }

    fn answer(&mut self, id: SessionId) {
        self.opening.remove(&id);
        match self.weather {
            Weather::Good => {
                let takes = if self.rng.bool() { 99 } else { self.rng.usize(1..6) };
                let opened = self.tale.now;
                let session = Session { opened, lent: Vec::new(), takes, worn: false, refused: false };
                self.sessions.insert(id, session);
                self.failed_at = None;
                self.on(Event::Opened(id));
            }
            Weather::Down => {
                self.failed_at = Some(self.tale.now);
                self.on(Event::Ended(id, unreachable()));
            }
            Weather::Denies => {
                self.barred = true;
                self.on(Event::Ended(id, denied()));
            }
        }
    }

    /// Everything comes to its end: the weather is good, and all give back what they have.
    fn finish(&mut self) {
        self.weather = Weather::Good;
        self.retry();
        for _ in 0..10_000 {
            if self.waiting.is_empty() && self.hopeful.is_empty() {
                break;
            }
            while self.sessions.values().any(|session| !session.lent.is_empty()) {
                self.give_back();
            }
            self.pass(seconds(20));
        }
        assert_eq!((self.waiting.len(), self.hopeful.len()), (0, 0), "somebody waits for ever");
        while self.sessions.values().any(|session| !session.lent.is_empty()) {
            self.give_back();
        }
        self.on(Event::Close);
        for id in std::mem::take(&mut self.opening) {
            self.on(Event::Opened(id));
        }
        assert!(self.sessions.is_empty(), "a session is left");
        assert_eq!(self.tale.policy.next(self.tale.now), None, "a timer is left");
    }
}

#[test]
fn whatever_happens_the_limits_hold_and_everybody_is_answered() {
    let (mut answered, mut tries, mut opens) = (0, 0, 0);
    for seed in 0..1_500 {
        let mut world = World::new(seed);
        let walked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..400).for_each(|_| world.step());
            world.finish();
        }));
        assert!(walked.is_ok(), "seed {seed}");
        answered += world.answered;
        tries += world.tries_while_down;
        opens += world.opens.len();
    }
    println!("{answered} answers, {opens} sessions, {tries} tries while down");
    assert!(answered > 100_000 && tries > 500 && opens > 5_000, "{answered} {tries} {opens}");
}

//! The ssh server in front of a simulated host: who may log in, how often, and how many channels a session has.
//!
//! It measures what its users do over all runtimes: an administrator bans whoever connects too often, and does not ask
//! whether his program has crashed in between.

use super::Shared;
use crate::world::faults::{Dice, Faults, PerMille, SshFaults};
use procession::pool::{News, Rules};
use procession::transport::TransportError;
use stakker::Fwd;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// The hour of the cap.
const HOUR: Duration = Duration::from_secs(3600);
/// After this long a client gives up a server that never answers (`ConnectTimeout`, ssh_config(5)).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// A client that forgets even that is gone after so long.
const FORGOTTEN: Duration = Duration::from_secs(240);
/// How many messages are exchanged until a session is open.
const ROUND_TRIPS: u32 = 6;
/// A user who looks only now and then notices after so long that his ssh asks for something.
pub const A_PERSON_COMES: Duration = Duration::from_secs(3600);

/// A session, as its server counts it.
pub type SessionNumber = u64;

/// What happens to a channel when its session breaks.
pub type Break = Box<dyn FnOnce()>;

/// The server; it lasts longer than the runtimes that use it.
pub struct Sshd {
    name: String,
    shared: Shared,
    faults: SshFaults,
    calm_after: Duration,
    latency: std::ops::RangeInclusive<Duration>,
    late: std::ops::RangeInclusive<Duration>,
    dice: Dice,
    /// What the pool in front of it has promised to keep.
    rules: Rules,
    queue: BTreeMap<(Duration, u64), Event>,
    count: u64,
    /// Those who knock and have got no answer yet.
    knocking: BTreeMap<SessionNumber, Fwd<News<SessionNumber>>>,
    /// Those among them who never will.
    forgotten: u32,
    sessions: BTreeMap<SessionNumber, Session>,
    /// When somebody knocked, of all runtimes.
    knocks: Vec<Duration>,
    /// The same, since the present runtime began.
    knocks_of_life: Vec<Duration>,
    /// Whether it refuses the credentials until somebody has seen to that.
    is_locked: bool,
    /// How the present runtime is told that somebody has.
    retry: Option<Rc<dyn Fn()>>,
    is_reachable: bool,
    /// What is to be called when nothing is borrowed.
    deliveries: Vec<Break>,
}

struct Session {
    news: Fwd<News<SessionNumber>>,
    takes: u64,
    channels: BTreeMap<u64, Break>,
}

enum Event {
    Answers(SessionNumber),
    TimesOut(SessionNumber),
    Forgets(SessionNumber),
    Breaks(SessionNumber),
    Wears(SessionNumber),
    Unlocks,
}

/// Why there is no channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoChannel {
    /// The session takes no more.
    Full,
    /// It has broken.
    Gone,
}

impl Sshd {
    /// A server for this host, whose users have promised to keep these rules.
    pub fn new(name: &str, shared: &Shared, faults: &Faults, dice: Dice, rules: Rules) -> Sshd {
        let Faults { ssh, calm_after, latency, late, .. } = faults.clone();
        Sshd {
            name: name.to_owned(),
            shared: shared.clone(),
            faults: ssh,
            calm_after,
            latency,
            late,
            dice,
            rules,
            queue: BTreeMap::new(),
            count: 0,
            knocking: BTreeMap::new(),
            forgotten: 0,
            sessions: BTreeMap::new(),
            knocks: Vec::new(),
            knocks_of_life: Vec::new(),
            is_locked: false,
            retry: None,
            is_reachable: true,
            deliveries: Vec::new(),
        }
    }

    /// Somebody wants a session.
    pub fn knock(&mut self, news: Fwd<News<SessionNumber>>) {
        if !self.shared.witness.has_power() {
            return;
        }
        self.count += 1;
        let number = self.count;
        let now = self.shared.clock.now();
        self.knocks.push(now);
        self.knocks_of_life.push(now);
        self.knocking.insert(number, news);
        self.line(format_args!("session {number} knocks"));
        self.check_knocks(now);
        let fate = self.chance(self.faults.half_open).then(|| self.dice.chance(PerMille(250)));
        match fate {
            Some(true) => {
                self.forgotten += 1;
                self.after(FORGOTTEN, Event::Forgets(number));
            }
            Some(false) => self.after(CONNECT_TIMEOUT, Event::TimesOut(number)),
            None => {
                let way = self.dice.within(&self.latency.clone()) * ROUND_TRIPS;
                self.after(way, Event::Answers(number));
            }
        }
    }

    /// Opens a channel on a session. `on_break` is called if the session breaks before the channel is closed.
    pub fn open_channel(&mut self, number: SessionNumber, on_break: Break) -> Result<u64, NoChannel> {
        let most = self.rules.channels as usize + 1;
        let session = self.sessions.get_mut(&number).ok_or(NoChannel::Gone)?;
        if session.channels.len() as u64 >= session.takes {
            self.line(format_args!("session {number} takes no more channels"));
            return Err(NoChannel::Full);
        }
        self.count += 1;
        session.channels.insert(self.count, on_break);
        let open = session.channels.len();
        if open > most {
            self.object(format!("session {number} has {open} channels, and {most} were agreed"));
        }
        Ok(self.count)
    }

    /// Closes a channel; what it would have done if its session had broken is for the caller to drop.
    #[must_use = "nothing may be borrowed when it is dropped"]
    pub fn close_channel(&mut self, number: SessionNumber, channel: u64) -> Option<Break> {
        self.sessions.get_mut(&number)?.channels.remove(&channel)
    }

    /// The client closes a session.
    pub fn close(&mut self, number: SessionNumber) {
        if let Some(session) = self.sessions.remove(&number) {
            self.line(format_args!("session {number} is closed"));
            if !session.channels.is_empty() {
                self.object(format!("session {number} was closed while it was in use"));
            }
        }
    }

    /// Who is to be told when somebody has seen to the credentials.
    pub fn tell(&mut self, retry: Rc<dyn Fn()>) {
        self.retry = Some(retry);
    }

    /// The machine can be reached, or it cannot.
    pub fn set_reachable(&mut self, is_reachable: bool) {
        if self.is_reachable && !is_reachable {
            // Nobody says so: each session finds out by itself.
            let numbers: Vec<SessionNumber> = self.sessions.keys().copied().collect();
            for number in numbers {
                let found_out = self.dice.within(&self.late.clone());
                self.after(found_out, Event::Breaks(number));
            }
        }
        self.is_reachable = is_reachable;
    }

    /// The runtime that used it is gone. What it had is for the caller to drop, when nothing is borrowed.
    pub fn caller_died(&mut self) -> impl Sized + use<> {
        let sessions = std::mem::take(&mut self.sessions);
        let knocking = std::mem::take(&mut self.knocking);
        let deliveries = std::mem::take(&mut self.deliveries);
        self.forgotten = 0;
        self.knocks_of_life.clear();
        self.queue.retain(|_, event| matches!(event, Event::Unlocks));
        let breaks: Vec<_> = sessions.into_values().map(|s| (s.news, s.channels)).collect();
        (breaks, knocking, deliveries, self.retry.take())
    }

    /// When something happens next.
    pub fn next_event(&self) -> Option<Duration> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// Lets one thing happen that is due; whether there was one. What comes of it is in [`Sshd::take_deliveries`].
    pub fn run_one(&mut self) -> bool {
        let now = self.shared.clock.now();
        let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= now) else { return false };
        match entry.remove() {
            Event::Answers(number) => self.answer(number),
            Event::TimesOut(number) => self.turn_away(number, "no answer within 60 s"),
            Event::Forgets(number) => {
                // The line goes without a word.
                self.forgotten =
                    self.forgotten.saturating_sub(u32::from(self.knocking.remove(&number).is_some()));
            }
            Event::Breaks(number) => self.break_session(number),
            Event::Wears(number) => {
                if let Some(session) = self.sessions.get(&number) {
                    session.news.fwd(News::Worn);
                }
            }
            Event::Unlocks => {
                self.line(format_args!("somebody has seen to the credentials"));
                self.is_locked = false;
                if let Some(retry) = self.retry.clone() {
                    self.deliveries.push(Box::new(move || retry()));
                }
            }
        }
        true
    }

    /// What is to be called when nothing is borrowed.
    pub fn take_deliveries(&mut self) -> Vec<Break> {
        std::mem::take(&mut self.deliveries)
    }

    /// How often somebody knocked.
    pub fn knocks(&self) -> &[Duration] {
        &self.knocks
    }

    fn answer(&mut self, number: SessionNumber) {
        if !self.is_reachable {
            return self.turn_away(number, "no route to host");
        }
        if self.chance(self.faults.turned_away) {
            return self.turn_away(number, "exceeded MaxStartups");
        }
        if self.chance(self.faults.locks) && !self.is_locked {
            self.is_locked = true;
            let person = self.dice.below(A_PERSON_COMES.as_secs());
            self.after(Duration::from_secs(person), Event::Unlocks);
        }
        let Some(news) = self.knocking.remove(&number) else { return };
        if self.is_locked {
            self.line(format_args!("session {number} is refused its credentials"));
            let why = "the second factor is missing".to_owned();
            return news.fwd(News::Ended(TransportError::AuthFailed { host: self.name.clone(), why }));
        }
        self.line(format_args!("session {number} is open"));
        let takes = self.dice.within_count(&self.faults.max_sessions);
        news.fwd(News::Opened(number));
        self.sessions.insert(number, Session { news, takes, channels: BTreeMap::new() });
        if self.shared.clock.now() < self.calm_after {
            let (life, wear) = (self.faults.session_life.clone(), self.faults.worn_after.clone());
            for (range, event) in [(life, Event::Breaks(number)), (wear, Event::Wears(number))] {
                if let Some(range) = range {
                    let at = self.dice.within(&range);
                    self.after(at, event);
                }
            }
        }
    }

    fn turn_away(&mut self, number: SessionNumber, why: &str) {
        if let Some(news) = self.knocking.remove(&number) {
            self.line(format_args!("session {number} is turned away: {why}"));
            let (host, why) = (self.name.clone(), why.to_owned());
            news.fwd(News::Ended(TransportError::Unreachable { host, why }));
        }
    }

    fn break_session(&mut self, number: SessionNumber) {
        if let Some(session) = self.sessions.remove(&number) {
            self.line(format_args!("session {number} breaks"));
            let (host, why) = (self.name.clone(), "the session broke".to_owned());
            session.news.fwd(News::Ended(TransportError::Unreachable { host, why }));
            self.deliveries.extend(session.channels.into_values());
        }
    }

    /// Whether what was promised is kept, now that somebody has knocked.
    fn check_knocks(&self, now: Duration) {
        let in_hour = self.knocks.iter().rev().take_while(|at| now - **at < HOUR).count();
        if in_hour > self.rules.hourly as usize {
            self.object(format!("{in_hour} sessions were opened within an hour"));
        }
        if self.knocking.len() > self.forgotten as usize + 1 {
            self.object("two sessions are being opened at once".to_owned());
        }
        let all = self.sessions.len() + self.knocking.len();
        if all > self.rules.max_sessions as usize {
            self.object(format!("there are {all} sessions"));
        }
        let refill = self.rules.refill.as_micros().max(1);
        for (n, at) in self.knocks_of_life.iter().rev().enumerate() {
            let allowed = u128::from(self.rules.burst) + (now - *at).as_micros() / refill;
            if n as u128 + 1 > allowed {
                self.object(format!("{} sessions were opened within {:?}", n + 1, now - *at));
            }
        }
    }

    fn object(&self, what: String) {
        self.shared.witness.on_broken(&self.name, what);
    }

    fn chance(&mut self, chance: PerMille) -> bool {
        self.shared.clock.now() < self.calm_after && self.dice.chance(chance)
    }

    fn after(&mut self, pause: Duration, event: Event) {
        self.count += 1;
        self.queue.insert((self.shared.clock.now() + pause, self.count), event);
    }

    fn line(&self, what: std::fmt::Arguments<'_>) {
        self.shared.trace.line(self.shared.clock.now(), &self.name, what);
    }
}

/// How a session is dialled in the world.
pub struct SimDial(pub Rc<RefCell<Sshd>>);

impl procession::pool::Dial for SimDial {
    type Session = SessionNumber;

    fn open(&mut self, _: &mut stakker::Core, news: Fwd<News<SessionNumber>>) {
        self.0.borrow_mut().knock(news);
    }

    fn close(&mut self, _: &mut stakker::Core, session: SessionNumber) {
        self.0.borrow_mut().close(session);
    }
}

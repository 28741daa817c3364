//! The actor: it gives the policy what happens, and carries out what the policy says. It decides nothing.

use super::lease::{Ask, Leased};
use super::policy::{Effect, Event, Policy, SessionId, Ticket};
use super::{Budget, Dial, Lease, News, Report, Rules, Seat, Sessions, Want};
use crate::transport::TransportError;
use crate::{RuntimeHandle, WallTime, planted};
use stakker::{ActorOwn, CX, Core, FixedTimerKey, Fwd, Ret, actor_new, after, call, fwd_to, ret_nop};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a pool needs.
pub struct Setup<D: Dial> {
    /// What the host is called in messages.
    pub host: String,
    /// How it may be used.
    pub rules: Rules,
    /// How its sessions are opened.
    pub dial: D,
    /// Where random numbers and the calendar come from.
    pub runtime: RuntimeHandle,
    /// What it shares with other runtimes of the same user; nothing if none.
    pub budget: Option<Box<dyn Budget>>,
}

impl<D: Dial> Setup<D> {
    /// A pool with the default rules that shares nothing.
    pub fn new(host: &str, dial: D, runtime: RuntimeHandle) -> Setup<D> {
        Setup { host: host.to_owned(), rules: Rules::default(), dial, runtime, budget: None }
    }
}

/// The pool of one host, as an actor. Dropping its owner drops the [`Dial`] with the sessions, and whoever waits gets `None`.
/// See the [module](super).
pub struct Pool<D: Dial> {
    policy: Policy,
    dial: D,
    runtime: RuntimeHandle,
    budget: Option<Box<dyn Budget>>,
    host: Rc<str>,
    ask: Fwd<Ask<D::Session>>,
    waiting: BTreeMap<Ticket, Waiter<D::Session>>,
    tickets: u64,
    /// The sessions that are open.
    sessions: BTreeMap<SessionId, D::Session>,
    /// The right to each session, from its first try to its end.
    seats: BTreeMap<SessionId, Seat>,
    /// The timer, and when it is due.
    timer: Option<(FixedTimerKey, Instant)>,
}

enum Waiter<S: 'static> {
    Lease(Leased<S>),
    Up(Ret<()>),
}

impl<D: Dial> Pool<D> {
    /// Starts a pool. It opens nothing before somebody asks for a channel.
    pub fn start(core: &mut Core, setup: Setup<D>) -> (Sessions<D::Session>, ActorOwn<Pool<D>>) {
        let actor = actor_new!(core, Pool<D>, ret_nop!());
        let host: Rc<str> = setup.host.as_str().into();
        let ask = fwd_to!([actor], on_ask() as (Ask<D::Session>));
        let sessions = Sessions::new(host.clone(), ask.clone());
        call!([actor], <Pool<D>>::init(setup, host, ask));
        (sessions, actor)
    }

    fn init(cx: CX![], setup: Setup<D>, host: Rc<str>, ask: Fwd<Ask<D::Session>>) -> Option<Pool<D>> {
        let Setup { host: name, rules, dial, runtime, budget } = setup;
        Some(Pool {
            policy: Policy::new(&name, rules, cx.now()),
            dial,
            runtime,
            budget,
            host,
            ask,
            waiting: BTreeMap::new(),
            tickets: 0,
            sessions: BTreeMap::new(),
            seats: BTreeMap::new(),
            timer: None,
        })
    }

    fn on_ask(&mut self, cx: CX![], ask: Ask<D::Session>) {
        let event = match ask {
            Ask::Lease(want, ret) => Event::Asked(self.wait(Waiter::Lease(ret)), want),
            Ask::Refused(id, want, ret) => Event::Refused(id, self.wait(Waiter::Lease(ret)), want),
            Ask::Returned(..) if planted::is(planted::Planted::LeaseLost) => return,
            Ask::Returned(id, urgency) => Event::Returned(id, urgency),
            Ask::WhenUp(ret) => Event::WhenUp(self.wait(Waiter::Up(ret))),
            Ask::Report(ret) => return ret.ret(self.report(cx.now())),
            Ask::Retry => Event::Retry,
            Ask::Close => Event::Close,
        };
        self.happen(cx, event);
    }

    fn on_news(&mut self, cx: CX![], id: SessionId, news: News<D::Session>) {
        let event = match news {
            News::Opened(session) => {
                log::debug!("{}: session {} is open", self.host, id.0);
                self.sessions.insert(id, session);
                Event::Opened(id)
            }
            News::Ended(why) => {
                log::debug!("{}: session {} has ended: {why}", self.host, id.0);
                self.sessions.remove(&id);
                self.seats.remove(&id);
                Event::Ended(id, why)
            }
            News::Full => Event::Full(id),
            News::Worn => Event::Worn(id),
        };
        self.happen(cx, event);
    }

    fn on_due(&mut self, cx: CX![]) {
        self.timer = None;
        self.happen(cx, Event::Tick);
    }

    /// Asks the policy what follows, and does it. What comes of that is asked for in turn.
    fn happen(&mut self, cx: CX![], event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.policy.on(event, cx.now(), self.runtime.random()) {
                events.extend(self.carry_out(cx, effect));
            }
        }
        self.arm(cx);
    }

    fn carry_out(&mut self, cx: CX![], effect: Effect) -> Option<Event> {
        match effect {
            Effect::Grant(ticket, id, want) => self.grant(ticket, id, want),
            Effect::Fail(ticket, why) => match self.waiting.remove(&ticket) {
                Some(Waiter::Lease(ret)) => ret.ret(Err(why)),
                Some(Waiter::Up(ret)) => drop(ret),
                None => {}
            },
            Effect::Up(ticket) => match self.waiting.remove(&ticket) {
                Some(Waiter::Up(ret)) => ret.ret(()),
                Some(Waiter::Lease(ret)) => drop(ret),
                None => {}
            },
            Effect::Forget(ticket) => drop(self.waiting.remove(&ticket)),
            Effect::Open(id) => return self.open(cx, id),
            Effect::Close(id) => {
                if let Some(session) = self.sessions.remove(&id) {
                    self.dial.close(cx, session);
                }
                self.seats.remove(&id);
            }
        }
        None
    }

    fn grant(&mut self, ticket: Ticket, id: SessionId, want: Want) {
        let session = self.sessions.get(&id).expect("what is lent is open").clone();
        let lease = Lease::new(session, id, want, self.ask.clone());
        if let Some(Waiter::Lease(ret)) = self.waiting.remove(&ticket) {
            ret.ret(Ok(lease));
        }
    }

    fn open(&mut self, cx: CX![], id: SessionId) -> Option<Event> {
        let budget = self.budget.as_mut().filter(|_| !planted::is(planted::Planted::BudgetIgnored));
        if let Some(budget) = budget {
            match budget.claim(self.runtime.wall()) {
                Ok(seat) => drop(self.seats.insert(id, seat)),
                Err(later) => return Some(Event::Held(id, later.wait, later.why)),
            }
        }
        let line = Line { host: self.host.clone(), to: fwd_to!([cx], on_news(id) as (News<D::Session>)) };
        self.dial.open(cx, Fwd::new(move |news| line.to.fwd(news)));
        None
    }

    fn wait(&mut self, waiter: Waiter<D::Session>) -> Ticket {
        self.tickets += 1;
        self.waiting.insert(Ticket(self.tickets), waiter);
        Ticket(self.tickets)
    }

    fn report(&self, now: Instant) -> Report {
        let today = self.runtime.wall();
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.policy.report(now, |at| match at.checked_duration_since(now) {
            Some(later) => WallTime(today.0.saturating_add(ms(later))),
            None => WallTime(today.0.saturating_sub(ms(now - at))),
        })
    }

    /// Sets the timer to the moment at which the policy wants to be asked again.
    fn arm(&mut self, cx: CX![]) {
        let next = self.policy.next(cx.now());
        if self.timer.as_ref().map(|(_, at)| *at) == next {
            return;
        }
        if let Some((timer, _)) = self.timer.take() {
            cx.timer_del(timer);
        }
        self.timer = next.map(|at| {
            let wait = at.saturating_duration_since(cx.now());
            (after!(wait, [cx], on_due()), at)
        });
    }
}

/// The way from a session to its pool. A session that lets go of it has ended.
struct Line<S: 'static> {
    host: Rc<str>,
    to: Fwd<News<S>>,
}

impl<S: 'static> Drop for Line<S> {
    fn drop(&mut self) {
        let why = "whoever drove its session is gone".to_owned();
        let ended = News::Ended(TransportError::Unreachable { host: self.host.to_string(), why });
        self.to.fwd(ended);
    }
}

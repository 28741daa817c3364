//! The actor of the pool, under virtual time, with sessions that are numbers.
#![expect(clippy::disallowed_methods, reason = "the virtual clock must begin somewhere")]

use procession::Runtime;
use procession::pool::{
    Budget, Dial, Health, Later, Lease, News, Pool, Report, Rules, Seat, SessionStage, Sessions, Setup,
    Urgency,
};
use procession::transport::TransportError;
use stakker::{ActorOwn, Core, Fwd, Ret};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The far side: sessions that are being opened or are open, by number.
#[derive(Default)]
struct Far {
    opened: u32,
    lines: BTreeMap<u32, Fwd<News<u32>>>,
    closed: Vec<u32>,
}

struct Numbers(Rc<RefCell<Far>>);

impl Dial for Numbers {
    type Session = u32;

    fn open(&mut self, _: &mut Core, news: Fwd<News<u32>>) {
        let mut far = self.0.borrow_mut();
        far.opened += 1;
        let number = far.opened;
        far.lines.insert(number, news);
    }

    fn close(&mut self, _: &mut Core, session: u32) {
        let line = {
            let mut far = self.0.borrow_mut();
            far.closed.push(session);
            far.lines.remove(&session)
        };
        drop(line);
    }
}

type Got = Rc<RefCell<Vec<Option<Result<Lease<u32>, TransportError>>>>>;

struct World {
    // Dropped before the runtime, as services are.
    pool: Option<ActorOwn<Pool<Numbers>>>,
    sessions: Sessions<u32>,
    far: Rc<RefCell<Far>>,
    got: Got,
    runtime: Runtime,
    now: Instant,
}

impl World {
    fn new(rules: Rules, budget: Option<Box<dyn Budget>>) -> World {
        let now = Instant::now();
        let mut runtime = Runtime::builder().virtual_time(now).seed(1).build().expect("a runtime");
        let far = Rc::<RefCell<Far>>::default();
        let setup = Setup { rules, budget, ..Setup::new("host", Numbers(far.clone()), runtime.handle()) };
        let (sessions, pool) = Pool::start(runtime.stakker(), setup);
        World { pool: Some(pool), sessions, far, got: Got::default(), runtime, now }
    }

    fn ask(&self, urgency: Urgency) {
        let got = self.got.clone();
        self.sessions.lease(urgency, Ret::new(move |lease| got.borrow_mut().push(lease)));
    }

    fn tell(&self, number: u32, news: News<u32>) {
        let line = self.far.borrow().lines[&number].clone();
        line.fwd(news);
    }

    /// Lets this much time pass; returns when nothing is left to do at the end of it.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let turn = self.runtime.turn(self.now).expect("a turn");
            match turn.next {
                _ if turn.more => {}
                Some(next) if next <= until => self.now = self.now.max(next),
                Some(_) | None => break,
            }
        }
        self.now = until;
        self.runtime.turn(until).expect("a turn");
    }

    fn settle(&mut self) {
        self.pass(Duration::ZERO);
    }

    /// What those who asked were told since the last look: leases, errors, and how many got nothing.
    fn take(&mut self) -> (Vec<Lease<u32>>, Vec<TransportError>, usize) {
        self.settle();
        let (mut leases, mut errors, mut nothing) = (Vec::new(), Vec::new(), 0);
        for answer in self.got.borrow_mut().drain(..) {
            match answer {
                Some(Ok(lease)) => leases.push(lease),
                Some(Err(why)) => errors.push(why),
                None => nothing += 1,
            }
        }
        (leases, errors, nothing)
    }

    fn report(&mut self) -> Report {
        let slot = Rc::new(RefCell::new(None));
        let told = slot.clone();
        self.sessions.report(Ret::new(move |report| *told.borrow_mut() = report));
        self.settle();
        slot.take().expect("a report")
    }

    /// How many of so many who wait for the host have been told.
    fn wait_for_host(&self, many: u32) -> Rc<Cell<u32>> {
        let told = Rc::new(Cell::new(0));
        for _ in 0..many {
            let told = told.clone();
            self.sessions.when_up(Ret::new(move |up: Option<()>| {
                told.set(told.get() + u32::from(up.is_some()));
            }));
        }
        told
    }
}

fn down() -> TransportError {
    TransportError::Unreachable { host: "host".into(), why: "no route to host".into() }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn five_hundred_users_share_two_sessions() {
    let mut world = World::new(Rules::default(), None);
    (0..500).for_each(|_| world.ask(Urgency::Work));
    world.settle();
    let (mut served, mut opened) = (0, 0);
    for _ in 0..1000 {
        let begun = world.far.borrow().opened;
        for number in opened + 1..=begun {
            world.tell(number, News::Opened(number));
            // Saying it twice changes nothing.
            world.tell(number, News::Opened(number));
        }
        opened = begun;
        world.pass(Duration::from_millis(50));
        let (leases, errors, nothing) = world.take();
        assert!(errors.is_empty() && nothing == 0, "{:?}", errors.first());
        assert!(leases.len() <= 16, "eight channels a session");
        served += leases.len();
    }
    assert_eq!(served, 500);
    let report = world.report();
    assert_eq!((world.far.borrow().opened, report.sessions.len()), (2, 2));
    assert!(report.sessions.iter().all(|session| session.stage == SessionStage::Serving));
}

#[test]
fn a_lease_that_nobody_takes_is_not_lost() {
    let mut world = World::new(Rules { max_sessions: 1, channels: 1, ..Rules::default() }, None);
    world.sessions.lease(Urgency::Work, Ret::new(drop));
    world.settle();
    world.tell(1, News::Opened(1));
    world.settle();
    world.ask(Urgency::Work);
    assert_eq!(world.take().0.len(), 1);
    // The lease was dropped at once, and its channel is free.
    world.ask(Urgency::Work);
    let (leases, errors, nothing) = world.take();
    assert_eq!((leases.len(), *leases[0].session(), errors.len(), nothing), (1, 1, 0, 0));
}

#[test]
fn a_refused_lease_comes_back_and_the_limit_falls() {
    let mut world = World::new(Rules { max_sessions: 1, ..Rules::default() }, None);
    (0..3).for_each(|_| world.ask(Urgency::Work));
    world.settle();
    world.tell(1, News::Opened(1));
    let (mut leases, _, _) = world.take();
    let refused = leases.pop().expect("three");
    assert_eq!(format!("{refused:?}"), "Lease(Work on session 1)");
    let got = world.got.clone();
    refused.refused(Ret::new(move |lease| got.borrow_mut().push(lease)));
    assert_eq!(world.take().0.len(), 0);
    assert_eq!((world.report().sessions[0].channels, world.report().sessions[0].limit), (2, 2));
    // One of the two that it takes is for control from now on.
    leases.pop();
    assert_eq!(world.take().0.len(), 0);
    leases.pop();
    assert_eq!(world.take().0.len(), 1);
}

#[test]
fn everybody_waits_for_free_while_the_host_is_down_and_all_go_on_by_themselves() {
    let mut world = World::new(Rules::default(), None);
    world.ask(Urgency::Work);
    world.settle();
    world.tell(1, News::Ended(down()));
    let (_, errors, _) = world.take();
    assert_eq!(errors.len(), 1);
    let told = world.wait_for_host(10_000);
    let mut tries = 1;
    for _ in 0..600 {
        world.pass(seconds(60));
        let far = world.far.borrow().opened;
        assert!(far - tries <= 9, "one try at a time");
        for number in tries + 1..=far {
            world.tell(number, News::Ended(down()));
        }
        tries = far;
    }
    assert!((100..260).contains(&tries), "{tries} tries in ten hours");
    let report = world.report();
    assert_eq!((report.health, report.waiting.host, told.get()), (Health::Down, 10_000, 0));
    assert_eq!(report.why.as_deref(), Some("no route to host"));
    let written = serde_json::to_string(&report).expect("a report can be written");
    assert_eq!(serde_json::from_str::<Report>(&written).expect("and read"), report);
    while world.far.borrow().opened == tries {
        world.pass(seconds(10));
    }
    world.tell(tries + 1, News::Opened(tries + 1));
    world.settle();
    assert_eq!((told.get(), world.report().health), (10_000, Health::Up));
}

#[test]
fn refused_credentials_wait_for_somebody_who_says_retry() {
    let mut world = World::new(Rules::default(), None);
    let denied = TransportError::AuthFailed { host: "host".into(), why: "no key fits".into() };
    world.ask(Urgency::Work);
    world.settle();
    world.tell(1, News::Ended(denied.clone()));
    assert_eq!(world.take().1, std::slice::from_ref(&denied));
    let told = world.wait_for_host(3);
    world.pass(seconds(100_000));
    world.ask(Urgency::Control);
    assert_eq!(world.take().1, [denied]);
    assert_eq!((world.report().health, world.far.borrow().opened), (Health::NeedsAuth, 1));
    world.sessions.retry();
    world.settle();
    world.tell(2, News::Opened(2));
    world.settle();
    assert_eq!((told.get(), world.report().health), (3, Health::Up));
}

#[test]
fn a_session_whose_driver_is_gone_has_ended() {
    let mut world = World::new(Rules::default(), None);
    world.ask(Urgency::Work);
    world.settle();
    let line = world.far.borrow_mut().lines.remove(&1);
    drop(line);
    let (_, errors, _) = world.take();
    assert!(errors[0].to_string().contains("whoever drove its session is gone"), "{errors:?}");
}

#[test]
fn when_the_pool_is_gone_everybody_is_told() {
    let mut world = World::new(Rules::default(), None);
    world.ask(Urgency::Work);
    world.settle();
    world.pool = None;
    assert_eq!(world.take().2, 1);
    world.ask(Urgency::Work);
    assert_eq!(world.take().2, 1);
}

#[test]
fn a_pool_that_is_closed_closes_its_sessions_when_their_leases_are_back() {
    let mut world = World::new(Rules::default(), None);
    world.ask(Urgency::Work);
    world.settle();
    world.tell(1, News::Opened(1));
    let (leases, _, _) = world.take();
    world.sessions.close();
    world.settle();
    assert!(world.far.borrow().closed.is_empty());
    drop(leases);
    world.settle();
    assert_eq!(world.far.borrow().closed, [1]);
    world.ask(Urgency::Work);
    assert_eq!(world.take().1.len(), 1);
    assert_eq!(world.runtime.turn(world.now).expect("a turn").next, None, "no timer is left");
}

/// So many seats, and who asked.
struct Seats {
    free: Rc<Cell<u32>>,
    asked: Rc<Cell<u32>>,
}

struct Taken(Rc<Cell<u32>>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Budget for Seats {
    fn claim(&mut self, _: procession::WallTime) -> Result<Seat, Later> {
        self.asked.set(self.asked.get() + 1);
        if self.free.get() == 0 {
            return Err(Later { wait: seconds(5), why: "others have them all".into() });
        }
        self.free.set(self.free.get() - 1);
        Ok(Seat::new(Taken(self.free.clone())))
    }
}

#[test]
fn a_shared_budget_is_asked_before_each_try_and_gets_its_seat_back() {
    let (free, asked) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let budget = Seats { free: free.clone(), asked: asked.clone() };
    let mut world = World::new(Rules::default(), Some(Box::new(budget)));
    world.ask(Urgency::Work);
    world.pass(seconds(14));
    assert_eq!((asked.get(), world.far.borrow().opened), (3, 0));
    assert_eq!(world.report().why.as_deref(), Some("others have them all"));
    free.set(1);
    world.pass(seconds(5));
    assert_eq!((asked.get(), free.get(), world.far.borrow().opened), (4, 0, 1));
    world.tell(1, News::Ended(down()));
    world.settle();
    assert_eq!(free.get(), 1);
    world.pool = None;
    world.settle();
    assert_eq!(free.get(), 1);
}

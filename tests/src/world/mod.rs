//! A world in a box: the production code, unchanged, among hosts and a journal that fail it.
//!
//! Time is virtual: a [`clock::Clock`] that stands still until the world moves it to the next thing that happens. All that
//! is drawn at random comes from one seed, so the same seed tells the same story. The journal is a `MemoryStore`; the
//! hosts are [`host::SimHost`]s; an [`oracle::Oracle`] watches both. Runtimes come and go: a crash drops one where it
//! stands, and a later one recovers from the same store.

pub mod boundary;
pub mod cast;
pub mod clock;
pub mod disk;
pub mod faults;
pub mod fs;
pub mod host;
pub mod oracle;
pub mod purse;
pub mod trace;
pub mod witness;

use boundary::{Boundaries, Strike};
use cast::lay_inputs;
use clock::Clock;
use faults::{Dice, Faults, PerMille};
use fs::Fs;
use host::{GateOwner, Shared, SimHost};
use oracle::Oracle;
use procession::journal::{Ask, Crash, Desired, MemoryStore, Stage};
use procession::pool::Rules;
use procession::{Runtime, State};
use procession_batch::dialect::Direct;
use procession_batch::{Hosts, Job, Plan, SchedulerProcess};
use purse::Purse;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;
use trace::Trace;

/// A story that has made so many steps will never end.
const MOST_STEPS: u64 = 3_000_000;

/// After the calm has come, everything must have ended within this time.
const LONGEST_AFTER_CALM: Duration = Duration::from_secs(6 * 3600);

/// How a world is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What all that is drawn at random comes from.
    pub seed: u64,
    /// How many processes, each with a job.
    pub jobs: usize,
    /// How many hosts.
    pub hosts: usize,
    /// The last of them is behind ssh, and is to be used like this; none is if nothing is said.
    pub ssh: Option<Rules>,
    /// So many jobs at once on each host; any number if 0.
    pub at_once: u32,
    /// What goes wrong on the hosts and on the way to them.
    pub faults: Faults,
    /// How long a runtime lives until it crashes; none for ever.
    pub runtime_lives: Option<RangeInclusive<Duration>>,
    /// How likely it is that the owner of a process changes his mind.
    pub moods: PerMille,
    /// Whether the lines of the story are kept.
    pub keep_story: bool,
}

impl Setup {
    /// One job on one host, and nothing goes wrong.
    pub fn quiet() -> Setup {
        Setup {
            seed: 0,
            jobs: 1,
            hosts: 1,
            ssh: None,
            at_once: 0,
            faults: Faults::NONE,
            runtime_lives: None,
            moods: PerMille(0),
            keep_story: false,
        }
    }

    /// Twenty jobs, and everything goes wrong that can. In every fourth world the runtime lives for ever: a restart heals
    /// what hangs, and would hide it.
    pub fn stormy(seed: u64) -> Setup {
        let lives = Duration::from_secs(5)..=Duration::from_secs(600);
        Setup {
            seed,
            jobs: 20,
            hosts: 2,
            ssh: Some(Rules {
                channels: 4,
                hourly: 30,
                age: Duration::from_secs(900),
                idle: Duration::from_secs(120),
                ..Rules::default()
            }),
            at_once: 3,
            faults: Faults::ALL,
            runtime_lives: (!seed.is_multiple_of(4)).then_some(lives),
            moods: PerMille(250),
            keep_story: false,
        }
    }
}

/// A world.
pub struct World {
    /// What its parts share.
    pub shared: Shared,
    /// The journal.
    pub store: MemoryStore,
    /// Who watches.
    pub oracle: Oracle,
    /// The hosts of the jobs.
    pub hosts: Vec<SimHost>,
    here: SimHost,
    /// What all runtimes together have spent, by host.
    purses: Vec<Purse>,
    setup: Setup,
    dice: Dice,
    /// Dropped before the runtime.
    gates: Vec<GateOwner>,
    runtime: Option<Runtime>,
    /// The next timer of the runtime.
    next_timer: Option<Duration>,
    agenda: BTreeMap<(Duration, u64), Act>,
    planned: u64,
    steps: u64,
}

/// What the world itself does at a time.
enum Act {
    HandOver(Box<Plan>),
    Start,
    Crash,
    CrashInJournal,
    Mood { job: usize, desired: Desired },
    DelayNotes(bool),
    Release,
    Jump,
    CheckPaused,
    CutOff { host: usize, lasts: Duration },
}

/// How a story ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The hash of the story.
    pub hash: u64,
    /// What must not be, if it was.
    pub wrong: Option<String>,
    /// How old the world became.
    pub age: Duration,
    /// How many boundaries of the journal were passed.
    pub journal_boundaries: u64,
    /// How many boundaries between effects were passed.
    pub effect_boundaries: u64,
    /// How many steps it took.
    pub steps: u64,
}

impl World {
    /// The beginning of a world, with its jobs drawn from the seed.
    pub fn new(setup: Setup) -> World {
        let mut world = World::empty(setup);
        let Setup { jobs, hosts, faults, moods, .. } = world.setup.clone();
        for job in 0..jobs {
            let host = world.hosts[job % hosts].name().to_owned();
            let plan = cast::any_job(job, &host, &mut world.dice);
            let at = Duration::from_millis(world.dice.below(60_000));
            world.plan_at(at, Act::HandOver(Box::new(plan)));
            if world.dice.chance(moods) {
                world.plan_moods(job, at, &faults);
            }
        }
        if let Some(lives) = world.setup.runtime_lives.clone() {
            let life = world.dice.within(&lives);
            world.plan_at(life, Act::Crash);
            let life = world.dice.within(&lives);
            world.plan_at(life, Act::CrashInJournal);
            let (from, jump) = (world.dice.within(&lives), world.dice.within(&lives));
            world.plan_at(from, Act::DelayNotes(true));
            world.plan_at(from * 2, Act::DelayNotes(false));
            world.plan_at(jump, Act::Jump);
        }
        world
    }

    /// A world with this one job, handed over at the beginning.
    pub fn with_job(setup: Setup, plan: Plan) -> World {
        World::with_jobs(setup, [plan])
    }

    /// A world with these jobs, handed over at the beginning.
    pub fn with_jobs(setup: Setup, plans: impl IntoIterator<Item = Plan>) -> World {
        let mut world = World::empty(setup);
        world.setup.jobs = 0;
        for plan in plans {
            world.setup.jobs += 1;
            world.plan_at(Duration::ZERO, Act::HandOver(Box::new(plan)));
        }
        world
    }

    fn empty(setup: Setup) -> World {
        let trace = if setup.keep_story { Trace::kept() } else { Trace::hashed() };
        let (clock, store, mut dice) = (Clock::new(), MemoryStore::new(), Dice::new(setup.seed));
        let oracle = Oracle::new(&store, &clock, &trace, setup.at_once);
        let local = Rc::new(RefCell::new(Fs::new()));
        let shared = Shared {
            clock,
            trace,
            boundaries: Boundaries::default(),
            witness: Rc::new(oracle.clone()),
            disk: Rc::new(local.clone()),
        };
        let here = SimHost::with_disk("here", &shared, local.clone(), Faults::NONE, dice.fork());
        lay_inputs(&mut local.borrow_mut(), shared.clock.wall());
        let rules = setup.ssh.clone().unwrap_or_default();
        let host = |n: usize| {
            let host = SimHost::new(&format!("host-{n}"), &shared, setup.faults.clone(), dice.fork());
            match &setup.ssh {
                Some(rules) if n + 1 == setup.hosts => {
                    host.behind_ssh(&shared, &setup.faults, dice.fork(), rules.clone())
                }
                Some(_) | None => host,
            }
        };
        let hosts: Vec<SimHost> = (0..setup.hosts).map(host).collect();
        let purses = hosts.iter().map(|_| Purse::new(rules.clone())).collect();
        let mut world = World {
            shared,
            store,
            oracle,
            hosts,
            here,
            purses,
            setup,
            dice,
            gates: Vec::new(),
            runtime: None,
            next_timer: None,
            agenda: BTreeMap::new(),
            planned: 0,
            steps: 0,
        };
        world.plan_at(Duration::ZERO, Act::Start);
        world
    }

    /// Tells the story to its end: everything has ended, and nothing is under way any more.
    pub fn run(&mut self) -> Ending {
        while self.oracle.wrong().is_none() && !self.is_over() {
            self.step();
        }
        if self.oracle.wrong().is_none() {
            self.oracle.check_end(&self.hosts);
        }
        self.ending()
    }

    /// Lets the next thing happen.
    pub fn step(&mut self) {
        self.steps += 1;
        let Some(next) = self.next() else {
            return self.oracle.object(format!("nothing happens any more, and {} live", self.unfinished()));
        };
        let limit = self.setup.faults.calm_after + LONGEST_AFTER_CALM;
        if self.steps > MOST_STEPS || next > limit {
            return self.oracle.object(format!("{} processes never end", self.unfinished()));
        }
        self.shared.clock.advance_to(next);
        let now = self.shared.clock.now();
        let mut turn = self.next_timer.is_some_and(|at| at <= now);
        if let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let act = entry.remove();
            self.act(act);
            turn = true;
        }
        for host in 0..=self.hosts.len() {
            let host = self.hosts.get(host).unwrap_or(&self.here).clone();
            if let Some(strike) = host.run() {
                turn = true;
                if let Some(strike) = strike {
                    self.strike(strike);
                }
                break;
            }
        }
        if turn {
            self.turn();
        }
    }

    fn next(&self) -> Option<Duration> {
        let agenda = self.agenda.keys().next().map(|(at, _)| *at);
        let hosts = self.hosts.iter().chain([&self.here]).filter_map(SimHost::next_event);
        hosts.chain(agenda).chain(self.next_timer).min()
    }

    /// Lets the runtime do what there is to do, and sees what became of it.
    fn turn(&mut self) {
        let now = self.shared.clock.instant();
        loop {
            let Some(runtime) = &mut self.runtime else { return };
            let turn = runtime.turn(now);
            if self.store.crashed() {
                return self.crash();
            }
            match turn {
                Err(why) => return self.oracle.object(format!("the runtime stops: {why}")),
                Ok(turn) => {
                    self.next_timer = turn.next.map(|at| self.shared.clock.age(at));
                    if !turn.more {
                        break;
                    }
                }
            }
        }
        if self.store.delayed() {
            let after = Duration::from_micros(self.dice.below(50_000));
            self.plan_after(after, Act::Release);
        }
        self.oracle.check_killed(&self.hosts);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Start => self.start(),
            Act::Crash => {
                self.crash();
                self.plan_next_life(Act::Crash);
            }
            Act::CrashInJournal => {
                let boundary = self.store.boundaries() + self.dice.below(6);
                self.store.crash_at(Crash::at(boundary));
                self.plan_next_life(Act::CrashInJournal);
            }
            Act::HandOver(plan) => self.hand_over(*plan),
            Act::Mood { job, desired } => self.desire(job, desired),
            Act::DelayNotes(delay) => {
                self.store.delay_notes(delay);
                self.store.release();
            }
            Act::Release => self.store.release(),
            Act::CheckPaused => self.check_paused(),
            Act::CutOff { host, lasts } => self.hosts[host].cut_off(lasts),
            Act::Jump => {
                for host in &self.hosts {
                    let skew = i64::try_from(self.dice.below(7_200_000)).expect("two hours fit");
                    host.set_skew(skew - 3_600_000);
                }
            }
        }
    }

    /// A new runtime takes over what the journal has.
    fn start(&mut self) {
        if self.runtime.is_some() {
            return;
        }
        let (seed, begin) = (self.dice.below(u64::MAX), self.shared.clock.at(Duration::ZERO));
        let built = Runtime::builder().journal(self.store.open()).virtual_time(begin).seed(seed).build();
        let mut runtime = match built {
            Ok(runtime) => runtime,
            Err(why) => return self.oracle.object(format!("no runtime can begin: {why}")),
        };
        let mut hosts = Hosts::new(self.here.transport());
        for (host, purse) in self.hosts.iter().zip(&self.purses) {
            let (transport, gate) = host.reach(&mut runtime, Box::new(purse.clone()));
            self.gates.extend(gate);
            hosts.add(&mut runtime, transport, Direct::new(self.setup.at_once));
        }
        SchedulerProcess::register(&mut runtime, hosts);
        match runtime.recover() {
            Ok(recovered) if recovered.parked.is_empty() => {}
            Ok(recovered) => self.oracle.object(format!("parked: {:?}", recovered.parked)),
            Err(why) => self.oracle.object(format!("nothing can be recovered: {why}")),
        }
        self.shared.trace.line(self.shared.clock.now(), "runtime", format_args!("begins"));
        self.runtime = Some(runtime);
    }

    /// The runtime is gone from one moment to the next.
    fn crash(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        self.shared.trace.line(self.shared.clock.now(), "runtime", format_args!("crashes"));
        self.store.crash_now();
        for host in self.hosts.iter().chain([&self.here]) {
            host.caller_died();
        }
        self.gates.clear();
        drop(runtime);
        self.next_timer = None;
        // Half of them are started again at once, by somebody who watches over them.
        let away = if self.dice.chance(PerMille(500)) { 10 } else { 120_000 };
        let away = Duration::from_millis(self.dice.below(away));
        self.plan_after(away, Act::Start);
    }

    fn strike(&mut self, strike: Strike) {
        match strike {
            Strike::Crash | Strike::CrashAndHangUp => self.crash(),
            Strike::Kill => self.desire(0, Desired::Kill),
            Strike::Pause => {
                self.desire(0, Desired::Pause);
                self.plan_after(Duration::from_secs(200), Act::CheckPaused);
                self.plan_after(Duration::from_secs(300), Act::Mood { job: 0, desired: Desired::Run });
            }
            // The host has carried them out.
            Strike::ReplyDropped | Strike::Unreachable | Strike::Reboot => {}
        }
    }

    fn hand_over(&mut self, plan: Plan) {
        let key = plan.spec.name.clone();
        let state = serde_json::to_string(&plan.job()).expect("a job can be written");
        let kind = <SchedulerProcess as procession::Process>::KIND.to_owned();
        self.store.post(Ask::Adopt { kind, version: Job::VERSION, state, key });
    }

    /// The owner of a job wants something else of it. One who is too early is not heard.
    fn desire(&mut self, job: usize, desired: Desired) {
        let key = Some(format!("job {job}"));
        let row = self.store.rows().into_iter().find(|row| row.key == key);
        if let Some(process) = row.map(|row| row.id) {
            self.shared.trace.line(
                self.shared.clock.now(),
                "owner",
                format_args!("{process} {}", desired.word()),
            );
            self.store.post(Ask::Desire { process, desired });
        }
    }

    /// Whether this is everything: all processes have ended, and nothing is under way any more.
    fn is_over(&self) -> bool {
        let unsent = self.agenda.values().any(|act| matches!(act, Act::HandOver(_)));
        !unsent
            && self.runtime.is_some()
            && self.unfinished() == 0
            && self.store.letters().is_empty()
            && self.hosts.iter().chain([&self.here]).all(|host| host.is_quiet())
    }

    fn unfinished(&self) -> usize {
        self.setup.jobs - self.oracle.ended().min(self.setup.jobs)
    }

    /// A world in which all hold still must have nothing under way: no timer, no request.
    fn check_paused(&self) {
        let Some(runtime) = &self.runtime else { return };
        if self.oracle.count(Stage::Paused) < self.setup.jobs {
            return;
        }
        let waiting: usize = self.hosts.iter().chain([&self.here]).map(SimHost::waiting).sum();
        // A pool has timers of its own, to close what nobody uses.
        let has_timer = self.next_timer.is_some() && self.gates.is_empty();
        if runtime.held_timers() + waiting > 0 || has_timer {
            let timers = runtime.held_timers();
            self.oracle
                .object(format!("all are paused, but there are {timers} timers and {waiting} requests"));
        }
    }

    /// At this time the owner of the job with this number wants something else of it.
    pub fn wish(&mut self, at: Duration, job: usize, desired: Desired) {
        self.plan_at(at, Act::Mood { job, desired });
    }

    /// At this time the host with this number cannot be reached any more, for so long.
    pub fn outage(&mut self, at: Duration, host: usize, lasts: Duration) {
        self.plan_at(at, Act::CutOff { host, lasts });
    }

    /// Tells the story up to this age of the world, or to the first thing that must not be.
    pub fn run_to(&mut self, age: Duration) {
        while self.oracle.wrong().is_none() && self.next().is_some_and(|next| next <= age) {
            self.step();
        }
    }

    fn ending(&self) -> Ending {
        Ending {
            hash: self.shared.trace.hash(),
            wrong: self.oracle.wrong(),
            age: self.shared.clock.now(),
            journal_boundaries: self.store.boundaries(),
            effect_boundaries: self.shared.boundaries.passed(),
            steps: self.steps,
        }
    }

    fn plan_moods(&mut self, job: usize, from: Duration, faults: &Faults) {
        let mut at = from;
        for _ in 0..=self.dice.below(4) {
            at += Duration::from_millis(self.dice.below(120_000));
            let desired = match self.dice.below(5) {
                0 | 1 => Desired::Kill,
                2 | 3 => Desired::Pause,
                _rest => Desired::Run,
            };
            self.plan_at(at, Act::Mood { job, desired });
        }
        // In the end everybody lets his job go on, so that it comes to an end.
        self.plan_at(at.max(faults.calm_after), Act::Mood { job, desired: Desired::Run });
    }

    fn plan_next_life(&mut self, act: Act) {
        if let Some(lives) = self.setup.runtime_lives.clone() {
            let life = self.dice.within(&lives);
            if self.shared.clock.now() + life < self.setup.faults.calm_after {
                self.plan_after(life, act);
            }
        }
    }

    fn plan_after(&mut self, after: Duration, act: Act) {
        self.plan_at(self.shared.clock.now() + after, act);
    }

    fn plan_at(&mut self, at: Duration, act: Act) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), act);
    }
}

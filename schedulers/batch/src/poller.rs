//! One poller for each host and dialect, shared by all processes that have jobs there.
//!
//! It asks about all jobs with one command, in chunks, and in a rhythm that follows what happens. An answer resolves only
//! the jobs that were asked about in that very command: a job that came meanwhile is not missing, it was not asked for. A
//! poll that fails is about the host: no job hears of it, and the next one waits a little longer.

use crate::dialect::{AnswerError, Dialect, Evidence, Status, evidence};
use crate::{Backoff, JobName, Place};
use procession::RuntimeHandle;
use procession::transport::{Answer, Exec, Exit, Op, Transport, TransportError};
use stakker::{CX, FixedTimerKey, Ret, after, lazy, ret_to};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// So many jobs are asked about in one command that names them: with long paths that is half of the 128 KiB that old systems allow for the
/// arguments of a command.
pub const CHUNK: usize = 100;
/// A command that only asks is given up after this long. `squeue` itself gives up after some 10 s.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// So many bytes of an answer are kept: a hundred exit files with their lists of outputs.
pub const KEEP: usize = 32 << 20;
/// The sandboxes of so many jobs are looked at beside one poll, those first that were not looked at for the longest time.
pub const LOOKS: usize = 100;
/// A job that runs is looked at for the first time after this long: what is shorter seldom meets a controller that dies.
pub const LOOK_FIRST: Duration = Duration::from_secs(20);
/// Between two looks at a job, which are each twice as far apart as the last: so late, at most, it is found out that a scheduler
/// has forgotten its end.
pub const LOOK_SLOWEST: Duration = Duration::from_secs(600);
/// A poll takes at most one part in so many of the time, however many jobs there are.
pub const SHARE: u32 = 5;

/// How often a scheduler may be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// When something happens.
    pub fastest: Duration,
    /// When nothing does.
    pub slowest: Duration,
}

/// Why nothing is known: the host, in words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Away {
    /// The command could not be run.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// It ran, and what it said makes no sense.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// The actor. See the [module](self).
pub struct Poller {
    transport: Transport,
    dialect: Rc<dyn Dialect>,
    runtime: RuntimeHandle,
    follows: BTreeMap<JobName, Followed>,
    serial: u64,
    round: Option<Round>,
    /// The timer of the next poll, and when it is due.
    timer: Option<(FixedTimerKey, Instant)>,
    /// Not before this, however many ask: the last poll was this long.
    rest: Instant,
    interval: Duration,
    failures: u32,
    /// The host is away, and will say when it is not.
    parked: bool,
    reads: Batch<Evidence>,
    words: Batch<Status>,
}

/// Somebody wants to know when the status of a job is another one than it knows.
pub struct Follow {
    /// The attempt.
    pub place: Place,
    /// What is known of it.
    pub known: Status,
    /// Who wants to know.
    pub ret: Ret<Status>,
    /// Nobody wants to know any more when this is gone.
    pub alive: Weak<()>,
}

/// A job that somebody follows.
struct Followed {
    /// The number of the question, so that an answer to an earlier one is known for what it is.
    serial: u64,
    follow: Follow,
    /// When its sandbox is looked at, if it runs, and how long after the look before.
    look: (Instant, Duration),
}

/// A poll under way.
struct Round {
    began: Instant,
    /// What was there when it began. A follow with another serial came later.
    left: VecDeque<Vec<(JobName, u64)>>,
    news: bool,
}

impl Poller {
    /// A poller for one host. Everything that is asked goes through `transport`.
    pub fn init(
        cx: CX![],
        transport: Transport,
        dialect: Rc<dyn Dialect>,
        runtime: RuntimeHandle,
    ) -> Option<Poller> {
        let interval = dialect.pace(1).fastest;
        Some(Poller {
            transport,
            dialect,
            runtime,
            follows: BTreeMap::new(),
            serial: 0,
            round: None,
            timer: None,
            rest: cx.now(),
            interval,
            failures: 0,
            parked: false,
            reads: Batch::default(),
            words: Batch::default(),
        })
    }

    /// Tells the status of a job as soon as it is another one than is known.
    pub fn follow(&mut self, cx: CX![], follow: Follow) {
        self.serial += 1;
        let look = (cx.now() + LOOK_FIRST, LOOK_FIRST);
        self.follows.insert(follow.place.name, Followed { serial: self.serial, follow, look });
        self.interval = self.dialect.pace(self.follows.len()).fastest;
        // A host that is away is left alone, unless nobody was there to come back for.
        if !self.parked && (self.failures == 0 || self.timer.is_none()) {
            self.arm(cx, self.interval);
        }
    }

    /// What an attempt has left behind. All questions of a turn go into one command.
    pub fn read(&mut self, cx: CX![], place: Place, ret: Ret<Result<Evidence, Away>>) {
        if self.reads.ask(place, ret) {
            lazy!([cx], send_reads());
        }
    }

    /// What the scheduler remembers of a job. All questions of a turn go into one command.
    pub fn look_up(&mut self, cx: CX![], place: Place, ret: Ret<Result<Status, Away>>) {
        if self.words.ask(place, ret) {
            lazy!([cx], send_words());
        }
    }

    /// Sees to it that there is a poll after `wait`, or earlier.
    fn arm(&mut self, cx: CX![], wait: Duration) {
        let due = (cx.now() + wait).max(self.rest);
        if self.round.is_some() || self.follows.is_empty() || self.timer.is_some_and(|(_, at)| at <= due) {
            return;
        }
        if let Some((timer, _)) = self.timer.take() {
            cx.timer_del(timer);
        }
        let wait = due.saturating_duration_since(cx.now());
        self.timer = Some((after!(wait, [cx], on_due()), due));
    }

    fn on_due(&mut self, cx: CX![]) {
        self.timer = None;
        self.follows.retain(|_, followed| followed.follow.alive.strong_count() > 0);
        let all: Vec<(JobName, u64)> =
            self.follows.iter().map(|(name, followed)| (*name, followed.serial)).collect();
        let left = all.chunks(self.dialect.reach()).map(<[_]>::to_vec).collect();
        self.round = Some(Round { began: cx.now(), left, news: false });
        self.ask_next(cx);
    }

    fn ask_next(&mut self, cx: CX![]) {
        let Some(round) = &mut self.round else { return };
        while let Some(mut asked) = round.left.pop_front() {
            asked.retain(|(name, serial)| self.follows.get(name).is_some_and(|now| now.serial == *serial));
            let places: Vec<Place> =
                asked.iter().map(|(name, _)| self.follows[name].follow.place.clone()).collect();
            if !places.is_empty() {
                let looks = looks(&mut self.follows, &asked, cx.now());
                let call = self.dialect.survey(&places, &looks);
                let read = call.read;
                let ret = ret_to!([cx], on_status(asked, read) as (Result<Exit, TransportError>));
                return run(&self.transport, call.argv, ret);
            }
        }
        let spent = cx.now().saturating_duration_since(round.began);
        let pace = self.dialect.pace(self.follows.len());
        let rhythm =
            if round.news { pace.fastest } else { (self.interval * 3 / 2).clamp(pace.fastest, pace.slowest) };
        self.interval = rhythm;
        self.round = None;
        self.rest = cx.now() + spent * (SHARE - 1);
        self.arm(cx, rhythm);
    }

    fn on_status(
        &mut self,
        cx: CX![],
        asked: Vec<(JobName, u64)>,
        read: fn(&Exit) -> Result<Vec<(JobName, Status)>, AnswerError>,
        exit: Option<Result<Exit, TransportError>>,
    ) {
        let answer = understood(self.transport.name(), read, exit);
        let found: BTreeMap<JobName, Status> = match answer {
            Ok(found) => found.into_iter().collect(),
            Err(away) => return self.on_away(cx, &away),
        };
        self.failures = 0;
        for (name, serial) in asked {
            let status = found.get(&name).cloned().unwrap_or(Status::Unknown);
            let news = |now: &Followed| now.serial == serial && now.follow.known != status;
            if self.follows.get(&name).is_some_and(news)
                && let Some(Followed { follow, .. }) = self.follows.remove(&name)
            {
                follow.ret.ret(status);
                if let Some(round) = &mut self.round {
                    round.news = true;
                }
            }
        }
        self.ask_next(cx);
    }

    /// It is about the host, and no job hears of it.
    fn on_away(&mut self, cx: CX![], away: &Away) {
        self.failures = self.failures.saturating_add(1);
        let jitter = self.runtime.random().to_le_bytes()[0];
        let wait = Backoff { failures: self.failures, jitter }.delay();
        log::warn!(
            "{}: jobs cannot be followed for now: {away}; again when it is up, after {wait:?}",
            self.transport.name()
        );
        self.round = None;
        self.parked = true;
        let ret = ret_to!([cx], on_up(wait) as (Result<(), TransportError>));
        self.transport.op(Op::WhenUp(ret));
    }

    /// The host is up again, or nobody knows.
    fn on_up(&mut self, cx: CX![], wait: Duration, _: Option<Result<(), TransportError>>) {
        self.parked = false;
        self.arm(cx, wait);
    }

    fn send_reads(&mut self, cx: CX![]) {
        if let Some((places, rets)) = self.reads.take() {
            let call = evidence(&places);
            let read = call.read;
            let ret = ret_to!([cx], on_evidence(rets, read) as (Result<Exit, TransportError>));
            run(&self.transport, call.argv, ret);
        }
    }

    fn on_evidence(
        &mut self,
        cx: CX![],
        rets: Waiters<Evidence>,
        read: fn(&Exit) -> Result<Vec<(JobName, Evidence)>, AnswerError>,
        exit: Option<Result<Exit, TransportError>>,
    ) {
        let nothing = Evidence { id: None, started: false, exit: None, tasks: BTreeMap::new() };
        answer(rets, understood(self.transport.name(), read, exit), &nothing);
        self.reads.flying = false;
        self.send_reads(cx);
    }

    fn send_words(&mut self, cx: CX![]) {
        if let Some((places, rets)) = self.words.take() {
            let call = self.dialect.look_up(&places);
            let read = call.read;
            let ret = ret_to!([cx], on_words(rets, read) as (Result<Exit, TransportError>));
            run(&self.transport, call.argv, ret);
        }
    }

    fn on_words(
        &mut self,
        cx: CX![],
        rets: Waiters<Status>,
        read: fn(&Exit) -> Result<Vec<(JobName, Status)>, AnswerError>,
        exit: Option<Result<Exit, TransportError>>,
    ) {
        answer(rets, understood(self.transport.name(), read, exit), &Status::Unknown);
        self.words.flying = false;
        self.send_words(cx);
    }
}

/// Whose sandboxes it is time to look at, of those that were asked about.
fn looks(follows: &mut BTreeMap<JobName, Followed>, asked: &[(JobName, u64)], now: Instant) -> Vec<Place> {
    let is_due = |one: &Followed| one.follow.known == Status::Running && one.look.0 <= now;
    let mut due: Vec<(Instant, JobName)> = Vec::new();
    for (name, _) in asked {
        due.extend(follows.get(name).filter(|one| is_due(one)).map(|one| (one.look.0, *name)));
    }
    due.sort_unstable();
    due.truncate(LOOKS);
    let mut look = |(_, name): (Instant, JobName)| {
        let one = follows.get_mut(&name)?;
        let apart = (one.look.1 * 2).min(LOOK_SLOWEST);
        one.look = (now + apart, apart);
        Some(one.follow.place.clone())
    };
    due.into_iter().filter_map(&mut look).collect()
}

type Waiters<T> = Vec<(JobName, Ret<Result<T, Away>>)>;

/// Questions that are collected until a command can carry them.
struct Batch<T: 'static> {
    waiting: VecDeque<(Place, Ret<Result<T, Away>>)>,
    flying: bool,
}

impl<T: 'static> Default for Batch<T> {
    fn default() -> Batch<T> {
        Batch { waiting: VecDeque::new(), flying: false }
    }
}

impl<T: 'static> Batch<T> {
    /// Whether somebody must see to it that the questions are sent.
    fn ask(&mut self, place: Place, ret: Ret<Result<T, Away>>) -> bool {
        self.waiting.push_back((place, ret));
        self.waiting.len() == 1 && !self.flying
    }

    fn take(&mut self) -> Option<(Vec<Place>, Waiters<T>)> {
        if self.waiting.is_empty() || self.flying {
            return None;
        }
        self.flying = true;
        let asked = self.waiting.drain(..self.waiting.len().min(CHUNK));
        Some(
            asked
                .map(|(place, ret)| {
                    let name = place.name;
                    (place, (name, ret))
                })
                .unzip(),
        )
    }
}

fn answer<T: Clone + 'static>(rets: Waiters<T>, found: Result<Vec<(JobName, T)>, Away>, nothing: &T) {
    let found: Result<BTreeMap<JobName, T>, Away> = found.map(|found| found.into_iter().collect());
    for (name, ret) in rets {
        let one = |found: &BTreeMap<JobName, T>| found.get(&name).unwrap_or(nothing).clone();
        ret.ret(found.as_ref().map(one).map_err(Away::clone));
    }
}

/// Urgently: it is one question about many jobs, and one that waited behind the submissions of all of them would look as if
/// the scheduler had been that slow, and the next poll would keep four times as far away.
fn run(transport: &Transport, argv: Vec<String>, ret: Answer<Exit>) {
    let exec =
        Exec { timeout: Some(ANSWER_WITHIN), keep: KEEP, urgent: true, brief: true, ..Exec::new(argv) };
    transport.op(Op::Exec(exec, ret));
}

fn understood<T>(
    host: &str,
    read: fn(&Exit) -> Result<T, AnswerError>,
    exit: Option<Result<Exit, TransportError>>,
) -> Result<T, Away> {
    Ok(read(&exit.unwrap_or_else(|| Err(died(host)))?)?)
}

/// The transport ended with an operation in flight.
pub(crate) fn died(host: &str) -> TransportError {
    TransportError::Unreachable { host: host.to_string(), why: "its transport ended".to_string() }
}

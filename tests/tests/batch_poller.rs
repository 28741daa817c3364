//! One poller for all jobs of a host: what it asks, how often, and whom its answers concern. Time is virtual, and the host
//! is a list of commands that wait for an answer.
#![expect(clippy::disallowed_methods, reason = "the virtual clock must begin somewhere")]

use procession::transport::{Answer, Ended, Exit, Op, Transport, TransportError};
use procession::{JournalUid, ProcessId, Runtime};
use procession_batch::dialect::{Direct, Evidence, Slurm, Status};
use procession_batch::poller::{Away, CHUNK, Follow, LOOK_FIRST, LOOKS, Poller};
use procession_batch::{Backoff, Dialect, JobName, Place, Said};
use stakker::{ActorOwn, Fwd, Ret, actor, call, ret_nop};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

type Asked = Rc<RefCell<VecDeque<(Vec<String>, Answer<Exit>)>>>;
type Told<T> = Rc<RefCell<Vec<T>>>;

struct World {
    runtime: Runtime,
    now: Instant,
    asked: Asked,
    poller: ActorOwn<Poller>,
    told: Told<(u64, Status)>,
    guards: Vec<Rc<()>>,
    /// Those who wait for the host, while it is down.
    down: Rc<RefCell<Option<Vec<Answer<()>>>>>,
}

impl World {
    fn new() -> World {
        World::under(Direct::new(0))
    }

    fn under(dialect: impl Dialect + 'static) -> World {
        let now = Instant::now();
        let mut runtime = Runtime::builder().virtual_time(now).seed(1).build().expect("a runtime");
        let asked: Asked = Asked::default();
        let down: Rc<RefCell<Option<Vec<Answer<()>>>>> = Rc::default();
        let (inbox, waiting) = (asked.clone(), down.clone());
        let ops = Fwd::new(move |op| match op {
            Op::Exec(exec, ret) => {
                // A question that waited behind the work of its jobs would put off the next one by four times as much.
                assert!(exec.urgent, "{:?} is to wait behind other work", exec.argv);
                inbox.borrow_mut().push_back((exec.argv, ret));
            }
            Op::WhenUp(ret) => match &mut *waiting.borrow_mut() {
                Some(all) => all.push(ret),
                None => ret.ret(Ok(())),
            },
            _other => panic!("a poller only runs commands"),
        });
        let (transport, handle) = (Transport::new("host", ops), runtime.handle());
        let poller = actor!(runtime.stakker(), Poller::init(transport, Rc::new(dialect), handle), ret_nop!());
        World { runtime, now, asked, poller, told: Told::default(), guards: Vec::new(), down }
    }

    fn follow(&mut self, process: u64, known: Status) {
        let told = self.told.clone();
        let ret = Ret::new(move |status| told.borrow_mut().extend(status.map(|status| (process, status))));
        let guard = Rc::new(());
        let alive = Rc::downgrade(&guard);
        self.guards.push(guard);
        let poller = self.poller.clone();
        self.runtime.stakker().defer(move |_| {
            call!([poller], follow(Follow { place: place(process), known, ret, alive }));
        });
        self.pass(Duration::ZERO);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.runtime.turn(self.now).expect("a turn").more {}
    }

    /// Lets time pass until a command was asked, and answers how long that took.
    fn until_asked(&mut self) -> Duration {
        let before = self.now;
        for _ in 0..100_000 {
            if !self.asked.borrow().is_empty() {
                return self.now - before;
            }
            self.pass(Duration::from_millis(10));
        }
        panic!("nothing was asked");
    }

    /// The jobs that the oldest command asks about.
    fn jobs(&self) -> Vec<u64> {
        let asked = self.asked.borrow();
        let names = asked[0].0.iter().filter_map(|arg| JobName::parse(arg));
        names.map(|name| name.process.number()).collect()
    }

    fn answer(&mut self, answer: Result<&[(u64, &str)], TransportError>) {
        let (_, ret) = self.asked.borrow_mut().pop_front().expect("a command");
        ret.ret(answer.map(|lines| {
            let lines: String =
                lines.iter().map(|(n, word)| format!("{} {word}\n", place(*n).name)).collect();
            said(&lines)
        }));
        self.pass(Duration::ZERO);
    }
}

fn said(lines: &str) -> Exit {
    let stdout = format!("PROCESSION-BEGIN 1\n{lines}PROCESSION-END 1\n").into_bytes();
    Exit { how: Ended::Code(0), stdout, stderr: vec![], total: [0, 0] }
}

fn place(process: u64) -> Place {
    let process = ProcessId::new(process).expect("not zero");
    Place { root: "jobs".into(), name: JobName { journal: JournalUid(7), process, attempt: 1 } }
}

fn away() -> TransportError {
    TransportError::Unreachable { host: "host".into(), why: "no route".into() }
}

#[test]
fn all_jobs_are_asked_about_in_one_command_and_hear_only_what_is_new() {
    let mut world = World::new();
    (1..=3).for_each(|n| world.follow(n, Status::Running));
    world.until_asked();
    assert_eq!(world.jobs(), [1, 2, 3]);
    world.answer(Ok(&[(1, "running"), (2, "exited")]));
    // What is not in the answer to a question about it is unknown to the scheduler.
    assert_eq!(*world.told.borrow(), [(2, Status::Exited(Said::default())), (3, Status::Unknown)]);
    world.until_asked();
    assert_eq!(world.jobs(), [1]);
}

#[test]
fn a_job_that_came_while_the_question_was_under_way_is_not_missing() {
    let mut world = World::new();
    world.follow(1, Status::Running);
    world.until_asked();
    world.follow(2, Status::Running);
    world.answer(Ok(&[(1, "running")]));
    assert_eq!(*world.told.borrow(), []);
    world.until_asked();
    assert_eq!(world.jobs(), [1, 2]);
}

#[test]
fn an_answer_to_an_earlier_question_about_a_job_is_not_for_the_later_one() {
    let mut world = World::new();
    world.follow(1, Status::Running);
    world.until_asked();
    world.follow(1, Status::Running);
    world.answer(Ok(&[(1, "absent")]));
    assert_eq!(*world.told.borrow(), []);
}

#[test]
fn a_poll_that_fails_is_about_the_host_and_no_job_hears_of_it() {
    let mut world = World::new();
    world.follow(1, Status::Running);
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(world.until_asked());
        world.answer(Err(away()));
        // Nothing that a job does makes a host answer sooner.
        world.follow(2, Status::Running);
    }
    assert_eq!(*world.told.borrow(), []);
    assert!(waits[4] > waits[1] && waits[7] <= Backoff::LONGEST + Duration::from_millis(10), "{waits:?}");
    world.until_asked();
    world.answer(Ok(&[(1, "exited"), (2, "running")]));
    assert_eq!(*world.told.borrow(), [(1, Status::Exited(Said::default()))]);
}

#[test]
fn an_answer_that_is_cut_off_or_garbled_resolves_nobody() {
    let mut world = World::new();
    world.follow(1, Status::Running);
    for text in ["PROCESSION-BEGIN 1\nproc", "", "PROCESSION-BEGIN 1\nwhat is this\nPROCESSION-END 1\n"] {
        world.until_asked();
        let (_, ret) = world.asked.borrow_mut().pop_front().expect("a command");
        ret.ret(Ok(Exit { stdout: text.into(), ..said("") }));
        world.pass(Duration::ZERO);
    }
    assert_eq!(*world.told.borrow(), []);
}

#[test]
fn many_jobs_are_asked_about_in_chunks_one_after_the_other() {
    let mut world = World::new();
    let many = CHUNK as u64 + 5;
    (1..=many).for_each(|n| world.follow(n, Status::Running));
    world.until_asked();
    assert_eq!((world.jobs().len(), world.asked.borrow().len()), (CHUNK, 1));
    let all: Vec<(u64, &str)> = (1..=many).map(|n| (n, "running")).collect();
    world.answer(Ok(&all));
    assert_eq!((world.jobs().len(), world.asked.borrow().len()), (5, 1));
    world.answer(Ok(&all));
    assert_eq!((world.told.borrow().len(), world.asked.borrow().len()), (0, 0));
}

#[test]
fn the_rhythm_slows_down_while_nothing_happens_and_news_bring_it_back() {
    let mut world = World::new();
    let pace = Direct::new(0).pace(1);
    world.follow(1, Status::Running);
    let mut last = Duration::ZERO;
    for _ in 0..30 {
        last = world.until_asked();
        world.answer(Ok(&[(1, "running")]));
    }
    assert!(last >= pace.slowest && last <= pace.slowest + Duration::from_millis(10), "{last:?}");
    world.follow(2, Status::Pending(String::new()));
    assert!(world.until_asked() <= pace.fastest + Duration::from_millis(10));
}

#[test]
fn nobody_is_asked_about_whom_nobody_wants_to_know() {
    let mut world = World::new();
    world.follow(1, Status::Running);
    world.guards.clear();
    world.pass(Duration::from_secs(60));
    assert!(world.asked.borrow().is_empty());
}

#[test]
fn a_steady_stream_of_new_jobs_does_not_put_off_the_poll() {
    let mut world = World::new();
    for n in 1..=50 {
        world.follow(n, Status::Running);
        world.pass(Duration::from_millis(20));
    }
    assert_eq!(world.asked.borrow().len(), 1);
}

#[test]
fn all_evidence_that_is_wanted_in_a_turn_is_read_by_one_command() {
    let mut world = World::new();
    let told: Told<Result<Evidence, Away>> = Told::default();
    let poller = world.poller.clone();
    for n in 1..=3 {
        let (told, poller) = (told.clone(), poller.clone());
        let ret = Ret::new(move |left| told.borrow_mut().extend(left));
        world.runtime.stakker().defer(move |_| call!([poller], read(place(n), ret)));
    }
    world.pass(Duration::ZERO);
    assert_eq!((world.jobs(), world.asked.borrow().len()), (vec![1, 2, 3], 1));
    let (_, ret) = world.asked.borrow_mut().pop_front().expect("a command");
    ret.ret(Err(away()));
    world.pass(Duration::ZERO);
    assert_eq!(told.borrow().len(), 3);
    assert!(told.borrow().iter().all(|left| *left == Err(Away::Transport(away()))));
}

#[test]
fn ten_thousand_jobs_are_one_command_and_at_most_two_a_minute() {
    let mut world = World::under(Slurm);
    let listing = |n: u64| format!("{n}|RUNNING|None|{}\n", place(n).name);
    for n in 1..=10_000 {
        world.follow(n, Status::Running);
    }
    let all: String = (1..=10_000).map(listing).collect();
    let mut looked: Vec<String> = Vec::new();
    for round in 0..50 {
        let waited = world.until_asked();
        assert!(round == 0 || waited >= Duration::from_secs(30), "{waited:?}");
        let (argv, ret) = world.asked.borrow_mut().pop_front().expect("a command");
        let words = argv.len() - 4;
        assert!(words <= 3 * LOOKS, "it is the same for any number of jobs");
        looked.extend(argv[4..].chunks(3).map(|place| place[2].clone()));
        ret.ret(Ok(said(&all)));
        world.pass(Duration::ZERO);
        assert!(world.asked.borrow().is_empty());
    }
    assert_eq!(*world.told.borrow(), []);
    let once: BTreeSet<&String> = looked.iter().collect();
    assert!(once.len() == looked.len() && looked.len() > 4_000, "each in turn: {}", looked.len());
}

#[test]
fn a_job_that_has_left_evidence_is_over_though_the_controller_says_that_it_runs() {
    let mut world = World::under(Slurm);
    world.follow(1, Status::Running);
    world.follow(2, Status::Pending("Priority".into()));
    let listing = format!("1|RUNNING|None|{}\n2|PENDING|Priority|{}\n", place(1).name, place(2).name);
    let began = world.now;
    loop {
        world.until_asked();
        let looked = world.jobs();
        let (_, ret) = world.asked.borrow_mut().pop_front().expect("a command");
        let left = if looked.is_empty() { String::new() } else { format!("left|{}\n", place(1).name) };
        ret.ret(Ok(said(&format!("{listing}{left}"))));
        world.pass(Duration::ZERO);
        if !looked.is_empty() {
            assert_eq!(looked, [1], "who waits has not begun");
            break;
        }
        assert_eq!(*world.told.borrow(), []);
        assert!(world.now - began < 2 * LOOK_FIRST, "nobody looks");
    }
    assert!(world.now - began < 2 * LOOK_FIRST);
    assert_eq!(*world.told.borrow(), [(1, Status::Exited(Said::default()))]);
}

#[test]
fn a_job_that_runs_on_is_looked_at_less_and_less_often() {
    let mut world = World::under(Slurm);
    world.follow(1, Status::Running);
    let began = world.now;
    let (mut last, mut apart) = (began, Vec::new());
    while apart.len() < 8 {
        assert!(world.now - began < Duration::from_secs(24 * 3600), "nobody looks: {apart:?}");
        world.until_asked();
        if !world.jobs().is_empty() {
            apart.push((world.now - last).as_secs());
            last = world.now;
        }
        let (_, ret) = world.asked.borrow_mut().pop_front().expect("a command");
        ret.ret(Ok(said(&format!("1|RUNNING|None|{}\n", place(1).name))));
        world.pass(Duration::ZERO);
    }
    assert!(apart.is_sorted() && apart[0] <= 22 && (600..=604).contains(&apart[7]), "{apart:?}");
}

#[test]
fn a_few_jobs_are_asked_about_every_second_or_two() {
    let mut world = World::under(Slurm);
    world.follow(1, Status::Running);
    for _ in 0..20 {
        assert!(world.until_asked() <= Duration::from_millis(2010));
        let (_, ret) = world.asked.borrow_mut().pop_front().expect("a command");
        ret.ret(Ok(said(&format!("1|RUNNING|None|{}\n", place(1).name))));
        world.pass(Duration::ZERO);
    }
}

#[test]
fn a_host_that_is_down_is_left_alone_until_it_is_up() {
    let mut world = World::new();
    world.follow(1, Status::Running);
    world.until_asked();
    *world.down.borrow_mut() = Some(Vec::new());
    world.answer(Err(away()));
    world.follow(2, Status::Running);
    world.pass(Duration::from_secs(24 * 3600));
    assert!(world.asked.borrow().is_empty());
    let [waiting] = <[_; 1]>::try_from(world.down.take().expect("down")).ok().expect("one waits");
    waiting.ret(Ok(()));
    assert!(world.until_asked() <= Backoff::FIRST);
    assert_eq!(world.jobs(), [1, 2]);
}

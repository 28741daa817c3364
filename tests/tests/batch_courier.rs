//! One courier for all jobs of a host: what goes together, what goes first, and whom an answer concerns. Time is virtual, and
//! the host is a list of commands that wait for an answer.
#![expect(clippy::disallowed_methods, reason = "the virtual clock must begin somewhere")]

use procession::Runtime;
use procession::transport::{Answer, Ended, Exit, Op, Transport, TransportError};
use procession_batch::courier::{Company, Courier, MOST, Manner, Order, PATIENCE, Rank};
use procession_batch::dialect::{BUNDLE, sh};
use stakker::{ActorOwn, Fwd, Ret, actor, call, ret_nop};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

type Asked = Rc<RefCell<VecDeque<(Vec<String>, bool, Answer<Exit>)>>>;
type Told = Rc<RefCell<Vec<(u32, Result<String, TransportError>)>>>;

struct World {
    runtime: Runtime,
    now: Instant,
    asked: Asked,
    courier: ActorOwn<Courier>,
    told: Told,
    calm: Rc<RefCell<u32>>,
}

impl World {
    fn new() -> World {
        let now = Instant::now();
        let mut runtime = Runtime::builder().virtual_time(now).seed(1).build().expect("a runtime");
        let asked: Asked = Asked::default();
        let inbox = asked.clone();
        let ops = Fwd::new(move |op| match op {
            Op::Exec(exec, ret) => inbox.borrow_mut().push_back((exec.argv, exec.urgent, ret)),
            _other => panic!("a courier only runs commands"),
        });
        let transport = Transport::new("host", ops);
        let courier = actor!(runtime.stakker(), Courier::init(transport), ret_nop!());
        World { runtime, now, asked, courier, told: Told::default(), calm: Rc::default() }
    }

    /// Calls of a script, all in one turn.
    fn order(&mut self, script: &str, manner: Manner, jobs: impl IntoIterator<Item = u32>) {
        for job in jobs {
            let (told, courier) = (self.told.clone(), self.courier.clone());
            let ret = Ret::new(move |exit: Option<Result<Exit, _>>| {
                let text = |exit: Exit| String::from_utf8(exit.stdout).expect("text").trim().to_owned();
                told.borrow_mut().extend(exit.map(|exit| (job, exit.map(text))));
            });
            let argv = sh(script, [job.to_string()]);
            self.runtime.stakker().defer(move |_| {
                call!([courier], carry(Order { argv, manner, ret }));
            });
        }
        self.pass(Duration::ZERO);
    }

    fn wait_for_calm(&mut self) {
        let (calm, courier) = (self.calm.clone(), self.courier.clone());
        let ret = Ret::new(move |told: Option<()>| *calm.borrow_mut() += u32::from(told.is_some()));
        self.runtime.stakker().defer(move |_| call!([courier], when_calm(ret)));
        self.pass(Duration::ZERO);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.runtime.turn(self.now).expect("a turn").more {}
    }

    /// How many calls each command that is under way carries.
    fn loads(&self) -> Vec<usize> {
        let load = |argv: &Vec<String>| if argv[2] == BUNDLE { (argv.len() - 6) / 2 } else { argv.len() - 4 };
        self.asked.borrow().iter().map(|(argv, _, _)| load(argv)).collect()
    }

    /// Answers the oldest command; its parts say these words, and all others were not begun.
    fn answer(&mut self, words: &[&str]) {
        let load = self.loads()[0];
        let part = |word: &&str| format!("PROCESSION-PART 1\n{word}\nPROCESSION-OVER 1 0\n");
        let text = match self.asked.borrow()[0].0[2] == BUNDLE {
            true => {
                words.iter().map(part).collect::<String>()
                    + &format!("PROCESSION-LEFT 1 {}\n", load - words.len())
            }
            false => words.concat(),
        };
        let exit = Exit { how: Ended::Code(0), stdout: text.into_bytes(), stderr: vec![], total: [0, 0] };
        let (_, _, ret) = self.asked.borrow_mut().pop_front().expect("a command");
        ret.ret(Ok(exit));
        self.pass(Duration::ZERO);
    }

    fn fail(&mut self) {
        let (_, _, ret) = self.asked.borrow_mut().pop_front().expect("a command");
        ret.ret(Err(TransportError::TimedOut("sh".into())));
        self.pass(Duration::ZERO);
    }

    fn told(&self) -> Vec<(u32, Result<String, TransportError>)> {
        self.told.borrow_mut().drain(..).collect()
    }
}

fn said(job: u32, word: &str) -> (u32, Result<String, TransportError>) {
    (job, Ok(word.to_owned()))
}

#[test]
fn the_first_goes_at_once_and_what_comes_meanwhile_goes_together() {
    let mut world = World::new();
    world.order("one", Manner::COMMON, [1]);
    world.order("one", Manner::COMMON, [2]);
    assert_eq!(world.loads(), [1, 1]);
    world.order("one", Manner::COMMON, 3..=7);
    assert_eq!(world.loads(), [1, 1], "two are under way");
    world.answer(&["first"]);
    assert_eq!(world.loads(), [1, 3], "and leave the next command its share");
    assert_eq!(world.told(), [said(1, "first")]);
    world.answer(&["second"]);
    world.answer(&["c", "d", "e"]);
    world.answer(&["f"]);
    world.answer(&["g"]);
    assert_eq!(world.told().len(), 6);
    assert_eq!(world.loads(), [0; 0]);
}

#[test]
fn calls_of_one_turn_share_the_commands_that_may_begin() {
    let mut world = World::new();
    world.order("one", Manner::COMMON, 1..=(3 * MOST as u32));
    assert_eq!(world.loads(), [MOST, MOST]);
}

#[test]
fn a_few_calls_of_one_turn_leave_the_next_command_its_share() {
    let mut world = World::new();
    world.order("one", Manner::COMMON, 1..=5);
    assert_eq!(world.loads(), [3, 1]);
}

#[test]
fn a_script_that_takes_all_calls_is_called_once() {
    let mut world = World::new();
    world.order("one", Manner { company: Company::Joined, rank: Rank::Control }, 1..=500);
    assert_eq!(world.loads(), [500]);
}

#[test]
fn other_scripts_and_other_ranks_do_not_wait_for_each_other() {
    let mut world = World::new();
    let urgent = Manner { company: Company::Joined, rank: Rank::Control };
    world.order("one", Manner::COMMON, 1..=5);
    world.order("two", Manner::COMMON, [6]);
    world.order("two", urgent, [7]);
    assert_eq!(world.loads().len(), 4);
    let is_urgent: Vec<bool> = world.asked.borrow().iter().map(|(_, urgent, _)| *urgent).collect();
    assert_eq!(is_urgent, [false, false, false, true]);
}

#[test]
fn what_was_not_begun_goes_again_before_what_came_later() {
    let mut world = World::new();
    world.order("one", Manner::COMMON, 1..=5);
    assert_eq!(world.loads(), [3, 1]);
    world.answer(&["a"]);
    assert_eq!(world.told(), [said(1, "a")]);
    // 2 and 3 before 5.
    assert_eq!(world.loads(), [1, 2]);
    world.answer(&["d"]);
    world.answer(&["b", "c"]);
    world.answer(&["e"]);
    let all = [(4, "d"), (2, "b"), (3, "c"), (5, "e")].map(|(job, word)| said(job, word));
    assert_eq!(world.told(), all);
}

#[test]
fn a_command_that_fails_is_a_lost_reply_for_those_in_it_alone() {
    let mut world = World::new();
    world.order("one", Manner::COMMON, 1..=2);
    world.order("one", Manner::COMMON, 3..=4);
    world.fail();
    assert_eq!(world.told(), [(1, Err(TransportError::TimedOut("sh".into())))]);
    world.answer(&["b"]);
    world.answer(&["c"]);
    world.answer(&["d"]);
    assert_eq!(world.told(), [said(2, "b"), said(3, "c"), said(4, "d")]);
}

#[test]
fn results_wait_until_nothing_is_on_its_way_into_the_queue() {
    let mut world = World::new();
    world.wait_for_calm();
    assert_eq!(*world.calm.borrow(), 1, "nothing was");
    world.order("tidy", Manner::COMMON, [1]);
    world.wait_for_calm();
    assert_eq!(*world.calm.borrow(), 2, "that is no submission");
    world.order("submit", Manner::ENTRY, 2..=4);
    world.wait_for_calm();
    world.answer(&["tidied"]);
    world.answer(&["b", "c"]);
    assert_eq!(*world.calm.borrow(), 2);
    world.answer(&["d"]);
    assert_eq!(*world.calm.borrow(), 3);
    // And not for ever.
    world.order("submit", Manner::ENTRY, [5]);
    world.wait_for_calm();
    world.pass(PATIENCE);
    assert_eq!((*world.calm.borrow(), world.loads()), (4, vec![1]));
}

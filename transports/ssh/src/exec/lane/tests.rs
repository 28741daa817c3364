//! A lane with bytes alone.
#![expect(clippy::disallowed_methods, reason = "time has to begin somewhere")]

use super::*;
use crate::talk::Ask;
use procession::transport::{Cancel, Ended, Exec, Exit};
use stakker::Ret;

type Told = Rc<RefCell<Vec<Result<Exit, TransportError>>>>;

/// A lane where the login shell is a bash, and all that it says.
struct Scene {
    lane: Box<Lane>,
    words: Rc<RefCell<Vec<Word>>>,
    errands: Rc<Cell<u32>>,
    told: Told,
    out: Outbox,
    now: Instant,
}

fn command(mark: u64, exec: Exec, told: &Told) -> Box<Command> {
    let told = told.clone();
    let answer = Ret::new(move |how: Option<_>| told.borrow_mut().extend(how));
    let work = "/work".parse().expect("a path");
    let made = Command::new("here".into(), &work, mark, Exec { brief: true, ..exec }, answer);
    Box::new(made.unwrap_or_else(|(e, _)| panic!("{e}")))
}

impl Scene {
    fn new(first: Exec) -> Scene {
        let (words, errands, told) =
            (Rc::<RefCell<Vec<_>>>::default(), Rc::<Cell<u32>>::default(), Told::default());
        let (sink, count) = (words.clone(), errands.clone());
        let now = Instant::now();
        let mut lane =
            Lane::new(command(1, first, &told), now, Fwd::new(move |word| sink.borrow_mut().push(word)));
        let asks = move |ask| count.set(count.get() + u32::from(matches!(ask, Ask::Errand(_))));
        lane.placed(Line::new(Fwd::new(asks), Rc::new(Cell::new(Shell::Bash))));
        Scene { lane: Box::new(lane), words, errands, told, out: Outbox::default(), now }
    }

    /// What the shell is told now.
    fn says(&mut self) -> String {
        self.lane.say(&mut self.out);
        let said = String::from_utf8(self.out.rest().to_vec()).expect("it is text");
        self.out.take(said.len());
        said
    }

    /// The shell says this on both outputs.
    fn hears(&mut self, text: &str) {
        self.lane.hear(Stream::Stdout, text.as_bytes());
        self.lane.hear(Stream::Stderr, text.as_bytes());
        self.lane.on_time(self.now);
    }

    fn freed(&self) -> Option<Rc<Seat>> {
        match self.words.borrow_mut().pop()? {
            Word::Free(seat) => Some(seat),
            Word::Unsaid(_) => None,
        }
    }
}

const BEGIN_1: &str = "@0000000000000001:B:7:@\n";
const END_1: &str = "@0000000000000001:E:0:@\n";

#[test]
fn the_next_command_comes_when_the_last_one_was_heard_on_both_outputs() {
    let mut scene = Scene::new(Exec::new(["one"]));
    assert_eq!(scene.lane.opens(), Opens::Command(TURNS.to_owned()));
    assert!(scene.says().ends_with('\n') && scene.says().is_empty(), "it is told once");
    scene.hears(BEGIN_1);
    scene.lane.hear(Stream::Stdout, format!("1\n{END_1}").as_bytes());
    scene.lane.on_time(scene.now);
    assert!(scene.freed().is_none() && scene.told.borrow().is_empty(), "stderr may have more");
    scene.lane.hear(Stream::Stderr, END_1.as_bytes());
    scene.lane.on_time(scene.now);
    let exit = scene.told.borrow_mut().pop().expect("told").expect("it ran");
    assert_eq!((exit.how, &exit.stdout[..]), (Ended::Code(0), &b"1\n"[..]));

    let seat = scene.freed().expect("it is free");
    assert!(!scene.lane.is_done(), "it waits");
    scene.hears("what the first left behind\n");
    assert!(seat.give(command(2, Exec::new(["two"]), &scene.told)).is_ok());
    assert!(scene.says().contains("two"));
    scene.hears("and more of it\n@0000000000000002:B:7:@\n2\n@0000000000000002:E:0:@\n");
    let exit = scene.told.borrow_mut().pop().expect("told").expect("it ran");
    assert_eq!((&exit.stdout[..], &exit.stderr[..]), (&b"2\n"[..], &b"2\n"[..]));
    scene.freed().expect("it is free").close();
    assert!(scene.lane.is_done());
}

#[test]
fn a_shell_that_somebody_is_about_to_kill_gets_no_command() {
    let (guard, token) = Cancel::pair();
    let mut scene = Scene::new(Exec { cancel: Some(token), ..Exec::new(["one"]) });
    scene.says();
    scene.hears(BEGIN_1);
    scene.lane.command.as_ref().expect("it runs").recall.wish();
    drop(guard);
    scene.lane.on_time(scene.now);
    assert_eq!(scene.errands.get(), 1, "the kill is on its way");
    // It ends by itself just then.
    scene.hears(END_1);
    scene.now += Duration::from_secs(1);
    scene.lane.on_time(scene.now);
    assert!(scene.told.borrow_mut().pop().expect("told").is_ok());
    assert!(scene.freed().is_none() && scene.lane.is_done());
}

#[test]
fn a_command_that_was_not_said_is_given_back_and_one_that_was_said_is_unknown() {
    let mut scene = Scene::new(Exec::new(["one"]));
    let closed = || Err(TransportError::Unreachable { host: "here".into(), why: "gone".into() });
    let words = scene.words.clone();
    scene.lane.over(closed());
    assert!(matches!(words.borrow_mut().pop(), Some(Word::Unsaid(_))) && scene.told.borrow().is_empty());

    scene = Scene::new(Exec::new(["one"]));
    scene.says();
    let (words, told) = (scene.words.clone(), scene.told.clone());
    scene.lane.over(Ok(Closed { code: 0, signal: Some("KILL".into()) }));
    assert!(words.borrow().is_empty());
    assert!(matches!(told.borrow_mut().pop(), Some(Err(TransportError::Unreachable { .. }))));
}

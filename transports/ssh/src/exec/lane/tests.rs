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
        let mut lane = Lane::new(
            9,
            command(1, first, &told),
            now,
            Fwd::new(move |word| sink.borrow_mut().push(word)),
            Rc::new(()),
        );
        let asks = move |ask| count.set(count.get() + u32::from(matches!(ask, Ask::Errand(_))));
        lane.placed(Line::new(Fwd::new(asks), Rc::new(Cell::new(Shell::Bash))));
        Scene { lane: Box::new(lane), words, errands, told, out: Outbox::default(), now }
    }

    /// The shell reads.
    fn ready(first: Exec) -> Scene {
        let mut scene = Scene::new(first);
        assert_eq!(scene.says(), "", "nothing is said to a shell that does not read yet");
        scene.hears("Welcome!\n=0000000000000009:R");
        assert_eq!(scene.says(), "");
        scene.hears("@\n");
        scene
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
            Word::Unsaid(_) | Word::Unfit(_) | Word::Gone => None,
        }
    }
}

const BEGIN_1: &str = "@0000000000000001:B:7:@\n";
const END_1: &str = "@0000000000000001:E:0:@\n";

#[test]
fn the_next_command_comes_when_the_last_one_was_heard_on_both_outputs() {
    let mut scene = Scene::ready(Exec::new(["one"]));
    assert_eq!(scene.lane.opens(), Opens::Command(turns("=0000000000000009:")));
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
    let mut scene = Scene::ready(Exec { cancel: Some(token), ..Exec::new(["one"]) });
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
fn what_has_not_begun_is_given_back_and_what_may_have_is_unknown() {
    let broken = || Err(TransportError::Unreachable { host: "here".into(), why: "gone".into() });
    let refused = || Err(TransportError::Refused("no process".into()));
    let closed = |signal: Option<&str>| Ok(Closed { code: 0, signal: signal.map(str::to_owned) });
    let what = |ready, said, hears: &str, how| {
        let exec = Exec::new(["one"]);
        let mut scene = if ready { Scene::ready(exec) } else { Scene::new(exec) };
        if said {
            assert_ne!(scene.says(), "");
        }
        scene.hears(hears);
        scene.lane.on_end();
        let shell = scene.lane.seat.line.borrow().clone().expect("it was placed");
        let (words, told) = (scene.words, scene.told);
        scene.lane.over(how);
        assert!(matches!(words.borrow_mut().pop(), Some(Word::Gone)));
        let word = words.borrow_mut().pop().map(|word| match word {
            Word::Unsaid(_) => "again",
            Word::Unfit(_) => "apart",
            Word::Free(_) | Word::Gone => "free",
        });
        assert_ne!(word.is_some(), told.borrow_mut().pop().is_some(), "it is given back or answered");
        (word, shell.shell().get())
    };
    let left = "=0000000000000009:N@\n";
    assert_eq!(what(false, false, "", broken()), (Some("again"), Shell::Bash));
    // Another shell would be refused as well, and this login runs none.
    assert_eq!(what(false, false, "", refused()), (Some("apart"), Shell::Bash));
    assert_eq!(what(false, false, "bye\n", closed(None)), (Some("apart"), Shell::Other));
    assert_eq!(what(true, true, left, closed(None)), (Some("apart"), Shell::Other));
    // It may run, or have run.
    assert_eq!(what(true, true, "", closed(Some("KILL"))), (None, Shell::Bash));
    assert_eq!(what(true, true, BEGIN_1, closed(None)), (None, Shell::Bash));
    assert_eq!(what(true, true, "", broken()), (None, Shell::Bash));
}

#[test]
fn a_shell_that_leaves_between_two_commands_gives_the_next_one_back() {
    let mut scene = Scene::ready(Exec::new(["one"]));
    scene.says();
    scene.hears(&format!("{BEGIN_1}{END_1}"));
    let seat = scene.freed().expect("it is free");
    assert!(seat.give(command(2, Exec::new(["two"]), &scene.told)).is_ok());
    scene.says();
    scene.hears("=0000000000000009:N@\n");
    let words = scene.words.clone();
    scene.lane.over(Ok(Closed { code: 0, signal: None }));
    let heard = std::mem::take(&mut *words.borrow_mut());
    assert!(matches!(heard[..], [Word::Unsaid(_), Word::Gone]), "another shell may run it");
    assert!(seat.give(command(3, Exec::new(["three"]), &scene.told)).is_err());
}

#[test]
fn a_shell_that_never_reads_is_given_up() {
    let mut scene = Scene::new(Exec::new(["one"]));
    scene.hears("What is your name? ");
    assert!(!scene.lane.is_done());
    scene.now += PATIENCE;
    scene.hears("");
    assert!(scene.lane.is_done());
    let words = scene.words.clone();
    scene.lane.over(Ok(Closed { code: 0, signal: None }));
    let heard = std::mem::take(&mut *words.borrow_mut());
    assert!(matches!(heard[..], [Word::Unfit(_), Word::Gone]));
}

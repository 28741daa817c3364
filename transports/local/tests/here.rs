//! What is particular to this machine: descriptors, connections, and the end of the transport.
#![expect(clippy::disallowed_methods, reason = "this is the loop, so it reads the clock")]

use procession::transport::{
    Answer, Cancel, Exec, Get, Op, Put, RemotePath, Transport, TransportError, Want,
};
use procession_local::{Config, Local, StartError};
use rustix::fd::OwnedFd;
use stakker::{ActorOwn, Ret, Stakker};
use stakker_mio::{MioPoll, mio};
use std::cell::{Cell, RefCell};
use std::io::Read;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many turns in a row in which nothing happens are a hang: each lasts at most a tenth of a second.
const MOST_QUIET: usize = 3_000;

struct Here {
    local: Option<ActorOwn<Local>>,
    transport: Transport,
    poll: MioPoll,
    stakker: Stakker,
    folder: tempfile::TempDir,
}

impl Here {
    fn new() -> Here {
        Here::with(|_| {})
    }

    fn with(adjust: impl FnOnce(&mut Config)) -> Here {
        let folder = tempfile::tempdir().unwrap();
        let mut stakker = Stakker::new(Instant::now());
        let poll = MioPoll::new(&mut stakker, mio::Poll::new().unwrap(), mio::Events::with_capacity(64), 10)
            .unwrap();
        let mut config = Config::new(folder.path());
        adjust(&mut config);
        let (transport, local) = Local::start(&mut stakker, config).unwrap();
        Here { local: Some(local), transport, poll, stakker, folder }
    }

    fn run_until(&mut self, done: impl Fn() -> bool) {
        let (mut idle, mut quiet) = (false, 0);
        while quiet < MOST_QUIET {
            idle = self.stakker.run(Instant::now(), idle);
            if done() {
                return;
            }
            let wait = self.stakker.next_wait_max(Instant::now(), Duration::from_millis(100), idle);
            let (happened, _) = self.poll.poll(wait).unwrap();
            quiet = if happened || idle { 0 } else { quiet + 1 };
        }
        panic!("it never ended");
    }

    fn begin<T: 'static>(&mut self, op: impl FnOnce(Answer<T>) -> Op) -> Slot<T> {
        let slot = Rc::new(RefCell::new(None));
        let answer = slot.clone();
        self.transport.op(op(Ret::new(move |result| *answer.borrow_mut() = Some(result))));
        slot
    }

    fn ask<T: 'static>(&mut self, op: impl FnOnce(Answer<T>) -> Op) -> Result<T, TransportError> {
        let slot = self.begin(op);
        self.run_until(|| slot.borrow().is_some());
        slot.take().flatten().unwrap()
    }
}

type Slot<T> = Rc<RefCell<Option<Option<Result<T, TransportError>>>>>;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn path(text: &str) -> RemotePath {
    text.parse().unwrap()
}

fn descriptors_do_not_leak() {
    let mut here = Here::new();
    let local = tempfile::tempdir().unwrap();
    std::fs::write(local.path().join("file"), [1; 100_000]).unwrap();
    let round = |here: &mut Here| {
        let exec = Exec { stdin: b"x".to_vec(), ..Exec::new(["cat"]) };
        here.ask(|ret| Op::Exec(exec, ret)).unwrap();
        here.ask(|ret| Op::Exec(Exec::new(["no-such-program"]), ret)).unwrap_err();
        let (guard, token) = Cancel::pair();
        let exec = Exec { cancel: Some(token), ..Exec::new(["sleep", "60"]) };
        let begun = here.begin(|ret| Op::Exec(exec, ret));
        drop(guard);
        here.run_until(|| begun.borrow().is_some());
        here.ask(|ret| Op::Put(Put::new(local.path(), path("tree")), ret)).unwrap();
        let (guard, token) = Cancel::pair();
        let put = Put { cancel: Some(token), ..Put::new(local.path(), path("other")) };
        let begun = here.begin(|ret| Op::Put(put, ret));
        drop(guard);
        here.run_until(|| begun.borrow().is_some());
        let want = vec![Want::required("**".parse().unwrap())];
        here.ask(|ret| Op::Get(Get::new(path("tree"), want, local.path().join("back")), ret)).unwrap();
        here.ask(|ret| Op::Remove { path: path("tree"), tree: true, ret }).unwrap();
        std::fs::remove_dir_all(local.path().join("back")).unwrap();
    };
    round(&mut here);
    let before = descriptors();
    for _ in 0..200 {
        round(&mut here);
    }
    assert_eq!(descriptors(), before);
}

fn a_connection_carries_bytes() {
    let mut here = Here::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost"] {
        let fd: OwnedFd = here.ask(|ret| Op::Connect { host: host.into(), port, ret }).unwrap();
        rustix::net::send(&fd, b"hello", rustix::net::SendFlags::NOSIGNAL).unwrap();
        drop(fd);
        let mut said = String::new();
        server.accept().unwrap().0.read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello");
    }
    drop(server);
    let refused = here.ask(|ret| Op::Connect { host: "127.0.0.1".into(), port, ret });
    assert!(matches!(refused, Err(TransportError::Unreachable { .. })), "{refused:?}");
    let unknown = here.ask(|ret| Op::Connect { host: "no-such-host.invalid".into(), port, ret });
    assert!(matches!(unknown, Err(TransportError::Unreachable { .. })), "{unknown:?}");
}

fn dropping_the_transport_kills_its_commands_and_answers_none() {
    let mut here = Here::new();
    let exec = Exec::new(["sh", "-c", "echo $$ > pid; sleep 60"]);
    let begun = here.begin(|ret| Op::Exec(exec, ret));
    let (file, pid) = (here.folder.path().join("pid"), RefCell::new(String::new()));
    here.run_until(|| {
        *pid.borrow_mut() = std::fs::read_to_string(&file).unwrap_or_default();
        pid.borrow().ends_with('\n')
    });
    here.local = None;
    here.run_until(|| begun.borrow().is_some());
    assert!(begun.take().unwrap().is_none(), "the effect is unknown");
    let proc = format!("/proc/{}", pid.borrow().trim());
    // The helper thread reaps it, so nothing is left, not even a zombie.
    here.run_until(|| !std::path::Path::new(&proc).exists());
    let after = here.begin(|ret| Op::Stat(path("."), ret));
    here.run_until(|| after.borrow().is_some());
    assert!(after.take().unwrap().is_none());
}

fn too_many_commands_are_refused() {
    let mut here = Here::with(|config| config.commands = 1);
    let (_guard, token) = Cancel::pair();
    let _first = here.begin(|ret| Op::Exec(Exec { cancel: Some(token), ..Exec::new(["sleep", "60"]) }, ret));
    let second = here.ask(|ret| Op::Exec(Exec::new(["true"]), ret));
    assert!(matches!(second, Err(TransportError::Refused(_))), "{second:?}");
}

fn a_command_that_never_stops_talking_lets_others_have_their_turn() {
    let mut here = Here::new();
    let (guard, token) = Cancel::pair();
    let exec = Exec { cancel: Some(token), keep: 0, ..Exec::new(["yes"]) };
    let talking = here.begin(|ret| Op::Exec(exec, ret));
    let turns = Cell::new(0);
    let after = |turns: &Cell<u32>, count| {
        turns.set(turns.get() + 1);
        turns.get() > count
    };
    here.run_until(|| after(&turns, 1_000));
    // What is left for later runs one by one, in the order in which it was left.
    let mine = Rc::new(Cell::new(false));
    let turn = mine.clone();
    here.stakker.idle(move |_| turn.set(true));
    turns.set(0);
    here.run_until(|| mine.get() || after(&turns, 100));
    assert!(mine.get(), "it has left more than a hundred calls for later");
    drop(guard);
    here.run_until(|| talking.borrow().is_some());
}

fn what_is_no_regular_file_is_refused() {
    let mut here = Here::new();
    let made = here.ask(|ret| Op::Exec(Exec::new(["mkfifo", "pipe"]), ret));
    assert!(made.is_ok());
    let read = here.ask(|ret| Op::Read { path: path("pipe"), limit: 10, ret });
    assert!(matches!(read, Err(TransportError::Refused(_))), "{read:?}");
    let pipe = here.folder.path().join("pipe");
    let put = here.ask(|ret| Op::Put(Put::new(pipe, path("copy")), ret));
    assert!(matches!(put, Err(TransportError::Refused(_))), "{put:?}");
}

fn a_name_that_is_no_text_is_a_clear_error() {
    use std::os::unix::ffi::OsStrExt;
    let mut here = Here::new();
    let local = tempfile::tempdir().unwrap();
    std::fs::write(local.path().join(std::ffi::OsStr::from_bytes(b"bad\xff")), "").unwrap();
    match here.ask(|ret| Op::Put(Put::new(local.path(), path("there")), ret)) {
        Err(TransportError::Io { why, .. }) => assert!(why.contains("UTF-8") && why.contains("bad"), "{why}"),
        other => panic!("{other:?}"),
    }
}

fn without_a_poll_there_is_no_transport() {
    let mut stakker = Stakker::new(Instant::now());
    assert!(matches!(Local::start(&mut stakker, Config::new("/")), Err(StartError::NoPoll)));
}

// One test, because without `multi-runtime` a program has one stakker at a time, in one thread.
#[test]
fn this_machine_keeps_its_own_promises() {
    for (name, fact) in [
        ("descriptors_do_not_leak", descriptors_do_not_leak as fn()),
        ("a_connection_carries_bytes", a_connection_carries_bytes),
        (
            "dropping_the_transport_kills_its_commands_and_answers_none",
            dropping_the_transport_kills_its_commands_and_answers_none,
        ),
        ("too_many_commands_are_refused", too_many_commands_are_refused),
        (
            "a_command_that_never_stops_talking_lets_others_have_their_turn",
            a_command_that_never_stops_talking_lets_others_have_their_turn,
        ),
        ("what_is_no_regular_file_is_refused", what_is_no_regular_file_is_refused),
        ("a_name_that_is_no_text_is_a_clear_error", a_name_that_is_no_text_is_a_clear_error),
        ("without_a_poll_there_is_no_transport", without_a_poll_there_is_no_transport),
    ] {
        println!("fact: {name}");
        fact();
    }
}

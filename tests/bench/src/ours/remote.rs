//! Operations through a transport to a host behind ssh.

use procession::Runtime;
use procession::transport::{Answer, Ended, Exec, Exit, Get, Op, Put, RemotePath, Transport, Want};
use procession_ssh::config::{Here, Target};
use procession_ssh::{Config, Ssh};
use stakker::Ret;
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

/// A runtime with one host. What keeps the transport alive is kept beside it, and goes first.
pub struct Remote {
    host: Transport,
    _owner: Box<dyn std::any::Any>,
    runtime: Runtime,
}

impl Remote {
    /// With the transport that `start` makes, and its owner.
    pub fn with<O: 'static>(start: impl FnOnce(&mut Runtime) -> (Transport, O)) -> Remote {
        let mut runtime = Runtime::builder().build().expect("a runtime needs a few descriptors");
        let (host, owner) = start(&mut runtime);
        Remote { host, _owner: Box::new(owner), runtime }
    }

    /// The host that `ssh -F CONFIG ALIAS` would reach, with a work folder.
    pub fn over_ssh(config: &Path, alias: &str, work: &Path) -> Remote {
        let target = target(config, alias);
        Remote::with(|runtime| {
            let handle = runtime.handle();
            let config = Config::new(alias, target, remote(work));
            Ssh::start(runtime.stakker(), handle, config).expect("the runtime has a poll")
        })
    }

    /// A command, `n` times, at most `at_once` at once; `brief` ones share their logins.
    pub fn run(&mut self, program: &'static str, brief: bool, n: u64, at_once: u64) {
        let (left, ended) = (Cell::new(n), Cell::new(0));
        let feed = Rc::new(Feed { host: self.host.clone(), program, brief, left, ended });
        (0..at_once).for_each(|_| feed.next());
        self.turn_while(|| feed.ended.get() < n);
    }

    /// Sends a file or a tree.
    pub fn put(&mut self, from: &Path, to: &Path) {
        let to = remote(to);
        self.ask(|ret| Op::Put(Put::new(from, to), ret));
    }

    /// Fetches all that is in a folder.
    pub fn get(&mut self, from: &Path, to: &Path) {
        let all = Want { limit: u64::MAX, ..Want::required("**".parse().expect("a pattern")) };
        let get = Get::new(remote(from), vec![all], to);
        self.ask(|ret| Op::Get(get, ret));
    }

    fn ask<T: 'static>(&mut self, op: impl FnOnce(Answer<T>) -> Op) -> T {
        let slot = Rc::new(RefCell::new(None));
        let answer = slot.clone();
        self.host.op(op(Ret::new(move |result| *answer.borrow_mut() = Some(result))));
        self.turn_while(|| slot.borrow().is_none());
        slot.take().flatten().expect("the transport lives").unwrap_or_else(|e| panic!("{e}"))
    }

    fn turn_while(&mut self, mut more: impl FnMut() -> bool) {
        self.runtime.run_while(|_| more()).expect("nothing in a turn can fail here");
    }
}

/// Commands, each begun when one before it has ended.
struct Feed {
    host: Transport,
    program: &'static str,
    brief: bool,
    left: Cell<u64>,
    ended: Cell<u64>,
}

impl Feed {
    fn next(self: &Rc<Feed>) {
        if self.left.get() == 0 {
            return;
        }
        self.left.set(self.left.get() - 1);
        let feed = self.clone();
        let ret = Ret::new(move |exit: Option<Result<Exit, _>>| {
            let exit = exit.expect("the transport lives").unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(exit.how, Ended::Code(0));
            feed.ended.set(feed.ended.get() + 1);
            feed.next();
        });
        self.host.op(Op::Exec(Exec { brief: self.brief, ..Exec::new([self.program]) }, ret));
    }
}

/// As `ssh -G` has it.
pub fn target(config: &Path, alias: &str) -> Target {
    let asked = Command::new("ssh").arg("-G").arg("-F").arg(config).arg(alias).output();
    let told = asked.expect("ssh is installed").stdout;
    let told = String::from_utf8(told).expect("names of ours");
    Target::parse(alias, &told, &Here::of_environment()).expect("ssh -G answers well")
}

fn remote(path: &Path) -> RemotePath {
    path.to_str().expect("a path of ours").parse().expect("a path of ours")
}

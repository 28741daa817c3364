//! The contract of all transports, as far as it is about files, over pipes.

use super::{Pipe, Rig};
use crate::disk::Disk;
use crate::sftp::Sftp;
use crate::talk::{Talk, Window};
use crate::tree::{Getting, Place, Putting, remove_tree};
use procession::transport::{Op, RemotePath, Transport};
use stakker::{ActorOwn, ActorOwnSlab, CX, Stakker, actor, actor_in_slab, fwd_to, ret_nop};
use stakker_mio::{MioPoll, mio};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[expect(dead_code, reason = "commands are the business of the session")]
#[path = "../../../../tests/src/contract/mod.rs"]
pub(super) mod contract;

/// How many turns in a row in which nothing happens are a hang: each lasts at most a tenth of a second.
const MOST_QUIET: usize = 3_000;

/// The actor in the place of a transport.
pub(crate) struct Host {
    rig: Rc<RefCell<Rig>>,
    work: RemotePath,
    pipes: ActorOwnSlab<Pipe>,
    sftp: Option<Sftp>,
    disk: Disk,
    puts: ActorOwnSlab<Putting>,
    gets: ActorOwnSlab<Getting>,
}

impl Host {
    fn init(cx: CX![], rig: Rc<RefCell<Rig>>) -> Option<Host> {
        let news = fwd_to!([cx], on_disk() as ());
        let disk = Disk::start(cx, news).expect("a thread can be started");
        let work = rig.borrow().home.to_str().expect("it is text").parse().expect("it is a path");
        Some(Host {
            rig,
            work,
            pipes: ActorOwnSlab::new(),
            sftp: None,
            disk,
            puts: ActorOwnSlab::new(),
            gets: ActorOwnSlab::new(),
        })
    }

    fn on_op(&mut self, cx: CX![], op: Op) {
        let place = Place {
            host: "pipes".to_owned(),
            disk: self.disk.clone(),
            open: fwd_to!([cx], on_talk() as (Box<dyn Talk>)),
        };
        let work = self.work.clone();
        let op = match op {
            Op::WhenUp(ret) => return ret.ret(Ok(())),
            Op::Put(put, answer) => {
                let to = work.join(&put.to);
                actor_in_slab!(self.puts, cx, Putting::init(place, put, to, answer));
                return;
            }
            Op::Get(get, answer) => {
                let from = work.join(&get.from);
                actor_in_slab!(self.gets, cx, Getting::init(place, get, from, answer));
                return;
            }
            Op::Remove { path, tree: true, ret } => {
                return self.on_talk(cx, remove_tree(&work.join(&path), ret));
            }
            op => op,
        };
        if self.sftp.is_none() {
            let (sftp, talk) = Sftp::new("pipes", Window::Command);
            self.sftp = Some(sftp);
            self.on_talk(cx, Box::new(talk));
        }
        let sftp = self.sftp.as_ref().expect("it has just been made");
        if sftp.small(&work, op).is_err() {
            panic!("an operation of a session");
        }
    }

    fn on_cut(&mut self, _: CX![]) {
        self.sftp = None;
    }

    fn on_disk(&mut self, _: CX![]) {
        self.disk.collect();
    }

    fn on_talk(&mut self, cx: CX![], talk: Box<dyn Talk>) {
        let rig = self.rig.borrow().clone();
        actor_in_slab!(self.pipes, cx, Pipe::init(rig, talk));
    }
}

/// A host of pipes, and the loop that drives it.
pub(crate) struct World {
    pub(crate) transport: Transport,
    host: Option<ActorOwn<Host>>,
    rig: Rc<RefCell<Rig>>,
    poll: MioPoll,
    stakker: Stakker,
    _folder: tempfile::TempDir,
    locals: Vec<tempfile::TempDir>,
}

impl World {
    pub(crate) fn new(adjust: impl FnOnce(&mut Rig)) -> World {
        let folder = tempfile::tempdir().expect("this machine has room");
        let mut stakker = Stakker::new(Instant::now());
        let poll = mio::Poll::new().expect("this machine polls");
        let poll = MioPoll::new(&mut stakker, poll, mio::Events::with_capacity(64), 10).expect("it polls");
        let mut rig = Rig { home: folder.path().to_owned(), ..Rig::default() };
        adjust(&mut rig);
        let rig = Rc::new(RefCell::new(rig));
        let host = actor!(stakker, Host::init(rig.clone()), ret_nop!());
        let transport = Transport::new("pipes", fwd_to!([host], on_op() as (Op)));
        World { transport, host: Some(host), rig, poll, stakker, _folder: folder, locals: Vec::new() }
    }
}

impl World {
    /// How the host is to be found lacking from now on.
    pub(super) fn rig(&self) -> Rc<RefCell<Rig>> {
        self.rig.clone()
    }

    /// The folder where commands begin.
    pub(super) fn home(&self) -> PathBuf {
        self.rig.borrow().home.clone()
    }

    /// Lets small operations have a new channel.
    pub(super) fn reconnect(&self) {
        let host = self.host.as_ref().expect("it lives as long as the world");
        stakker::call!([host], on_cut());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.host = None;
        self.stakker.run(Instant::now(), false);
    }
}

impl contract::Harness for World {
    fn transport(&mut self) -> Transport {
        self.transport.clone()
    }

    fn run_until(&mut self, done: &mut dyn FnMut() -> bool) {
        let (mut idle, mut quiet) = (false, 0);
        while quiet < MOST_QUIET {
            idle = self.stakker.run(Instant::now(), idle);
            if done() {
                return;
            }
            let wait = self.stakker.next_wait_max(Instant::now(), Duration::from_millis(100), idle);
            let (happened, _) = self.poll.poll(wait).expect("it polls");
            quiet = if happened || idle { 0 } else { quiet + 1 };
        }
        panic!("it never ended");
    }

    fn local_dir(&mut self) -> PathBuf {
        self.locals.push(tempfile::tempdir().expect("this machine has room"));
        self.locals[self.locals.len() - 1].path().to_owned()
    }
}

/// The first facts about small files, and about transfers.
const SMALL: &str = "a_host_that_can_be_asked_says_so";
const TRANSFER: &str = "a_file_arrives_whole";

/// The facts from the one that is called `from` up to `to`.
fn facts(from: &str, to: &str) -> impl Iterator<Item = contract::Fact> {
    let skipped = contract::facts().into_iter().skip_while(move |fact| fact.name != from);
    skipped.take_while(move |fact| fact.name != to)
}

#[test]
fn the_contract_of_small_files_holds() {
    for fact in facts(SMALL, TRANSFER) {
        println!("fact: {}", fact.name);
        (fact.check)(&mut World::new(|_| {}));
    }
}

#[test]
fn the_contract_of_transfers_holds() {
    for fact in facts(TRANSFER, "") {
        println!("fact: {}", fact.name);
        (fact.check)(&mut World::new(|_| {}));
    }
}

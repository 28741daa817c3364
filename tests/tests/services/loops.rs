//! A runtime that drives one transport, for the contracts.

use procession::Runtime;
use procession::transport::{Progress, RemotePath, Transport};
use procession_local::{Config, Local};
use procession_ssh::config::{Here, Target};
use procession_ssh::{Patience, Ssh};
use procession_tests::contract::Harness;
use procession_tests::services::{Sshd, with_env};
use stakker::{Fwd, Stakker};
use std::any::Any;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// How many turns without an end or progress are a hang: each lasts at most a tenth of a second.
const MOST_TURNS: usize = 20_000;

/// A transport and the thread that drives it. Its work folder is `work` in a folder of its own.
pub struct Loop {
    transport: Transport,
    _owner: Box<dyn Any>,
    pub runtime: Runtime,
    folder: tempfile::TempDir,
    dirs: usize,
    /// Turns since it was last begun or progress was told.
    turns: Rc<Cell<usize>>,
}

impl Loop {
    /// With a transport that is started on this work folder.
    pub fn new<A: Any>(start: impl FnOnce(&mut Runtime, &Path) -> (Transport, A)) -> Loop {
        let folder = tempfile::tempdir().expect("a folder");
        let work = folder.path().join("work");
        std::fs::create_dir(&work).expect("made");
        let mut runtime = Runtime::builder().build().expect("a runtime");
        tick(runtime.stakker());
        let (transport, owner) = start(&mut runtime, &work);
        Loop { transport, _owner: Box::new(owner), runtime, folder, dirs: 0, turns: Rc::default() }
    }

    /// This machine, with these variables in the environment of every command.
    pub fn here(env: Vec<(String, String)>) -> Loop {
        Loop::new(|runtime, work| {
            let (transport, local) = Local::start(runtime.stakker(), Config::new(work)).expect("a transport");
            (with_env(&transport, env), local)
        })
    }

    /// This machine, seen through an sshd.
    pub fn behind(sshd: &Sshd) -> Loop {
        let target = target(sshd);
        Loop::new(|runtime, work| {
            let work: RemotePath = work.to_str().expect("UTF-8").parse().expect("a path");
            let mut config = procession_ssh::Config::new("box", target, work);
            // Servers that are hit again and again are met again soon.
            config.rules.burst = 100;
            config.rules.hourly = 1000;
            config.patience = Patience { silence: Duration::from_secs(5), answer: Duration::from_secs(5) };
            let handle = runtime.handle();
            Ssh::start(runtime.stakker(), handle, config).expect("a transport")
        })
    }

    /// For a transfer that takes many turns: as long as it gets on, none of them counts as a hang.
    pub fn progress(&self) -> Fwd<Progress> {
        let turns = self.turns.clone();
        Fwd::new(move |_| turns.set(0))
    }

    /// Where relative paths of the transport begin.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }
}

/// A loop that sleeps is woken all the same, so that it can see that it is late.
fn tick(stakker: &mut Stakker) {
    stakker.after(Duration::from_millis(100), tick);
}

/// How the user of this server gets there.
pub fn target(sshd: &Sshd) -> Target {
    let here = Here { home: sshd.folder(), user: sshd.user().to_owned(), uid: 0, agent: None };
    Target {
        port: sshd.port(),
        identities: vec![sshd.key()],
        identities_chosen: true,
        known_hosts: vec![sshd.known_hosts()],
        global_known_hosts: Vec::new(),
        ..Target::new("127.0.0.1", sshd.user(), &here)
    }
}

impl Harness for Loop {
    fn transport(&mut self) -> Transport {
        self.transport.clone()
    }

    fn run_until(&mut self, done: &mut dyn FnMut() -> bool) {
        self.turns.set(0);
        let turns = self.turns.clone();
        let going = |_: &mut Runtime| {
            turns.set(turns.get() + 1);
            assert!(turns.get() < MOST_TURNS, "it never ended");
            !done()
        };
        self.runtime.run_while(going).expect("it turns");
    }

    fn local_dir(&mut self) -> PathBuf {
        self.dirs += 1;
        let dir = self.folder.path().join(format!("dir{}", self.dirs));
        std::fs::create_dir(&dir).expect("made");
        dir
    }
}

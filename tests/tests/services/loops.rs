//! A loop that drives one transport, for the contracts.

use procession::transport::Transport;
use procession_local::{Config, Local};
use procession_tests::contract::Harness;
use procession_tests::services::with_env;
use stakker::Stakker;
use stakker_mio::{MioPoll, mio};
use std::any::Any;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many turns without an end are a hang: each lasts at most a tenth of a second.
const MOST_TURNS: usize = 20_000;

/// A transport and the thread that drives it. Its work folder is `work` in a folder of its own.
pub struct Loop {
    transport: Transport,
    _owner: Box<dyn Any>,
    poll: MioPoll,
    stakker: Stakker,
    folder: tempfile::TempDir,
    dirs: usize,
}

impl Loop {
    /// With a transport that is started on this work folder.
    pub fn new<A: Any>(start: impl FnOnce(&mut Stakker, &Path) -> (Transport, A)) -> Loop {
        let folder = tempfile::tempdir().expect("a folder");
        let work = folder.path().join("work");
        std::fs::create_dir(&work).expect("made");
        let mut stakker = Stakker::new(Instant::now());
        let events = mio::Events::with_capacity(64);
        let poll = MioPoll::new(&mut stakker, mio::Poll::new().expect("a poll"), events, 10).expect("a poll");
        let (transport, owner) = start(&mut stakker, &work);
        Loop { transport, _owner: Box::new(owner), poll, stakker, folder, dirs: 0 }
    }

    /// This machine, with these variables in the environment of every command.
    pub fn here(env: Vec<(String, String)>) -> Loop {
        Loop::new(|stakker, work| {
            let (transport, local) = Local::start(stakker, Config::new(work)).expect("a transport");
            (with_env(&transport, env), local)
        })
    }

    /// Where relative paths of the transport begin.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }
}

impl Harness for Loop {
    fn transport(&mut self) -> Transport {
        self.transport.clone()
    }

    fn run_until(&mut self, done: &mut dyn FnMut() -> bool) {
        for _ in 0..MOST_TURNS {
            self.stakker.run(Instant::now(), false);
            if done() {
                return;
            }
            let wait = self.stakker.next_wait_max(Instant::now(), Duration::from_millis(100), false);
            self.poll.poll(wait).expect("it polls");
        }
        panic!("it never ended");
    }

    fn local_dir(&mut self) -> PathBuf {
        self.dirs += 1;
        let dir = self.folder.path().join(format!("dir{}", self.dirs));
        std::fs::create_dir(&dir).expect("made");
        dir
    }
}

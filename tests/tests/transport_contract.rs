//! The transport of this machine keeps the contract.
#![expect(clippy::disallowed_methods, reason = "this is the loop, so it reads the clock")]

use procession::transport::Transport;
use procession_local::{Config, Local};
use procession_tests::contract::{self, Harness};
use stakker::{ActorOwn, Stakker};
use stakker_mio::{MioPoll, mio};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How many turns in a row in which nothing happens are a hang: each lasts at most a tenth of a second.
const MOST_QUIET: usize = 3_000;

struct Here {
    transport: Transport,
    _local: ActorOwn<Local>,
    poll: MioPoll,
    stakker: Stakker,
    folder: tempfile::TempDir,
    dirs: usize,
}

impl Here {
    fn new() -> Here {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let mut stakker = Stakker::new(Instant::now());
        let poll = MioPoll::new(&mut stakker, mio::Poll::new().unwrap(), mio::Events::with_capacity(64), 10)
            .unwrap();
        let (transport, local) = Local::start(&mut stakker, Config::new(work)).unwrap();
        Here { transport, _local: local, poll, stakker, folder, dirs: 0 }
    }
}

impl Harness for Here {
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
            let (happened, _) = self.poll.poll(wait).unwrap();
            quiet = if happened || idle { 0 } else { quiet + 1 };
        }
        panic!("it never ended");
    }

    fn local_dir(&mut self) -> PathBuf {
        self.dirs += 1;
        let dir = self.folder.path().join(format!("dir{}", self.dirs));
        std::fs::create_dir(&dir).unwrap();
        dir
    }
}

#[test]
fn this_machine_keeps_the_contract() {
    contract::all(|| Box::new(Here::new()));
}

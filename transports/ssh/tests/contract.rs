//! The facts about transports, on a real server.

mod place;

#[path = "../../../tests/src/contract/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the whole suite, of which this is one user")]
mod contract;

use contract::Harness;
use place::{Place, Sshd};
use procession::transport::{Exec, Transport};
use std::path::PathBuf;

struct Host {
    place: Place,
    sshd: Sshd,
    dirs: usize,
}

impl Harness for Host {
    fn transport(&mut self) -> Transport {
        self.place.transport.clone()
    }

    fn run_until(&mut self, done: &mut dyn FnMut() -> bool) {
        self.place.run_until(done);
    }

    fn local_dir(&mut self) -> PathBuf {
        self.dirs += 1;
        let dir = self.sshd.folder.path().join(format!("dir{}", self.dirs));
        std::fs::create_dir(&dir).unwrap();
        dir
    }
}

#[test]
fn a_host_behind_ssh_keeps_the_contract() {
    keeps_the_contract(0);
}

/// The login shell is known by then, and runs the frame itself.
#[test]
fn a_host_behind_ssh_keeps_the_contract_after_some_commands() {
    keeps_the_contract(2);
}

fn keeps_the_contract(commands_before: usize) {
    let only = std::env::var("FACT").unwrap_or_default();
    for fact in contract::facts() {
        if !fact.name.contains(&only) {
            continue;
        }
        println!("fact: {}", fact.name);
        let sshd = Sshd::start("");
        let mut place = Place::new(sshd.config());
        for _ in 0..commands_before {
            place.run(Exec::new(["true"])).unwrap();
        }
        let mut host = Host { place, sshd, dirs: 0 };
        (fact.check)(&mut host);
    }
}

//! The host is away for a minute, and nobody has to do anything about it.

use super::Site;
use crate::shell::nap;
use procession::journal::Stage;
use procession_tests::services::Cluster;
use std::net::TcpListener;

const JOBS: usize = 6;

/// A minute, in naps of 10 ms.
const OUTAGE_NAPS: u32 = 6000;

/// With backoff, a minute has room for so many tries. Without, there would be hundreds.
const MOST_TRIES: usize = 20;

#[test]
fn a_minute_without_the_host_fails_nobody_and_wishes_made_meanwhile_take_effect() {
    let cluster = Cluster { cpus: 16, ..Cluster::default() };
    let mut site = Site::new(cluster, "poll = \"1s\"\nopens_an_hour = 600");
    let gate = site.shell.path("gate");
    let script = format!("until [ -e '{}' ]; do sleep 0.2; done; echo done > out.txt", gate.display());
    let mut words: Vec<String> = ["run", "--host", "cluster"].map(String::from).into();
    words.extend((0..JOBS).map(|n| site.job(&format!("job-{n}"), &script, "")));
    let mut runtime = site.shell.start(&words);
    let running = |site: &Site| site.queue().matches("RUNNING").count();
    site.shell.until("all jobs run", || running(&site) == JOBS);

    site.sshd.down();
    let tries = knocks(&site, |site, nap_of| match nap_of {
        500 => drop(site.shell.well(&["kill", "1"])),
        600 => drop(site.shell.well(&["pause", "2"])),
        _ => {}
    });
    println!("{tries} tries to connect in a minute");
    assert!((1..=MOST_TRIES).contains(&tries), "{tries} tries to connect");
    assert!(runtime.try_wait().expect("ours").is_none(), "the runtime waits");
    assert_eq!(site.shell.phase(2), "paused", "a pause needs no host");
    assert_eq!(site.count(Stage::Finished) + site.count(Stage::Failed), 0);

    site.sshd.up();
    site.shell.until("the first is killed", || site.count(Stage::Killed) == 1);
    site.shell.until("its job is gone", || running(&site) == JOBS - 1);
    site.shell.well(&["resume", "2"]);
    site.shell.file("gate", "open");
    runtime.wait().expect("it was started");
    assert_eq!((site.count(Stage::Finished), site.count(Stage::Killed)), (JOBS - 1, 1));
    site.is_clean();
}

/// Stands in for the host for a minute: takes every connection and hangs up. How many there were.
fn knocks(site: &Site, mut meanwhile: impl FnMut(&Site, u32)) -> usize {
    let door = TcpListener::bind(("127.0.0.1", site.sshd.port())).expect("the port is free now");
    door.set_nonblocking(true).expect("a listener");
    let mut tries = 0;
    for at in 0..OUTAGE_NAPS {
        while door.accept().is_ok() {
            tries += 1;
        }
        meanwhile(site, at);
        nap();
    }
    tries
}

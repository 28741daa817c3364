//! Against the real `ssh`, with a file of our own.
#![expect(clippy::disallowed_methods, reason = "a test is a host with a clock")]

use super::*;
use crate::jump::Hop;
use procession::transport::TransportError;
use rustix::process::{Pid, Signal};
use stakker::{Ret, Stakker};
use stakker_mio::{MioPoll, mio};
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::time::Instant;

const FILE: &str = "
Host cluster
    HostName login.example.org
    User bob
    Port 2222
    ProxyJump ann@gate,inner
Match host login.example.org user bob
    IdentityFile ~/.ssh/%n
    IdentitiesOnly yes
Host *
    UserKnownHostsFile ~/known
";

fn lookup(folder: &Path) -> Lookup {
    let file = folder.join("config");
    fs::write(&file, FILE).unwrap();
    let here = Here { home: "/home/ann".into(), user: "ann".into(), uid: 1000, agent: None };
    Lookup { file: Some(file), here, ..Lookup::new() }
}

fn ask(lookup: &Lookup, query: Query) -> Result<Target, TransportError> {
    let mut stakker = Stakker::new(Instant::now());
    let poll = mio::Poll::new().unwrap();
    let poll = MioPoll::new(&mut stakker, poll, mio::Events::with_capacity(64), 10).unwrap();
    let slot = Rc::new(RefCell::new(None));
    let answer = slot.clone();
    lookup.start(&mut stakker, query, Ret::new(move |target| *answer.borrow_mut() = Some(target)));
    for _ in 0..100_000 {
        stakker.run(Instant::now(), false);
        if let Some(target) = slot.take() {
            return target.expect("the lookup answers");
        }
        poll.poll(stakker.next_wait_max(Instant::now(), Duration::from_secs(1), false)).unwrap();
    }
    panic!("the lookup never ends");
}

#[test]
fn ssh_itself_reads_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let target = ask(&lookup(folder.path()), Query::new("cluster")).unwrap();
    assert_eq!((target.host.as_str(), target.port, target.user.as_str()), ("login.example.org", 2222, "bob"));
    assert_eq!(target.identities, [PathBuf::from("/home/ann/.ssh/cluster")]);
    assert!(target.identities_only && target.identities_chosen);
    let Route::Jump(hops) = &target.route else { panic!("{:?}", target.route) };
    assert_eq!(hops.iter().map(Hop::to_string).collect::<Vec<_>>(), ["ann@gate", "inner"]);
}

#[test]
fn what_is_asked_for_stands_above_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let query = Query {
        user: Some("eve".into()),
        port: Some(22),
        jump: Some("other".into()),
        ..Query::new("cluster")
    };
    let target = ask(&lookup(folder.path()), query).unwrap();
    assert_eq!((target.port, target.user.as_str()), (22, "eve"));
    assert_eq!(target.route.last(), Some(Query::new("other")));
    assert!(!target.identities_chosen, "the match no longer holds");
}

#[test]
fn what_ssh_has_against_it_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let lookup = lookup(folder.path());
    fs::write(folder.path().join("config"), "Host x\n  Nonsense yes\n").unwrap();
    let why = ask(&lookup, Query::new("x")).unwrap_err().to_string();
    assert!(why.contains("ssh -G x") && why.contains("config"), "{why}");
    let why = ask(&lookup, Query::new("-oProxyCommand=true")).unwrap_err().to_string();
    assert!(why.contains("ssh -G"), "{why}");
}

#[test]
fn a_program_that_hangs_on_to_its_outputs_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("ssh");
    let holder = folder.path().join("holder");
    let script = "sleep 300 &\necho $! > \"${0%/*}/holder\"\necho 'hostname h\nuser u\nport 22'";
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let lookup = Lookup { program, ..lookup(folder.path()) };
    assert_eq!(ask(&lookup, Query::new("x")).unwrap().host, "h");
    // It holds on to them still, and ends only now.
    let holder = Pid::from_raw(fs::read_to_string(holder).unwrap().trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(holder, Signal::KILL).unwrap();
}

use super::{HOME, Shared, SimHost};
use crate::world::boundary::Strike;
use crate::world::faults::{Dice, Faults, PerMille};
use crate::world::fs::Fs;
use crate::world::trace::Trace;
use procession::transport::{
    Answer, Cancel, Ended, Exec, Exit, Get, Op, Put, RemotePath, TransportError, Want,
};
use procession_batch::dialect::{CLEAN, EVIDENCE, direct_scripts};
use stakker::Ret;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

type Got<T> = Rc<RefCell<Vec<Option<Result<T, TransportError>>>>>;

fn world(faults: Faults, seed: u64) -> (Shared, SimHost) {
    let shared = Shared::new(Trace::kept(), Rc::new(Rc::new(RefCell::new(Fs::new()))));
    let host = SimHost::new("host", &shared, faults, Dice::new(seed));
    (shared, host)
}

fn got<T: 'static>() -> (Got<T>, Answer<T>) {
    let got = Got::default();
    let keep = got.clone();
    (got, Ret::new(move |answer| keep.borrow_mut().push(answer)))
}

/// Runs until nothing happens any more.
fn run(shared: &Shared, host: &SimHost) -> Vec<Strike> {
    let mut strikes = Vec::new();
    for _ in 0..100_000 {
        let Some(at) = host.next_event() else { return strikes };
        shared.clock.advance_to(at);
        while let Some(strike) = host.run() {
            strikes.extend(strike);
        }
    }
    panic!("it never becomes quiet");
}

fn exec(shared: &Shared, host: &SimHost, exec: Exec) -> Option<Result<Exit, TransportError>> {
    let (got, ret) = got();
    host.transport().op(Op::Exec(exec, ret));
    run(shared, host);
    assert_eq!(host.waiting(), 0);
    let mut got = got.borrow_mut();
    assert_eq!(got.len(), 1, "every Ret is answered once");
    got.pop().unwrap()
}

/// Runs a script of the direct scheduler; the line that it answers. None if it answers nothing.
fn asks(shared: &Shared, host: &SimHost, text: &str, args: &[&str]) -> Option<String> {
    let argv = ["sh", "-c", text, "procession"].into_iter().chain(args.iter().copied());
    let (got, ret) = got::<Exit>();
    host.transport().op(Op::Exec(Exec::new(argv), ret));
    while got.borrow().is_empty() {
        shared.clock.advance_to(host.next_event().expect("the command is under way"));
        while host.run().is_some() {}
    }
    let exit = got.borrow_mut().pop().unwrap().unwrap().unwrap();
    let text = String::from_utf8(exit.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    match (exit.how, lines.as_slice()) {
        (Ended::Code(0), ["PROCESSION-BEGIN 1", said @ .., "PROCESSION-END 1"]) => Some(said.join("\n")),
        (Ended::Code(0), _) => panic!("{text}"),
        (Ended::Code(_) | Ended::Signal(_), _) => None,
    }
}

/// The sandbox of the attempt `NAME`, and the arguments of a submission of it with this limit of jobs.
fn stage(host: &SimHost, name: &'static str, payload: &str, limit: &'static str) -> [&'static str; 8] {
    let now = procession::WallTime(1);
    let fs = host.fs();
    let mut fs = fs.borrow_mut();
    fs.mkdir_all(&format!("{HOME}/{name}"), now).unwrap();
    fs.write(&format!("{HOME}/{name}/.job-1"), b"the frame", 0o755, now).unwrap();
    fs.write(&format!("{HOME}/{name}/.payload-1"), payload.as_bytes(), 0o755, now).unwrap();
    [name, "1", name, limit, "slots", "0", "TERM", "0"]
}

const JOB: &str = "procession-0badcafe-17-1";
const OTHER: &str = "procession-0badcafe-18-1";

#[test]
fn a_job_is_submitted_once_and_leaves_evidence() {
    let (shared, host) = world(Faults::NONE, 0);
    let args = stage(&host, JOB, "exec sim-job 30 3 result.txt\n", "0");
    let said = asks(&shared, &host, direct_scripts::SUBMIT, &args).unwrap();
    let id = said.strip_prefix("submitted ").unwrap();
    assert_eq!(asks(&shared, &host, direct_scripts::SUBMIT, &args), Some(format!("known {id}")));
    let status = || asks(&shared, &host, direct_scripts::STATUS, &args[..3]).unwrap();
    assert_eq!(status(), format!("{JOB} running"));
    run(&shared, &host);
    assert_eq!(status(), format!("{JOB} exited"));
    let evidence = asks(&shared, &host, EVIDENCE, &args[..3]).unwrap();
    assert!(
        evidence.starts_with(&format!("job {JOB}\nid {id}\nstarted\n| procession-exit 1\n")),
        "{evidence}"
    );
    assert!(
        evidence.contains("| code 3\n") && evidence.contains("| file 33 ./result.txt\n| end"),
        "{evidence}"
    );
    assert_eq!(asks(&shared, &host, CLEAN, &args[..3]), Some("gone".into()));
    assert_eq!(host.ps(), []);
    assert_eq!(host.fs().borrow().list(HOME).unwrap(), []);
}

#[test]
fn a_fence_that_was_first_lets_nothing_start() {
    let (shared, host) = world(Faults::NONE, 0);
    let args = stage(&host, JOB, "exec sim-job 30 0\n", "0");
    assert_eq!(asks(&shared, &host, direct_scripts::FENCE, &[JOB, "1", JOB, "close"]), Some("fenced".into()));
    assert_eq!(asks(&shared, &host, direct_scripts::SUBMIT, &args), Some("unsure".into()));
    run(&shared, &host);
    assert_eq!(host.ps(), []);
    assert!(!host.fs().borrow().exists(&format!("{HOME}/{JOB}/.attempt-1/started")));
}

#[test]
fn a_cancelled_job_is_gone_even_if_it_does_not_listen() {
    let (shared, host) = world(Faults::NONE, 0);
    let args = stage(&host, JOB, "exec sim-job 3000 0 stubborn\n", "0");
    asks(&shared, &host, direct_scripts::SUBMIT, &args).unwrap();
    let cancel = |how| asks(&shared, &host, direct_scripts::CANCEL, &[JOB, "1", JOB, how]).unwrap();
    assert_eq!(cancel("TERM"), "still 2");
    assert_eq!(cancel("TERM"), "still 2");
    assert_eq!(cancel("KILL"), "still 2");
    assert_eq!(cancel("KILL"), "gone");
    assert_eq!(host.ps(), []);
}

#[test]
fn the_limit_of_jobs_is_kept_and_every_job_has_its_turn() {
    let (shared, host) = world(Faults::NONE, 0);
    let first = stage(&host, JOB, "exec sim-job 30 0\n", "1");
    let second = stage(&host, OTHER, "exec sim-job 30 0\n", "1");
    asks(&shared, &host, direct_scripts::SUBMIT, &first).unwrap();
    asks(&shared, &host, direct_scripts::SUBMIT, &second).unwrap();
    let status = |args: &[&str]| asks(&shared, &host, direct_scripts::STATUS, &args[..3]).unwrap();
    assert_eq!(status(&first), format!("{JOB} running"));
    assert_eq!(status(&second), format!("{OTHER} pending"));
    run(&shared, &host);
    assert_eq!(status(&second), format!("{OTHER} exited"));
    assert!(shared.clock.now() > Duration::from_secs(60));
}

#[test]
fn a_reboot_ends_a_job_without_evidence() {
    let (shared, host) = world(Faults::NONE, 0);
    let args = stage(&host, JOB, "exec sim-job 30 0\n", "0");
    asks(&shared, &host, direct_scripts::SUBMIT, &args).unwrap();
    host.reboot();
    run(&shared, &host);
    assert_eq!(asks(&shared, &host, direct_scripts::STATUS, &args[..3]), Some(format!("{JOB} absent")));
    assert!(host.fs().borrow().exists(&format!("{HOME}/{JOB}/.attempt-1/started")));
    assert!(!host.fs().borrow().exists(&format!("{HOME}/{JOB}/.attempt-1/exit")));
}

fn stdout(words: &[&str]) -> String {
    let (shared, host) = world(Faults::NONE, 0);
    let exit = exec(&shared, &host, Exec::new(words.iter().copied())).unwrap().unwrap();
    String::from_utf8(exit.stdout).unwrap()
}

#[test]
fn plain_commands_do_what_they_do_everywhere() {
    assert_eq!(stdout(&["echo", "a", "b"]), "a b\n");
    assert_eq!(stdout(&["printf", "%s-%s\\n", "x", "y"]), "x-y\n");
    assert_eq!(stdout(&["pwd"]), format!("{HOME}\n"));
    let (shared, host) = world(Faults::NONE, 0);
    let ends = |words: &[&str]| exec(&shared, &host, Exec::new(words.iter().copied())).unwrap().unwrap().how;
    assert_eq!(ends(&["true"]), Ended::Code(0));
    assert_eq!(ends(&["false"]), Ended::Code(1));
    assert_eq!(ends(&["sh", "-c", "exit 7"]), Ended::Code(7));
    let missing = exec(&shared, &host, Exec::new(["no-such"]));
    assert_eq!(missing, Some(Err(TransportError::NotFound("no-such".into()))));
}

#[test]
fn what_is_not_kept_is_counted() {
    let (shared, host) = world(Faults::NONE, 0);
    let exit = exec(&shared, &host, Exec { keep: 3, stdin: b"hello".to_vec(), ..Exec::new(["cat"]) });
    let exit = exit.unwrap().unwrap();
    assert_eq!((exit.stdout.as_slice(), exit.total), (&b"hel"[..], [5, 0]));
}

#[test]
fn a_timeout_ends_a_command_with_its_group() {
    let (shared, host) = world(Faults::NONE, 0);
    let slow = Exec { timeout: Some(Duration::from_secs(2)), ..Exec::new(["sleep", "100"]) };
    assert!(matches!(exec(&shared, &host, slow), Some(Err(TransportError::TimedOut(_)))));
    assert_eq!(host.ps(), []);
    assert!(shared.clock.now() < Duration::from_secs(110));
}

#[test]
fn a_dropped_guard_cancels() {
    let (shared, host) = world(Faults::NONE, 0);
    let (guard, token) = Cancel::pair();
    let (got, ret) = got();
    host.transport().op(Op::Exec(Exec { cancel: Some(token), ..Exec::new(["sleep", "1000"]) }, ret));
    shared.clock.advance_to(Duration::from_secs(1));
    while host.run().is_some() {}
    assert_eq!(host.ps().len(), 1);
    drop(guard);
    run(&shared, &host);
    assert_eq!(*got.borrow(), [Some(Err(TransportError::Cancelled))]);
    assert_eq!(host.ps(), []);
}

#[test]
fn a_tree_goes_there_and_back() {
    let local = Rc::new(RefCell::new(Fs::new()));
    let shared = Shared::new(Trace::kept(), Rc::new(local.clone()));
    let host = SimHost::new("host", &shared, Faults::NONE, Dice::new(0));
    let now = shared.clock.wall();
    {
        let mut local = local.borrow_mut();
        local.mkdir_all("/stage/deep", now).unwrap();
        local.write("/stage/run", b"#!", 0o755, now).unwrap();
        local.write("/stage/deep/x", b"xyz", 0o600, now).unwrap();
    }
    let (put, ret) = got();
    host.transport().op(Op::Put(Put::new("/stage", RemotePath::literal("job")), ret));
    run(&shared, &host);
    let sent = put.borrow_mut().pop().unwrap().unwrap().unwrap();
    assert_eq!((sent.len(), sent.bytes()), (3, 5));
    assert_eq!(host.fs().borrow().stat(&format!("{HOME}/job/run")).unwrap().mode, 0o755);
    let (get, ret) = got();
    let want = vec![Want::required("**/x".parse().unwrap())];
    host.transport().op(Op::Get(Get::new(RemotePath::literal("job"), want, "/back"), ret));
    run(&shared, &host);
    assert_eq!(get.borrow_mut().pop().unwrap().unwrap().unwrap().len(), 1);
    assert_eq!(local.borrow().read("/back/deep/x"), Ok(&b"xyz"[..]));
}

#[test]
fn a_reply_that_is_lost_was_lost_after_the_effect() {
    let calm_after = Duration::from_secs(3600);
    let faults = Faults { reply_lost: PerMille(1000), calm_after, ..Faults::NONE };
    let mut ways = [0, 0];
    for seed in 0..20 {
        let (shared, host) = world(faults.clone(), seed);
        let (got, ret) = got();
        host.transport().op(Op::Mkdir { path: RemotePath::literal("made"), parents: false, ret });
        run(&shared, &host);
        assert!(host.fs().borrow().is_dir(&format!("{HOME}/made")));
        match got.borrow().as_slice() {
            [None] => ways[0] += 1,
            [Some(Err(TransportError::Unreachable { .. }))] => ways[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(ways[0] > 0 && ways[1] > 0, "{ways:?}");
}

#[test]
fn a_strike_hits_exactly_its_boundary() {
    let (shared, host) = world(Faults::NONE, 0);
    shared.boundaries.strike_at(0, Strike::Reboot);
    let (got, ret) = got();
    host.transport().op(Op::Mkdir { path: RemotePath::literal("a"), parents: false, ret });
    run(&shared, &host);
    assert!(!host.fs().borrow().exists(&format!("{HOME}/a")), "before the effect");
    assert!(matches!(got.borrow().as_slice(), [Some(Err(TransportError::Unreachable { .. }))]));

    let (shared, host) = world(Faults::NONE, 0);
    shared.boundaries.strike_at(1, Strike::ReplyDropped);
    let (got, ret) = self::got();
    host.transport().op(Op::Mkdir { path: RemotePath::literal("a"), parents: false, ret });
    run(&shared, &host);
    assert!(host.fs().borrow().exists(&format!("{HOME}/a")), "after the effect");
    assert_eq!(*got.borrow(), [None]);
    assert!(shared.boundaries.all_struck());
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| {
        let (shared, host) = world(Faults { calm_after: Duration::from_secs(3600), ..Faults::ALL }, seed);
        for n in 0..30 {
            let (_got, ret) = got::<()>();
            let path = format!("dir-{}", n % 7).parse().unwrap();
            host.transport().op(Op::Mkdir { path, parents: false, ret });
            shared.clock.advance_to(Duration::from_secs(n * 40));
            while host.run().is_some() {}
        }
        run(&shared, &host);
        (shared.trace.hash(), shared.trace.lines())
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1).0, story(2).0);
}

#[test]
fn who_waits_for_a_host_is_answered_when_its_outage_ends() {
    let (shared, host) = world(Faults::NONE, 1);
    host.cut_off(Duration::from_secs(600));
    let (early, ret) = got();
    host.transport().op(Op::WhenUp(ret));
    shared.clock.advance_to(Duration::from_secs(599));
    assert_eq!((host.run(), early.borrow().len(), host.is_quiet()), (None, 0, true));
    run(&shared, &host);
    assert_eq!(*early.borrow(), [Some(Ok(()))]);
    // Now it is answered at once, and a runtime that is gone is told nothing.
    let (late, ret) = got();
    host.transport().op(Op::WhenUp(ret));
    assert_eq!(*late.borrow(), [Some(Ok(()))]);
    host.cut_off(Duration::from_secs(600));
    let (orphan, ret) = got::<()>();
    host.transport().op(Op::WhenUp(ret));
    host.caller_died();
    assert_eq!(*orphan.borrow(), [None]);
}

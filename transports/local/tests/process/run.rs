//! What a command is given, and what it may use.

use crate::here::{Here, read, sh, work};
use procession::journal::{EffectEnd, MemoryStore};
use procession::transport::{Ended, RemotePath};
use procession::{Fault, Outcome};
use procession_local::{Command, End, Limit, Limits};
use std::time::Duration;

pub fn a_plain_command_needs_nothing() {
    let (_dir, work) = work();
    let mut here = Here::new(&work, None);
    assert_eq!(here.ran(Command::new(["true"])).end, End::Ended(Ended::Code(0)));
    assert_eq!(here.ran(Command::new(["false"])).end, End::Ended(Ended::Code(1)));
    assert_eq!(here.ran(Command::new(["sh", "-c", "kill -KILL $$"])).end, End::Ended(Ended::Signal(9)));
    match here.run(Command::new(["no-such-program"])) {
        Outcome::Failed(Fault::Failed { code, reason }) => {
            assert_eq!(code, "not-found");
            assert!(reason.contains("no-such-program"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(here.run(Command::new([""; 0])), Outcome::Failed(_)));
    assert_eq!(std::fs::read_dir(&work).unwrap().count(), 0);
}

pub fn folder_files_and_environment_are_given() {
    for store in [None, Some(MemoryStore::new())] {
        let (_dir, work) = work();
        std::fs::create_dir(work.join("job")).unwrap();
        std::fs::write(work.join("job/in put"), "text").unwrap();
        let mut here = Here::new(&work, store.as_ref());
        let mut command = sh("cat; echo \"$WORD\" >&2; pwd");
        command.env.insert("WORD".into(), "it's $HOME".into());
        command.env.insert("PATH".into(), std::env::var("PATH").unwrap());
        command.stdin = Some(RemotePath::literal("in put"));
        command.stdout = Some(RemotePath::literal("out"));
        command.stderr = Some(RemotePath::literal("err"));
        let ran = here.ran(command);
        assert_eq!(ran.end, End::Ended(Ended::Code(0)));
        assert!(ran.peak_rss.unwrap() > 100_000 && ran.cpu.is_some());
        let folder = work.join("job").canonicalize().unwrap();
        assert_eq!(read(work.join("job/out")), format!("text{}\n", folder.display()));
        assert_eq!(read(work.join("job/err")), "it's $HOME\n");
    }
}

pub fn a_file_that_cannot_be_opened_is_no_exit_code() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    let path = RemotePath::literal("no/such");
    for command in [
        Command { stdin: Some(path.clone()), ..sh("echo > ran") },
        Command { stdout: Some(path.clone()), ..sh("echo > ran") },
        Command { folder: Some(RemotePath::literal("/dev/null/x")), ..sh("echo > ran") },
    ] {
        match here.run(command) {
            Outcome::Failed(Fault::Failed { code, .. }) => assert_eq!(code, "io"),
            other => panic!("{other:?}"),
        }
        assert!(!work.join("job/ran").exists());
    }
    assert!(store.effects().iter().all(|(_, _, end)| *end == Some(EffectEnd::Never)));
}

pub fn the_ledger_has_the_group_before_it_begins_and_its_end_after() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    assert_eq!(here.ran(sh("exit 3")).end, End::Ended(Ended::Code(3)));
    let effects = store.effects();
    assert_eq!(effects.len(), 1);
    assert_eq!((&*effects[0].1.kind, effects[0].2), ("process-group", Some(EffectEnd::Over)));
}

pub fn limits_are_kept() {
    let (_dir, work) = work();
    let mut here = Here::new(&work, None);
    let limited = |script: &str, limits: Limits| Command { limits, ..sh(script) };
    let none = Limits::default;
    for (script, limits, limit) in [
        ("sleep 60", Limits { wall: Some(Duration::from_millis(100)), ..none() }, Limit::Wall),
        ("while :; do :; done", Limits { cpu: Some(Duration::from_millis(900)), ..none() }, Limit::Cpu),
        ("exec head -c 1000000 /dev/zero >big", Limits { output: Some(65_536), ..none() }, Limit::Output),
        (
            "x=$(head -c 50000000 /dev/zero | tr '\\0' x); sleep 60",
            Limits { memory: Some(30_000_000), ..none() },
            Limit::Memory,
        ),
        ("sleep 60 & sleep 60 & sleep 60", Limits { processes: Some(2), ..none() }, Limit::Processes),
    ] {
        assert_eq!(here.ran(limited(script, limits)).end, End::Limit(limit), "{script}");
    }
    let generous = Limits {
        wall: Some(Duration::from_secs(60)),
        cpu: Some(Duration::from_secs(60)),
        memory: Some(1 << 30),
        address_space: Some(1 << 32),
        output: Some(1 << 20),
        processes: Some(100),
    };
    assert_eq!(here.ran(limited("exit 4", generous)).end, End::Ended(Ended::Code(4)));
}

pub fn limits_are_kept_behind_a_witness() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    let limits = Limits { output: Some(65_536), ..Limits::default() };
    let command = Command { limits, ..sh("exec head -c 1000000 /dev/zero >big") };
    assert_eq!(here.ran(command).end, End::Limit(Limit::Output));
    assert_eq!(std::fs::metadata(work.join("job/big")).unwrap().len(), 65_536);
}

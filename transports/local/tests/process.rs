//! Commands as processes: limits, evidence, and the death of the program that started them.

use procession::journal::{EffectEnd, MemoryStore};
use procession::transport::{Ended, RemotePath};
use procession::{Fault, Handle, Outcome, Phase, Runtime, Spawn};
use procession_local::{
    Command, Commands, Config, End, Limit, Limits, Local, LocalProcess, LocalState, Machine, Ran,
};
use rustix::process::{Pid, Signal, test_kill_process_group};
use stakker::ActorOwn;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A runtime on this machine. Dropping it is the death of the program, as far as a test can play it.
struct Here {
    runtime: Runtime,
    _owners: (ActorOwn<Local>, ActorOwn<Commands>),
}

impl Here {
    fn new(work: &Path, store: Option<&MemoryStore>) -> Here {
        Here::limited(work, store, 8)
    }

    fn limited(work: &Path, store: Option<&MemoryStore>, limit: usize) -> Here {
        let builder = Runtime::builder();
        let builder = if let Some(store) = store { builder.journal(store.open()) } else { builder };
        let mut runtime = builder.build().unwrap();
        let (transport, local) = Local::start(runtime.stakker(), Config::new(work)).unwrap();
        let limit = NonZeroUsize::new(limit).unwrap();
        let (machine, commands) = Machine::start(runtime.stakker(), &transport, work, limit).unwrap();
        runtime.register(move |life| LocalProcess::new(life, machine.clone()));
        assert_eq!(runtime.recover().unwrap().parked.len(), 0);
        Here { runtime, _owners: (local, commands) }
    }

    fn spawn(&mut self, command: Command) -> Handle<LocalProcess> {
        let handle = self.runtime.spawn(LocalState::new(command), Spawn::default()).unwrap();
        handle.launch();
        handle
    }

    fn run(&mut self, command: Command) -> Outcome<Ran> {
        let handle = self.spawn(command);
        self.runtime.run_until(&handle).unwrap()
    }

    fn ran(&mut self, command: Command) -> Ran {
        match self.run(command) {
            Outcome::Finished(ran) => ran,
            other => panic!("{other:?}"),
        }
    }

    /// Runs until the command has made this file.
    fn until(&mut self, file: &Path) {
        self.runtime.run_while(|_| !file.exists()).unwrap();
    }

    fn state(&mut self, handle: &Handle<LocalProcess>) -> LocalState {
        self.runtime.phase(handle).unwrap().state().unwrap().clone()
    }
}

fn sh(script: &str) -> Command {
    Command { folder: Some(RemotePath::literal("job")), ..Command::new(["sh", "-c", script]) }
}

fn work() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    (dir, path)
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn group_of(state: &LocalState) -> Pid {
    match state {
        LocalState::Running { os, .. } | LocalState::Stopping { os, .. } => Pid::from_raw(os.pid).unwrap(),
        LocalState::Queued { .. } => panic!("it does not run yet"),
    }
}

fn a_plain_command_needs_nothing() {
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

fn folder_files_and_environment_are_given() {
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

fn the_ledger_has_the_group_before_it_begins_and_its_end_after() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    assert_eq!(here.ran(sh("exit 3")).end, End::Ended(Ended::Code(3)));
    let effects = store.effects();
    assert_eq!(effects.len(), 1);
    assert_eq!((&*effects[0].1.kind, effects[0].2), ("process-group", Some(EffectEnd::Over)));
}

fn limits_are_kept() {
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

fn limits_are_kept_behind_a_witness() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    let limits = Limits { output: Some(65_536), ..Limits::default() };
    let command = Command { limits, ..sh("exec head -c 1000000 /dev/zero >big") };
    assert_eq!(here.ran(command).end, End::Limit(Limit::Output));
    assert_eq!(std::fs::metadata(work.join("job/big")).unwrap().len(), 65_536);
}

fn a_command_survives_the_program_and_is_found_again() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    let handle = here.spawn(sh("echo x >>lines; sleep 0.5; echo y >>lines; exit 7"));
    here.until(&work.join("job/lines"));
    let id = handle.id().unwrap();
    drop(here);
    let mut here = Here::new(&work, Some(&store));
    let handle = here.runtime.handle().find::<LocalProcess>(id).unwrap();
    match here.runtime.run_until(&handle).unwrap() {
        Outcome::Finished(ran) => assert_eq!(ran.end, End::Ended(Ended::Code(7))),
        other => panic!("{other:?}"),
    }
    assert_eq!(read(work.join("job/lines")), "x\ny\n");
}

fn a_death_at_any_turn_leads_to_one_run() {
    for turns in 0..40 {
        let (_dir, work) = work();
        let store = MemoryStore::new();
        let mut here = Here::new(&work, Some(&store));
        let id = here.spawn(sh("echo x >>lines")).id().unwrap();
        let mut left = turns;
        here.runtime
            .run_while(|runtime| {
                left -= i32::from(left > 0);
                left > 0 && runtime.live() > 0
            })
            .unwrap();
        drop(here);
        let mut here = Here::new(&work, Some(&store));
        here.runtime.run().unwrap();
        let row = store.rows().into_iter().find(|row| row.id == id);
        assert!(
            row.as_ref().is_none_or(|row| row.stage.word() == "finished" || row.stage.word() == "created"),
            "{turns}"
        );
        if turns > 0 {
            assert_eq!(read(work.join("job/lines")), "x\n", "after {turns} turns");
        }
    }
}

fn a_kill_leaves_nothing() {
    for store in [None, Some(MemoryStore::new())] {
        let (_dir, work) = work();
        let mut here = Here::new(&work, store.as_ref());
        let handle = here.spawn(sh("sleep 60 & echo > up; sleep 60"));
        here.until(&work.join("job/up"));
        let group = group_of(&here.state(&handle));
        assert!(test_kill_process_group(group).is_ok());
        handle.kill();
        assert_eq!(here.runtime.run_until(&handle).unwrap(), Outcome::Killed);
        assert!(test_kill_process_group(group).is_err(), "something of it is left");
        if let Some(store) = store {
            assert_eq!(store.effects()[0].2, Some(EffectEnd::Undone));
        }
    }
}

fn a_command_may_end_nicely_when_it_is_killed() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    let handle = here.spawn(sh("trap 'echo bye >bye; exit 0' TERM; echo > up; while :; do sleep 0.05; done"));
    here.until(&work.join("job/up"));
    handle.kill();
    assert_eq!(here.runtime.run_until(&handle).unwrap(), Outcome::Killed);
    assert_eq!(read(work.join("job/bye")), "bye\n");
}

fn a_paused_process_lets_its_command_run_on() {
    for store in [None, Some(MemoryStore::new())] {
        let (_dir, work) = work();
        let mut here = Here::new(&work, store.as_ref());
        let handle = here.spawn(sh("echo > up; sleep 0.3; echo > done; exit 5"));
        here.until(&work.join("job/up"));
        handle.pause();
        here.until(&work.join("job/done"));
        assert!(matches!(here.runtime.phase(&handle).unwrap(), Phase::Paused(_)));
        handle.resume();
        match here.runtime.run_until(&handle).unwrap() {
            Outcome::Finished(ran) => assert_eq!(ran.end, End::Ended(Ended::Code(5))),
            other => panic!("{other:?}"),
        }
    }
}

fn a_command_without_evidence_has_vanished_with_all_its_children() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    let handle = here.spawn(sh("echo > up; sleep 60"));
    here.until(&work.join("job/up"));
    let group = group_of(&here.state(&handle));
    // The witness alone: its command goes on, and nobody would see it end.
    rustix::process::kill_process(group, Signal::KILL).unwrap();
    match here.runtime.run_until(&handle).unwrap() {
        Outcome::Finished(ran) => assert_eq!(ran.end, End::Vanished),
        other => panic!("{other:?}"),
    }
    assert!(test_kill_process_group(group).is_err());
}

fn a_command_that_is_no_child_of_this_program_is_watched_and_killed() {
    let (_dir, work) = work();
    // Its parent is gone, so it is a child of init: as after a restart.
    let script = "setsid sh -c 'echo $$ >pid.tmp; mv pid.tmp pid; sleep 60' >/dev/null 2>&1 &";
    let mut parent =
        std::process::Command::new("sh").args(["-c", script]).current_dir(&work).spawn().unwrap();
    let mut here = Here::new(&work, None);
    here.until(&work.join("pid"));
    while parent.try_wait().unwrap().is_none() {}
    let pid: i32 = read(work.join("pid")).trim().parse().unwrap();
    let stat = read(format!("/proc/{pid}/stat"));
    let start = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
    let boot = read("/proc/sys/kernel/random/boot_id").replace('-', "");
    let os = procession_local::OsProcess { pid, start, boot: u64::from_str_radix(&boot[..16], 16).unwrap() };
    let since = here.runtime.handle().wall();
    for stranger in [true, false] {
        let os = if stranger { procession_local::OsProcess { start: start + 1, ..os } } else { os };
        let state = LocalState::Running { command: sh(""), os, since };
        let handle = here.runtime.spawn::<LocalProcess>(state, Spawn::default()).unwrap();
        handle.launch();
        if stranger {
            // Another process has its number now: it is neither watched nor touched.
            match here.runtime.run_until(&handle).unwrap() {
                Outcome::Finished(ran) => assert_eq!(ran.end, End::Vanished),
                other => panic!("{other:?}"),
            }
            assert!(test_kill_process_group(Pid::from_raw(pid).unwrap()).is_ok());
        } else {
            here.runtime.turn(std::time::Instant::now()).unwrap();
            handle.kill();
            assert_eq!(here.runtime.run_until(&handle).unwrap(), Outcome::Killed);
            assert!(test_kill_process_group(Pid::from_raw(pid).unwrap()).is_err());
        }
    }
}

fn at_most_so_many_run_at_once_in_the_order_they_came() {
    let (_dir, work) = work();
    let mut here = Here::limited(&work, None, 2);
    let handles: Vec<_> =
        (0..6).map(|at| here.spawn(sh(&format!("echo +{at} >>log; sleep 0.1; echo - >>log")))).collect();
    // One that is killed in the queue does not keep its place.
    handles[4].kill();
    here.runtime.run().unwrap();
    let log = read(work.join("job/log"));
    let (mut running, mut most) = (0, 0);
    for line in log.lines() {
        running += if line.starts_with('+') { 1 } else { -1 };
        most = most.max(running);
    }
    assert_eq!((running, most), (0, 2), "{log}");
    let mut begun: Vec<&str> = log.lines().filter(|line| line.starts_with('+')).collect();
    begun[..2].sort();
    begun[2..].sort();
    assert_eq!(begun, ["+0", "+1", "+2", "+3", "+5"]);
}

fn what_is_in_no_journal_ends_with_the_runtime() {
    let (_dir, work) = work();
    let mut here = Here::new(&work, None);
    let handle = here.spawn(sh("echo > up; sleep 60"));
    here.until(&work.join("job/up"));
    let group = group_of(&here.state(&handle));
    drop(here);
    // It has been sent SIGKILL; a zombie of ours counts as there, so reap it.
    while test_kill_process_group(group).is_ok() {
        let _ = wait4::try_wait4_pid(group.as_raw_nonzero().get().unsigned_abs());
    }
}

fn descriptors_do_not_leak() {
    let (_dir, work) = work();
    let mut here = Here::new(&work, None);
    let round = |here: &mut Here| {
        here.ran(Command::new(["true"]));
        here.ran(sh("exit 1"));
        here.run(Command::new(["no-such-program"]));
        let handle = here.spawn(sh("sleep 60"));
        handle.kill();
        here.runtime.run_until(&handle).unwrap();
    };
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    round(&mut here);
    let before = count();
    (0..50).for_each(|_| round(&mut here));
    assert_eq!(count(), before);
}

// One test, because without `multi-runtime` a program has one runtime at a time, in one thread.
#[test]
fn commands_are_processes() {
    for (name, fact) in [
        ("a_plain_command_needs_nothing", a_plain_command_needs_nothing as fn()),
        ("folder_files_and_environment_are_given", folder_files_and_environment_are_given),
        (
            "the_ledger_has_the_group_before_it_begins_and_its_end_after",
            the_ledger_has_the_group_before_it_begins_and_its_end_after,
        ),
        ("limits_are_kept", limits_are_kept),
        ("limits_are_kept_behind_a_witness", limits_are_kept_behind_a_witness),
        (
            "a_command_survives_the_program_and_is_found_again",
            a_command_survives_the_program_and_is_found_again,
        ),
        ("a_death_at_any_turn_leads_to_one_run", a_death_at_any_turn_leads_to_one_run),
        ("a_kill_leaves_nothing", a_kill_leaves_nothing),
        ("a_command_may_end_nicely_when_it_is_killed", a_command_may_end_nicely_when_it_is_killed),
        ("a_paused_process_lets_its_command_run_on", a_paused_process_lets_its_command_run_on),
        (
            "a_command_without_evidence_has_vanished_with_all_its_children",
            a_command_without_evidence_has_vanished_with_all_its_children,
        ),
        (
            "a_command_that_is_no_child_of_this_program_is_watched_and_killed",
            a_command_that_is_no_child_of_this_program_is_watched_and_killed,
        ),
        (
            "at_most_so_many_run_at_once_in_the_order_they_came",
            at_most_so_many_run_at_once_in_the_order_they_came,
        ),
        ("what_is_in_no_journal_ends_with_the_runtime", what_is_in_no_journal_ends_with_the_runtime),
        ("descriptors_do_not_leak", descriptors_do_not_leak),
    ] {
        println!("fact: {name}");
        fact();
    }
}

//! Commands that outlive the program, or their process, or nothing.

use crate::here::{Here, lives, read, sh, work};
use procession::journal::{Crash, EffectEnd, MemoryStore};
use procession::transport::Ended;
use procession::{Outcome, Phase, Spawn};
use procession_local::{Command, End, LocalProcess, LocalState};
use rustix::process::{Pid, Signal};
use std::time::{Duration, Instant};

pub fn a_command_survives_the_program_and_is_found_again() {
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

pub fn a_death_at_any_turn_leads_to_one_run() {
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

pub fn a_crash_at_any_boundary_of_the_journal_leads_to_one_run() {
    let quiet = MemoryStore::new();
    let (_dir, folder) = work();
    Here::new(&folder, Some(&quiet)).ran(sh("echo x >>lines"));
    assert!(quiet.boundaries() >= 6);
    for boundary in 0..quiet.boundaries() {
        let (_dir, folder) = work();
        let store = MemoryStore::new();
        store.crash_at(Crash::at(boundary));
        let mut here = Here::new(&folder, Some(&store));
        here.spawn(sh("echo x >>lines"));
        while !store.crashed() {
            here.runtime.turn(Instant::now()).unwrap();
        }
        drop(here);
        let mut here = Here::new(&folder, Some(&store));
        here.runtime.run().unwrap();
        let was_born = boundary > 0;
        assert_eq!(
            read(folder.join("job/lines")),
            if was_born { "x\n" } else { "" },
            "{:?}",
            Crash::at(boundary)
        );
        assert!(store.effects().iter().all(|(_, _, end)| end.is_some()), "an effect has no end");
    }
}

pub fn a_kill_leaves_nothing() {
    for store in [None, Some(MemoryStore::new())] {
        let (_dir, work) = work();
        let mut here = Here::new(&work, store.as_ref());
        let handle = here.spawn(sh("sleep 60 & echo > up; sleep 60"));
        here.until(&work.join("job/up"));
        let group = here.group(&handle);
        assert!(lives(group));
        handle.kill();
        assert_eq!(here.runtime.run_until(&handle).unwrap(), Outcome::Killed);
        assert!(!lives(group), "something of it is left");
        if let Some(store) = store {
            assert_eq!(store.effects()[0].2, Some(EffectEnd::Undone));
        }
    }
}

pub fn a_command_may_end_nicely_when_it_is_killed() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    let handle = here.spawn(sh("trap 'echo bye >bye; exit 0' TERM; echo > up; while :; do sleep 0.05; done"));
    here.until(&work.join("job/up"));
    handle.kill();
    assert_eq!(here.runtime.run_until(&handle).unwrap(), Outcome::Killed);
    assert_eq!(read(work.join("job/bye")), "bye\n");
}

pub fn a_paused_process_lets_its_command_run_on() {
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

pub fn a_command_without_evidence_has_vanished_with_all_its_children() {
    let (_dir, work) = work();
    let store = MemoryStore::new();
    let mut here = Here::new(&work, Some(&store));
    let handle = here.spawn(sh("echo > up; sleep 60"));
    here.until(&work.join("job/up"));
    let group = here.group(&handle);
    // The witness alone: its command goes on, and nobody would see it end.
    rustix::process::kill_process(group, Signal::KILL).unwrap();
    match here.runtime.run_until(&handle).unwrap() {
        Outcome::Finished(ran) => assert_eq!(ran.end, End::Vanished),
        other => panic!("{other:?}"),
    }
    assert!(!lives(group));
}

pub fn a_command_that_is_no_child_of_this_program_is_watched_and_killed() {
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
            assert!(lives(Pid::from_raw(pid).unwrap()));
        } else {
            here.runtime.turn(Instant::now()).unwrap();
            handle.kill();
            assert_eq!(here.runtime.run_until(&handle).unwrap(), Outcome::Killed);
            assert!(!lives(Pid::from_raw(pid).unwrap()));
        }
    }
}

pub fn at_most_so_many_run_at_once_in_the_order_they_came() {
    let (_dir, work) = work();
    let mut here = Here::limited(&work, None, 2);
    let job = work.join("job");
    let waits = |at: i32| sh(&format!("echo > up{at}; while [ ! -e go{at} ]; do sleep 0.01; done"));
    let handles: Vec<_> = (0..6).map(|at| here.spawn(waits(at))).collect();
    // One that is killed in the queue does not keep its place.
    handles[4].kill();
    let mut running = vec![0, 1];
    for next in [Some(2), Some(3), Some(5), None, None] {
        running.iter().for_each(|at| here.until(&job.join(format!("up{at}"))));
        let up = std::fs::read_dir(&job).unwrap().flatten();
        let up = up.filter(|entry| entry.file_name().to_str().unwrap().starts_with("up")).count();
        assert_eq!(up, running.len(), "only {running:?} have begun, and are up");
        let first = running.remove(0);
        std::fs::remove_file(job.join(format!("up{first}"))).unwrap();
        std::fs::write(job.join(format!("go{first}")), "").unwrap();
        here.runtime.run_until(&handles[first]).unwrap();
        running.extend(next);
    }
    here.runtime.run().unwrap();
}

pub fn what_is_in_no_journal_ends_with_the_runtime() {
    let (_dir, work) = work();
    let mut here = Here::new(&work, None);
    let handle = here.spawn(sh("echo > up; sleep 60"));
    here.until(&work.join("job/up"));
    let group = here.group(&handle);
    drop(here);
    while lives(group) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn descriptors_do_not_leak() {
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
    here.until_so("as many descriptors are open as before", |_| count() <= before);
}

//! Jobs that run for real: alone, handed over, in the background, interrupted, paused and killed.
#![expect(clippy::disallowed_methods, reason = "the tests wait for the programs that they start")]
#![allow(missing_docs, reason = "the names say it")]

mod shell;

use rustix::process::{Pid, Signal, kill_process};
use shell::{Shell, processes_with};
use std::process::Child;

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it is ours");
}

/// A job that ends when there is a file.
fn gated(shell: &Shell, name: &str) -> (String, std::path::PathBuf) {
    let gate = shell.path(&format!("{name}.gate"));
    let script = format!("until [ -e '{}' ]; do sleep 0.05; done", gate.display());
    (shell.job(name, &script), gate)
}

#[test]
fn a_job_is_run_and_its_outputs_are_where_it_says() {
    let shell = Shell::new();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/jobs/pi.toml");
    let said = shell.well(&["run", examples]);
    assert!(said.out.contains("1 pi: finished") && said.out.contains("verified in"), "{said:?}");
    assert!(said.err.contains("Running"), "progress is told: {said:?}");
    let folder = said.out.trim().rsplit(' ').next().expect("a folder");
    let pi: f64 =
        std::fs::read_to_string(format!("{folder}/pi.txt")).expect("fetched").trim().parse().expect("pi");
    assert!((3.1..3.2).contains(&pi), "{pi}");
    assert_eq!(std::fs::read_dir(format!("{folder}/rounds")).expect("fetched").count(), 10);
}

#[test]
fn json_is_one_document_and_nothing_else_is_said() {
    let shell = Shell::new();
    let said = shell.run(&["--json", "run", &shell.job("a", "true"), &shell.job("b", "false")]);
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    let run = said.json();
    assert_eq!((&run["schema"], &run["exit"]), (&"procession.run/1".into(), &1.into()));
    let oks: Vec<_> = run["processes"].as_array().expect("a list").iter().map(|p| p["ok"].clone()).collect();
    assert_eq!(oks, [true, false]);
    let quiet = shell.well(&["--quiet", "run", &shell.job("c", "true")]);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
}

#[test]
fn a_job_that_lacks_a_required_output_has_failed_and_says_which() {
    let shell = Shell::new();
    let text = "name = 'x'\ncommand = ['true']\n[[outputs]]\npattern = 'never.txt'\n";
    let said = shell.run(&["run", &shell.file("x.toml", text)]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("never.txt"), "{said:?}");
}

#[test]
fn two_jobs_of_one_name_have_results_of_their_own() {
    let shell = Shell::new();
    let job = shell.job("twin", "echo $PROCESSION_JOB");
    shell.well(&["run", &job, &job]);
    let said = |folder: &str| {
        std::fs::read_to_string(shell.path(&format!("results/{folder}/attempt-1/log/stdout")))
            .expect("fetched")
    };
    assert_ne!(said("twin"), said("twin-2"));
}

#[test]
fn a_second_run_hands_its_jobs_over_and_follows_them_to_the_same_end() {
    let shell = Shell::new();
    let (first, gate) = gated(&shell, "first");
    let mut holder = shell.start(&["run", &first]);
    shell.until("the first job runs", || shell.run(&["show", "1"]).out.contains("Running"));
    let said = shell.run(&["run", &shell.job("second", "exit 4")]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains(&format!("(pid {})", holder.id())), "{said:?}");
    assert!(said.out.contains("second: failed, exited with 4"), "{said:?}");
    assert_eq!(shell.run(&["up"]).code, 4, "the journal is held");
    std::fs::write(gate, "").expect("ours");
    assert_eq!(holder.wait().expect("started").code(), Some(0));
}

#[test]
fn who_follows_takes_over_when_the_holder_dies() {
    let shell = Shell::new();
    let ((first, one), (second, two)) = (gated(&shell, "first"), gated(&shell, "second"));
    let mut holder = shell.start(&["run", &first]);
    shell.until("the first job runs", || shell.run(&["show", "1"]).out.contains("Running"));
    let mut follower = shell.start(&["run", &second]);
    shell.until("the second job runs", || shell.run(&["show", "2"]).out.contains("Running"));
    holder.kill().expect("it is ours");
    holder.wait().expect("started");
    std::fs::write(one, "").expect("ours");
    std::fs::write(two, "").expect("ours");
    assert_eq!(follower.wait().expect("started").code(), Some(0));
    shell.well(&["up"]);
    assert_eq!((shell.phase(1), shell.phase(2)), ("finished".into(), "finished".into()));
}

#[test]
fn ctrl_c_leaves_the_jobs_running_and_says_how_to_come_back() {
    for ctrl_c in [Signal::INT, Signal::TERM, Signal::HUP] {
        let shell = Shell::new();
        let (job, gate) = gated(&shell, "long");
        let mut run = shell.start(&["run", &job]);
        shell.until("the job runs", || shell.run(&["show", "1"]).out.contains("Running"));
        signal(&run, ctrl_c);
        assert_eq!(run.wait().expect("started").code(), Some(3));
        let log = std::fs::read_to_string(shell.path("log")).expect("it said something");
        assert!(log.contains("procession up"), "{log}");
        let name = format!("procession-{}-1-1", shell.reader().uid().expect("read"));
        assert!(!processes_with(&name).is_empty(), "the job runs on");
        let why = shell.well(&["why", "1"]).out;
        assert!(why.contains("none is; `procession up`"), "{why}");
        std::fs::write(gate, "").expect("ours");
        shell.well(&["up"]);
        assert_eq!(shell.phase(1), "finished");
    }
}

#[test]
fn a_detached_run_returns_at_once_and_goes_on_in_the_background() {
    let shell = Shell::new();
    let (job, gate) = gated(&shell, "long");
    let said = shell.well(&["--json", "run", "--detach", &job]).json();
    assert_eq!((&said["detached"], &said["processes"][0]["id"]), (&true.into(), &1.into()));
    let more = shell.well(&["run", "--detach", &shell.job("short", "true")]);
    assert_eq!(more.out, "2 short\n");
    let watched = shell.well(&["watch", "2"]);
    assert!(watched.err.contains("finished"), "{watched:?}");
    std::fs::write(gate, "").expect("ours");
    let lines = shell.well(&["--json", "watch"]).out;
    assert!(lines.lines().all(|line| line.starts_with("{\"schema\":\"procession.change/1\"")), "{lines}");
    assert_eq!(shell.phase(1), "finished");
    let store = shell.store();
    shell.until("the runtime has ended", || processes_with(store.to_str().expect("UTF-8")).is_empty());
}

#[test]
fn pause_resume_nudge_and_kill_reach_a_runtime_that_is_at_work() {
    let shell = Shell::new();
    let (first, gate) = gated(&shell, "first");
    let second = shell.job("second", "sleep 10000");
    shell.well(&["run", "--detach", &first, &second]);
    assert_eq!(shell.well(&["--json", "ps"]).json()["runtime"], true);
    let said = shell.well(&["pause", "1"]);
    assert!(said.out.contains("the runtime was told"), "{said:?}");
    shell.until("it is paused", || shell.phase(1) == "paused");
    assert!(shell.well(&["why", "1"]).out.contains("procession resume 1"));
    shell.well(&["nudge", "--all"]);
    shell.well(&["kill", "2"]);
    shell.until("it is killed", || shell.phase(2) == "killed");
    std::fs::write(gate, "").expect("ours");
    assert_eq!(shell.phase(1), "paused", "its job may end, but it holds still");
    shell.well(&["resume", "1"]);
    shell.well(&["watch"]);
    assert_eq!(shell.phase(1), "finished");
}

#[test]
fn what_is_wished_while_nothing_runs_takes_effect_at_the_next_start() {
    let shell = Shell::new();
    let mut run = shell.start(&["run", &shell.job("long", "sleep 10000")]);
    shell.until("the job runs", || shell.run(&["show", "1"]).out.contains("Running"));
    run.kill().expect("it is ours");
    run.wait().expect("started");
    let said = shell.well(&["--json", "kill", "--all"]).json();
    assert_eq!((&said["wish"], &said["heard"]), (&"kill".into(), &false.into()));
    assert!(shell.well(&["why", "1"]).out.contains("what was asked of it: kill"));
    assert_eq!(shell.run(&["up"]).code, 1, "a killed process is no success");
    assert_eq!(shell.phase(1), "killed");
    assert!(shell.reader().open_effects().expect("read").is_empty());
}

#[test]
fn logs_follow_a_job_to_its_end() {
    let shell = Shell::new();
    let gate = shell.path("gate");
    let job = shell.job(
        "talker",
        &format!("echo one\nuntil [ -e '{}' ]; do sleep 0.05; done\necho two", gate.display()),
    );
    shell.well(&["run", "--detach", &job]);
    shell.until("it has said something", || shell.run(&["logs", "1"]).out == "one\n");
    let follower = shell.command(&["logs", "--follow", "1"]).stdout(std::process::Stdio::piped()).spawn();
    std::fs::write(gate, "").expect("ours");
    let said = follower.expect("started").wait_with_output().expect("started");
    assert_eq!(String::from_utf8(said.stdout).expect("UTF-8"), "one\ntwo\n");
}

#[test]
fn a_limit_of_jobs_is_kept_and_named() {
    let shell = Shell::new();
    let ((first, one), (second, two)) = (gated(&shell, "first"), gated(&shell, "second"));
    shell.well(&["run", "--detach", "--jobs", "1", &first, &second]);
    let waits = |id: &str| shell.run(&["why", id]).out.contains("waits for a slot");
    shell.until("one of them waits for a slot", || waits("1") || waits("2"));
    assert!(!(waits("1") && waits("2")));
    let waiting = if waits("1") { "1" } else { "2" };
    // The runtime was told of the limit, and whoever asks now was not.
    let why = shell.well(&["--json", "why", waiting]).json();
    assert_eq!(why["limit"], "1 job at once on this host");
    let host = shell.well(&["--json", "host", "show", "local"]).json();
    assert_eq!(
        (&host["now"]["limit"], &host["unfinished"]),
        (&"1 job at once on this host".into(), &2.into())
    );
    std::fs::write(one, "").expect("ours");
    std::fs::write(two, "").expect("ours");
    shell.well(&["watch"]);
}

#[test]
fn who_follows_while_no_runtime_is_at_work_is_told_so() {
    let shell = Shell::new();
    let (job, gate) = gated(&shell, "long");
    let mut run = shell.start(&["run", &job]);
    shell.until("the job runs", || shell.run(&["show", "1"]).out.contains("Running"));
    run.kill().expect("it is ours");
    run.wait().expect("started");
    for args in [&["watch"][..], &["logs", "--follow", "1"]] {
        let mut child = shell.command(args).stderr(std::process::Stdio::piped()).spawn().expect("started");
        let said = std::io::BufReader::new(child.stderr.take().expect("piped"));
        let mut lines = std::io::BufRead::lines(said).map_while(Result::ok);
        assert!(lines.any(|line| line.contains("no runtime is at work")), "{args:?}");
        child.kill().expect("it is ours");
        child.wait().expect("started");
    }
    std::fs::write(gate, "").expect("ours");
    shell.well(&["up"]);
}

#[test]
fn progress_says_nothing_twice() {
    let shell = Shell::new();
    // It is told to end more than once, which is told once.
    let job = shell.job("stubborn", "trap '' TERM; echo >ready; for n in 1 2 3 4 5 6; do sleep 1; done");
    let mut run = shell.start(&["run", &job]);
    shell.until("the job runs", || shell.run(&["show", "1"]).out.contains("Running"));
    run.kill().expect("it is ours");
    run.wait().expect("started");
    shell.well(&["kill", "1"]);
    let said = shell.run(&["up"]);
    assert_eq!(said.code, 1);
    let lines: Vec<&str> = said.err.lines().collect();
    assert!(lines.iter().any(|line| line.contains("is being ended")), "{said:?}");
    assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "{said:?}");
}

#[test]
fn a_second_ctrl_c_ends_the_program_at_once() {
    let shell = Shell::new();
    let (job, gate) = gated(&shell, "long");
    let mut run = shell.start(&["run", &job]);
    shell.until("the job runs", || shell.run(&["show", "1"]).out.contains("Running"));
    // Somebody writes to the journal for a long time, and the runtime cannot end before it has written what it heard.
    let other = rusqlite::Connection::open(shell.store().join("journal")).expect("a journal");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes for long");
    std::fs::write(gate, "").expect("ours");
    let work = shell.store().join("work");
    let name = format!("procession-{}-1-1", shell.reader().uid().expect("read"));
    shell.until("the job has ended", || work.join(&name).join(".attempt-1/exit").exists());
    // Twice the longest time between two questions to the host, in naps.
    (0..200).for_each(|_| shell::nap());
    signal(&run, Signal::INT);
    let log = || std::fs::read_to_string(shell.path("log")).unwrap_or_default();
    shell.until("it is stopping", || log().contains("Ctrl-C again"));
    assert!(run.try_wait().expect("started").is_none(), "it cannot end yet: {}", log());
    signal(&run, Signal::INT);
    assert_eq!(run.wait().expect("started").code(), Some(3));
    drop(other);
    shell.well(&["up"]);
    assert_eq!(shell.phase(1), "finished");
}

#[test]
fn a_job_that_is_not_handed_over_leaves_no_folder_of_results() {
    let shell = Shell::new();
    shell.well(&["run", &shell.job("first", "true")]);
    let other = rusqlite::Connection::open(shell.store().join("journal")).expect("a journal");
    // A letterbox that takes nothing.
    let broken = "CREATE TRIGGER full BEFORE INSERT ON letters BEGIN SELECT RAISE(ABORT, 'no room'); END";
    other.execute_batch(broken).expect("ours");
    drop(other);
    let said = shell.run(&["run", &shell.job("second", "true")]);
    assert!(said.code == 4 && said.err.contains("no room"), "{said:?}");
    assert!(shell.path("results/first").exists() && !shell.path("results/second").exists());
}

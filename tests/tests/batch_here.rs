//! Jobs on this machine, from the job file to the results: real commands, real processes, a journal in memory.
#![expect(clippy::disallowed_methods, reason = "these tests ask the system what is left")]

use procession::journal::{EffectEnd, MemoryStore};
use procession::{Handle, JournalUid, Outcome, Phase, ProcessId, Runtime, Spawn};
use procession_batch::dialect::Direct;
use procession_batch::{End, Hosts, JobSpec, Plan, SchedulerProcess, State, Uncollected, Verdict};
use procession_local::{Config, Local};
use stakker::ActorOwn;
use std::path::{Path, PathBuf};
use std::process::Command;

type Job = Handle<SchedulerProcess>;

/// This machine, with a folder of its own, and a journal that survives its runtimes.
struct Here {
    folder: tempfile::TempDir,
    store: MemoryStore,
    uid: JournalUid,
    at_once: u32,
}

/// A runtime and what it needs to live.
struct Running {
    runtime: Runtime,
    _local: Vec<ActorOwn<Local>>,
}

impl Here {
    fn new() -> Here {
        let folder = tempfile::tempdir().expect("a folder");
        let seed = folder
            .path()
            .to_string_lossy()
            .bytes()
            .fold(5381, |sum: u32, b| sum.wrapping_mul(33) ^ u32::from(b));
        let uid = JournalUid(seed ^ std::process::id());
        Here { folder, store: MemoryStore::with_uid(uid), uid, at_once: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self) -> Running {
        let mut runtime = Runtime::builder().journal(self.store.open()).build().expect("a runtime");
        std::fs::create_dir_all(self.path("host")).expect("a host");
        let host = Config { name: "host".into(), ..Config::new(self.path("host")) };
        let (transport, host) = Local::start(runtime.stakker(), host).expect("a host");
        let (here, local) = Local::start(runtime.stakker(), Config::new(self.folder.path())).expect("here");
        let mut hosts = Hosts::new(here);
        hosts.add(&mut runtime, transport, Direct::new(self.at_once));
        SchedulerProcess::register(&mut runtime, hosts);
        runtime.recover().expect("recovered");
        Running { runtime, _local: vec![local, host] }
    }

    fn spawn(&self, running: &mut Running, spec: serde_json::Value) -> Job {
        let spec = JobSpec::from_value(spec).unwrap_or_else(|e| panic!("{e}"));
        let plan = Plan {
            results: self.path("results").join(&spec.name),
            host: "host".into(),
            root: "jobs".into(),
            base: self.folder.path().to_path_buf(),
            spec,
        };
        let job =
            running.runtime.spawn::<SchedulerProcess>(plan.job(), Spawn::default()).expect("registered");
        job.launch();
        job
    }

    fn run(&self, spec: serde_json::Value) -> Outcome<procession_batch::Outcome> {
        let mut running = self.start();
        let job = self.spawn(&mut running, spec);
        running.runtime.run_until(&job).expect("it ends")
    }

    /// Nothing of any job is on the host, and the ledger agrees.
    fn is_clean(&self) {
        let left: Vec<_> = names(&self.path("host/jobs"));
        assert_eq!(left, Vec::<String>::new(), "folders");
        for (process, effect, end) in self.store.effects() {
            assert!(end.is_some(), "{process}: {effect:?} has no end");
            assert_ne!(end, Some(EffectEnd::Kept), "{process}: {effect:?}");
        }
        assert_eq!(self.processes(), 0);
    }

    fn processes(&self) -> usize {
        let list = Command::new("ps").args(["-ww", "-eo", "args="]).output().expect("ps").stdout;
        let uid = self.uid.to_string();
        String::from_utf8_lossy(&list)
            .lines()
            .filter(|line| line.contains(&uid) && line.contains(".job-"))
            .count()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn finished(outcome: Outcome<procession_batch::Outcome>) -> procession_batch::Outcome {
    match outcome {
        Outcome::Finished(outcome) => outcome,
        Outcome::Killed | Outcome::Failed(_) => panic!("{outcome:?}"),
    }
}

fn end_of(outcome: &procession_batch::Outcome) -> &End {
    match &outcome.verdict {
        Verdict::Ran(ending) => &ending.end,
        Verdict::Incomplete { .. } | Verdict::Unrun(_) => panic!("{outcome:?}"),
    }
}

/// Turns until the job is in a state of this kind.
fn until(running: &mut Running, job: &Job, state: impl Fn(&State) -> bool) {
    let job = job.clone();
    running
        .runtime
        .run_while(|runtime| {
            let phase = runtime.phase(&job).expect("known");
            match &phase {
                Phase::Created(job) | Phase::Running(job) | Phase::Paused(job) | Phase::Killing(job) => {
                    !state(&job.at)
                }
                Phase::Finished(_) | Phase::Killed | Phase::Failed(_) => panic!("{phase:?}"),
            }
        })
        .expect("it comes that far");
}

fn is_running(state: &State) -> bool {
    matches!(state, State::Running { .. })
}

#[test]
fn a_job_goes_from_its_file_to_its_results_and_leaves_nothing_behind() {
    let here = Here::new();
    std::fs::create_dir_all(here.path("in/deep")).expect("made");
    std::fs::write(here.path("in/deep/words"), "b\na\n").expect("written");
    std::fs::write(here.path("more"), "c\n").expect("written");
    let outcome = finished(here.run(serde_json::json!({
        "name": "sort",
        "script": "cat tree/deep/words x/y/more | sort >out/sorted; echo said; echo oops >&2",
        "prepend": "mkdir out",
        "inputs": [{ "from": "in", "to": "tree" }, { "from": "more", "to": "x/y/more" }],
        "outputs": [{ "pattern": "out/*" }, { "pattern": "*.none", "required": false }],
    })));
    assert!(outcome.is_success(), "{outcome:?}");
    let paths: Vec<_> = outcome.outputs.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["log/exit", "log/stderr", "log/stdout", "outputs/out/sorted"]);
    let read =
        |name: &str| std::fs::read_to_string(here.path("results/sort/attempt-1").join(name)).expect("there");
    assert_eq!(read("outputs/out/sorted"), "a\nb\nc\n");
    assert_eq!((read("log/stdout"), read("log/stderr")), ("said\n".into(), "oops\n".into()));
    here.is_clean();
}

#[test]
fn a_job_that_fails_is_tried_again_where_its_owner_asks_for_it() {
    let here = Here::new();
    let outcome = finished(here.run(serde_json::json!({
        "name": "flaky",
        "script": "echo $PROCESSION_ATTEMPT >n; [ \"$PROCESSION_ATTEMPT\" = 2 ] || exit 3",
        "outputs": [{ "pattern": "n" }],
        "retries": { "attempts": 3, "on": ["exit"] },
    })));
    assert_eq!((end_of(&outcome), outcome.attempt), (&End::Exited { code: 0 }, 2));
    let n = std::fs::read_to_string(here.path("results/flaky/attempt-2/outputs/n")).expect("there");
    assert_eq!(n, "2\n");
    here.is_clean();
}

#[test]
fn a_required_output_that_is_not_there_is_named_and_the_sandbox_is_kept() {
    let here = Here::new();
    let spec =
        serde_json::json!({ "name": "empty", "command": ["true"], "outputs": [{ "pattern": "result.*" }] });
    let outcome = finished(here.run(spec));
    let Verdict::Incomplete { why, .. } = &outcome.verdict else { panic!("{outcome:?}") };
    assert_eq!(*why, Uncollected::Missing { pattern: "result.*".into() });
    assert!(!outcome.is_success());
    assert_eq!(names(&here.path("host/jobs")).len(), 1);
}

#[test]
fn an_input_that_is_not_there_is_named_and_nothing_is_submitted() {
    let here = Here::new();
    let outcome = finished(here.run(serde_json::json!({
        "name": "lost", "command": ["true"], "inputs": [{ "from": "nowhere" }],
    })));
    assert!(
        matches!(&outcome.verdict, Verdict::Unrun(_)) && outcome.to_string().contains("nowhere"),
        "{outcome}"
    );
    here.is_clean();
}

#[test]
fn a_killed_job_ends_and_leaves_nothing() {
    let here = Here::new();
    let mut running = here.start();
    let job = here.spawn(&mut running, serde_json::json!({ "name": "long", "script": "sleep 300 & wait" }));
    until(&mut running, &job, is_running);
    job.kill();
    assert_eq!(running.runtime.run_until(&job).expect("it ends"), Outcome::Killed);
    here.is_clean();
}

#[test]
fn a_job_outlives_the_runtime_that_started_it_and_is_found_again() {
    let here = Here::new();
    let mut running = here.start();
    let spec = serde_json::json!({
        "name": "outlives",
        "script": "echo run >>../runs; while [ ! -e ../go ]; do sleep 0.05; done; echo done >out",
        "outputs": [{ "pattern": "out" }],
    });
    let job = here.spawn(&mut running, spec);
    until(&mut running, &job, is_running);
    drop((job, running));
    assert!(here.processes() > 0, "it runs on");
    std::fs::write(here.path("host/jobs/go"), "").expect("written");
    let mut running = here.start();
    let job: Job = running.runtime.handle().find(ProcessId::FIRST).expect("restored");
    assert!(finished(running.runtime.run_until(&job).expect("it ends")).is_success());
    assert_eq!(std::fs::read_to_string(here.path("host/jobs/runs")).expect("runs"), "run\n");
}

#[test]
fn a_kill_that_came_while_nobody_lived_is_carried_out() {
    let here = Here::new();
    let mut running = here.start();
    let job = here.spawn(&mut running, serde_json::json!({ "name": "doomed", "command": ["sleep", "300"] }));
    until(&mut running, &job, is_running);
    drop((job, running));
    here.store.post(procession::journal::Ask::Desire {
        process: ProcessId::FIRST,
        desired: procession::journal::Desired::Kill,
    });
    let mut running = here.start();
    let job: Job = running.runtime.handle().find(ProcessId::FIRST).expect("restored");
    assert_eq!(running.runtime.run_until(&job).expect("it ends"), Outcome::Killed);
    here.is_clean();
}

#[test]
fn a_paused_job_runs_on_and_is_followed_again() {
    let here = Here::new();
    let mut running = here.start();
    let script = "while [ ! -e ../go ]; do sleep 0.05; done";
    let job = here.spawn(&mut running, serde_json::json!({ "name": "paused", "script": script }));
    until(&mut running, &job, is_running);
    job.pause();
    let paused = job.clone();
    running.runtime.run_while(|r| !matches!(r.phase(&paused), Ok(Phase::Paused(_)))).expect("it pauses");
    assert_eq!(running.runtime.held_timers(), 0);
    std::fs::write(here.path("host/jobs/go"), "").expect("written");
    job.resume();
    assert!(finished(running.runtime.run_until(&job).expect("it ends")).is_success());
}

#[test]
fn the_limit_of_the_host_is_kept() {
    let here = Here { at_once: 2, ..Here::new() };
    let mut running = here.start();
    let script =
        "touch ../up-$PROCESSION_JOB; ls .. | grep -c up- >>../seen; sleep 0.2; rm ../up-$PROCESSION_JOB";
    let jobs: Vec<Job> = (0..6)
        .map(|n| here.spawn(&mut running, serde_json::json!({ "name": format!("job{n}"), "script": script })))
        .collect();
    for job in &jobs {
        assert!(finished(running.runtime.run_until(job).expect("it ends")).is_success());
    }
    let seen = std::fs::read_to_string(here.path("host/jobs/seen")).expect("seen");
    assert!(seen.lines().count() == 6 && seen.lines().all(|n| n == "1" || n == "2"), "{seen}");
}

#[test]
fn a_sandbox_is_stashed_where_its_owner_wants_it() {
    let here = Here::new();
    let spec = serde_json::json!({ "name": "stash", "script": "echo a >a", "remote": { "stash": "attic" } });
    assert!(finished(here.run(spec)).is_success());
    assert_eq!(names(&here.path("host/jobs")), Vec::<String>::new());
    let kept = names(&here.path("host/attic"));
    assert_eq!(kept.len(), 1);
    assert_eq!(
        std::fs::read_to_string(here.path("host/attic").join(&kept[0]).join("a")).expect("there"),
        "a\n"
    );
}

#[test]
fn a_monitor_warns_and_then_stops_a_job_whose_files_are_fetched() {
    let here = Here::new();
    let script = "echo slow; echo 'E = -1' >run.log; until [ -e go ]; do sleep 0.1; done
        echo 'E = NaN' >>run.log; sleep 600";
    let mut running = here.start();
    let job = here.spawn(
        &mut running,
        serde_json::json!({
            "name": "md",
            "script": script,
            "outputs": [{ "pattern": "run.log" }, { "pattern": "never" }],
            "monitors": [
                { "file": "stdout", "pattern": "^slow", "action": "warn", "message": "this will take long" },
                { "file": "run.log", "pattern": "= (NaN|inf)", "action": "kill", "message": "it diverged" },
            ],
        }),
    );
    let warned = |job: &procession_batch::Job| {
        job.warnings.iter().map(ToString::to_string).collect::<Vec<_>>() == ["this will take long: \"slow\""]
    };
    let handle = job.clone();
    running
        .runtime
        .run_while(|runtime| match runtime.phase(&handle).expect("known") {
            Phase::Created(job) | Phase::Running(job) => !warned(&job),
            phase @ (Phase::Paused(_)
            | Phase::Killing(_)
            | Phase::Finished(_)
            | Phase::Killed
            | Phase::Failed(_)) => {
                panic!("{phase:?}")
            }
        })
        .expect("it is warned of");
    let sandbox = names(&here.path("host/jobs")).pop().expect("it is there");
    std::fs::write(here.path("host/jobs").join(sandbox).join("go"), "").expect("written");
    let outcome = finished(running.runtime.run_until(&job).expect("it ends"));
    let stopped = End::StoppedByMonitor { message: "it diverged".into(), line: "E = NaN".into() };
    assert_eq!(end_of(&outcome), &stopped);
    let log = std::fs::read_to_string(here.path("results/md/attempt-1/outputs/run.log")).expect("fetched");
    assert_eq!(log, "E = -1\nE = NaN\n");
    here.is_clean();
}

//! Jobs under a real Slurm, from the job file to the outcome: each way to end, each hazard.

use crate::clients::{attempt, run, until};
use procession::journal::{EffectEnd, MemoryStore};
use procession::transport::{Op, Transport};
use procession::{Handle, Outcome, Phase, Runtime, Spawn};
use procession_batch::dialect::{Refusal, Slurm as Dialect};
use procession_batch::{End, Hosts, JobSpec, Plan, SchedulerProcess, State, Unrun, Verdict};
use procession_local::{Config, Local};
use procession_tests::services::{Cluster, Slurm};
use serde_json::{Value, json};
use stakker::{ActorOwn, Fwd};
use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;

type Job = Handle<SchedulerProcess>;

/// A cluster, a login node that is this machine, and a runtime with a journal.
struct Site {
    slurm: Slurm,
    folder: tempfile::TempDir,
    store: MemoryStore,
    runtime: Runtime,
    /// How many of the scheduler's commands were run.
    asked: Rc<Cell<u32>>,
    _local: Vec<ActorOwn<Local>>,
}

impl Site {
    fn new(cluster: Cluster) -> Site {
        let slurm = Slurm::with(cluster);
        let folder = tempfile::tempdir().expect("a folder");
        let store = MemoryStore::new();
        let mut runtime = Runtime::builder().journal(store.open()).build().expect("a runtime");
        std::fs::create_dir_all(folder.path().join("host")).expect("a host");
        let host = Config { name: "host".into(), ..Config::new(folder.path().join("host")) };
        let (transport, host) = Local::start(runtime.stakker(), host).expect("a host");
        let (here, local) = Local::start(runtime.stakker(), Config::new(folder.path())).expect("here");
        let mut hosts = Hosts::new(here);
        let asked = Rc::new(Cell::new(0));
        let transport = with_env(transport, slurm.env(), asked.clone());
        hosts.add(&mut runtime, transport, Dialect);
        SchedulerProcess::register(&mut runtime, hosts);
        runtime.recover().expect("recovered");
        Site { slurm, folder, store, runtime, asked, _local: vec![local, host] }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn spawn(&mut self, spec: Value) -> Job {
        let spec = JobSpec::from_value(spec).unwrap_or_else(|e| panic!("{e}"));
        let plan = Plan {
            results: self.path("results").join(&spec.name),
            host: "host".into(),
            root: "jobs".into(),
            base: self.folder.path().to_path_buf(),
            spec,
        };
        let job = self.runtime.spawn::<SchedulerProcess>(plan.job(), Spawn::default()).expect("registered");
        job.launch();
        job
    }

    fn end(&mut self, job: &Job) -> procession_batch::Outcome {
        match self.runtime.run_until(job).expect("it ends") {
            Outcome::Finished(outcome) => outcome,
            outcome @ (Outcome::Killed | Outcome::Failed(_)) => panic!("{outcome:?}"),
        }
    }

    fn state(&mut self, job: &Job) -> State {
        match self.runtime.phase(job).expect("known") {
            Phase::Created(job) | Phase::Running(job) | Phase::Paused(job) | Phase::Killing(job) => job.at,
            phase @ (Phase::Finished(_) | Phase::Killed | Phase::Failed(_)) => panic!("{phase:?}"),
        }
    }

    /// Turns until the job is in a state of this kind.
    fn until(&mut self, job: &Job, is: impl Fn(&State) -> bool) -> State {
        let going = |runtime: &mut Runtime| match runtime.phase(job).expect("known") {
            Phase::Created(job) | Phase::Running(job) | Phase::Paused(job) | Phase::Killing(job) => {
                !is(&job.at)
            }
            phase @ (Phase::Finished(_) | Phase::Killed | Phase::Failed(_)) => panic!("{phase:?}"),
        };
        self.runtime.run_while(going).expect("it comes that far");
        self.state(job)
    }

    fn command(&self, argv: &[&str]) -> String {
        run(argv, &[self.slurm.env()])
    }

    fn id(&mut self, job: &Job) -> String {
        match self.until(job, |state| matches!(state, State::Queued { .. } | State::Running { .. })) {
            State::Queued { job, .. } | State::Running { job, .. } => job.0,
            state => panic!("{state:?}"),
        }
    }

    /// Nothing of any job is left, and the ledger agrees.
    fn is_clean(&self) {
        let left: Vec<_> = std::fs::read_dir(self.path("host/jobs"))
            .map(|entries| entries.map(|entry| entry.expect("an entry").file_name()).collect())
            .unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
        for (process, effect, end) in self.store.effects() {
            assert!(end.is_some_and(|end| end != EffectEnd::Kept), "{process}: {effect:?}: {end:?}");
        }
        assert_eq!(self.command(&["squeue", "-h"]), "", "the queue");
    }
}

/// The same transport, with a variable for each command.
fn with_env(inner: Transport, env: (String, String), asked: Rc<Cell<u32>>) -> Transport {
    let name = inner.name().to_string();
    Transport::new(
        &name,
        Fwd::new(move |op| match op {
            Op::Exec(mut exec, ret) => {
                let squeue = |arg: &String| arg.contains("squeue -h");
                asked.set(asked.get() + u32::from(exec.argv.iter().any(squeue)));
                exec.env.insert(env.0.clone(), env.1.clone());
                inner.op(Op::Exec(exec, ret));
            }
            other => inner.op(other),
        }),
    )
}

fn end_of(outcome: &procession_batch::Outcome) -> End {
    match &outcome.verdict {
        Verdict::Ran(ending) => ending.end.clone(),
        Verdict::Incomplete { .. } | Verdict::Unrun(_) => panic!("{outcome:?}"),
    }
}

fn every_way_to_end(accounting: bool) {
    let set = vec![("SlurmdTimeout", "10".into()), ("KillWait", "4".into())];
    let mut site = Site::new(Cluster { nodes: 3, cpus: 8, accounting, set, ..Cluster::default() });
    let on = |name: &str, node: &str, script: &str| json!({ "name": name, "script": script, "scheduler": [format!("--nodelist={node}")] });
    let fails = site.spawn(on("fails", "node1", "echo said; exit 3"));
    let crashes = site.spawn(on("crashes", "node1", "kill -SEGV $$"));
    let mut long = on("long", "node1", "echo begun; sleep 1000");
    long["resources"] = json!({ "walltime": "1m" });
    let long = site.spawn(long);
    let mut deaf = on("deaf", "node1", "trap '' TERM; while :; do sleep 1; done");
    deaf["resources"] = json!({ "walltime": "1m" });
    let deaf = site.spawn(deaf);
    let mut warned = on("warned", "node1", "trap 'echo soon; exit 0' USR1; while :; do sleep 0.2; done");
    warned["resources"] = json!({ "walltime": "1m" });
    warned["signal"] = json!({ "name": "USR1", "before": "50s" });
    let warned = site.spawn(warned);
    let cancelled = site.spawn(on("cancelled", "node2", "sleep 1000"));
    let unlucky = site.spawn(on("unlucky", "node3", "sleep 1000"));
    for job in [&cancelled, &unlucky, &long] {
        site.until(job, |state| matches!(state, State::Running { .. }));
    }
    let id = site.id(&cancelled);
    site.slurm.kill("node3");
    site.command(&["scancel", &id]);

    assert_eq!(end_of(&site.end(&fails)), End::Exited { code: 3 });
    assert_eq!(
        std::fs::read_to_string(site.path("results/fails/attempt-1/log/stdout")).expect("fetched"),
        "said\n"
    );
    assert_eq!(end_of(&site.end(&crashes)), End::Signalled { signal: 11 });
    let by = accounting.then(|| run(&["id", "-un"], &[]));
    assert_eq!(end_of(&site.end(&cancelled)), End::CancelledElsewhere { by });
    assert_eq!(end_of(&site.end(&warned)), End::Exited { code: 0 });
    assert_eq!(end_of(&site.end(&unlucky)), End::NodeFailure);
    assert_eq!(end_of(&site.end(&long)), End::Walltime);
    assert_eq!(end_of(&site.end(&deaf)), End::Walltime, "it left no exit file");
    let said = std::fs::read_to_string(site.path("results/long/attempt-1/log/scheduler")).expect("fetched");
    assert!(said.contains("DUE TO TIME LIMIT"), "{said}");
    site.is_clean();
}

#[test]
fn every_way_to_end_is_told_from_the_others_without_accounting() {
    every_way_to_end(false);
}

#[test]
fn every_way_to_end_is_told_from_the_others_with_accounting() {
    every_way_to_end(true);
}

#[test]
fn a_job_goes_from_its_file_to_its_results_and_leaves_nothing_behind() {
    let mut site = Site::new(Cluster::default());
    std::fs::write(site.path("words"), "b\na\n").expect("written");
    let job = site.spawn(json!({
        "name": "sort",
        "script": "sort words >sorted; echo \"$SLURM_CPUS_PER_TASK $SLURM_JOB_NAME $PROCESSION_ATTEMPT\"",
        "resources": { "cpus_per_task": 2, "memory": "100M", "walltime": "5m" },
        "queue": "long",
        "inputs": [{ "from": "words" }],
        "outputs": [{ "pattern": "sorted" }],
    }));
    let outcome = site.end(&job);
    assert!(outcome.is_success(), "{outcome:?}");
    let results = site.path("results/sort/attempt-1");
    assert_eq!(std::fs::read_to_string(results.join("outputs/sorted")).expect("fetched"), "a\nb\n");
    let said = std::fs::read_to_string(results.join("log/stdout")).expect("fetched");
    assert!(said.starts_with("2 procession-") && said.ends_with("-1 1\n"), "{said}");
    site.is_clean();
}

#[test]
fn an_array_is_one_submission_with_an_outcome_for_each_task() {
    let mut site = Site::new(Cluster { cpus: 4, ..Cluster::default() });
    let job = site.spawn(json!({
        "name": "array",
        "script": "echo $PROCESSION_TASK >out-$PROCESSION_TASK; echo said $PROCESSION_TASK; \
            [ $PROCESSION_TASK != 5 ] || exit 5; [ $PROCESSION_TASK != 7 ] || kill -KILL $$",
        "array": { "range": "1-9:2", "at_once": 3 },
        "outputs": [{ "pattern": "out-*" }],
    }));
    let outcome = site.end(&job);
    let Verdict::Ran(ending) = &outcome.verdict else { panic!("{outcome:?}") };
    let ends: Vec<_> = ending.tasks.iter().map(|task| (task.index, task.end.clone())).collect();
    let (well, code) = (End::Exited { code: 0 }, End::Exited { code: 5 });
    let killed = End::Signalled { signal: 9 };
    assert_eq!(ends, [(1, well.clone()), (3, well.clone()), (5, code), (7, killed.clone()), (9, well)]);
    assert_eq!(ending.end, killed, "the worst");
    assert!(ending.tasks.iter().all(|task| task.started.is_some() && task.over.is_some()));
    let results = site.path("results/array/attempt-1");
    for index in [1, 3, 5, 7, 9] {
        let file = |path: String| std::fs::read_to_string(results.join(path)).expect("fetched");
        assert_eq!(file(format!("outputs/out-{index}")), format!("{index}\n"));
        assert_eq!(file(format!("log/task-{index}/stdout")), format!("said {index}\n"));
    }
    site.is_clean();
}

#[test]
fn an_array_that_is_killed_halfway_leaves_nothing() {
    let mut site = Site::new(Cluster { cpus: 2, ..Cluster::default() });
    let job = site.spawn(json!({ "name": "array", "script": "sleep 1000", "array": { "range": "100" } }));
    site.until(&job, |state| matches!(state, State::Running { .. }));
    job.kill();
    assert!(matches!(site.runtime.run_until(&job), Ok(Outcome::Killed)));
    site.is_clean();
}

#[test]
fn what_slurm_refuses_is_told_with_its_reason() {
    let set = vec![("EnforcePartLimits", "ALL".into())];
    let mut site = Site::new(Cluster { set, ..Cluster::default() });
    let mut why = |extra: Value| {
        let mut spec = json!({ "name": "refused", "command": ["true"] });
        let fields = spec.as_object_mut().expect("an object");
        fields.extend(extra.as_object().expect("an object").clone());
        let job = site.spawn(spec);
        match site.end(&job).verdict {
            Verdict::Unrun(Unrun::Refused(why)) => why,
            verdict => panic!("{extra}: {verdict:?}"),
        }
    };
    assert!(matches!(why(json!({ "queue": "nosuch" })), Refusal::Queue(_)));
    assert!(matches!(why(json!({ "resources": { "walltime": "2h" } })), Refusal::Request(_)));
    assert!(matches!(why(json!({ "resources": { "nodes": 99 } })), Refusal::Request(_)));
    assert!(matches!(why(json!({ "resources": { "memory": "999G" } })), Refusal::Request(_)));
    assert!(matches!(why(json!({ "resources": { "gpus": 1 } })), Refusal::Request(_)));
    assert!(matches!(why(json!({ "constraint": "nofeature" })), Refusal::Request(_)));
    assert!(matches!(why(json!({ "scheduler": ["--nosuchoption"] })), Refusal::Request(_)));
    site.is_clean();
}

#[test]
fn a_job_that_can_never_start_says_so_and_can_be_killed() {
    let mut site = Site::new(Cluster::default());
    let job = site.spawn(json!({ "name": "a", "command": ["true"], "resources": { "walltime": "2h" } }));
    let stuck = |state: &State| matches!(state, State::Queued { reason, .. } if reason.contains("TimeLimit"));
    let State::Queued { reason, .. } = site.until(&job, stuck) else { panic!("it is queued") };
    let said =
        "PartitionTimeLimit: it asks for more time than its partition allows; it will not start as it is";
    assert_eq!(reason, said);
    job.kill();
    assert!(matches!(site.runtime.run_until(&job), Ok(Outcome::Killed)));
    site.is_clean();
}

#[test]
fn a_submission_that_failed_and_yet_arrived_runs_once() {
    let mut site = Site::new(Cluster { set: vec![("MessageTimeout", "3".into())], ..Cluster::default() });
    site.slurm.freeze("slurmctld");
    let job =
        site.spawn(json!({ "name": "a", "script": "echo run >>runs", "outputs": [{ "pattern": "runs" }] }));
    site.until(&job, |state| matches!(state, State::Reconciling { .. }));
    site.slurm.thaw("slurmctld");
    let outcome = site.end(&job);
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.attempt, 1, "the one that arrived");
    let runs = site.path("results/a/attempt-1/outputs/runs");
    assert_eq!(std::fs::read_to_string(runs).expect("fetched"), "run\n");
    site.is_clean();
}

#[test]
fn an_acknowledged_job_that_slurm_has_lost_is_submitted_anew() {
    let mut site = Site::new(Cluster::default());
    let job = site.spawn(json!({
        "name": "a", "script": "echo $PROCESSION_ATTEMPT >n", "outputs": [{ "pattern": "n" }],
        "scheduler": ["--hold"],
    }));
    let id = site.id(&job);
    site.command(&["scontrol", "update", &format!("JobId={id}"), "JobName=lost"]);
    site.until(&job, |state| state.attempt().is_some_and(|attempt| attempt.number == 2));
    let id = site.id(&job);
    site.command(&["scontrol", "release", &id]);
    let outcome = site.end(&job);
    assert!(outcome.is_success() && outcome.attempt == 2, "{outcome:?}");
    site.command(&["scancel", "--name=lost"]);
    until("the queue is empty", || site.command(&["squeue", "-h"]).is_empty());
    site.is_clean();
}

#[test]
fn a_controller_that_is_away_changes_no_job() {
    let mut site = Site::new(Cluster::default());
    let job = site.spawn(json!({ "name": "a", "script": "until [ -f go ]; do sleep 0.1; done" }));
    let before = site.until(&job, |state| matches!(state, State::Running { .. }));
    site.slurm.kill("slurmctld");
    let asked = site.asked.get();
    let counter = site.asked.clone();
    site.runtime.run_while(|_| counter.get() < asked + 2).expect("it is asked in vain");
    assert_eq!(site.state(&job), before);
    site.slurm.restart("slurmctld");
    let [sandbox] = std::fs::read_dir(site.path("host/jobs"))
        .expect("made")
        .map(|entry| entry.expect("an entry").path())
        .collect::<Vec<_>>()
        .try_into()
        .expect("one sandbox");
    std::fs::write(sandbox.join("go"), "").expect("written");
    assert!(site.end(&job).is_success());
    site.is_clean();
}

#[test]
fn a_job_with_the_id_of_ours_is_neither_followed_nor_cancelled() {
    let mut site = Site::new(Cluster::default());
    // What is acknowledged and lost: its id is written down, and belongs to another job.
    let blocker = site.command(&[
        "sbatch",
        "--parsable",
        "--output=/dev/null",
        "--wrap=sleep 1000",
        "--job-name=foreign",
    ]);
    until("it runs", || !site.command(&["squeue", "-h", "-t", "R"]).is_empty());
    let job = site.spawn(json!({ "name": "a", "script": "sleep 1000", "resources": { "cpus_per_task": 2 } }));
    let id = site.id(&job);
    let [sandbox] = std::fs::read_dir(site.path("host/jobs"))
        .expect("made")
        .map(|entry| entry.expect("an entry").path())
        .collect::<Vec<_>>()
        .try_into()
        .expect("one sandbox");
    site.command(&["scontrol", "update", &format!("JobId={id}"), "JobName=lost"]);
    std::fs::write(sandbox.join(".attempt-1/id"), format!("{blocker}\n")).expect("written");
    site.until(&job, |state| matches!(state, State::Seeking { reads: 2, .. }));
    job.kill();
    assert!(matches!(site.runtime.run_until(&job), Ok(Outcome::Killed)));
    let left = site.command(&["squeue", "-h", "-o", "%j"]);
    assert_eq!(left.lines().filter(|name| *name == "foreign").count(), 1, "{left}");
    attempt(&["scancel", "-u", "root"], &[site.slurm.env()]);
}

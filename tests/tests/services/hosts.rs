//! Jobs from the job file to the outcome, on a real scheduler, with a runtime and a journal in memory.

use procession::journal::{EffectEnd, MemoryStore};
use procession::transport::Transport;
use procession::{Handle, Outcome, Phase, Runtime, Spawn};
use procession_batch::dialect::Dialect;
use procession_batch::{End, Hosts, JobSpec, Plan, SchedulerProcess, State, Verdict};
use procession_local::{Config, Local};
use procession_tests::services::with_env;
use stakker::ActorOwn;
use std::path::PathBuf;

pub type Job = Handle<SchedulerProcess>;

/// A host called `host` with a scheduler, and a folder for all that belongs to the test.
pub struct Host {
    folder: tempfile::TempDir,
    store: MemoryStore,
    env: Vec<(String, String)>,
}

/// A runtime and what it needs to live.
pub struct Running {
    pub runtime: Runtime,
    _local: Vec<ActorOwn<Local>>,
}

impl Host {
    /// This machine, with the clients of a scheduler that these variables lead to.
    pub fn new(env: Vec<(String, String)>) -> Host {
        Host { folder: tempfile::tempdir().expect("a folder"), store: MemoryStore::default(), env }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// A runtime on the journal, whatever is in it.
    pub fn start(&self, dialect: impl Dialect + 'static) -> Running {
        let mut runtime = Runtime::builder().journal(self.store.open()).build().expect("a runtime");
        std::fs::create_dir_all(self.path("host")).expect("a host");
        let config = Config { name: "host".into(), ..Config::new(self.path("host")) };
        let (transport, host) = Local::start(runtime.stakker(), config).expect("a host");
        let transport: Transport = with_env(&transport, self.env.clone());
        let (here, local) = Local::start(runtime.stakker(), Config::new(self.folder.path())).expect("here");
        let mut hosts = Hosts::new(here);
        hosts.add(&mut runtime, transport, dialect);
        SchedulerProcess::register(&mut runtime, hosts);
        runtime.recover().expect("recovered");
        Running { runtime, _local: vec![local, host] }
    }

    pub fn launch(&self, running: &mut Running, spec: serde_json::Value) -> Job {
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

    /// No sandbox is on the host, and the ledger agrees.
    pub fn is_clean(&self) {
        let left: Vec<_> = std::fs::read_dir(self.path("host/jobs"))
            .map(|entries| entries.flatten().map(|entry| entry.file_name()).collect())
            .unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
        for (process, effect, end) in self.store.effects() {
            assert!(matches!(end, Some(how) if how != EffectEnd::Kept), "{process}: {effect:?} {end:?}");
        }
    }
}

impl Running {
    /// Turns until the job is in a state of this kind.
    pub fn until(&mut self, job: &Job, is_there: impl Fn(&State) -> bool) {
        let job = job.clone();
        let on_the_way = |runtime: &mut Runtime| match &runtime.phase(&job).expect("known") {
            Phase::Created(job) | Phase::Running(job) | Phase::Paused(job) | Phase::Killing(job) => {
                !is_there(&job.at)
            }
            over @ (Phase::Finished(_) | Phase::Killed | Phase::Failed(_)) => panic!("{over:?}"),
        };
        self.runtime.run_while(on_the_way).expect("it comes that far");
    }

    /// Turns until the job runs; its id.
    pub fn until_it_runs(&mut self, job: &Job) -> String {
        self.until(job, |state| matches!(state, State::Running { .. }));
        match self.runtime.phase(job).expect("known") {
            Phase::Running(job) => match job.at {
                State::Running { job, .. } => job.0,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// Turns until it is over; what it came to.
    pub fn outcome(&mut self, job: &Job) -> procession_batch::Outcome {
        match self.runtime.run_until(job).expect("it ends") {
            Outcome::Finished(outcome) => outcome,
            other @ (Outcome::Killed | Outcome::Failed(_)) => panic!("{other:?}"),
        }
    }

    /// How the job ended.
    pub fn end(&mut self, job: &Job) -> End {
        let outcome = self.outcome(job);
        match outcome.verdict {
            Verdict::Ran(ending) => ending.end,
            Verdict::Incomplete { .. } | Verdict::Unrun(_) => panic!("{outcome:?}"),
        }
    }
}

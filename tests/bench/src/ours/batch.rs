//! Batch jobs on a host behind ssh.

use super::remote::target;
use procession::journal::MemoryStore;
use procession::{Handle, Outcome, Phase, Runtime, Spawn};
use procession_batch::dialect::Slurm;
use procession_batch::{Hosts, JobSpec, Plan, SchedulerProcess, State};
use procession_local::{Config as Here, Local};
use procession_ssh::{Config, Ssh};
use std::path::{Path, PathBuf};

/// A runtime with a cluster, and a journal in memory.
pub struct Cluster {
    folder: PathBuf,
    made: u32,
    _owners: Vec<Box<dyn std::any::Any>>,
    runtime: Runtime,
}

impl Cluster {
    /// The cluster that `ssh -F CONFIG ALIAS` would reach; jobs and results are below `folder`.
    pub fn over_ssh(config: &Path, alias: &str, folder: &Path) -> Cluster {
        let store = MemoryStore::new();
        let mut runtime = Runtime::builder().journal(store.open()).build().expect("a runtime");
        let work = folder.join("there").to_str().and_then(|path| path.parse().ok()).expect("a path of ours");
        let config = Config::new(alias, target(config, alias), work);
        let handle = runtime.handle();
        let (there, ssh) = Ssh::start(runtime.stakker(), handle, config).expect("the runtime has a poll");
        let (here, local) = Local::start(runtime.stakker(), Here::new(folder)).expect("the folder is there");
        let mut hosts = Hosts::new(here);
        hosts.add(&mut runtime, there, Slurm);
        SchedulerProcess::register(&mut runtime, hosts);
        runtime.recover().expect("an empty journal");
        let owners: Vec<Box<dyn std::any::Any>> = vec![Box::new(ssh), Box::new(local)];
        Cluster { folder: folder.to_owned(), made: 0, _owners: owners, runtime }
    }

    /// Submits `n` jobs, and comes back when Slurm has taken all of them.
    pub fn submit(&mut self, spec: &serde_json::Value, n: u32) -> Vec<Handle<SchedulerProcess>> {
        let jobs: Vec<_> = (0..n).map(|_| self.launch(spec)).collect();
        let mut left = jobs.clone();
        let all_taken = |runtime: &mut Runtime| {
            left.retain(|job| !is_taken(runtime, job));
            !left.is_empty()
        };
        self.runtime.run_while(all_taken).expect("nothing in a turn can fail here");
        jobs
    }

    /// Waits until all have ended, well.
    pub fn wait(&mut self, jobs: &[Handle<SchedulerProcess>]) {
        for job in jobs {
            match self.runtime.run_until(job).expect("nothing in a turn can fail here") {
                Outcome::Finished(outcome) => assert!(outcome.is_success(), "{outcome}"),
                outcome @ (Outcome::Killed | Outcome::Failed(_)) => panic!("{outcome:?}"),
            }
        }
    }

    fn launch(&mut self, spec: &serde_json::Value) -> Handle<SchedulerProcess> {
        self.made += 1;
        let spec = JobSpec::from_value(spec.clone()).unwrap_or_else(|e| panic!("{e}"));
        let plan = Plan {
            spec,
            host: "box".to_owned(),
            root: String::new(),
            base: self.folder.clone(),
            results: self.folder.join(format!("results/{}", self.made)),
        };
        let job = self.runtime.spawn(plan.job(), Spawn::default()).expect("the kind is registered");
        job.launch();
        job
    }
}

/// Whether Slurm has this job, or had it.
fn is_taken(runtime: &mut Runtime, job: &Handle<SchedulerProcess>) -> bool {
    match runtime.phase(job).expect("it is ours") {
        Phase::Created(job) | Phase::Running(job) | Phase::Paused(job) | Phase::Killing(job) => {
            !matches!(job.at, State::Planned | State::Staging { .. } | State::Submitting { .. })
        }
        Phase::Finished(_) | Phase::Killed | Phase::Failed(_) => true,
    }
}

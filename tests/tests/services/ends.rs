//! Finished means evidence: every way in which a job can end has its own outcome, on a real cluster.

use crate::clients::{run, until};
use crate::hosts::Host;
use procession_batch::End;
use procession_batch::dialect::{GridEngine, Slurm};
use procession_tests::services::{self, Cluster};
use serde_json::json;

/// Two nodes with a processor for each job, so that one node can fail under the jobs on it alone.
fn cluster(accounting: bool) -> Cluster {
    let set = vec![("SlurmdTimeout", "5".into()), ("SelectTypeParameters", "CR_CPU_Memory,CR_LLN".into())];
    Cluster { nodes: 3, cpus: 8, accounting, set, ..Cluster::default() }
}

/// The table, all at once, for some of it takes Slurm a minute or two.
fn every_end_is_told(accounting: bool) {
    let mut slurm = services::Slurm::with(cluster(accounting));
    let host = Host::new(vec![slurm.env()]);
    let mut running = host.start(Slurm);
    let mut launch = |name: &str, script: &str, more: serde_json::Value| {
        let mut spec = json!({ "name": name, "script": script });
        let fields = more.as_object().expect("an object").clone();
        spec.as_object_mut().expect("an object").extend(fields);
        host.launch(&mut running, spec)
    };
    let on = |node: &str| json!({ "scheduler": [format!("--nodelist={node}")] });
    let well = launch("well", "echo well", on("node1"));
    let exits = launch("exits", "exit 3", on("node1"));
    let crashes = launch("crashes", "kill -SEGV $$", on("node1"));
    let late = launch(
        "late",
        "sleep 600",
        json!({ "resources": { "walltime": "1m" }, "scheduler": ["--nodelist=node1"] }),
    );
    let cancelled = launch("cancelled", "sleep 600", on("node1"));
    let falls = launch("falls", "sleep 600", on("node2"));
    let returns = launch("returns", "sleep 600", on("node3"));

    let id = running.until_it_runs(&cancelled);
    run(&["scancel", &id], host.env());
    let id = running.until_it_runs(&returns);
    // What a site with `ForceRequeueOnFail` does to all jobs.
    run(&["scontrol", "update", &format!("JobId={id}"), "Requeue=1"], host.env());
    slurm.crash("node3");
    slurm.restart("node3");
    begin_again(&id, &host);
    running.until_it_runs(&falls);
    slurm.crash("node2");

    assert_eq!(running.end(&well), End::Exited { code: 0 });
    assert_eq!(running.end(&exits), End::Exited { code: 3 });
    assert_eq!(running.end(&crashes), End::Signalled { signal: 11 });
    let by = accounting.then(|| run(&["id", "-un"], &[]));
    assert_eq!(running.end(&cancelled), End::CancelledElsewhere { by });
    assert_eq!(running.end(&returns), End::NodeFailure);
    assert_eq!(running.end(&falls), End::NodeFailure);
    assert_eq!(running.end(&late), End::Walltime);
    host.is_clean();
}

/// Slurm lets a job wait for two minutes before it is started again. A test has no patience.
fn begin_again(id: &str, host: &Host) {
    let waits = || run(&["squeue", "-h", "-j", id, "-o", "%T"], host.env()) == "PENDING";
    until("it waits again", waits);
    run(&["scontrol", "update", &format!("JobId={id}"), "StartTime=now"], host.env());
}

#[test]
fn every_end_is_told_without_accounting() {
    every_end_is_told(false);
}

#[test]
fn every_end_is_told_with_accounting() {
    every_end_is_told(true);
}

#[test]
fn a_job_that_is_out_of_memory_is_told() {
    if !services::Slurm::can_limit_memory() {
        println!("left out: it needs root, and a memory cgroup of version 1");
        return;
    }
    for accounting in [false, true] {
        let slurm = services::Slurm::with(Cluster { limit_memory: true, accounting, ..Cluster::default() });
        let host = Host::new(vec![slurm.env()]);
        let mut running = host.start(Slurm);
        let eats = json!({ "name": "eats", "script": "head -c 300M /dev/zero | tail", "resources": { "memory": "30M" } });
        let eats = host.launch(&mut running, eats);
        assert_eq!(running.end(&eats), End::OutOfMemory, "accounting: {accounting}");
        host.is_clean();
    }
}

#[test]
fn every_end_is_told_by_grid_engine() {
    let engine = services::GridEngine::start(8);
    let host = Host::new(engine.env());
    let mut running = host.start(GridEngine::default());
    let mut launch =
        |name: &str, script: &str| host.launch(&mut running, json!({ "name": name, "script": script }));
    let well = launch("well", "echo well");
    let exits = launch("exits", "exit 3");
    let crashes = launch("crashes", "kill -SEGV $$");
    let cancelled = launch("cancelled", "sleep 600");
    let late = json!({ "name": "late", "script": "sleep 600", "resources": { "walltime": "5s" } });
    let late = host.launch(&mut running, late);
    let id = running.until_it_runs(&cancelled);
    run(&["qdel", &id], host.env());
    assert_eq!(running.end(&well), End::Exited { code: 0 });
    assert_eq!(running.end(&exits), End::Exited { code: 3 });
    assert_eq!(running.end(&crashes), End::Signalled { signal: 11 });
    assert!(matches!(running.end(&cancelled), End::CancelledElsewhere { .. }));
    assert_eq!(running.end(&late), End::Walltime);
    host.is_clean();
}

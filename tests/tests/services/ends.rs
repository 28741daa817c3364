//! Finished means evidence: ends that need more than a plain cluster. The others are beside this, scheduler by scheduler.

use crate::clients::{run, until};
use crate::hosts::Host;
use procession_batch::End;
use procession_batch::dialect::{GridEngine, Slurm};
use procession_tests::services::{self, Cluster};
use serde_json::json;

/// The nodes crash: the jobs on them are gone without a word. One job Slurm puts back into the queue, as a site with
/// `ForceRequeueOnFail` has it, and its second start finds that there was a first.
fn a_crash_of_a_node_is_told(accounting: bool) {
    let set = vec![("SlurmdTimeout", "5".into())];
    let mut slurm = services::Slurm::with(Cluster { nodes: 2, accounting, set, ..Cluster::default() });
    let host = Host::new(vec![slurm.env()]);
    let mut running = host.start(Slurm);
    let mut launch = |node: &str| {
        let spec =
            json!({ "name": node, "script": "sleep 600", "scheduler": [format!("--nodelist={node}")] });
        host.launch(&mut running, spec)
    };
    let (falls, returns) = (launch("node1"), launch("node2"));
    running.until_it_runs(&falls);
    let id = running.until_it_runs(&returns);
    // Slurm says that a job runs some time before it has begun. One that never began would begin on its second start.
    let begun =
        |process: u32| host.path(&format!("host/jobs/procession-00000001-{process}-1/.attempt-1/stdout"));
    until("both have begun", || begun(1).exists() && begun(2).exists());
    run(&["scontrol", "update", &format!("JobId={id}"), "Requeue=1"], host.env());
    slurm.crash("node1");
    slurm.crash("node2");
    slurm.restart("node2");
    begin_again(&id, &host);
    assert_eq!(running.end(&returns), End::NodeFailure);
    assert_eq!(running.end(&falls), End::NodeFailure);
    host.is_clean();
}

/// Slurm lets a job wait for two minutes before it is started again. A test has no patience.
fn begin_again(id: &str, host: &Host) {
    let waits = || run(&["squeue", "-h", "-j", id, "-o", "%T"], host.env()) == "PENDING";
    until("it waits again", waits);
    run(&["scontrol", "update", &format!("JobId={id}"), "StartTime=now"], host.env());
}

#[test]
fn a_crash_of_a_node_is_told_without_accounting() {
    a_crash_of_a_node_is_told(false);
}

#[test]
fn a_crash_of_a_node_is_told_with_accounting() {
    a_crash_of_a_node_is_told(true);
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

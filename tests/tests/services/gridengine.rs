//! The dialect of Grid Engine on the real thing: 8.1.9, with its own qsub, qstat, qacct and qdel.

use crate::clients::{run, until};
use procession::transport::{Ended, Exit};
use procession::{JournalUid, ProcessId};
use procession_batch::dialect::{
    Call, Cancelled, Dialect, Evidence, ExitCause, Force, Found, GridEngine, JobId, Refusal, Status,
    Submitted, evidence,
};
use procession_batch::{End, JobName, JobSpec, Place, Said};
use procession_tests::services;
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;

/// A cluster, and a folder on it.
struct Host {
    cluster: services::GridEngine,
    dir: tempfile::TempDir,
    dialect: GridEngine,
}

impl Host {
    fn start(slots: u32) -> Host {
        let dir = tempfile::tempdir().expect("a folder");
        Host { cluster: services::GridEngine::start(slots), dir, dialect: GridEngine::default() }
    }

    fn stage(&self, process: u64, spec: &JobSpec) -> Place {
        let process = ProcessId::new(process).expect("not zero");
        let place =
            Place { root: "work".into(), name: JobName { journal: JournalUid(0xbad), process, attempt: 1 } };
        std::fs::create_dir_all(self.sandbox(&place)).expect("made");
        for file in self.dialect.files(spec, &place) {
            std::fs::write(self.sandbox(&place).join(file.name), file.text).expect("written");
        }
        place
    }

    fn sandbox(&self, place: &Place) -> PathBuf {
        self.dir.path().join(place.sandbox())
    }

    fn call<T>(&self, call: Call<T>) -> Result<T, String> {
        let mut command = Command::new(&call.argv[0]);
        command.args(&call.argv[1..]).current_dir(self.dir.path()).envs(self.cluster.env());
        let output = command.output().expect("sh is there");
        let how = Ended::Code(output.status.code().expect("not killed"));
        let total = [output.stdout.len() as u64, output.stderr.len() as u64];
        let exit = Exit { how, stdout: output.stdout, stderr: output.stderr, total };
        (call.read)(&exit).map_err(|e| format!("{e}: {}", String::from_utf8_lossy(&exit.stdout)))
    }

    fn submit(&self, spec: &JobSpec, place: &Place) -> Submitted {
        self.call(self.dialect.submit(spec, place)).expect("an answer")
    }

    /// Submits under a name of its own.
    fn accepted(&self, process: u64, spec: &JobSpec) -> (Place, JobId) {
        let place = self.stage(process, spec);
        match self.submit(spec, &place) {
            Submitted::Accepted(id) => (place, id),
            other @ (Submitted::Unsure | Submitted::Refused(_)) => panic!("{other:?}"),
        }
    }

    fn status(&self, place: &Place) -> Status {
        self.word(place, self.dialect.status(&[]))
    }

    fn look_up(&self, place: &Place) -> Status {
        self.word(place, self.dialect.look_up(std::slice::from_ref(place)))
    }

    fn word(&self, place: &Place, call: Call<Vec<(JobName, Status)>>) -> Status {
        let found = self.call(call).expect("an answer");
        let own = found.into_iter().find_map(|(name, status)| (name == place.name).then_some(status));
        own.unwrap_or(Status::Unknown)
    }

    fn evidence(&self, place: &Place) -> Evidence {
        self.call(evidence(std::slice::from_ref(place))).expect("an answer").remove(0).1
    }

    fn end(&self, place: &Place) -> End {
        until("over", || self.evidence(place).exit.is_some());
        self.evidence(place).exit.expect("it is over").end()
    }
}

fn spec(value: serde_json::Value) -> JobSpec {
    let mut spec = json!({ "name": "a" });
    spec.as_object_mut().expect("one").extend(value.as_object().expect("one").clone());
    JobSpec::from_value(spec).unwrap_or_else(|e| panic!("{e}"))
}

fn sleeper() -> JobSpec {
    spec(json!({ "command": ["sleep", "600"] }))
}

fn by_the_frame(end: &End) -> bool {
    matches!(end, End::CancelledElsewhere { by: None })
}

#[test]
fn grid_engine_takes_a_job_once_and_its_ends_have_types() {
    let host = Host::start(8);
    let work = spec(json!({ "command": ["sh", "-c", "echo hello >out.txt; exit 3"] }));
    let (fails, id) = host.accepted(1, &work);
    assert_eq!(host.submit(&work, &fails), Submitted::Accepted(id.clone()), "the same again");
    // Its walltime is over: once politely, once against a payload that will not hear.
    let polite = spec(json!({ "command": ["sleep", "600"], "resources": { "walltime": "3s" } }));
    let (polite, _) = host.accepted(2, &polite);
    let deaf = "trap '' TERM USR2; while :; do sleep 1; done";
    let deaf = spec(json!({ "command": ["sh", "-c", deaf], "resources": { "walltime": "3s" } }));
    let (deaf, _) = host.accepted(3, &deaf);
    let crash = spec(json!({ "command": ["sh", "-c", "kill -SEGV $$"] }));
    let (crash, _) = host.accepted(4, &crash);
    let warned = "trap 'echo warned >out.txt; exit 0' USR1; while :; do sleep 0.1; done";
    let warned = spec(json!({
        "command": ["sh", "-c", warned],
        "resources": { "walltime": "1m" },
        "signal": { "name": "USR1", "before": "58s" },
    }));
    let (warned, _) = host.accepted(5, &warned);
    let (deleted, number) = host.accepted(6, &sleeper());
    until("running", || host.status(&deleted) == Status::Running && host.evidence(&deleted).started);
    run(&["qdel", &number.0], &host.cluster.env());

    assert_eq!(host.end(&fails), End::Exited { code: 3 });
    let exit = host.evidence(&fails).exit.expect("it is over");
    assert!(exit.files.iter().any(|file| file.path == "out.txt" && file.size == 6));
    assert_eq!(host.evidence(&fails).id, Some(id));
    assert_eq!(host.end(&polite), End::Walltime);
    assert_eq!(host.end(&crash), End::Signalled { signal: 11 });
    assert_eq!(host.end(&warned), End::Exited { code: 0 });
    assert!(by_the_frame(&host.end(&deleted)));
    // What left no evidence, accounting knows.
    until("forgotten", || host.status(&deaf) == Status::Unknown);
    until("remembered", || host.look_up(&deaf) == Status::Exited(Said::of(End::Walltime)));
    assert_eq!(host.look_up(&fails), Status::Exited(Said::of(End::Exited { code: 3 })));
}

#[test]
fn a_lost_answer_is_found_by_its_name_and_a_fence_keeps_a_job_from_starting() {
    let host = Host::start(2);
    let held = spec(json!({ "command": ["sleep", "600"], "scheduler": ["-h"] }));
    let (place, id) = host.accepted(1, &held);
    std::fs::remove_file(host.sandbox(&place).join(".attempt-1/id")).expect("it was there");
    assert_eq!(host.submit(&held, &place), Submitted::Unsure);
    assert_eq!(host.call(host.dialect.ask(&place)), Ok(Found::Known(id.clone())));
    assert!(matches!(host.status(&place), Status::Pending(why) if why == "held"));
    assert_eq!(host.call(host.dialect.cancel(&place, None, Force::Term)), Ok(Cancelled::Still));
    until("gone", || host.call(host.dialect.cancel(&place, None, Force::Term)) == Ok(Cancelled::Gone));
    // A job that was deleted while it waited is in no account.
    assert_eq!(host.look_up(&place), Status::Unknown);

    // A duplicate that nobody knew of comes to a folder where it may not start.
    let late = host.stage(2, &sleeper());
    assert_eq!(host.call(host.dialect.fence(&late)), Ok(Found::Fenced));
    assert_eq!(host.submit(&sleeper(), &late), Submitted::Unsure);
    let began = host.stage(3, &sleeper());
    std::fs::create_dir(host.sandbox(&began).join(".attempt-1")).expect("made");
    assert_eq!(host.call(host.dialect.ask(&began)), Ok(Found::Absent));
    assert_eq!(host.call(host.dialect.fence(&began)), Ok(Found::Fenced));
    let sandbox = host.sandbox(&began);
    let path = sandbox.to_str().expect("UTF-8");
    let env = host.cluster.env();
    let qsub = ["qsub", "-terse", "-sync", "y", "-wd", path, "-S", "/bin/sh", "-o", "/dev/null", "-j", "y"];
    let mut command = Command::new(qsub[0]);
    command.args(&qsub[1..]).args(["-N", &began.name.to_string(), &format!("{path}/.job-1")]).envs(env);
    assert_eq!(command.output().expect("qsub").status.code(), Some(97), "the fence holds");
}

#[test]
fn a_job_that_cannot_be_started_has_an_end_of_its_own() {
    let host = Host::start(2);
    let held = spec(json!({ "command": ["true"], "scheduler": ["-h"] }));
    let (place, id) = host.accepted(1, &held);
    std::fs::remove_dir_all(host.sandbox(&place)).expect("purged");
    run(&["qrls", &id.0], &host.cluster.env());
    until("in error", || matches!(host.status(&place), Status::Exited(said) if said.end.is_some()));
    assert_eq!(host.call(host.dialect.cancel(&place, None, Force::Kill)), Ok(Cancelled::Still));
    until("gone", || host.call(host.dialect.cancel(&place, None, Force::Kill)) == Ok(Cancelled::Gone));
}

#[test]
fn each_task_of_an_array_has_its_index_and_its_evidence() {
    let host = Host::start(4);
    let text = "test \"$PROCESSION_TASK-$SGE_TASK_ID\" = 2-2 && exit 7; sleep 1";
    let array = json!({ "range": "0-4:2", "at_once": 2 });
    let (place, id) = host.accepted(1, &spec(json!({ "command": ["sh", "-c", text], "array": array })));
    until("over", || host.evidence(&place).tasks.len() == 3);
    let left = host.evidence(&place);
    let codes: Vec<_> = left.tasks.iter().map(|(index, exit)| (*index, exit.code)).collect();
    assert_eq!((codes, left.id), (vec![(0, 0), (2, 7), (4, 0)], Some(id)));
    until("forgotten", || host.status(&place) == Status::Unknown);
    let ends = [(0, 0), (2, 7), (4, 0)].map(|(task, code)| (task, End::Exited { code }));
    let said = Said { end: None, tasks: ends.into() };
    until("remembered", || host.look_up(&place) == Status::Exited(said.clone()));
}

#[test]
fn refusals_have_types_and_a_master_that_is_away_is_about_the_host() {
    let mut host = Host::start(2);
    let refused = |process, asks: serde_json::Value| {
        let mut job = json!({ "command": ["true"] });
        job.as_object_mut().expect("one").extend(asks.as_object().expect("one").clone());
        let spec = spec(job);
        let place = host.stage(process, &spec);
        match host.submit(&spec, &place) {
            Submitted::Refused(why) => why,
            other @ (Submitted::Unsure | Submitted::Accepted(_)) => panic!("{other:?}"),
        }
    };
    assert!(matches!(refused(1, json!({ "queue": "nosuch.q" })), Refusal::Queue(_)));
    assert!(matches!(refused(2, json!({ "account": "nosuch" })), Refusal::Account(_)));
    assert!(matches!(refused(3, json!({ "constraint": "nosuch=1" })), Refusal::Request(_)));
    assert!(matches!(refused(4, json!({ "resources": { "nodes": 2 } })), Refusal::Request(_)));
    assert!(matches!(refused(5, json!({ "scheduler": ["-badopt"] })), Refusal::Request(_)));

    let (runs, _) = host.accepted(6, &sleeper());
    until("running", || host.status(&runs) == Status::Running);
    host.cluster.kill("qmaster");
    assert!(host.call(host.dialect.status(&[])).is_err());
    assert!(host.call(host.dialect.look_up(std::slice::from_ref(&runs))).is_err());
    assert!(host.call(host.dialect.cancel(&runs, None, Force::Term)).is_err());
    let (unsure, sleeper) = (host.stage(7, &sleeper()), sleeper());
    assert_eq!(host.submit(&sleeper, &unsure), Submitted::Unsure);
    host.cluster.restart("qmaster");
    until("known again", || host.call(host.dialect.status(&[])).is_ok());
    assert_eq!(host.call(host.dialect.ask(&unsure)), Ok(Found::Absent));
    until("gone", || host.call(host.dialect.cancel(&runs, None, Force::Term)) == Ok(Cancelled::Gone));
    until("evidence", || host.evidence(&runs).exit.is_some());
    assert_eq!(host.evidence(&runs).exit.map(|exit| exit.cause), Some(ExitCause::Told));
}

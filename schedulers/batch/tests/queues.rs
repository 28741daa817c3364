//! The protocol of the schedulers that keep a queue, run by the real `sh` over commands that only play PBS and LSF. What the
//! real ones answer is not shown here; that the scripts submit once, find again, fence and cancel is.
#![expect(clippy::disallowed_methods, reason = "these tests run real commands and wait for real processes")]

use procession::transport::{Ended, Exit};
use procession::{JournalUid, ProcessId};
use procession_batch::dialect::{
    Call, Cancelled, Dialect, Evidence, ExitCause, Force, Found, JobId, Lsf, Pbs, PbsFlavour, Refusal, Slurm,
    Status, Submitted, evidence,
};
use procession_batch::{JobName, JobSpec, Place};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A host with a scheduler that is played.
struct Host {
    dir: tempfile::TempDir,
    dialect: Box<dyn Dialect>,
    fake: &'static str,
}

impl Host {
    fn all() -> Vec<Host> {
        vec![
            Host::over("pbs", Box::new(Pbs { flavour: PbsFlavour::Pro })),
            Host::over("pbs", Box::new(Pbs { flavour: PbsFlavour::Torque })),
            Host::over("lsf", Box::<Lsf>::default()),
        ]
    }

    /// With the commands of `fake` as those of its scheduler.
    fn over(fake: &'static str, dialect: Box<dyn Dialect>) -> Host {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("fake/jobs")).expect("made");
        Host { dir, dialect, fake }
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

    /// A switch of the scheduler that is played.
    fn set(&self, switch: &str, text: &str) {
        std::fs::write(self.dir.path().join("fake").join(switch), text).expect("written");
    }

    fn unset(&self, switch: &str) {
        std::fs::remove_file(self.dir.path().join("fake").join(switch)).expect("it was set");
    }

    fn jobs(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("fake/jobs")).expect("there").count()
    }

    fn run(&self, argv: &[String]) -> Exit {
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes").join(self.fake);
        let path = format!("{}:{}", fakes.display(), std::env::var("PATH").expect("set"));
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).current_dir(self.dir.path()).env("PATH", path);
        let output = command.env("FAKE", self.dir.path().join("fake")).env("BSUB_QUIET", "y").output();
        let output = output.expect("sh is there");
        let total = [output.stdout.len() as u64, output.stderr.len() as u64];
        let how = Ended::Code(output.status.code().expect("not killed"));
        Exit { how, stdout: output.stdout, stderr: output.stderr, total }
    }

    fn call<T>(&self, call: Call<T>) -> T {
        let exit = self.run(&call.argv);
        (call.read)(&exit).unwrap_or_else(|e| {
            let said = [exit.stdout, exit.stderr].concat();
            panic!("{} {e}: {}", self.dialect.word(), String::from_utf8_lossy(&said))
        })
    }

    fn is_away<T>(&self, call: Call<T>) -> bool {
        (call.read)(&self.run(&call.argv)).is_err()
    }

    fn submit(&self, spec: &JobSpec, place: &Place) -> Submitted {
        self.call(self.dialect.submit(spec, place))
    }

    fn status(&self, place: &Place) -> Status {
        let found = self.call(self.dialect.status(std::slice::from_ref(place)));
        found
            .into_iter()
            .find_map(|(name, status)| (name == place.name).then_some(status))
            .unwrap_or(Status::Unknown)
    }

    fn evidence(&self, place: &Place) -> Evidence {
        self.call(evidence(std::slice::from_ref(place))).remove(0).1
    }
}

fn spec(value: serde_json::Value) -> JobSpec {
    JobSpec::from_value(value).unwrap_or_else(|e| panic!("{e}"))
}

fn sleeper() -> JobSpec {
    spec(json!({ "name": "a", "command": ["sleep", "600"] }))
}

/// Bounded by a count: a job on a busy machine has a minute.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("never {what}");
}

#[test]
fn a_job_is_submitted_once_runs_and_leaves_evidence() {
    for host in Host::all() {
        let spec = spec(json!({ "name": "a", "command": ["sh", "-c", "echo hello >out.txt; exit 3"] }));
        let place = host.stage(1, &spec);
        let Submitted::Accepted(id) = host.submit(&spec, &place) else { panic!("it was accepted") };
        assert_eq!(host.submit(&spec, &place), Submitted::Accepted(id.clone()), "{}", host.dialect.word());
        assert_eq!(host.jobs(), 1, "nothing was submitted twice");
        until("over", || host.evidence(&place).exit.is_some());
        let left = host.evidence(&place);
        let exit = left.exit.expect("it is over");
        assert_eq!((exit.code, exit.cause, left.id), (3, ExitCause::Exited, Some(id)));
        assert!(exit.files.iter().any(|file| file.path == "out.txt" && file.size == 6));
        until("known to have ended", || matches!(host.status(&place), Status::Exited(_)));
    }
}

#[test]
fn what_the_host_has_lost_of_a_job_is_not_submitted() {
    let hosts = Host::all().into_iter().chain([Host::over("slurm", Box::new(Slurm))]);
    for host in hosts {
        let spec = spec(json!({ "name": "a", "script": "true", "append": "true" }));
        for name in [".job-1", ".payload-1", ".script-1"] {
            let place = host.stage(1, &spec);
            let file = host.sandbox(&place).join(name);
            std::fs::write(&file, "").expect("written");
            assert_eq!(host.submit(&spec, &place), Submitted::Refused(Refusal::NoSandbox), "{name} is empty");
            std::fs::remove_file(file).expect("removed");
            assert_eq!(host.submit(&spec, &place), Submitted::Refused(Refusal::NoSandbox), "{name} is gone");
        }
        assert_eq!(host.jobs(), 0);
    }
}

#[test]
fn whoever_makes_the_folder_first_wins_and_a_fence_is_for_ever() {
    for host in Host::all() {
        let place = host.stage(1, &sleeper());
        assert_eq!(host.call(host.dialect.fence(&place)), Found::Fenced);
        assert_eq!(host.submit(&sleeper(), &place), Submitted::Unsure);
        assert_eq!(host.jobs(), 0, "a late submission submits nothing");
        let gone = host.stage(2, &sleeper());
        std::fs::remove_dir_all(host.sandbox(&gone)).expect("purged");
        assert_eq!(host.submit(&sleeper(), &gone), Submitted::Refused(Refusal::NoSandbox));
    }
}

#[test]
fn a_submission_whose_answer_was_lost_is_found_by_its_name() {
    for host in Host::all() {
        host.set("hold", "");
        host.set("mute", "");
        let place = host.stage(1, &sleeper());
        assert_eq!(host.submit(&sleeper(), &place), Submitted::Unsure);
        assert_eq!(host.submit(&sleeper(), &place), Submitted::Unsure);
        let Found::Known(JobId(id)) = host.call(host.dialect.ask(&place)) else { panic!("it is there") };
        assert!(id.starts_with('1'), "{id}");
        // Another attempt, which began and is nowhere, can still arrive until it is fenced.
        let other = host.stage(2, &sleeper());
        std::fs::create_dir(host.sandbox(&other).join(".attempt-1")).expect("made");
        assert_eq!(host.call(host.dialect.ask(&other)), Found::Absent);
        assert_eq!(host.call(host.dialect.fence(&other)), Found::Fenced);
        assert_eq!(host.jobs(), 1);
    }
}

#[test]
fn a_job_is_cancelled_by_its_name_and_another_with_its_id_is_left_alone() {
    for host in Host::all() {
        let (mine, other) = (host.stage(1, &sleeper()), host.stage(2, &sleeper()));
        for place in [&mine, &other] {
            assert!(matches!(host.submit(&sleeper(), place), Submitted::Accepted(_)));
        }
        until("running", || host.status(&mine) == Status::Running && host.evidence(&mine).started);
        // As if ids had been given out again: ours says 2, which is the other's.
        let wrong = JobId("2".into());
        let cancel = || host.call(host.dialect.cancel(&mine, Some(&wrong), Force::Term));
        assert_eq!(cancel(), Cancelled::Still);
        until("gone", || cancel() == Cancelled::Gone);
        until("evidence", || host.evidence(&mine).exit.is_some());
        assert_eq!(host.evidence(&mine).exit.map(|exit| exit.cause), Some(ExitCause::Told));
        assert_eq!(host.status(&other), Status::Running);
        until("gone", || host.call(host.dialect.cancel(&other, None, Force::Kill)) == Cancelled::Gone);
    }
}

#[test]
fn a_scheduler_that_is_away_is_about_the_host() {
    for host in Host::all() {
        host.set("hold", "");
        let place = host.stage(1, &sleeper());
        assert!(matches!(host.submit(&sleeper(), &place), Submitted::Accepted(_)));
        assert!(
            matches!(host.status(&place), Status::Pending(why) if why.contains("limit") || why.contains("middle"))
        );
        host.set("down", "");
        assert!(host.is_away(host.dialect.status(std::slice::from_ref(&place))));
        assert!(host.is_away(host.dialect.look_up(std::slice::from_ref(&place))));
        assert!(host.is_away(host.dialect.cancel(&place, None, Force::Term)));
        let other = host.stage(2, &sleeper());
        assert_eq!(host.submit(&sleeper(), &other), Submitted::Unsure, "nobody knows what became of it");
        assert!(host.is_away(host.dialect.ask(&other)));
        host.unset("down");
        assert_eq!(host.call(host.dialect.ask(&other)), Found::Absent);
        assert!(host.call(host.dialect.look_up(std::slice::from_ref(&place))).len() == 1);
    }
}

#[test]
fn a_refusal_has_its_type_and_the_words_of_the_scheduler() {
    for host in Host::all() {
        let said =
            if host.fake == "pbs" { "qsub: Unknown queue" } else { "x: No such queue. Job not submitted." };
        host.set("decline", &format!("{said}\n"));
        let place = host.stage(1, &sleeper());
        assert_eq!(host.submit(&sleeper(), &place), Submitted::Refused(Refusal::Queue(said.into())));
    }
}

#[test]
fn each_task_of_an_array_has_its_index_and_its_evidence() {
    for host in Host::all().into_iter().filter(|host| host.dialect.word() != "torque") {
        let text = "test \"$PROCESSION_TASK\" != 1 || exit 7";
        let spec = spec(json!({ "name": "a", "command": ["sh", "-c", text], "array": { "range": "0-2" } }));
        let place = host.stage(1, &spec);
        let Submitted::Accepted(JobId(id)) = host.submit(&spec, &place) else { panic!("it was accepted") };
        until("over", || host.evidence(&place).tasks.len() == 3);
        let left = host.evidence(&place);
        let codes: Vec<_> = left.tasks.iter().map(|(index, exit)| (*index, exit.code)).collect();
        assert_eq!((codes, left.id), (vec![(0, 0), (1, 7), (2, 0)], Some(JobId(id))));
    }
}

#[test]
fn an_old_lsf_that_knows_no_reason_of_waiting_is_listed_all_the_same() {
    let host = Host::all().pop().expect("LSF is the last");
    assert_eq!(host.call(host.dialect.status(&[])), []);
    host.set("old", "");
    host.set("hold", "");
    let place = host.stage(1, &sleeper());
    host.submit(&sleeper(), &place);
    assert_eq!(host.status(&place), Status::Pending("in the queue".into()));
}

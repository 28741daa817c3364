//! The poll of Slurm, run by the real `sh` over a `squeue` that lists what it is told: who has left evidence of the end does not
//! run, whatever a controller says that has lost its memory.
#![expect(clippy::disallowed_methods, reason = "these tests run real commands, by the clock of this machine")]

use procession::transport::{Ended, Exit};
use procession::{JournalUid, ProcessId, WallTime};
use procession_batch::dialect::{Dialect, ExitCause, ExitFile, Slurm, Status};
use procession_batch::{JobName, Place, Said};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

struct Host(tempfile::TempDir);

impl Host {
    /// All these jobs run, as far as `squeue` says.
    fn with(jobs: u64) -> Host {
        let host = Host(tempfile::tempdir().expect("a folder"));
        let line = |n| format!("{n}|RUNNING|None|{}\n", host.place(n).name);
        std::fs::write(host.0.path().join("listing"), (1..=jobs).map(line).collect::<String>())
            .expect("written");
        host
    }

    fn place(&self, process: u64) -> Place {
        let process = ProcessId::new(process).expect("not zero");
        let name = JobName { journal: JournalUid(7), process, attempt: 1 };
        Place { root: self.0.path().to_str().expect("UTF-8").to_owned(), name }
    }

    /// What is in the place of the exit file.
    fn leave(&self, process: u64, text: &str) {
        let folder = Path::new(&self.place(process).sandbox()).join(".attempt-1");
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(folder.join("exit"), text).expect("written");
    }

    fn leave_end(&self, process: u64, code: i32, seconds_ago: i64) {
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs().cast_signed();
        let ended = WallTime((now - seconds_ago) * 1000);
        let exit = ExitFile { code, cause: ExitCause::Exited, started: WallTime(0), ended, files: vec![] };
        self.leave(process, &exit.print(self.place(process).name));
    }

    fn survey(&self, jobs: u64) -> Vec<Status> {
        let places: Vec<Place> = (1..=jobs).map(|n| self.place(n)).collect();
        let call = Slurm.survey(&places, &places);
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes/slurm");
        let path = format!("{}:{}", fakes.display(), std::env::var("PATH").expect("set"));
        let mut command = Command::new(&call.argv[0]);
        command.args(&call.argv[1..]).env("PATH", path).env("FAKE", self.0.path());
        let output = command.output().expect("sh is there");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "no noise");
        let exit = Exit { how: Ended::Code(0), stdout: output.stdout, stderr: vec![], total: [0, 0] };
        let found = (call.read)(&exit).expect("an answer");
        found.into_iter().map(|(_, status)| status).collect()
    }
}

#[test]
fn who_has_left_evidence_of_the_end_does_not_run() {
    let over = || Status::Exited(Said::default());
    let host = Host::with(5);
    host.leave_end(1, 0, 0);
    host.leave_end(2, 143, 5);
    host.leave_end(3, 143, 65);
    host.leave(4, "procession-exit 1\nname");
    let found = host.survey(5);
    // Of the second the scheduler may yet say why it failed, and the evidence of the fourth is not whole.
    assert_eq!(found, [over(), Status::Running, over(), Status::Running, Status::Running]);
}

//! The scripts of the direct dialect, run by the real `sh`, with real processes.
#![expect(clippy::disallowed_methods, reason = "these tests run real commands and wait for real processes")]

use procession::transport::{Ended, Exit};
use procession::{JournalUid, ProcessId};
use procession_batch::dialect::{
    Call, Cancelled, Cleaned, Dialect, Direct, Evidence, Force, Found, JobId, Refusal, Status, Submitted,
    clean, evidence, sh,
};
use procession_batch::{End, JobName, JobSpec, Place, Said};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// A host: a folder, and the processes whose names begin with its journal.
struct Host {
    dir: tempfile::TempDir,
    journal: JournalUid,
    dialect: Direct,
}

impl Host {
    fn new(at_once: u32) -> Host {
        let dir = tempfile::tempdir().expect("a folder");
        // The listing of processes is shared by all tests, so each needs a journal of its own.
        let journal = JournalUid(std::process::id().rotate_left(12) ^ crc(dir.path()));
        Host { dir, journal, dialect: Direct::new(at_once) }
    }

    fn place(&self, process: u64) -> Place {
        let process = ProcessId::new(process).expect("not zero");
        Place { root: "work".into(), name: JobName { journal: self.journal, process, attempt: 1 } }
    }

    fn stage(&self, process: u64, spec: &JobSpec) -> Place {
        let place = self.place(process);
        std::fs::create_dir_all(self.sandbox(&place)).expect("made");
        for file in self.dialect.files(spec, &place) {
            std::fs::write(self.sandbox(&place).join(file.name), file.text).expect("written");
        }
        if let Some(text) = &spec.script {
            let file = self.sandbox(&place).join(".script-1");
            assert!(std::fs::read_to_string(&file).expect("staged").contains(text.as_str()));
            Command::new("chmod").arg("755").arg(file).status().expect("chmod");
        }
        place
    }

    fn sandbox(&self, place: &Place) -> PathBuf {
        self.dir.path().join(place.sandbox())
    }

    fn run(&self, argv: &[String]) -> Exit {
        exit(Command::new(&argv[0]).args(&argv[1..]).current_dir(self.dir.path()).output().expect("runs"))
    }

    fn call<T>(&self, call: Call<T>) -> T {
        let exit = self.run(&call.argv);
        (call.read)(&exit).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&exit.stderr)))
    }

    fn submit(&self, spec: &JobSpec, place: &Place) -> Submitted {
        self.call(self.dialect.submit(spec, place))
    }

    fn status(&self, place: &Place) -> Status {
        let mut found = self.call(self.dialect.status(std::slice::from_ref(place)));
        assert_eq!(found.len(), 1);
        found.remove(0).1
    }

    fn evidence(&self, place: &Place) -> Evidence {
        self.call(evidence(std::slice::from_ref(place))).remove(0).1
    }

    fn wait_until(&self, place: &Place, want: Status) {
        until(|| self.status(place) == want);
    }

    fn end(&self, place: &Place) -> End {
        self.wait_until(place, Status::Exited(Said::default()));
        self.evidence(place).exit.expect("an exit file").end()
    }

    fn cancel(&self, place: &Place, force: Force) {
        until(|| self.call(self.dialect.cancel(place, None, force)) == Cancelled::Gone);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for process in 1..=12 {
            self.cancel(&self.place(process), Force::Kill);
        }
    }
}

fn crc(path: &Path) -> u32 {
    path.to_string_lossy().bytes().fold(5381, |sum: u32, b| sum.wrapping_mul(33) ^ u32::from(b))
}

fn exit(output: Output) -> Exit {
    let how = match (output.status.code(), output.status.signal()) {
        (Some(code), Some(_) | None) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    };
    let total = [output.stdout.len() as u64, output.stderr.len() as u64];
    Exit { how, stdout: output.stdout, stderr: output.stderr, total }
}

/// Looks again and again; a test that loops for minutes is a test that fails.
fn until(mut happened: impl FnMut() -> bool) {
    for _ in 0..1500 {
        if happened() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it never happened");
}

fn script(text: &str) -> JobSpec {
    JobSpec { name: "test".into(), script: Some(text.into()), ..JobSpec::default() }
}

fn command(words: &[&str]) -> JobSpec {
    let command = words.iter().map(ToString::to_string).collect();
    JobSpec { name: "test".into(), command: Some(command), ..JobSpec::default() }
}

fn accepted(submitted: Submitted) -> JobId {
    match submitted {
        Submitted::Accepted(id) => id,
        Submitted::Unsure | Submitted::Refused(_) => panic!("{submitted:?}"),
    }
}

#[test]
fn a_job_runs_and_leaves_evidence() {
    let host = Host::new(0);
    let mut spec = script("echo \"$GREETING\" | tee 'a b.txt'; echo oops >&2; exit 3");
    spec.env.insert("GREETING".into(), "it's $HOME".into());
    spec.append = "echo after >after.txt".into();
    let place = host.stage(1, &spec);
    let id = accepted(host.submit(&spec, &place));
    assert_eq!(host.end(&place), End::Exited { code: 3 });
    let left = host.evidence(&place);
    assert_eq!((left.id, left.started), (Some(id), true));
    let files = left.exit.expect("ended").files;
    let mut files: Vec<_> = files.iter().map(|f| (f.path.as_str(), f.size)).collect();
    files.sort_unstable();
    assert_eq!(files, [("a b.txt", 11), ("after.txt", 6)]);
    let attempt = host.sandbox(&place).join(".attempt-1");
    assert_eq!(std::fs::read_to_string(attempt.join("stdout")).expect("stdout"), "it's $HOME\n");
    assert_eq!(std::fs::read_to_string(attempt.join("stderr")).expect("stderr"), "oops\n");
    until(|| host.call(host.dialect.cancel(&place, None, Force::Term)) == Cancelled::Gone);
    assert_eq!(host.call(clean(&place)), Cleaned::Gone);
    assert!(!host.sandbox(&place).exists());
}

#[test]
fn a_command_reaches_the_program_word_for_word() {
    let host = Host::new(0);
    let words = ["printf", "%s\\n", "a b", "$HOME", "'", "\"", "*", "", "-n", "\\", "new\nline"];
    let spec = JobSpec {
        name: "words".into(),
        command: Some(words.map(String::from).to_vec()),
        mpi: vec!["env".into(), "A=b c".into()],
        cwd: Some("deep/er".into()),
        ..JobSpec::default()
    };
    let place = host.stage(1, &spec);
    accepted(host.submit(&spec, &place));
    assert_eq!(host.end(&place), End::Exited { code: 0 });
    let said = std::fs::read_to_string(host.sandbox(&place).join(".attempt-1/stdout")).expect("stdout");
    assert_eq!(said, words[2..].iter().map(|word| format!("{word}\n")).collect::<String>());
    assert!(host.sandbox(&place).join("deep/er").is_dir());
}

#[test]
fn submitting_again_starts_nothing_and_tells_the_id() {
    let host = Host::new(0);
    let spec = script("echo run >>runs; sleep 300");
    let place = host.stage(1, &spec);
    let id = accepted(host.submit(&spec, &place));
    assert_eq!(host.submit(&spec, &place), Submitted::Accepted(id.clone()));
    host.wait_until(&place, Status::Running);
    assert_eq!(host.submit(&spec, &place), Submitted::Accepted(id));
    until(|| host.sandbox(&place).join("runs").exists());
    assert_eq!(std::fs::read_to_string(host.sandbox(&place).join("runs")).expect("runs"), "run\n");
}

#[test]
fn of_many_submissions_at_once_one_starts() {
    let host = Host::new(0);
    let spec = script("echo run >>runs");
    let place = host.stage(1, &spec);
    let call = host.dialect.submit(&spec, &place);
    let spawn = |_| {
        let mut command = Command::new(&call.argv[0]);
        command.args(&call.argv[1..]).current_dir(host.dir.path()).stdout(std::process::Stdio::piped());
        command.spawn().expect("spawned")
    };
    let children: Vec<_> = (0..12).map(spawn).collect();
    let answers = children.into_iter().map(|child| {
        let exit = exit(child.wait_with_output().expect("waited"));
        (call.read)(&exit).expect("answered")
    });
    let known = answers.filter(|answer| matches!(answer, Submitted::Accepted(_))).count();
    assert!(known >= 1);
    assert_eq!(host.end(&place), End::Exited { code: 0 });
    assert_eq!(std::fs::read_to_string(host.sandbox(&place).join("runs")).expect("runs"), "run\n");
}

#[test]
fn even_a_real_duplicate_starts_once() {
    let host = Host::new(0);
    let spec = script("echo run >>runs");
    let place = host.stage(1, &spec);
    accepted(host.submit(&spec, &place));
    host.end(&place);
    let frame = [".job-1", &place.name.to_string(), "1", "0", "", "0", "TERM", "0"].map(String::from);
    let again = Command::new("sh").args(frame).current_dir(host.sandbox(&place)).output().expect("runs");
    assert_eq!(again.status.code(), Some(97));
    assert_eq!(std::fs::read_to_string(host.sandbox(&place).join("runs")).expect("runs"), "run\n");
}

#[test]
fn the_frame_outlives_a_payload_that_is_killed() {
    let host = Host::new(0);
    let spec = script("echo $$ >shell; exec sleep 300");
    let place = host.stage(1, &spec);
    accepted(host.submit(&spec, &place));
    let shell = host.sandbox(&place).join("shell");
    until(|| std::fs::read_to_string(&shell).is_ok_and(|text| text.ends_with('\n')));
    let pid = std::fs::read_to_string(&shell).expect("written");
    Command::new("kill").args(["-9", pid.trim()]).status().expect("kill");
    assert_eq!(host.end(&place), End::Signalled { signal: 9 });
}

#[test]
fn a_frame_that_is_killed_leaves_no_evidence_and_no_success() {
    let host = Host::new(0);
    let spec = script("exec sleep 300");
    let place = host.stage(1, &spec);
    accepted(host.submit(&spec, &place));
    host.wait_until(&place, Status::Running);
    host.cancel(&place, Force::Kill);
    assert_eq!(host.status(&place), Status::Unknown);
    let left = host.evidence(&place);
    assert!(left.started && left.exit.is_none());
}

#[test]
fn a_cancelled_job_has_its_chance_to_tidy_up() {
    let host = Host::new(0);
    let spec = script("trap 'echo tidy >tidy; exit 4' TERM; echo >ready; while :; do sleep 0.05; done");
    let place = host.stage(1, &spec);
    accepted(host.submit(&spec, &place));
    until(|| host.sandbox(&place).join("ready").exists());
    assert_eq!(host.call(host.dialect.cancel(&place, None, Force::Term)), Cancelled::Still);
    until(|| host.call(host.dialect.cancel(&place, None, Force::Term)) == Cancelled::Gone);
    assert!(host.sandbox(&place).join("tidy").exists());
}

#[test]
fn the_walltime_ends_the_whole_group_and_says_so() {
    let host = Host::new(0);
    let mut spec = script("trap 'echo soon >soon' USR1; echo >ready; sleep 300 & while :; do wait; done");
    spec.resources.walltime = Some("2s".parse().expect("a time"));
    spec.signal =
        Some(procession_batch::Signal { name: "USR1".into(), before: "1s".parse().expect("a time") });
    let place = host.stage(1, &spec);
    accepted(host.submit(&spec, &place));
    assert_eq!(host.end(&place), End::Walltime);
    assert!(host.sandbox(&place).join("soon").exists());
    until(|| host.call(host.dialect.cancel(&place, None, Force::Term)) == Cancelled::Gone);
}

#[test]
fn no_more_jobs_run_at_once_than_the_host_allows() {
    let host = Host::new(2);
    let spec = script(
        "touch ../up-$PROCESSION_JOB; ls .. | grep -c up- >>../seen; sleep 0.3; rm ../up-$PROCESSION_JOB",
    );
    let places: Vec<_> = (1..=6).map(|n| host.stage(n, &spec)).collect();
    for place in &places {
        accepted(host.submit(&spec, place));
    }
    until(|| {
        let status = host.call(host.dialect.status(&places));
        assert!(status.iter().filter(|(_, status)| *status == Status::Running).count() <= 2);
        status.iter().all(|(_, status)| *status == Status::Exited(Said::default()))
    });
    let seen = std::fs::read_to_string(host.dir.path().join("work/seen")).expect("seen");
    assert!(seen.lines().all(|n| n == "1" || n == "2"), "{seen}");
    assert_eq!(seen.lines().count(), 6);
}

#[test]
fn a_job_that_waits_for_a_slot_is_pending_and_can_be_cancelled() {
    let host = Host::new(1);
    let spec = script("sleep 300");
    let (first, second) = (host.stage(1, &spec), host.stage(2, &spec));
    accepted(host.submit(&spec, &first));
    host.wait_until(&first, Status::Running);
    accepted(host.submit(&spec, &second));
    assert!(matches!(host.status(&second), Status::Pending(_)));
    host.cancel(&second, Force::Term);
    assert_eq!(host.status(&second), Status::Unknown);
    assert_eq!(host.status(&first), Status::Running);
    assert!(!host.sandbox(&second).join(".attempt-1/stdout").exists(), "it never ran");
    // The slot is free as soon as its holder is gone, however it went.
    let third = host.stage(3, &spec);
    accepted(host.submit(&spec, &third));
    host.cancel(&first, Force::Kill);
    host.wait_until(&third, Status::Running);
}

#[test]
fn a_fence_that_comes_first_keeps_a_late_submission_out() {
    let host = Host::new(0);
    let spec = script("echo run >>runs");
    let place = host.stage(1, &spec);
    assert_eq!(host.call(host.dialect.ask(&place)), Found::Fenced);
    assert_eq!(host.submit(&spec, &place), Submitted::Unsure);
    assert_eq!(host.status(&place), Status::Unknown);
    assert_eq!(
        host.call(host.dialect.ask(&place)),
        Found::Absent,
        "who fenced it, nobody knows after a restart"
    );
    assert_eq!(host.call(host.dialect.fence(&place)), Found::Fenced);
    assert_eq!(host.call(host.dialect.fence(&place)), Found::Fenced, "a fence may be set twice");
    assert!(!host.sandbox(&place).join("runs").exists());
}

#[test]
fn a_job_that_was_cancelled_before_it_arrived_never_starts() {
    let host = Host::new(0);
    let spec = script("echo run >>runs");
    let place = host.stage(1, &spec);
    assert_eq!(host.call(host.dialect.cancel(&place, None, Force::Term)), Cancelled::Gone);
    assert_eq!(host.submit(&spec, &place), Submitted::Unsure);
    let frame = [".job-1", &place.name.to_string(), "1", "0", "", "0", "TERM", "0"].map(String::from);
    let late = Command::new("sh").args(frame).current_dir(host.sandbox(&place)).output().expect("runs");
    assert_eq!(late.status.code(), Some(97));
    assert!(!host.sandbox(&place).join("runs").exists());
}

#[test]
fn a_submission_that_died_halfway_is_absent_until_it_is_fenced() {
    let host = Host::new(0);
    let spec = script("echo run >>runs");
    let place = host.stage(1, &spec);
    std::fs::create_dir(host.sandbox(&place).join(".attempt-1")).expect("as far as it came");
    assert_eq!(host.call(host.dialect.ask(&place)), Found::Absent);
    assert_eq!(host.call(host.dialect.fence(&place)), Found::Fenced);
    // The frame comes after all: it finds the fence.
    let frame = [".job-1", &place.name.to_string(), "1", "0", "", "0", "TERM", "0"].map(String::from);
    let late = Command::new("sh").args(frame).current_dir(host.sandbox(&place)).output().expect("runs");
    assert_eq!(late.status.code(), Some(97));
    assert!(!host.sandbox(&place).join("runs").exists());
}

#[test]
fn a_job_whose_id_was_not_written_is_found_by_its_name() {
    let host = Host::new(0);
    let spec = script("sleep 300");
    let place = host.stage(1, &spec);
    let id = accepted(host.submit(&spec, &place));
    host.wait_until(&place, Status::Running);
    assert_eq!(host.call(host.dialect.ask(&place)), Found::Known(id.clone()));
    std::fs::remove_file(host.sandbox(&place).join(".attempt-1/id")).expect("removed");
    let pid = id.0.split(':').next().expect("a pid");
    assert_eq!(host.call(host.dialect.fence(&place)), Found::Known(JobId(format!("{pid}:0"))));
}

#[test]
fn nothing_starts_in_a_sandbox_that_was_removed() {
    let host = Host::new(0);
    let spec = script("echo run >>../runs");
    let place = host.stage(1, &spec);
    assert_eq!(host.call(clean(&place)), Cleaned::Gone);
    assert_eq!(host.call(clean(&place)), Cleaned::Gone, "it may be asked for twice");
    assert_eq!(host.submit(&spec, &place), Submitted::Refused(Refusal::NoSandbox));
    assert_eq!(host.call(host.dialect.fence(&place)), Found::Fenced);
    assert!(!host.dir.path().join("work/runs").exists());
}

#[test]
fn only_sandboxes_of_ours_are_removed() {
    let host = Host::new(0);
    let precious = host.dir.path().join("precious");
    std::fs::create_dir(&precious).expect("made");
    let name = host.place(1).name.to_string();
    let paths = [("precious", name.as_str()), ("precious", "precious"), ("work/../precious", "precious")];
    for (path, name) in paths {
        let argv = sh(procession_batch::dialect::CLEAN, [path, "1", name].map(String::from));
        assert_eq!((clean(&host.place(1)).read)(&host.run(&argv)), Ok(Cleaned::Refused), "{path} {name}");
    }
    assert!(precious.exists());
}

#[test]
fn the_first_word_of_a_command_is_a_program_whatever_it_means_to_a_shell() {
    let host = Host::new(0);
    let bin = host.dir.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    for (n, word) in ["if", "test", "exit", "A=b", "!", "{"].into_iter().enumerate() {
        let program = bin.join(word);
        std::fs::write(&program, "#!/bin/sh\necho \"$@\"; exit 5\n").expect("written");
        Command::new("chmod").arg("755").arg(&program).status().expect("chmod");
        let mut spec = command(&[word, "0", "then"]);
        spec.prepend = format!("PATH='{}':$PATH", bin.display());
        let place = host.stage(n as u64 + 1, &spec);
        accepted(host.submit(&spec, &place));
        assert_eq!(host.end(&place), End::Exited { code: 5 }, "{word}");
        let said = std::fs::read_to_string(host.sandbox(&place).join(".attempt-1/stdout")).expect("stdout");
        assert_eq!(said, "0 then\n", "{word}");
    }
}

#[test]
fn a_program_that_is_not_there_or_cannot_be_run_has_the_codes_of_a_shell() {
    let host = Host::new(0);
    for (n, (word, code)) in [("no-such-program", 127), ("/etc/passwd", 126)].into_iter().enumerate() {
        let place = host.stage(n as u64 + 1, &command(&[word]));
        accepted(host.submit(&command(&[word]), &place));
        assert_eq!(host.end(&place), End::Exited { code }, "{word}");
    }
}

/// A job that leaves a child in a session of its own, whose number is in `child`.
fn with_a_stray(then: &str) -> JobSpec {
    script(&format!("setsid sh -c 'echo $$ >child.tmp; mv child.tmp child; exec sleep 300' & {then}"))
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_child_in_a_session_of_its_own_ends_with_the_job() {
    let host = Host::new(0);
    let spec = with_a_stray("until [ -e child ]; do sleep 0.05; done; cp child kept");
    let place = host.stage(1, &spec);
    accepted(host.submit(&spec, &place));
    assert_eq!(host.end(&place), End::Exited { code: 0 });
    let child = std::fs::read_to_string(host.sandbox(&place).join("kept")).expect("written");
    until(|| !is_alive(child.trim()));
}

#[test]
fn a_kill_reaches_what_left_its_group_and_no_other_job() {
    let host = Host::new(0);
    let spec = with_a_stray("wait");
    let (first, second) = (host.stage(1, &spec), host.stage(11, &spec));
    let child = |place: &Place| {
        accepted(host.submit(&spec, place));
        let file = host.sandbox(place).join("child");
        until(|| file.exists());
        std::fs::read_to_string(file).expect("written").trim().to_owned()
    };
    let (one, other) = (child(&first), child(&second));
    // Its frame and its payload are gone, and only the stray is left of it.
    host.cancel(&first, Force::Kill);
    until(|| !is_alive(&one));
    assert!(is_alive(&other));
    assert_eq!(host.call(host.dialect.cancel(&first, None, Force::Term)), Cancelled::Gone);
}

#[test]
fn a_job_whose_sandbox_is_lost_does_not_wait_for_a_slot() {
    let host = Host::new(1);
    let spec = script(": >ready; sleep 300");
    let (first, second) = (host.stage(1, &spec), host.stage(2, &spec));
    accepted(host.submit(&spec, &first));
    until(|| host.sandbox(&first).join("ready").exists());
    accepted(host.submit(&spec, &second));
    std::fs::remove_dir_all(host.sandbox(&first)).expect("removed");
    std::fs::remove_dir_all(host.sandbox(&second)).expect("removed");
    assert_eq!(host.status(&first), Status::Unknown);
    assert_eq!(host.status(&second), Status::Unknown);
}

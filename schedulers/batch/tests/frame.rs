//! The frame that a scheduler starts, run by the real `sh` as Slurm would run it: at most once, also after a requeue.
#![expect(clippy::disallowed_methods, reason = "these tests run real commands and wait for real processes")]

use procession::transport::{Ended, Exit};
use procession::{JournalUid, ProcessId};
use procession_batch::dialect::{Dialect, Evidence, Slurm, evidence};
use procession_batch::{Array, End, JobName, JobSpec, Place, Signal};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A sandbox into which a job was staged, and for which it was submitted.
struct Sandbox {
    dir: tempfile::TempDir,
    place: Place,
}

impl Sandbox {
    fn new(spec: &JobSpec) -> Sandbox {
        let dir = tempfile::tempdir().expect("a folder");
        let name = JobName { journal: JournalUid(7), process: ProcessId::FIRST, attempt: 1 };
        let sandbox = Sandbox { dir, place: Place { root: String::new(), name } };
        std::fs::create_dir_all(sandbox.path(".attempt-1")).expect("made");
        for file in Slurm.files(spec, &sandbox.place) {
            std::fs::write(sandbox.path(&file.name), file.text).expect("written");
            Command::new("chmod").arg("755").arg(sandbox.path(&file.name)).status().expect("chmod");
        }
        sandbox
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(self.place.sandbox()).join(name)
    }

    fn start(&self, env: &[(&str, &str)]) -> Child {
        let mut frame = Command::new("sh");
        frame.arg(".job-1").current_dir(self.path("")).env("SLURM_JOB_ID", "7").stdin(Stdio::null());
        for name in ["SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT"] {
            frame.env_remove(name);
        }
        frame.envs(env.iter().copied()).spawn().expect("started")
    }

    /// Runs the frame to its end.
    fn run(&self, env: &[(&str, &str)]) -> Option<i32> {
        self.start(env).wait().expect("waited").code()
    }

    fn left(&self) -> Evidence {
        let call = evidence(std::slice::from_ref(&self.place));
        let output = Command::new(&call.argv[0]).args(&call.argv[1..]).current_dir(self.dir.path()).output();
        let output = output.expect("runs");
        let exit = Exit { how: Ended::Code(0), stdout: output.stdout, stderr: output.stderr, total: [0, 0] };
        (call.read)(&exit).expect("read").remove(0).1
    }

    fn end(&self) -> Option<End> {
        self.left().exit.map(|exit| exit.end())
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

fn script(text: &str) -> JobSpec {
    JobSpec { name: "test".into(), script: Some(text.into()), ..JobSpec::default() }
}

fn array(text: &str) -> JobSpec {
    let array = Array { range: "1-3".parse().expect("a range"), at_once: None };
    JobSpec { array: Some(array), ..script(text) }
}

fn task(index: &str) -> [(&str, &str); 3] {
    [("SLURM_JOB_ID", "9"), ("SLURM_ARRAY_JOB_ID", "7"), ("SLURM_ARRAY_TASK_ID", index)]
}

#[test]
fn a_job_that_is_started_twice_runs_once() {
    let sandbox = Sandbox::new(&script("echo run >>runs; exit 3"));
    assert_eq!((sandbox.run(&[]), sandbox.run(&[])), (Some(3), Some(97)));
    assert_eq!((sandbox.text("runs"), sandbox.end()), ("run\n".into(), Some(End::Exited { code: 3 })));
    assert_eq!(sandbox.left().id.map(|id| id.0), Some("7".into()));
}

#[test]
fn a_requeue_after_the_node_has_failed_is_evidence_of_that() {
    let sandbox = Sandbox::new(&script("echo run >>runs"));
    // What the first run has left: it began, and its node failed.
    std::fs::create_dir(sandbox.path(".attempt-1/started")).expect("made");
    assert_eq!((sandbox.run(&[]), sandbox.end()), (Some(97), None), "a duplicate");
    assert_eq!(sandbox.run(&[("SLURM_RESTART_COUNT", "1")]), Some(97));
    assert_eq!((sandbox.end(), sandbox.text("runs")), (Some(End::NodeFailure), String::new()));
}

#[test]
fn a_requeue_before_anything_was_started_runs() {
    let sandbox = Sandbox::new(&script("true"));
    assert_eq!(sandbox.run(&[("SLURM_RESTART_COUNT", "2")]), Some(0));
    assert_eq!(sandbox.end(), Some(End::Exited { code: 0 }));
}

#[test]
fn a_requeue_of_a_job_that_had_ended_leaves_its_evidence_alone() {
    let sandbox = Sandbox::new(&script("exit 4"));
    assert_eq!(sandbox.run(&[]), Some(4));
    assert_eq!(sandbox.run(&[("SLURM_RESTART_COUNT", "1")]), Some(97));
    assert_eq!(sandbox.end(), Some(End::Exited { code: 4 }));
}

#[test]
fn each_task_has_its_own_evidence_and_one_command_reads_all() {
    let sandbox = Sandbox::new(&array("echo $PROCESSION_TASK; exit $PROCESSION_TASK"));
    for index in ["1", "3"] {
        assert_eq!(sandbox.run(&task(index)), index.parse().ok());
        assert_eq!(sandbox.run(&task(index)), Some(97));
    }
    let left = sandbox.left();
    assert_eq!((left.id.map(|id| id.0), left.started, left.exit), (Some("7".into()), false, None));
    let ends: Vec<_> = left.tasks.iter().map(|(index, exit)| (*index, exit.end())).collect();
    assert_eq!(ends, [(1, End::Exited { code: 1 }), (3, End::Exited { code: 3 })]);
    assert_eq!(sandbox.text(".attempt-1/task-3/stdout"), "3\n");
}

#[test]
fn a_fence_keeps_every_task_out() {
    let sandbox = Sandbox::new(&array("echo run >>runs"));
    std::fs::create_dir(sandbox.path(".attempt-1/started")).expect("made");
    assert_eq!((sandbox.run(&task("1")), sandbox.run(&task("2"))), (Some(97), Some(97)));
    assert_eq!((sandbox.text("runs"), sandbox.left().tasks.len()), (String::new(), 0));
}

#[test]
fn a_frame_without_the_folder_of_its_attempt_starts_nothing() {
    let sandbox = Sandbox::new(&script("echo run >>runs"));
    std::fs::remove_dir(sandbox.path(".attempt-1")).expect("removed");
    assert_eq!((sandbox.run(&[]), sandbox.text("runs")), (Some(98), String::new()));
}

/// A sandbox with a script that wants to be warned, and its frame, which runs as soon as this returns. `ps` is what the
/// frame asks for processes instead of the real one.
fn warned(text: &str, ps: Option<&str>) -> (Sandbox, Child) {
    let mut spec = script(text);
    let time = |text: &str| text.parse().expect("a time");
    spec.resources.walltime = Some(time("1h"));
    spec.signal = Some(Signal { name: "USR1".into(), before: time("60s") });
    let sandbox = Sandbox::new(&spec);
    let mut path = std::env::var("PATH").expect("a path");
    if let Some(ps) = ps {
        let tools = sandbox.dir.path().join("tools");
        std::fs::create_dir(&tools).expect("made");
        std::fs::write(tools.join("ps"), ps).expect("written");
        Command::new("chmod").arg("755").arg(tools.join("ps")).status().expect("chmod");
        path = format!("{}:{path}", tools.display());
    }
    let frame = sandbox.start(&[("PATH", &path)]);
    while !sandbox.path("ready").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    (sandbox, frame)
}

/// Whether a child of this process has ended and waits to be asked how (proc(5), `/proc/PID/stat`).
fn has_zombie(parent: u32) -> bool {
    let stats = std::fs::read_dir("/proc").expect("proc").flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let ours = format!("Z {parent} ");
    stats.filter_map(|stat| Some(stat.rsplit_once(") ")?.1.starts_with(&ours))).any(|ours| ours)
}

fn signal(frame: &Child) {
    Command::new("kill").args(["-s", "USR1", &frame.id().to_string()]).status().expect("kill");
}

#[test]
fn a_signal_for_the_frame_reaches_the_program_itself() {
    let text = "trap 'echo soon >soon; exit 5' USR1; : >ready; while :; do sleep 0.1; done";
    let (sandbox, mut frame) = warned(text, None);
    signal(&frame);
    assert_eq!(frame.wait().expect("waited").code(), Some(5));
    assert_eq!((sandbox.text("soon"), sandbox.end()), ("soon\n".into(), Some(End::Exited { code: 5 })));
}

#[test]
fn a_program_that_ends_while_the_frame_hands_a_signal_on_keeps_its_code() {
    // The frame is busy with `ps` when the program ends, and is told of it there.
    let ps = "#!/bin/sh\n: >listing\nwhile [ -e listing ]; do sleep 0.01; done\n";
    let (sandbox, mut frame) =
        warned(": >ready; while [ ! -e listing ]; do sleep 0.01; done; exit 5", Some(ps));
    signal(&frame);
    while !sandbox.path("listing").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    while !has_zombie(frame.id()) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::fs::remove_file(sandbox.path("listing")).expect("removed");
    assert_eq!(frame.wait().expect("waited").code(), Some(5));
    assert_eq!(sandbox.end(), Some(End::Exited { code: 5 }));
}

#[test]
fn a_payload_of_our_own_lines_needs_no_file_and_sees_nothing_of_its_frame() {
    let argv =
        ["sh", "-c", "echo \"$A\"; pwd; set | grep -E '^(here|door|task|code|began)='; kill -s USR1 $$"];
    let spec = JobSpec {
        name: "test".into(),
        command: Some(argv.map(str::to_string).into()),
        env: [("A".to_string(), "it's\n$HOME `pwd`".to_string())].into(),
        cwd: Some("a b".into()),
        ..JobSpec::default()
    };
    let sandbox = Sandbox::new(&spec);
    assert!(!sandbox.path(".payload-1").exists());
    assert_eq!((sandbox.run(&[]), sandbox.end()), (Some(138), Some(End::Signalled { signal: 10 })));
    let cwd = sandbox.path("a b").canonicalize().expect("made");
    assert_eq!(sandbox.text(".attempt-1/stdout"), format!("it's\n$HOME `pwd`\n{}\n", cwd.display()));
}

#[test]
fn what_a_scheduler_may_look_for_or_a_user_has_written_is_no_part_of_the_frame() {
    let env = |value: &str| JobSpec { env: [("A".to_string(), value.to_string())].into(), ..script("true") };
    let specs = [
        JobSpec { prepend: "ulimit -c 0".into(), ..script("true") },
        JobSpec { append: "true".into(), ..script("true") },
        JobSpec { modules: vec!["gcc".into()], ..script("true") },
        env("a\n#$ -l h_vmem=1T"),
        env("a\n  #BSUB -M 1"),
        env(&"x".repeat(16 << 10)),
    ];
    for spec in specs {
        let sandbox = Sandbox::new(&spec);
        assert!(sandbox.path(".payload-1").exists(), "{spec:?}");
    }
    let sandbox = Sandbox::new(&env("a#b"));
    assert!(!sandbox.path(".payload-1").exists());
}

/// What may become of a file that was not on the disk yet when the power went.
fn torn(text: &str) -> [String; 4] {
    let half = text[..text.len() / 2].to_string();
    [String::new(), half, "\0".repeat(text.len()), format!("{}\n", text.trim_end().replacen('e', "x", 1))]
}

#[test]
fn a_payload_that_the_host_has_lost_is_not_started_and_is_no_success() {
    let sandbox = Sandbox::new(&JobSpec { append: "true".into(), ..script("echo run >>runs") });
    for name in [".payload-1", ".script-1"] {
        let text = sandbox.text(name);
        for torn in torn(&text) {
            std::fs::write(sandbox.path(name), &torn).expect("written");
            assert_eq!((sandbox.run(&[]), sandbox.text("runs")), (Some(98), String::new()), "{torn:?}");
            assert_eq!((sandbox.left().started, sandbox.end()), (false, None), "{torn:?}");
        }
        std::fs::write(sandbox.path(name), text).expect("written");
    }
    // Nothing keeps the whole one from being run.
    assert_eq!((sandbox.run(&[]), sandbox.text("runs")), (Some(0), "run\n".into()));
}

#[test]
fn a_payload_that_was_lost_between_two_tasks_is_not_started() {
    let sandbox = Sandbox::new(&array("echo run >>runs"));
    assert_eq!((sandbox.run(&task("1")), sandbox.text(".attempt-1/whole").lines().count()), (Some(0), 1));
    // What the first task wrote down is worth nothing once a file is empty; and without it, everything is looked at again.
    let text = sandbox.text(".script-1");
    std::fs::write(sandbox.path(".script-1"), "").expect("written");
    assert_eq!(sandbox.run(&task("2")), Some(98));
    for lost in ["", "\0\0\0\0", "0"] {
        std::fs::write(sandbox.path(".attempt-1/whole"), lost).expect("written");
        for torn in torn(&text) {
            std::fs::write(sandbox.path(".script-1"), torn).expect("written");
            assert_eq!(sandbox.run(&task("2")), Some(98));
        }
    }
    assert_eq!((sandbox.text("runs"), sandbox.left().tasks.len()), ("run\n".into(), 1));
    std::fs::write(sandbox.path(".script-1"), text).expect("written");
    assert_eq!((sandbox.run(&task("2")), sandbox.text("runs")), (Some(0), "run\nrun\n".into()));
}

#[test]
fn a_task_knows_the_time_from_another_that_ran_on_the_same_machine_alone() {
    let sandbox = Sandbox::new(&array("true"));
    let began = |index: u32| {
        assert_eq!(sandbox.run(&task(&index.to_string())), Some(0));
        sandbox.left().tasks[&index].started.0 / 1000
    };
    let first = began(1);
    let whole = sandbox.text(".attempt-1/whole");
    let (boot, _) = whole.split_once(' ').expect("two words");
    std::fs::write(sandbox.path(".attempt-1/whole"), format!("{boot} 1000000\n")).expect("written");
    assert!(began(2) < first - 1_000_000_000, "what is written down is what counts here");
    std::fs::write(sandbox.path(".attempt-1/whole"), "another 1000000\n").expect("written");
    // Two who ask for the time may be a second apart in what they make of it.
    assert!(began(3) + 1 >= first, "and not there");
}

#[test]
fn evidence_of_which_the_disk_has_lost_a_part_is_none() {
    let sandbox = Sandbox::new(&script("exit 3"));
    assert_eq!((sandbox.run(&[]), sandbox.end()), (Some(3), Some(End::Exited { code: 3 })));
    let text = sandbox.text(".attempt-1/exit");
    for torn in torn(&text).into_iter().take(3).chain([text.trim_end_matches("end\n").to_string()]) {
        std::fs::write(sandbox.path(".attempt-1/exit"), torn).expect("written");
        assert_eq!(sandbox.end(), None);
    }
}

#[test]
fn a_frame_that_was_cut_off_does_nothing() {
    let sandbox = Sandbox::new(&script("echo run >>runs"));
    let whole = sandbox.text(".job-1");
    for at in (0..whole.len() - 2).step_by(151).chain([whole.len() - 3]) {
        std::fs::write(sandbox.path(".job-1"), &whole[..at]).expect("written");
        sandbox.run(&[]);
        assert_eq!((sandbox.text("runs"), sandbox.left().started), (String::new(), false), "{at}");
        assert!(!sandbox.path(".attempt-1/id").exists(), "{at}");
    }
}

#[test]
fn a_host_without_cksum_starts_what_is_not_empty() {
    let sandbox = Sandbox::new(&script("echo run >>runs"));
    let tools = sandbox.dir.path().join("tools");
    std::fs::create_dir(&tools).expect("made");
    for tool in ["sh", "mkdir", "mv", "date", "find", "wc", "sed", "head", "tail", "sync"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().expect("sh");
        let found = String::from_utf8(found.stdout).expect("a path");
        std::os::unix::fs::symlink(found.trim_end(), tools.join(tool)).expect("linked");
    }
    let path = [("PATH", tools.to_str().expect("UTF-8"))];
    let text = sandbox.text(".script-1");
    std::fs::write(sandbox.path(".script-1"), "").expect("written");
    assert_eq!((sandbox.run(&path), sandbox.left().started), (Some(98), false));
    std::fs::write(sandbox.path(".script-1"), text).expect("written");
    assert_eq!((sandbox.run(&path), sandbox.text("runs")), (Some(0), "run\n".into()));
}

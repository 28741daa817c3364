//! What can be said about a job without running it.

use procession::transport::{Ended, Exit};
use procession::{JournalUid, ProcessId, State as _, WallTime};
use procession_batch::dialect::{
    AnswerError, Dialect, Direct, ExitCause, ExitFile, ListedFile, Status, direct_scripts, evidence,
};
use procession_batch::{
    Attempt, End, Errand, Job, JobName, JobSpec, Place, Plan, State, Wish, check, dry_run, why,
};
use serde_json::json;

fn plan(spec: serde_json::Value) -> Plan {
    let spec = JobSpec::from_value(spec).unwrap_or_else(|e| panic!("{e}"));
    Plan {
        spec,
        host: "host".into(),
        root: "/scratch".into(),
        base: "/home/me".into(),
        results: "/home/me/out".into(),
    }
}

fn place() -> Place {
    Place {
        root: "/scratch".into(),
        name: JobName { journal: JournalUid(0xbad), process: ProcessId::FIRST, attempt: 1 },
    }
}

fn said(stdout: &str) -> Exit {
    Exit { how: Ended::Code(0), stdout: stdout.into(), stderr: vec![], total: [0, 0] }
}

fn framed(lines: &str) -> Exit {
    said(&format!("Last login: yesterday\nPROCESSION-BEGIN 1\n{lines}PROCESSION-END 1\nbye\n"))
}

#[test]
fn a_dry_run_shows_the_scripts_and_the_commands_word_for_word() {
    let plan = plan(json!({
        "name": "it's\na job",
        "command": ["prog", "a b", "$x", "it's"],
        "env": { "A": "b c" },
        "modules": ["gcc/12"],
        "mpi": ["mpirun", "-n", "4"],
        "cwd": "run",
        "prepend": "ulimit -c 0",
        "append": "echo $procession_code",
        "inputs": [{ "from": "pi.py" }, { "from": "data", "to": "." }, { "from": "/etc/hosts", "to": "deep/hosts" }],
        "resources": { "walltime": "1h" },
    }));
    let dry = dry_run(&plan, &place(), &Direct::new(4)).expect("valid");
    assert_eq!(dry.sandbox, "/scratch/procession-00000bad-1-1");
    let payload = dry.staging.iter().find_map(|errand| match errand {
        Errand::Script { to, text, .. } if to.name() == Some(".payload-1") => Some(text.as_str()),
        Errand::Script { .. } | Errand::Folder(_) | Errand::Send { .. } => None,
    });
    let expected = "#!/bin/sh
# The payload of procession-00000bad-1-1: it's a job
trap : HUP INT QUIT USR1 USR2 TERM ALRM
procession_sandbox=$PWD
export PROCESSION_JOB=procession-00000bad-1-1 PROCESSION_ATTEMPT=1
export A='b c'
command -v module >/dev/null 2>&1 || . /etc/profile
module load gcc/12 || exit 96
mkdir -p run && cd run || exit 96
ulimit -c 0
(exec mpirun -n 4 prog 'a b' '$x' \"it's\")
procession_code=$?
echo $procession_code
exit \"$procession_code\"
";
    assert_eq!(payload, Some(expected));
    let submit = &dry.commands[0];
    assert_eq!((submit.purpose, submit.argv[2].as_str()), ("submit", direct_scripts::SUBMIT));
    let args = [
        "/scratch/procession-00000bad-1-1",
        "1",
        "procession-00000bad-1-1",
        "4",
        "procession-slots",
        "3600",
        "TERM",
        "0",
    ];
    assert_eq!(submit.argv[4..], args);
    let sent: Vec<String> =
        dry.staging[1..5].iter().map(|e| serde_json::to_string(e).expect("JSON")).collect();
    let sandbox = &dry.sandbox;
    assert_eq!(sent[0], format!("{{\"send\":{{\"from\":\"/home/me/pi.py\",\"to\":\"{sandbox}/pi.py\"}}}}"));
    assert_eq!(sent[1], format!("{{\"send\":{{\"from\":\"/home/me/data\",\"to\":\"{sandbox}\"}}}}"));
    assert_eq!(sent[2], format!("{{\"folder\":\"{sandbox}/deep\"}}"));
    assert_eq!(sent[3], format!("{{\"send\":{{\"from\":\"/etc/hosts\",\"to\":\"{sandbox}/deep/hosts\"}}}}"));
}

#[test]
fn what_a_host_without_a_scheduler_cannot_do_is_said_before_anything_is_sent() {
    let spec =
        json!({ "name": "a", "command": ["x"], "queue": "long", "resources": { "nodes": 2, "gpus": 1 } });
    let errors = check(&plan(spec), &Direct::new(0)).expect_err("three things").0;
    let fields: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
    assert_eq!(fields, ["resources.nodes", "resources.gpus", "queue"]);
}

#[test]
fn an_answer_is_found_among_noise_and_never_guessed() {
    let name = place().name;
    let call = Direct::new(0).status(&[place()]);
    let read = |exit: &Exit| (call.read)(exit);
    assert_eq!(read(&framed(&format!("{name} running\n"))), Ok(vec![(name, Status::Running)]));
    assert_eq!(read(&framed("")), Ok(vec![]));
    for line in
        [format!("{name} sleeping"), format!("{name}"), "other running".into(), format!("{name}x running")]
    {
        assert_eq!(read(&framed(&format!("{line}\n"))), Err(AnswerError::Garbled { line }));
    }
    assert!(matches!(read(&said("PROCESSION-BEGIN 1\nx")), Err(AnswerError::Cut { .. })));
    let failed = Exit { how: Ended::Code(127), stderr: b"sh: not found\n".to_vec(), ..said("") };
    let expected = AnswerError::Failed { how: Ended::Code(127), said: "sh: not found".into() };
    assert_eq!(read(&failed), Err(expected));
}

#[test]
fn an_exit_file_is_whole_and_of_this_attempt_or_no_evidence() {
    let name = place().name;
    let files = vec![ListedFile { path: "a b".into(), size: 7 }, ListedFile { path: "end".into(), size: 0 }];
    let exit =
        ExitFile { code: 0, cause: ExitCause::Exited, started: WallTime(5000), ended: WallTime(9000), files };
    let text = exit.print(name);
    let lines: Vec<String> = text.lines().map(str::to_string).collect();
    assert_eq!(ExitFile::parse(name, &lines), Ok(exit.clone()));
    for kept in 0..lines.len() {
        assert!(ExitFile::parse(name, &lines[..kept]).is_err(), "{kept} lines are not enough");
    }
    assert!(ExitFile::parse(JobName { attempt: 2, ..name }, &lines).is_err(), "a file of another attempt");
    let answer: String = lines.iter().map(|line| format!("| {line}\n")).collect();
    let read = |text: &str| (evidence(&[place()]).read)(&framed(text));
    let found = read(&format!("job {name}\nid 7:8\nstarted\n{answer}")).expect("well formed");
    assert_eq!((found.len(), found[0].1.exit.as_ref()), (1, Some(&exit)));
    for noise in
        ["started\n", "job other\n", &format!("job {name}\nwhat\n"), &format!("job {name}\n| junk\n")]
    {
        assert!(read(noise).is_err(), "{noise:?}");
    }
}

#[test]
fn a_shell_says_signals_by_numbers_above_128() {
    let exit =
        |code, cause| ExitFile { code, cause, started: WallTime(0), ended: WallTime(0), files: vec![] }.end();
    assert_eq!(exit(137, ExitCause::Exited), End::Signalled { signal: 9 });
    assert_eq!(exit(255, ExitCause::Exited), End::Exited { code: 255 });
    assert_eq!(exit(143, ExitCause::Walltime), End::Walltime);
}

#[test]
fn why_says_what_it_waits_for_which_limit_holds_it_and_what_comes_next() {
    let at = State::Queued {
        attempt: Attempt::FIRST,
        job: procession_batch::dialect::JobId("7:8".into()),
        reason: "waits for a slot".into(),
    };
    let job = Job { plan: plan(json!({ "name": "a", "command": ["x"] })), at, warnings: vec![] };
    let queued = why(&job, WallTime(1000), &Direct::new(4));
    assert_eq!(queued.waits_for, "job 7:8 to start: waits for a slot");
    assert_eq!(queued.limit.as_deref(), Some("4 jobs at once on this host"));
    let at = State::Reconciling { attempt: Attempt::FIRST, wish: Wish::Run, misses: 1 };
    let lost = why(&Job { at, ..job.clone() }, WallTime(1000), &Direct::new(4));
    assert_eq!((lost.limit, lost.at), (None, Some(WallTime(6000))));
    assert_eq!(job.name(), "Queued");
}

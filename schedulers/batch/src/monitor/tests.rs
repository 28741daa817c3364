use super::{Action, Alarm, Judgement, Look, Monitor, Row, Sight, judge, look};
use crate::{JobName, JobSpec, Place};
use procession::transport::{Ended, Exit};
use procession::{JournalUid, ProcessId};
use serde_json::json;

fn spec() -> JobSpec {
    JobSpec::from_value(json!({
        "name": "a",
        "command": ["x"],
        "monitors": [
            { "file": "stdout", "pattern": "slow|late", "action": "warn" },
            { "file": "run.log", "pattern": "NaN", "action": "kill", "message": "the energy diverged" },
        ],
    }))
    .expect("valid")
}

fn place() -> Place {
    Place {
        root: "/s".into(),
        name: JobName { journal: JournalUid(7), process: ProcessId::FIRST, attempt: 2 },
    }
}

fn seen(monitor: usize, sight: Sight) -> Look {
    Look { name: place().name, monitor, seen: 9, sight }
}

fn matched(line: &str) -> Sight {
    Sight::Match(line.into())
}

#[test]
fn a_kill_wins_over_a_warning_and_a_warning_is_told_once_an_attempt() {
    let spec = spec();
    let warns = [seen(0, matched("so slow"))];
    let Judgement::Warn(told) = judge(&spec, 2, &[], &warns) else { panic!("it only warns") };
    assert_eq!(told[0].to_string(), "stdout has \"slow|late\": \"so slow\"");
    assert_eq!(judge(&spec, 2, &told, &warns), Judgement::Warn(vec![]));
    assert_eq!(
        judge(&spec, 3, &told, &warns),
        Judgement::Warn(vec![Alarm { attempt: 3, ..told[0].clone() }])
    );
    let both = [seen(0, matched("late")), seen(1, matched("E = NaN"))];
    let stop =
        Alarm { attempt: 2, monitor: 1, message: "the energy diverged".into(), line: "E = NaN".into() };
    assert_eq!(judge(&spec, 2, &told, &both), Judgement::Stop(stop));
}

#[test]
fn a_pattern_that_the_host_does_not_understand_ends_nothing() {
    let Judgement::Warn(told) = judge(&spec(), 1, &[], &[seen(1, Sight::Misread("Unmatched (".into()))])
    else {
        panic!("nobody is ended for a typing error")
    };
    assert!(told[0].to_string().contains("monitors[1] does not work"), "{}", told[0]);
    assert_eq!(
        judge(&spec(), 1, &[], &[seen(7, matched("x")), seen(0, Sight::Nothing)]),
        Judgement::Warn(vec![])
    );
}

#[test]
fn what_is_wrong_with_a_monitor_is_said_with_its_field() {
    let monitor = |file: &str, pattern: &str| json!({ "file": file, "pattern": pattern, "action": "warn" });
    let errors = JobSpec::from_value(json!({
        "name": "a",
        "command": ["x"],
        "array": { "range": "3" },
        "monitors": [
            monitor("../a", "b"), monitor("stdout", "b"), monitor("a", ""), monitor("a", "b\nc"),
            monitor("a", &"x".repeat(Monitor::LONGEST + 1)), monitor("ok", "b"),
        ],
    }))
    .expect_err("much is wrong");
    let fields: Vec<_> = errors.0.iter().map(|e| e.field.as_str()).collect();
    let expected = [
        "monitors[0].file",
        "monitors[1].file",
        "monitors[2].pattern",
        "monitors[3].pattern",
        "monitors[4].pattern",
    ];
    assert_eq!(fields, expected);
    let many = vec![monitor("a", "b"); Monitor::MOST + 1];
    let errors = JobSpec::from_value(json!({ "name": "a", "command": ["x"], "monitors": many }))
        .expect_err("too many");
    assert_eq!(errors.0[0].field, "monitors");
}

/// The script, on real files.
#[test]
#[expect(clippy::disallowed_methods, reason = "the script is what is tested")]
fn one_command_looks_at_many_files_and_only_at_what_is_new() {
    let dir = tempfile::tempdir().expect("a folder");
    let place = Place { root: dir.path().display().to_string(), ..place() };
    let sandbox = dir.path().join(place.name.to_string());
    std::fs::create_dir_all(sandbox.join(".attempt-2")).expect("made");
    let write = |file: &str, text: &str| std::fs::write(sandbox.join(file), text).expect("written");
    let long = format!("{} the end\n", "x".repeat(10_000));
    write("odd 'name.log", &format!("fine\n{long}E = NaN $(touch oops)\nE = NaN again\n"));
    write(".attempt-2/stdout", "slow\n");
    write("binary", "\0\x01\u{fffd}NaN\n");
    let row = |number, file: &str, pattern: &str, seen| {
        let monitor = Monitor {
            file: file.into(),
            pattern: pattern.into(),
            action: Action::Warn,
            message: String::new(),
        };
        Row { place: place.clone(), number, monitor, seen }
    };
    let rows = [
        row(0, "odd 'name.log", "NaN.*oops|never", 0),
        row(1, "stdout", "^slow$", 0),
        row(2, "not there", "x", 77),
        row(3, "odd 'name.log", "fine", 10_000),
        row(4, "odd 'name.log", "(", 0),
        row(5, "binary", "NaN", 0),
        row(6, "odd 'name.log", "the end", 0),
        row(7, "stdout", "slow", 1_000_000),
        row(8, "stdout", "-e", 0),
    ];
    let call = look(&rows);
    let output = std::process::Command::new(&call.argv[0]).args(&call.argv[1..]).output().expect("sh");
    let exit = Exit { how: Ended::Code(0), stdout: output.stdout, stderr: output.stderr, total: [0, 0] };
    let looks = (call.read)(&exit).expect("an answer");
    let sights: Vec<_> = looks.iter().map(|look| look.sight.clone()).collect();
    assert_eq!(sights[0], matched("E = NaN $(touch oops)"));
    assert_eq!(sights[1], matched("slow"));
    assert_eq!((sights[2].clone(), looks[2].seen), (Sight::Nothing, 0));
    assert_eq!(sights[3], Sight::Nothing, "what is old is not looked at again");
    assert!(
        matches!(&sights[4], Sight::Misread(why) if why.to_lowercase().contains("unmatched")),
        "{:?}",
        sights[4]
    );
    assert!(matches!(&sights[5], Sight::Match(_)));
    assert!(matches!(&sights[6], Sight::Match(line) if line.len() == 200));
    assert_eq!(sights[7], matched("slow"), "a file that was begun anew is read from its start");
    assert_eq!(sights[8], Sight::Nothing);
    assert_eq!(looks[0].seen, std::fs::metadata(sandbox.join("odd 'name.log")).expect("there").len());
    assert!(!sandbox.join("oops").exists());
}

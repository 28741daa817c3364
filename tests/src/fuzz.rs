//! What a fuzzer may not break: one function for each parser of what people, hosts and damaged files give us.
//!
//! Each is called by a target of `tests/fuzz` (with cargo-fuzz) and by the replay of its corpus (with every test run). A
//! parser may refuse, with a reason; it may not panic; and what it accepts, it writes and reads again as the same.

use base64ct::{Base64, Encoding};
use procession::WallTime;
use procession::journal::{Column, LedgerRow, ProcessRow};
use procession::transport::{Ended, Exit, Manifest};
use procession_batch::JobSpec;
use procession_batch::dialect::{
    AnswerError, BEGIN, Dialect, END, GridEngine, Lsf, Pbs, PbsFlavour, Slurm, Submitted,
    evidence as read_evidence,
};
use procession_batch::monitor::{Judgement, judge};
use procession_cli::JobFile;
use procession_ssh::config::{self, Here};
use procession_ssh::hostkey::{HostName, KnownHosts, Verdict};
use procession_ssh::jump::{Hop, Route};
use std::path::Path;

/// A parser under test.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder in the corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("job_file", job_file),
    ("manifest", manifest),
    ("journal_row", journal_row),
    ("known_hosts", known_hosts),
    ("ssh_config", ssh_config),
    ("gridengine", gridengine),
    ("pbs", pbs),
    ("lsf", lsf),
    ("monitor", monitor),
    ("slurm", slurm),
    ("evidence", evidence),
    ("sftp", sftp),
    ("transfer", transfer),
];

/// What an SFTP server says.
pub fn sftp(bytes: &[u8]) {
    procession_ssh::fuzzed::sftp(bytes);
}

/// What the program of a transfer says on a host, and the tar there.
pub fn transfer(bytes: &[u8]) {
    procession_ssh::fuzzed::transfer(bytes);
}

/// A job file, once as TOML and once as JSON.
pub fn job_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for name in ["job.toml", "job.json"] {
        match JobFile::parse(text, Path::new(name)) {
            Ok(job) => {
                let json = serde_json::to_string(&job.spec).expect("a spec is made of plain data");
                let again = JobFile::parse(&json, Path::new("job.json"))
                    .expect("what was accepted is accepted again");
                assert_eq!(again.spec, job.spec);
            }
            Err(wrong) => assert!(wrong.to_string().contains(name), "the reason names the file: {wrong}"),
        }
    }
}

/// A manifest, as a host may give it back.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Manifest>() {
        Ok(manifest) => assert_eq!(manifest.to_string().parse(), Ok(manifest)),
        Err(wrong) => assert!(!wrong.to_string().is_empty()),
    }
}

/// The columns of a row of the journal, of any types. In the bytes, each column is a letter for its type, and up to the
/// next line feed its contents; columns that are missing are null.
pub fn journal_row(bytes: &[u8]) {
    let mut lines = bytes.split(|b| *b == b'\n').map(column);
    let columns: [Column<'_>; 12] = std::array::from_fn(|_| lines.next().unwrap_or(Column::Null));
    match ProcessRow::from_columns(&columns) {
        Ok(row) => {
            assert_eq!(columns[0], Column::Integer(row.id.number() as i64));
            assert_eq!(columns[3], Column::Text(row.stage.word().as_bytes()));
            assert_eq!(columns[4], Column::Text(row.state.as_bytes()));
        }
        Err(broken) => assert!(ProcessRow::COLUMNS.iter().any(|c| broken.why.contains(c)), "{broken}"),
    }
    let [a, b, c, d, e, f, g, h, ..] = columns;
    if let Err(broken) = LedgerRow::from_columns(&[a, b, c, d, e, f, g, h]) {
        assert!(LedgerRow::COLUMNS.iter().any(|c| broken.why.contains(c)), "{broken}");
    }
}

/// A file of known hosts. Its last line, if it is base64, is also a key that a host shows: plain or with a certificate.
pub fn known_hosts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut known = KnownHosts::default();
    known.add("known_hosts", &text);
    assert!(known.len() + known.skipped().len() <= text.lines().count());
    let shown = text.lines().last().unwrap_or_default();
    let shown = Base64::decode_vec(shown.trim()).unwrap_or_else(|_| bytes.to_vec());
    for host in [HostName::new("login.example.org", 22), HostName::new("::1", 2222)] {
        assert!(!known.algorithms(&host, &[]).is_empty(), "there is always something to negotiate");
        let verdict = known.check(&host, &shown, WallTime(1_767_225_600_000));
        match verdict.refusal("cluster", &host) {
            None => assert_eq!(verdict, Verdict::Known),
            Some(why) => assert!(why.to_string().contains("cluster"), "the reason names the host: {why}"),
        }
    }
}

/// What `ssh -G` prints.
pub fn ssh_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let here = Here { home: "/home/ann".into(), user: "ann".into(), uid: 1000, agent: None };
    let Ok(target) = config::Target::parse("cluster", text, &here) else { return };
    assert!(!target.known_name().name().is_empty());
    if let Route::Jump(hops) = &target.route {
        let again = hops.iter().map(Hop::to_string).collect::<Vec<_>>().join(",");
        assert_eq!(Hop::list(&again), Ok(hops.clone()), "hops are read as they are written");
    }
}

/// What Grid Engine answers: `qstat -xml`, and after a line `past` what `qacct -j` does.
pub fn gridengine(bytes: &[u8]) {
    queue(&GridEngine::default(), bytes);
}

/// What PBS answers: `qstat -f` of either flavour, and after a line `past` the history.
pub fn pbs(bytes: &[u8]) {
    queue(&Pbs { flavour: PbsFlavour::Pro }, bytes);
    queue(&Pbs { flavour: PbsFlavour::Torque }, bytes);
}

/// What LSF answers: `bjobs -o`, and after a line `past` what `bhist -l` does.
pub fn lsf(bytes: &[u8]) {
    queue(&Lsf::default(), bytes);
}

/// What a look at the files of running jobs answers.
pub fn monitor(bytes: &[u8]) {
    let place = procession_batch::Place::of_sandbox("procession-0badcafe-1-1").expect("one of ours");
    let stdout = [BEGIN.as_bytes(), b"\n", bytes, b"\n", END.as_bytes(), b"\n"].concat();
    let exit = Exit { how: Ended::Code(0), stdout, stderr: Vec::new(), total: [0, 0] };
    let Ok(looks) = procession_batch::monitor::looks(&exit) else { return };
    let spec = serde_json::json!({
        "name": "a", "command": ["x"],
        "monitors": [{ "file": "a", "pattern": "b", "action": "warn" }, { "file": "a", "pattern": "c", "action": "kill" }],
    });
    let spec = JobSpec::from_value(spec).expect("valid");
    match judge(&spec, place.name.attempt, &[], &looks) {
        Judgement::Stop(alarm) => assert_eq!(alarm.monitor, 1, "only the second one kills"),
        Judgement::Warn(alarms) => {
            assert_eq!(
                judge(&spec, place.name.attempt, &alarms, &looks),
                Judgement::Warn(vec![]),
                "told once"
            );
        }
    }
}

/// The answers of a scheduler with a queue: to the question how its jobs are, and to a submission that it declined.
fn queue(dialect: &dyn Dialect, bytes: &[u8]) {
    let framed = |head: &str| {
        let stdout = [BEGIN.as_bytes(), b"\n", head.as_bytes(), bytes, b"\n", END.as_bytes(), b"\n"].concat();
        let total = [stdout.len() as u64, 0];
        Exit { how: Ended::Code(0), stdout, stderr: Vec::new(), total }
    };
    for call in [dialect.status(&[]), dialect.look_up(&[])] {
        match (call.read)(&framed("")) {
            // One word about each job: an array has many rows.
            Ok(found) => assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "{found:?}"),
            Err(AnswerError::Garbled { .. } | AnswerError::Cut { .. }) => {}
            Err(wrong @ AnswerError::Failed { .. }) => panic!("the command did not fail: {wrong}"),
        }
    }
    let place = procession_batch::Place::of_sandbox("procession-0badcafe-1-1").expect("one of ours");
    let submit = dialect.submit(&JobSpec::default(), &place);
    let declined = (submit.read)(&framed("declined\n"));
    // Bytes that end the frame may leave it empty, but whatever a scheduler says is a refusal or a doubt.
    assert!(!matches!(declined, Ok(procession_batch::dialect::Submitted::Accepted(_))), "{declined:?}");
}

/// What Slurm answers: the lines of squeue, and with `now|` and `then|` before them those of the question what it remembers;
/// and what sbatch says when it fails.
pub fn slurm(bytes: &[u8]) {
    // Bytes that look like the end of the frame are the frame's business.
    let text = String::from_utf8_lossy(bytes).replace(END, "");
    let listing = |lines: &str| (Slurm.status(&[]).read)(&framed(lines));
    let remembered = |lines: &str| (Slurm.look_up(&[]).read)(&framed(lines));
    for read in [listing(&text), remembered(&text)] {
        match read {
            Ok(found) => assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "{found:?}"),
            Err(AnswerError::Garbled { .. } | AnswerError::Cut { .. }) => {}
            Err(wrong @ AnswerError::Failed { .. }) => panic!("the command did not fail: {wrong}"),
        }
    }
    // What squeue says is the same, whichever question it answers.
    let now: String = text.lines().map(|line| format!("now|{line}\n")).collect();
    if let Ok(found) = listing(&text) {
        assert_eq!(remembered(&now).ok(), Some(found));
    }
    let place = procession_batch::Place::of_sandbox("procession-0badcafe-1-1").expect("one of ours");
    let said: String = text.lines().map(|line| format!("| {line}\n")).collect();
    let declined = (Slurm.submit(&JobSpec::default(), &place).read)(&framed(
        format!("failed 1\n{said}").trim_end_matches('\n'),
    ));
    assert!(matches!(declined, Ok(Submitted::Unsure | Submitted::Refused(_))), "{declined:?}");
}

/// What attempts have left behind, of jobs and of arrays. Whatever is accepted was written by a frame.
pub fn evidence(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(found) = (read_evidence(&[]).read)(&framed(&text)) else { return };
    for (name, left) in found {
        if let Some(exit) = left.exit {
            let lines: Vec<String> = exit.print(name).lines().map(str::to_string).collect();
            assert_eq!(procession_batch::dialect::ExitFile::parse(name, &lines), Ok(exit));
        }
        assert!(left.tasks.values().all(|exit| exit.files.is_empty()));
    }
}

/// An answer in its frame. Bytes that look like the frame end it early.
fn framed(lines: &str) -> Exit {
    let stdout = format!("{BEGIN}\n{lines}\n{END}\n").into_bytes();
    let total = [stdout.len() as u64, 0];
    Exit { how: Ended::Code(0), stdout, stderr: Vec::new(), total }
}

fn column(line: &[u8]) -> Column<'_> {
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok().map(str::to_owned);
    match line.split_first() {
        Some((b'i', digits)) => {
            number(digits).and_then(|n| n.parse().ok()).map_or(Column::Null, Column::Integer)
        }
        Some((b'r', digits)) => {
            number(digits).and_then(|n| n.parse().ok()).map_or(Column::Null, Column::Real)
        }
        Some((b't', text)) => Column::Text(text),
        Some((b'b', bytes)) => Column::Blob(bytes),
        Some(_) | None => Column::Null,
    }
}

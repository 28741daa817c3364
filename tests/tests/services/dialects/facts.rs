//! The list.

use super::Site;
use procession_batch::dialect::{Cancelled, Force, Found, Refusal, Status, Submitted};
use procession_batch::{End, JobSpec};
use serde_json::{Value, json};

/// A fact and its check.
type Fact = (&'static str, fn(&mut Site));

/// A list of facts from a list of functions.
macro_rules! facts {
    ($($name:ident),* $(,)?) => { pub const FACTS: &[Fact] = &[$((stringify!($name), $name)),*]; };
}

facts![
    a_job_runs_and_leaves_evidence,
    a_command_reaches_the_program_word_for_word,
    exit_codes_and_signals_are_told,
    submitting_again_starts_nothing_and_tells_the_id,
    of_many_submissions_at_once_one_starts,
    what_was_never_submitted_is_unknown,
    a_fence_that_comes_first_keeps_a_late_submission_out,
    a_job_whose_id_was_not_written_is_found_by_its_name,
    a_job_that_runs_is_said_to_run,
    a_cancelled_job_is_gone_and_cannot_come_back,
    a_job_that_will_not_end_is_ended,
    a_job_that_waits_can_be_cancelled_and_never_runs,
    a_job_cancelled_before_it_came_never_starts,
    each_task_of_an_array_has_its_end,
    a_queue_that_is_not_there_is_named,
];

fn spec(value: Value) -> JobSpec {
    JobSpec::from_value(value).unwrap_or_else(|e| panic!("{e}"))
}

fn script(text: &str) -> JobSpec {
    spec(json!({ "name": "test", "script": text }))
}

fn has_ended(status: &Status) -> bool {
    match status {
        Status::Exited(_) | Status::Unknown => true,
        Status::Pending(_) | Status::Running => false,
    }
}

fn a_job_runs_and_leaves_evidence(site: &mut Site) {
    let mut job = script("echo \"$GREETING\" | tee 'a b.txt'; echo oops >&2; exit 3");
    job.env.insert("GREETING".into(), "it's $HOME".into());
    job.append = "echo after >after.txt".into();
    let (place, id) = site.begin(&job);
    assert_eq!(site.end(&place), End::Exited { code: 3 });
    let left = site.evidence(&place);
    assert_eq!((left.id, left.started), (Some(id), true));
    let files = left.exit.expect("ended").files;
    let mut files: Vec<_> = files.iter().map(|f| (f.path.as_str(), f.size)).collect();
    files.sort_unstable();
    assert_eq!(files, [("a b.txt", 11), ("after.txt", 6)]);
    assert_eq!(site.read(&place, ".attempt-1/stdout"), "it's $HOME\n");
    assert_eq!(site.read(&place, ".attempt-1/stderr"), "oops\n");
    site.until("its end", |site| has_ended(&site.status(&place)));
}

fn a_command_reaches_the_program_word_for_word(site: &mut Site) {
    let words = ["a b", "$HOME", "'", "\"", "*", "", "-n", "\\", "new\nline", "é 日本"];
    let command: Vec<&str> = ["printf", "%s\\n"].into_iter().chain(words).collect();
    let (place, _) = site.begin(&spec(json!({ "name": "words", "command": command })));
    assert_eq!(site.end(&place), End::Exited { code: 0 });
    let said: String = words.iter().map(|word| format!("{word}\n")).collect();
    assert_eq!(site.read(&place, ".attempt-1/stdout"), said);
}

fn exit_codes_and_signals_are_told(site: &mut Site) {
    let cases = [
        ("true", End::Exited { code: 0 }),
        ("exit 77", End::Exited { code: 77 }),
        ("kill -SEGV $$", End::Signalled { signal: 11 }),
        ("kill -KILL $$", End::Signalled { signal: 9 }),
    ];
    let places = cases.map(|(text, end)| (site.begin(&script(text)).0, end));
    for (place, end) in places {
        assert_eq!(site.end(&place), end);
    }
}

fn submitting_again_starts_nothing_and_tells_the_id(site: &mut Site) {
    let job = script("echo run >>runs; sleep 300");
    let (place, id) = site.begin(&job);
    assert_eq!(site.submit(&job, &place), Submitted::Accepted(id.clone()));
    site.until("its start", |site| site.read(&place, "runs") == "run\n");
    assert_eq!(site.submit(&job, &place), Submitted::Accepted(id.clone()));
    assert_eq!(site.call(site.dialect.ask(&place)), Found::Known(id.clone()));
    assert_eq!(site.call(site.dialect.fence(&place)), Found::Known(id));
    site.until("its end", |site| site.cancel(&place, Force::Kill) != Cancelled::Still);
    assert_eq!(site.read(&place, "runs"), "run\n");
}

fn of_many_submissions_at_once_one_starts(site: &mut Site) {
    let job = script("echo run >>runs");
    let place = site.stage(&job);
    let call = site.dialect.submit(&job, &place);
    let call =
        procession_batch::dialect::Call { argv: twelve_times(&call.argv), read: |exit| Ok(exit.clone()) };
    let said = String::from_utf8(site.call(call).stdout).expect("UTF-8");
    assert_eq!(said.matches("submitted ").count(), 1, "{said}");
    assert_eq!(site.end(&place), End::Exited { code: 0 });
    assert_eq!(site.read(&place, "runs"), "run\n");
}

/// The same command line twelve times at once, with the outputs in any order.
fn twelve_times(argv: &[String]) -> Vec<String> {
    let text = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do \"$@\" & done; wait";
    ["sh", "-c", text, "sh"].into_iter().map(str::to_owned).chain(argv.iter().cloned()).collect()
}

fn what_was_never_submitted_is_unknown(site: &mut Site) {
    let place = site.stage(&script("true"));
    assert_eq!(site.status(&place), Status::Unknown);
    assert_eq!(site.look_up(&place), Status::Unknown);
    let left = site.evidence(&place);
    assert_eq!((left.id, left.started, left.exit), (None, false, None));
}

fn a_fence_that_comes_first_keeps_a_late_submission_out(site: &mut Site) {
    let job = script("echo run >>runs");
    let place = site.stage(&job);
    assert_eq!(site.call(site.dialect.ask(&place)), Found::Fenced);
    assert_eq!(site.submit(&job, &place), Submitted::Unsure);
    assert_eq!(site.call(site.dialect.fence(&place)), Found::Fenced);
    assert_eq!(site.call(site.dialect.fence(&place)), Found::Fenced, "a fence may be set twice");
    assert_eq!(site.status(&place), Status::Unknown);
    assert_eq!(site.read(&place, "runs"), "");
}

fn a_job_whose_id_was_not_written_is_found_by_its_name(site: &mut Site) {
    let (place, _) = site.begin(&script("sleep 300"));
    site.until("its start", |site| site.status(&place) == Status::Running);
    std::fs::remove_file(site.sandbox(&place).join(".attempt-1/id")).expect("it was there");
    assert!(matches!(site.call(site.dialect.ask(&place)), Found::Known(_)));
    site.until("its end", |site| site.cancel(&place, Force::Kill) != Cancelled::Still);
}

fn a_job_that_runs_is_said_to_run(site: &mut Site) {
    let (place, _) = site.begin(&script("until [ -e go ]; do sleep 0.1; done"));
    site.until("its start", |site| site.status(&place) == Status::Running);
    std::fs::write(site.sandbox(&place).join("go"), "").expect("written");
    assert_eq!(site.end(&place), End::Exited { code: 0 });
}

fn a_cancelled_job_is_gone_and_cannot_come_back(site: &mut Site) {
    let job = script("trap 'echo tidy >tidy; exit 4' TERM; echo >ready; while :; do sleep 0.05; done");
    let (place, _) = site.begin(&job);
    site.until("its start", |site| site.sandbox(&place).join("ready").exists());
    site.until("its end", |site| site.cancel(&place, Force::Term) != Cancelled::Still);
    assert!(has_ended(&site.status(&place)));
    assert!(!matches!(site.submit(&job, &place), Submitted::Refused(_)));
    assert!(has_ended(&site.status(&place)));
}

fn a_job_that_will_not_end_is_ended(site: &mut Site) {
    let (place, _) = site.begin(&script("trap '' TERM INT; echo >ready; while :; do sleep 0.05; done"));
    site.until("its start", |site| site.sandbox(&place).join("ready").exists());
    site.until("its end", |site| site.cancel(&place, Force::Kill) != Cancelled::Still);
}

fn a_job_that_waits_can_be_cancelled_and_never_runs(site: &mut Site) {
    // A plain host has no rule by which a job could wait for a node of its own.
    let mut job = script("echo run >>runs");
    job.exclusive = true;
    if !site.can(&job) || site.dialect.word() == "gridengine" {
        return;
    }
    let (first, _) = site.begin(&script("sleep 300"));
    site.until("its start", |site| site.status(&first) == Status::Running);
    let (place, _) = site.begin(&job);
    assert!(matches!(site.status(&place), Status::Pending(_)));
    site.until("its end", |site| site.cancel(&place, Force::Term) != Cancelled::Still);
    site.until("the end of the first", |site| site.cancel(&first, Force::Kill) != Cancelled::Still);
    assert!(has_ended(&site.status(&place)));
    assert_eq!(site.read(&place, "runs"), "");
}

fn a_job_cancelled_before_it_came_never_starts(site: &mut Site) {
    let job = script("echo run >>runs");
    let place = site.stage(&job);
    assert_ne!(site.cancel(&place, Force::Term), Cancelled::Still);
    assert_eq!(site.submit(&job, &place), Submitted::Unsure);
    assert_eq!(site.status(&place), Status::Unknown);
    assert_eq!(site.read(&place, "runs"), "");
}

fn each_task_of_an_array_has_its_end(site: &mut Site) {
    let job = spec(json!({
        "name": "array",
        "script": "echo task $PROCESSION_TASK; exit $PROCESSION_TASK",
        "array": { "range": "0-6:2" },
    }));
    if !site.can(&job) {
        return;
    }
    let (place, _) = site.begin(&job);
    site.until("four ends", |site| site.evidence(&place).tasks.len() == 4);
    let ends: Vec<_> = site.evidence(&place).tasks.into_iter().map(|(at, exit)| (at, exit.end())).collect();
    let wanted: Vec<_> = [0, 2, 4, 6].map(|at| (at, End::Exited { code: at as i32 })).into();
    assert_eq!(ends, wanted);
    assert_eq!(site.read(&place, ".attempt-1/task-4/stdout"), "task 4\n");
    site.until("the end of the whole", |site| has_ended(&site.status(&place)));
}

fn a_queue_that_is_not_there_is_named(site: &mut Site) {
    let mut job = script("echo run >>runs");
    job.queue = Some("nowhere".into());
    if !site.can(&job) {
        return;
    }
    let place = site.stage(&job);
    match site.submit(&job, &place) {
        Submitted::Refused(Refusal::Queue(_)) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(site.status(&place), Status::Unknown);
    assert_eq!(site.read(&place, "runs"), "");
}

//! What a job asks for, in the options of sbatch.

use crate::dialect::{Frame, attempt_folder};
use crate::{JobSpec, Place, Span, SpecError};

/// The longest time before the walltime at which Slurm can send a signal, in seconds (sbatch(1), `--signal`).
const LONGEST_NOTICE: u64 = 65_535;

/// Options that would make it another job, or sbatch another command. They are ours, or have a field of their own.
const OURS: [&str; 15] = [
    "array",
    "chdir",
    "error",
    "help",
    "job-name",
    "output",
    "parsable",
    "quiet",
    "requeue",
    "signal",
    "test-only",
    "usage",
    "version",
    "wait",
    "wrap",
];
/// The same, as single letters.
const OUR_LETTERS: &str = "DehJaoQVW";

/// The options for `sbatch` that stand for fields of the job.
///
/// They are on the command line, where they count more than the lines of a script and more than `SBATCH_…` variables.
pub(super) fn options(spec: &JobSpec, place: &Place) -> Vec<String> {
    let r = &spec.resources;
    let output = format!("--output={}/scheduler", attempt_folder(place.name.attempt));
    let mut options = vec![
        if spec.array.is_some() { format!("{output}-%a") } else { output },
        format!("--nodes={}", r.nodes),
        // With fewer tasks than nodes sbatch would silently take fewer nodes.
        format!("--ntasks={}", r.tasks.max(r.nodes)),
        format!("--cpus-per-task={}", r.cpus_per_task),
    ];
    // Slurm counts memory in MiB, and nothing it hands out may be less than what was asked for.
    options.extend(r.memory.map(|memory| format!("--mem={}M", memory.bytes().div_ceil(1 << 20))));
    options.extend(r.walltime.map(|limit| format!("--time={}", clock(limit))));
    let kind = r.gpu.as_ref().map_or_else(String::new, |kind| format!("{kind}:"));
    options.extend((r.gpus > 0).then(|| format!("--gres=gpu:{kind}{}", r.gpus)));
    let words = [
        ("partition", &spec.queue),
        ("account", &spec.account),
        ("qos", &spec.qos),
        ("constraint", &spec.constraint),
    ];
    options.extend(words.into_iter().filter_map(|(name, word)| Some(format!("--{name}={}", word.as_ref()?))));
    options.extend(spec.exclusive.then(|| "--exclusive".to_string()));
    options.extend(spec.array.as_ref().map(|array| {
        let at_once = array.at_once.map_or_else(String::new, |most| format!("%{most}"));
        format!("--array={}{at_once}", array.range)
    }));
    // To the frame alone, which hands it on. Without `B` it would go to the steps of srun alone.
    let signal = |signal: &crate::Signal| format!("--signal=B:{}@{}", signal.name, signal.before.seconds());
    options.extend(spec.signal.as_ref().map(signal));
    options
}

/// The head of the frame: the owner's own lines, which may say more than the fields can.
pub(super) fn frame(spec: &JobSpec) -> Frame {
    let owners = spec.scheduler.iter().map(String::as_str);
    Frame {
        // As sbatch does it where nobody says otherwise; said, so that it does not depend on the host.
        head: std::iter::once("--export=ALL").chain(owners).map(|line| format!("#SBATCH {line}")).collect(),
        enter: "",
        id: "\"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}\"",
        task: "\"$SLURM_ARRAY_TASK_ID\"",
        again: "\"$SLURM_RESTART_COUNT\"",
        pass: spec.signal.as_ref().map(|signal| signal.name.clone()),
        // squeue says it better, and a payload shall have all of the time that the site gives it to tidy up.
        ends: "",
        warns: false,
    }
}

/// What Slurm cannot do of what a job asks for.
pub(super) fn cannot(spec: &JobSpec) -> Vec<SpecError> {
    let mut errors = Vec::new();
    if let Some(signal) = spec.signal.as_ref().filter(|signal| signal.before.seconds() > LONGEST_NOTICE) {
        let why = format!("Slurm sends a signal at most {LONGEST_NOTICE} seconds before the end");
        errors.push(SpecError::new(
            "signal.before",
            signal.before.to_string(),
            &why,
            "choose a shorter time",
        ));
    }
    for (i, line) in spec.scheduler.iter().enumerate() {
        if is_ours(line) {
            let why = "this would make it another job, or has a field of its own";
            let way_out = "leave it out, or use the field of the job file";
            errors.push(SpecError::new(format!("scheduler[{i}]"), format!("{line:?}"), why, way_out));
        } else if !line.starts_with('-') {
            let way_out = "write it like \"--reservation=maintenance\"";
            errors.push(SpecError::new(
                format!("scheduler[{i}]"),
                format!("{line:?}"),
                "not an option",
                way_out,
            ));
        }
    }
    errors
}

/// sbatch knows a long option by any beginning that is its alone, as getopt_long(3) does.
fn is_ours(line: &str) -> bool {
    line.split_whitespace().any(|word| match (word.strip_prefix("--"), word.strip_prefix('-')) {
        (Some(long), _) => {
            let name = long.split('=').next().unwrap_or_default();
            let name = name.strip_prefix("no-").unwrap_or(name);
            !name.is_empty() && OURS.iter().any(|ours| ours.starts_with(name))
        }
        (None, Some(short)) => short.starts_with(|letter| OUR_LETTERS.contains(letter)),
        (None, None) => false,
    })
}

/// `DAYS-HH:MM:SS`. Slurm counts in minutes, and rounds up.
fn clock(span: Span) -> String {
    let s = span.seconds();
    format!("{}-{:02}:{:02}:{:02}", s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::{cannot, options};
    use crate::{JobName, JobSpec, Place};
    use procession::{JournalUid, ProcessId};
    use serde_json::json;

    fn asked(spec: serde_json::Value) -> Vec<String> {
        let name = JobName { journal: JournalUid(7), process: ProcessId::FIRST, attempt: 2 };
        let spec = JobSpec::from_value(spec).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(cannot(&spec), []);
        options(&spec, &Place { root: String::new(), name })
    }

    #[test]
    fn every_field_has_its_option() {
        let least = asked(json!({ "name": "a", "command": ["x"] }));
        assert_eq!(least, ["--output=.attempt-2/scheduler", "--nodes=1", "--ntasks=1", "--cpus-per-task=1"]);
        let most = asked(json!({
            "name": "a",
            "command": ["x"],
            "resources": {
                "nodes": 2, "tasks": 8, "cpus_per_task": 4, "memory": "1500KB", "walltime": "1-02:03:04",
                "gpus": 2, "gpu": "a100"
            },
            "queue": "long", "account": "me", "qos": "high", "constraint": "a&b|c", "exclusive": true,
            "array": { "range": "1-9:2", "at_once": 3 },
            "signal": { "name": "USR1", "before": "90s" },
            "scheduler": ["--reservation=now"],
        }));
        let expected = [
            "--output=.attempt-2/scheduler-%a",
            "--nodes=2",
            "--ntasks=8",
            "--cpus-per-task=4",
            "--mem=2M",
            "--time=1-02:03:04",
            "--gres=gpu:a100:2",
            "--partition=long",
            "--account=me",
            "--qos=high",
            "--constraint=a&b|c",
            "--exclusive",
            "--array=1-9:2%3",
            "--signal=B:USR1@90",
        ];
        assert_eq!(most, expected);
    }

    #[test]
    fn a_line_that_would_make_it_another_job_is_refused() {
        let lines = [
            "--job-name=x",
            "--job=x",
            "--no-requeue",
            "-J x",
            "--wait",
            "-W",
            "--arr=1-3",
            "reservation",
            "-ofile",
        ];
        for line in lines {
            let spec = JobSpec { scheduler: vec![line.into()], ..JobSpec::default() };
            assert_eq!(cannot(&spec).len(), 1, "{line}");
        }
        for line in
            ["--reservation=x", "-w node1", "--mail-type=END", "--export=NONE", "--exclude=n1", "-t 5"]
        {
            let spec = JobSpec { scheduler: vec![line.into()], ..JobSpec::default() };
            assert_eq!(cannot(&spec), [], "{line}");
        }
    }
}

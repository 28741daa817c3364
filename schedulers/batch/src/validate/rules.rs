//! What no job may ask for, though each field can be read.

use super::SpecError;
use crate::spec::{Array, JobSpec, Remote, Retries};
use procession::transport::Glob;
use std::collections::BTreeMap;

/// What is wrong with a job, whatever the scheduler.
pub(crate) fn check(spec: &JobSpec) -> Vec<SpecError> {
    let mut errors = Vec::new();
    check_work(spec, &mut errors);
    check_resources(spec, &mut errors);
    check_signal(spec, &mut errors);
    check_words(spec, &mut errors);
    check_files(spec, &mut errors);
    errors.extend(crate::monitor::check(spec, outside));
    errors
}

fn check_work(spec: &JobSpec, errors: &mut Vec<SpecError>) {
    let mut wrong = |field: &str, value: String, why: &str, way_out: &str| {
        errors.push(SpecError::new(field, value, why, way_out));
    };
    if spec.name.trim().is_empty() {
        wrong(
            "name",
            format!("{:?}", spec.name),
            "a job needs a name",
            "give it one that you will know it by",
        );
    }
    match (&spec.command, &spec.script) {
        (None, None) => {
            wrong("command", "nothing".into(), "there is nothing to run", "give a `command` or a `script`")
        }
        (Some(_), Some(_)) => {
            wrong("script", "given".into(), "there is a `command` too", "give one of the two, not both");
        }
        (Some(argv), None) if argv.first().is_none_or(String::is_empty) => {
            wrong("command", format!("{argv:?}"), "the first word names the program", "begin with a program");
        }
        (None, Some(text)) if text.trim().is_empty() => {
            wrong(
                "script",
                format!("{text:?}"),
                "it does nothing",
                "write something into it, or give a `command`",
            );
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    let Retries { attempts, on } = &spec.retries;
    if *attempts == 0 || *attempts > Retries::MOST {
        let way_out = format!("choose a number from 1 to {}", Retries::MOST);
        wrong("retries.attempts", attempts.to_string(), "out of range", &way_out);
    } else if *attempts > 1 && on.is_empty() {
        let way_out = "name the ends to try again after, such as [\"node\", \"vanished\"]";
        wrong("retries.on", "[]".into(), "there are retries, but no end that asks for one", way_out);
    }
}

fn check_resources(spec: &JobSpec, errors: &mut Vec<SpecError>) {
    let r = &spec.resources;
    let counts = [("nodes", r.nodes), ("tasks", r.tasks), ("cpus_per_task", r.cpus_per_task)];
    for (field, count) in counts {
        if count == 0 {
            let field = format!("resources.{field}");
            errors.push(SpecError::new(
                field,
                "0",
                "a job needs at least one",
                "leave it out, or give 1 or more",
            ));
        }
    }
    if r.memory.is_some_and(|memory| memory.bytes() == 0) {
        errors.push(SpecError::new(
            "resources.memory",
            "0",
            "a job needs memory",
            "leave it out, or give more",
        ));
    }
    if r.walltime.is_some_and(|limit| limit.seconds() == 0) {
        errors.push(SpecError::new(
            "resources.walltime",
            "0s",
            "a job needs time",
            "leave it out for no limit",
        ));
    }
    if r.gpu.is_some() && r.gpus == 0 {
        let way_out = "give `resources.gpus` too";
        errors.push(SpecError::new("resources.gpu", "given", "nobody says how many", way_out));
    }
    if let Some(array) = spec.array.as_ref().filter(|array| array.range.len() > Array::MOST) {
        let why = format!("more than {} tasks", Array::MOST);
        let value = format!("\"{}\"", array.range);
        errors.push(SpecError::new("array.range", value, &why, "make several jobs of it"));
    }
    if spec.array.as_ref().is_some_and(|array| array.at_once == Some(0)) {
        errors.push(SpecError::new(
            "array.at_once",
            "0",
            "no task could ever run",
            "leave it out, or give 1 or more",
        ));
    }
}

fn check_signal(spec: &JobSpec, errors: &mut Vec<SpecError>) {
    let Some(signal) = &spec.signal else { return };
    if !SIGNALS.contains(&signal.name.as_str()) {
        let way_out = format!("choose one of {}", SIGNALS.join(", "));
        errors.push(SpecError::new("signal.name", format!("{:?}", signal.name), "unknown signal", &way_out));
    }
    match spec.resources.walltime {
        None => {
            let way_out = "give `resources.walltime` too";
            errors.push(SpecError::new(
                "signal",
                signal.before.to_string(),
                "there is no walltime to be before",
                way_out,
            ));
        }
        Some(limit) if signal.before >= limit || signal.before.seconds() == 0 => {
            let why = format!("it must lie within the walltime of {limit}");
            errors.push(SpecError::new(
                "signal.before",
                signal.before.to_string(),
                &why,
                "choose a shorter time",
            ));
        }
        Some(_) => {}
    }
}

/// The signals that a job may ask for.
const SIGNALS: [&str; 8] = ["HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "CONT", "ALRM"];

fn check_words(spec: &JobSpec, errors: &mut Vec<SpecError>) {
    for (name, value) in &spec.env {
        let mut bytes = name.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !first || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let way_out = "use letters, digits and `_`, and begin with no digit";
            errors.push(SpecError::new(
                format!("env.{name}"),
                format!("{value:?}"),
                "not a name of a variable",
                way_out,
            ));
        }
    }
    let words = spec.command.iter().flatten().chain(&spec.mpi).chain(&spec.modules).chain(spec.env.values());
    let texts = spec.script.iter().chain([&spec.prepend, &spec.append]).chain(spec.cwd.iter());
    if words.chain(texts).any(|text| text.contains('\0')) {
        errors.push(SpecError::new(
            "the job file",
            "a NUL",
            "no shell can carry this character",
            "remove it",
        ));
    }
    let named = [
        ("queue", &spec.queue),
        ("account", &spec.account),
        ("qos", &spec.qos),
        ("constraint", &spec.constraint),
        ("resources.gpu", &spec.resources.gpu),
    ];
    for (field, word) in named {
        if let Some(word) = word.as_ref().filter(|word| word.is_empty() || word.chars().any(char::is_control))
        {
            errors.push(SpecError::new(
                field,
                format!("{word:?}"),
                "not one line of text",
                "leave it out, or correct it",
            ));
        }
    }
    for (i, line) in spec.scheduler.iter().enumerate() {
        if line.chars().any(char::is_control) {
            let field = format!("scheduler[{i}]");
            errors.push(SpecError::new(
                field,
                format!("{line:?}"),
                "not one line of text",
                "give each line by itself",
            ));
        }
    }
}

fn check_files(spec: &JobSpec, errors: &mut Vec<SpecError>) {
    let mut path = |field: String, path: &str| {
        if let Some(why) = outside(path) {
            errors.push(SpecError::new(
                field,
                format!("{path:?}"),
                why,
                "give a path that stays in the sandbox",
            ));
        }
    };
    if let Some(cwd) = &spec.cwd {
        path("cwd".to_string(), cwd);
    }
    for (i, input) in spec.inputs.iter().enumerate() {
        if let Some(to) = input.to.as_deref().filter(|to| *to != ".") {
            path(format!("inputs[{i}].to"), to);
        }
    }
    for (i, output) in spec.outputs.iter().enumerate() {
        path(format!("outputs[{i}].pattern"), &output.pattern);
    }
    check_targets(spec, errors);
    for (i, output) in spec.outputs.iter().enumerate() {
        if let (None, Err(e)) = (outside(&output.pattern), output.pattern.parse::<Glob>()) {
            let (field, value) = (format!("outputs[{i}].pattern"), format!("{:?}", output.pattern));
            errors.push(SpecError::new(
                field,
                value,
                &e.why,
                "give a path, or a pattern such as `out/*.txt`",
            ));
        }
    }
    for (i, input) in spec.inputs.iter().enumerate() {
        if input.from.as_os_str().is_empty() {
            let field = format!("inputs[{i}].from");
            errors.push(SpecError::new(field, "\"\"", "no file", "name a file or a folder of this machine"));
        } else if input.to.is_none() && input.from.file_name().is_none() {
            let (field, value) = (format!("inputs[{i}].to"), "nothing");
            let why = format!("{} has no name of its own", input.from.display());
            errors.push(SpecError::new(
                field,
                value,
                &why,
                "say where it goes; `to = \".\"` is the sandbox itself",
            ));
        }
    }
    if let Remote::Stash(folder) = &spec.remote
        && (folder.is_empty() || folder.contains('\0'))
    {
        errors.push(SpecError::new(
            "remote.stash",
            format!("{folder:?}"),
            "no folder",
            "name a folder of the host",
        ));
    }
}

/// Two inputs that go to one place: which of them would the job find?
fn check_targets(spec: &JobSpec, errors: &mut Vec<SpecError>) {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for (i, input) in spec.inputs.iter().enumerate() {
        let Some(target) = input.target().filter(|target| target != ".") else { continue };
        let earlier = *first.entry(target.clone()).or_insert(i);
        if earlier != i {
            let field = format!("inputs[{i}].{}", if input.to.is_some() { "to" } else { "from" });
            let why = format!("inputs[{earlier}] goes there too");
            errors.push(SpecError::new(
                field,
                format!("{target:?}"),
                &why,
                "say with `to` where each of them goes",
            ));
        }
    }
}

/// Why a path leaves the sandbox, or meets what is ours in it.
fn outside(path: &str) -> Option<&'static str> {
    let mut parts = path.split('/');
    if path.is_empty() || path.contains(['\0', '\n']) {
        Some("not a path")
    } else if path.starts_with('/') {
        Some("it is absolute")
    } else if path.starts_with('-') {
        Some("it begins like an option")
    } else if parts.any(|part| part == "..") {
        Some("it leads out of the sandbox")
    } else if [".attempt-", ".job-", ".payload-", ".script-"].iter().any(|ours| path.starts_with(ours)) {
        Some("such names are ours")
    } else {
        None
    }
}

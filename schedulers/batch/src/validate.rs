//! What can be wrong with a job file: all of it at once, each with its field, its value, and the way out.

use crate::resources::{ArrayRange, Memory, QuantityError, Span};
use crate::spec::{Array, JobSpec, Remote, Retries};
use procession::transport::Glob;
use serde_json::Value;
use std::fmt;

/// One thing that is wrong with a job.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field} = {value}: {why}; {way_out}")]
pub struct SpecError {
    /// The field, as one would write it: `resources.memory`, `outputs[2].pattern`.
    pub field: String,
    /// What is there.
    pub value: String,
    /// What is wrong with it.
    pub why: String,
    /// What to do.
    pub way_out: String,
}

impl SpecError {
    /// One thing that is wrong.
    pub fn new(field: impl Into<String>, value: impl Into<String>, why: &str, way_out: &str) -> SpecError {
        SpecError {
            field: field.into(),
            value: value.into(),
            why: why.to_string(),
            way_out: way_out.to_string(),
        }
    }
}

/// Everything that is wrong with a job. Never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpecErrors(pub Vec<SpecError>);

impl SpecErrors {
    /// The value if nothing is wrong.
    pub(crate) fn result<T>(errors: Vec<SpecError>, value: T) -> Result<T, SpecErrors> {
        if errors.is_empty() { Ok(value) } else { Err(SpecErrors(errors)) }
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// Reads a job and finds all that is wrong. Quantities are looked at first and replaced if they are wrong, so that one
/// slip does not hide the others.
pub(crate) fn read(mut value: Value) -> Result<JobSpec, SpecErrors> {
    let mut errors = Vec::new();
    let memory = |text: &str| text.parse::<Memory>().err();
    let span = |text: &str| text.parse::<Span>().err();
    quantity(&mut value, "resources.memory", "1B", &memory, &mut errors);
    quantity(&mut value, "resources.walltime", "1s", &span, &mut errors);
    quantity(&mut value, "signal.before", "1s", &span, &mut errors);
    quantity(&mut value, "array.range", "1", &|text| text.parse::<ArrayRange>().err(), &mut errors);
    for i in 0..value["outputs"].as_array().map_or(0, Vec::len) {
        quantity(&mut value, &format!("outputs[{i}].limit"), "1B", &memory, &mut errors);
    }
    match serde_json::from_value::<JobSpec>(value) {
        Ok(spec) => {
            let known: Vec<String> = errors.iter().map(|e| e.field.clone()).collect();
            errors.extend(check(&spec).into_iter().filter(|e| !known.contains(&e.field)));
            SpecErrors::result(errors, spec)
        }
        Err(e) => {
            let way_out = "see the list of fields in the documentation of job files";
            errors.push(SpecError::new("the job file", "as it is", &e.to_string(), way_out));
            Err(SpecErrors(errors))
        }
    }
}

fn quantity(
    value: &mut Value,
    field: &str,
    instead: &str,
    wrong: &dyn Fn(&str) -> Option<QuantityError>,
    errors: &mut Vec<SpecError>,
) {
    let pointer = format!("/{}", field.replace(['.', '['], "/").replace(']', ""));
    let Some(found) = value.pointer_mut(&pointer).filter(|found| !found.is_null()) else { return };
    let text = found.as_str().map_or_else(|| found.to_string(), str::to_string);
    // A bare number has no unit, except where it counts.
    if let Some(why) = wrong(&text) {
        let why = why.to_string();
        let (why, way_out) = why.split_once("; ").unwrap_or((&why, ""));
        errors.push(SpecError::new(field, format!("{text:?}"), why, way_out));
        *found = Value::from(instead);
    } else if !found.is_string() {
        *found = Value::from(text);
    }
}

/// What is wrong with a job, whatever the scheduler.
pub(crate) fn check(spec: &JobSpec) -> Vec<SpecError> {
    let mut errors = Vec::new();
    check_work(spec, &mut errors);
    check_resources(spec, &mut errors);
    check_signal(spec, &mut errors);
    check_words(spec, &mut errors);
    check_files(spec, &mut errors);
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

#[cfg(test)]
mod tests {
    use crate::JobSpec;
    use serde_json::json;

    #[test]
    fn everything_wrong_is_said_at_once_with_field_value_and_way_out() {
        let errors = JobSpec::from_value(json!({
            "name": " ",
            "command": ["x"],
            "script": "y",
            "env": { "1A": "b" },
            "cwd": "/tmp",
            "resources": { "memory": "lots", "walltime": "30:00", "nodes": 0 },
            "array": { "range": 0, "at_once": 0 },
            "inputs": [{ "from": "a", "to": "../a" }],
            "outputs": [{ "pattern": "ok" }, { "pattern": ".attempt-1/id", "limit": "4" }],
            "signal": { "name": "KILL", "before": "1h" },
            "retries": { "attempts": 3 },
        }))
        .expect_err("much is wrong");
        let fields: Vec<_> = errors.0.iter().map(|e| e.field.as_str()).collect();
        let expected = [
            "resources.memory",
            "resources.walltime",
            "array.range",
            "outputs[1].limit",
            "name",
            "script",
            "retries.on",
            "resources.nodes",
            "array.at_once",
            "signal.name",
            "signal.before",
            "env.1A",
            "cwd",
            "inputs[0].to",
            "outputs[1].pattern",
        ];
        assert_eq!(fields, expected);
        assert_eq!(
            errors.0[0].to_string(),
            "resources.memory = \"lots\": not a size; write it with its unit, like \"4GiB\" or \"500M\""
        );
        assert!(errors.0.iter().all(|e| !e.why.is_empty() && !e.way_out.is_empty()), "{errors}");
    }

    #[test]
    fn an_unknown_field_is_named_and_does_not_hide_a_wrong_quantity() {
        let wrong =
            json!({ "name": "a", "command": ["x"], "memory": "1G", "resources": { "memory": "much" } });
        let errors = JobSpec::from_value(wrong).expect_err("two things").0;
        assert_eq!(errors.len(), 2);
        assert!(errors[1].why.contains("unknown field `memory`"), "{}", errors[1]);
    }

    #[test]
    fn whatever_a_file_holds_it_is_a_job_or_an_error() {
        let odd = [
            json!(null),
            json!([]),
            json!(""),
            json!(7),
            json!({}),
            json!([[]]),
            json!({ "a": 1 }),
            json!(true),
        ];
        for value in odd.iter().cloned() {
            assert!(JobSpec::from_value(value).is_err());
        }
        let fields =
            ["name", "command", "script", "env", "cwd", "resources", "array", "inputs", "outputs", "signal"];
        for field in fields.into_iter().chain(["retries", "remote", "modules", "mpi", "exclusive", "prepend"])
        {
            for value in odd.iter().chain(&[
                json!({ "memory": {}, "limit": [] }),
                json!(["\0"]),
                json!([{ "limit": 1 }]),
            ]) {
                let mut spec = json!({ "name": "a", "command": ["x"] });
                spec[field] = value.clone();
                if let Err(errors) = JobSpec::from_value(spec) {
                    assert!(!errors.0.is_empty() && !errors.to_string().is_empty(), "{field} = {value}");
                }
            }
        }
    }

    #[test]
    fn a_job_is_written_as_it_is_read() {
        let spec = json!({
            "name": "all",
            "command": ["x"],
            "resources": { "nodes": 2, "tasks": 8, "cpus_per_task": 1, "memory": "4GiB", "walltime": "1h30m", "gpus": 1 },
            "array": { "range": "0-20:5", "at_once": 2 },
            "outputs": [{ "pattern": "*.txt", "required": false, "limit": "1MiB" }],
            "signal": { "name": "USR1", "before": "1m" },
            "retries": { "attempts": 2, "on": ["walltime", "node"] },
            "remote": { "stash": "/archive" },
        });
        let read = JobSpec::from_value(spec.clone()).expect("valid");
        assert_eq!(serde_json::to_value(&read).expect("written"), spec);
    }
}

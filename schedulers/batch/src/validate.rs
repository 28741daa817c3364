//! What can be wrong with a job file: all of it at once, each with its field, its value, and the way out.

use crate::resources::{ArrayRange, Memory, QuantityError, Span};
use crate::spec::{Array, JobSpec, Remote, Retries};
use procession::transport::Glob;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
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
    let Some(spec) = typed(value, &mut errors) else { return Err(SpecErrors(errors)) };
    // A list with a wrong item was left out, and is not to be missed now.
    let list = |field: &str| field.split('[').next().unwrap_or_default().to_owned();
    let known: BTreeSet<String> = errors.iter().flat_map(|e| [e.field.clone(), list(&e.field)]).collect();
    errors.extend(check(&spec).into_iter().filter(|e| !known.contains(&e.field)));
    SpecErrors::result(errors, spec)
}

/// So many fields of a wrong type are told at once. Each is a look at the whole job, and nobody reads more.
const MOST_MISFITS: usize = 20;

/// The job, with as many as possible of the fields that do not fit left out, so that one does not hide the next.
fn typed(mut value: Value, errors: &mut Vec<SpecError>) -> Option<JobSpec> {
    for _ in 0..MOST_MISFITS {
        let misfit = match serde_path_to_error::deserialize::<_, JobSpec>(&value) {
            Ok(spec) => return Some(spec),
            Err(misfit) => Misfit::of(&misfit),
        };
        let found = value.pointer(&misfit.pointer).filter(|_| !misfit.is_missing);
        let shown = found.map_or_else(|| "nothing".to_owned(), shown);
        let is_new = !errors.iter().any(|error| error.field == misfit.field);
        if is_new {
            errors.push(SpecError::new(&misfit.field, shown, &misfit.why, misfit.way_out));
        }
        if !is_new || !leave_out(&mut value, &misfit.pointer) {
            return None;
        }
    }
    None
}

/// A field that does not fit: of a wrong type, unknown, or missing.
struct Misfit {
    field: String,
    /// Where it is in the value, as `serde_json` has it (RFC 6901); for one that is missing, the table around it.
    pointer: String,
    is_missing: bool,
    why: String,
    way_out: &'static str,
}

impl Misfit {
    fn of(error: &serde_path_to_error::Error<serde_json::Error>) -> Misfit {
        let why = error.inner().to_string();
        let (is_unknown, is_missing) = (why.starts_with("unknown field"), why.starts_with("missing field"));
        let steps: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let names =
            steps.iter().map(|step| step.trim_matches(['[', ']']).replace('~', "~0").replace('/', "~1"));
        let pointer: String = names.map(|name| format!("/{name}")).collect();
        // The path of a field that is missing is that of the table around it.
        let named = why.split('`').nth(1).map(str::to_owned).filter(|_| is_missing);
        let field = steps.into_iter().chain(named).collect::<Vec<_>>().join(".").replace(".[", "[");
        let way_out = match (is_missing, is_unknown) {
            (true, _) => "add it",
            (false, true) => "correct its name, or leave it out; docs/job-files.md has all of them",
            (false, false) => "write it as docs/job-files.md says",
        };
        let field = if field.is_empty() { "the job file".to_owned() } else { field };
        Misfit { field, pointer, is_missing, why, way_out }
    }
}

/// Takes a field out of its table. One in a list stays, because those after it would get other numbers.
fn leave_out(value: &mut Value, pointer: &str) -> bool {
    let Some((above, name)) = pointer.rsplit_once('/') else { return false };
    let name = name.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(above) {
        Some(Value::Object(fields)) => fields.remove(&name).is_some(),
        Some(Value::Array(_)) => leave_out(value, above),
        Some(_) | None => false,
    }
}

/// A value for a message: on one line, and not longer than that.
fn shown(value: &Value) -> String {
    /// Enough to recognise it by.
    const MOST_CHARACTERS: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= MOST_CHARACTERS {
        return text;
    }
    text.chars().take(MOST_CHARACTERS).chain("…".chars()).collect()
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
    fn fields_of_a_wrong_type_are_named_all_at_once() {
        let wrong = json!({
            "name": "a",
            "command": ["x", 5],
            "exclusive": "very",
            "resources": { "nodes": "two", "gpu/s": 1 },
            "outputs": [{ "pattern": "a" }, { "patern": "b" }],
            "retries": { "attempts": 0 },
        });
        let errors = JobSpec::from_value(wrong).expect_err("five things").0;
        let fields: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        let misfits = [
            "command[1]",
            "exclusive",
            "outputs[1].patern",
            "outputs[1].pattern",
            "resources.gpu/s",
            "resources.nodes",
        ];
        assert_eq!(fields[..6], misfits, "{errors:?}");
        assert_eq!(fields[6..], ["retries.attempts"], "and what is wrong with the rest");
        let told = "exclusive = \"very\": invalid type: string \"very\", expected a boolean; write it as \
                    docs/job-files.md says";
        assert_eq!(errors[1].to_string(), told);
    }

    #[test]
    fn two_inputs_do_not_go_to_one_place() {
        let spec = |inputs| json!({ "name": "a", "command": ["x"], "inputs": inputs });
        let clash = spec(json!([{ "from": "a/x" }, { "from": "b/x" }, { "from": "c", "to": "./x/" }]));
        let errors = JobSpec::from_value(clash).expect_err("two of them").0;
        let fields: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["inputs[1].from", "inputs[2].to"]);
        assert!(errors[0].why.contains("inputs[0]"), "{}", errors[0]);
        let layers = spec(json!([{ "from": "a", "to": "." }, { "from": "b", "to": "." }, { "from": "x" }]));
        assert!(JobSpec::from_value(layers).is_ok(), "folders may lie on top of each other");
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

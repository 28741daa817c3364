//! What can be wrong with a job file: all of it at once, each with its field, its value, and the way out.

mod rules;
mod shape;

use crate::resources::{ArrayRange, Memory, Span};
use crate::spec::JobSpec;
pub(crate) use rules::check;
use serde_json::Value;
use shape::{quantity, typed};
use std::collections::BTreeSet;
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

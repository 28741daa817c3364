//! Fields of a wrong type, unknown ones, missing ones, and quantities that cannot be read.

use super::SpecError;
use crate::resources::QuantityError;
use crate::spec::JobSpec;
use serde_json::Value;

/// So many fields of a wrong type are told at once. Each is a look at the whole job, and nobody reads more.
const MOST_MISFITS: usize = 20;

/// The job, with as many as possible of the fields that do not fit left out, so that one does not hide the next.
pub(super) fn typed(mut value: Value, errors: &mut Vec<SpecError>) -> Option<JobSpec> {
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

/// A quantity: if it cannot be read, that is told, and `instead` takes its place.
pub(super) fn quantity(
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

//! Where a field stands in the text of a job file. For messages only, so it may not know.

use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Whether the file of this name is JSON.
pub(crate) fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

/// The line of this field, from 1: `resources.memory`, `outputs[2].pattern`. If the field itself is not there, the line
/// of the nearest thing around it.
pub(crate) fn line(text: &str, path: &Path, field: &str) -> Option<usize> {
    if is_json(path) {
        // JSON has no positions once it is read, so its last name is looked for.
        let name = field.rsplit('.').next().unwrap_or(field);
        let name = name.split('[').next().unwrap_or(name);
        return text.find(&format!("\"{name}\"")).map(|at| line_at(text, at));
    }
    let table = DeTable::parse(text).ok()?;
    let mut steps = field.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    let (key, mut value) = entry(table.get_ref(), steps.next()?)?;
    let mut start = key;
    for step in steps {
        match value.get_ref() {
            DeValue::Table(inner) => {
                let Some((at, found)) = entry(inner, step) else { break };
                (start, value) = (at, found);
            }
            DeValue::Array(items) => {
                let Some(found) = step.parse::<usize>().ok().and_then(|n| items.get(n)) else { break };
                (start, value) = (found.span().start, found);
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => break,
        }
    }
    Some(line_at(text, start))
}

/// The line on which the first name in backticks of a message stands as a key: the parser names an unknown field so.
pub(crate) fn named_in(text: &str, message: &str) -> Option<usize> {
    let name = message.split('`').nth(1).filter(|name| !name.is_empty())?;
    let is_key = |line: &str| {
        let line = line.trim_start().trim_start_matches(['[', '"', '{']).trim_start();
        line.strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    text.lines().position(is_key).map(|at| at + 1)
}

/// The line, from 1, that holds this byte.
pub(crate) fn line_at(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
}

fn entry<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<(usize, &'t Spanned<DeValue<'i>>)> {
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    Some((key.span().start, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "name = 'x'\n[resources]\nmemory = 5\n[[outputs]]\npattern = 'a'\n[[outputs]]\nlimit = 'b'\n";

    #[test]
    fn a_field_is_found_where_it_stands_and_else_what_is_around_it() {
        let line = |field| line(TEXT, Path::new("a.toml"), field);
        assert_eq!(line("resources.memory"), Some(3));
        assert_eq!(line("outputs[1].limit"), Some(7));
        assert_eq!(line("resources.tasks"), Some(2));
        assert_eq!(line("command"), None);
    }

    #[test]
    fn an_unknown_field_is_found_by_the_name_in_the_message() {
        assert_eq!(named_in(TEXT, "unknown field `limit`, expected `x`"), Some(7));
        assert_eq!(named_in(TEXT, "unknown field `lim`, expected `x`"), None);
        assert_eq!(named_in(TEXT, "no backticks"), None);
    }
}

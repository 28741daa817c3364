//! Where a field stands in the text of a file that people write. For messages only, so it may not know.

use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The places of all fields. Made once for all messages about a text.
pub(crate) struct Places<'t> {
    /// The byte at which each line begins.
    lines: Vec<usize>,
    fields: Fields<'t>,
}

enum Fields<'t> {
    /// None if it cannot be read.
    Toml(Option<Spanned<DeTable<'t>>>),
    /// JSON has no positions once it is read, so this is where each name stands for the first time.
    Json(BTreeMap<&'t str, usize>),
}

/// Whether the file of this name is JSON.
pub(crate) fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

impl<'t> Places<'t> {
    /// Of this text; the path says which form it has.
    pub(crate) fn of(text: &'t str, path: &Path) -> Places<'t> {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        let fields =
            if is_json(path) { Fields::Json(names(text)) } else { Fields::Toml(DeTable::parse(text).ok()) };
        Places { lines, fields }
    }

    /// The line of this field, from 1: `resources.memory`, `outputs[2].pattern`. If the field itself is not there, the line
    /// of the nearest thing around it.
    pub(crate) fn line(&self, field: &str) -> Option<usize> {
        let byte = match &self.fields {
            Fields::Json(names) => {
                let name = field.rsplit('.').next().unwrap_or(field);
                *names.get(name.split('[').next().unwrap_or(name))?
            }
            Fields::Toml(table) => toml_place(table.as_ref()?.get_ref(), field)?,
        };
        Some(self.line_at(byte))
    }

    /// The line, from 1, that holds this byte.
    pub(crate) fn line_at(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte)
    }
}

fn toml_place(table: &DeTable<'_>, field: &str) -> Option<usize> {
    let mut steps = field.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    let (mut start, mut value) = entry(table, steps.next()?)?;
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
    Some(start)
}

fn entry<'a, 'i>(table: &'a DeTable<'i>, name: &str) -> Option<(usize, &'a Spanned<DeValue<'i>>)> {
    let (key, value) = table.get_key_value(name)?;
    Some((key.span().start, value))
}

/// Everything in quotes, with the place where it stands for the first time.
fn names(text: &str) -> BTreeMap<&str, usize> {
    let mut names = BTreeMap::new();
    let (mut begin, mut escaped) = (None, false);
    for (at, byte) in text.bytes().enumerate() {
        match (begin, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(from), b'"') => {
                names.entry(&text[from..at]).or_insert(from);
                begin = None;
            }
            (None, b'"') => begin = Some(at + 1),
            (Some(_) | None, _) => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "name = 'x'\n[resources]\nmemory = 5\n[[outputs]]\npattern = 'a'\n[[outputs]]\nlimit = 'b'\n";

    #[test]
    fn a_field_is_found_where_it_stands_and_else_what_is_around_it() {
        let places = Places::of(TEXT, Path::new("a.toml"));
        assert_eq!(places.line("resources.memory"), Some(3));
        assert_eq!(places.line("outputs[1].limit"), Some(7));
        assert_eq!(places.line("resources.tasks"), Some(2));
        assert_eq!(places.line("command"), None);
    }

    #[test]
    fn in_json_a_name_is_found_where_it_stands_first() {
        let places = Places::of("{\n \"a\\\"b\": 1,\n \"memory\": {\"memory\": 2}}", Path::new("a.json"));
        assert_eq!((places.line("resources.memory"), places.line("b")), (Some(3), None));
    }

    #[test]
    fn thousands_of_places_take_one_look_at_the_text() {
        let text: String = (0..20_000).map(|n| format!("[[outputs]]\npattern = '{n}'\n")).collect();
        let places = Places::of(&text, Path::new("a.toml"));
        // With a look at the text for each this would take minutes.
        assert!((0..20_000).all(|n| places.line(&format!("outputs[{n}].pattern")) == Some(2 * n + 2)));
    }
}

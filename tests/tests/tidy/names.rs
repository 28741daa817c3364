//! Names say what a thing is, and nothing says on whose machine it was written.

use crate::source::{Finding, Source};
use proc_macro2::TokenTree;

/// A name that needs one of these has no idea of its own yet.
const EMPTY_WORDS: [&str; 9] =
    ["manager", "helper", "helpers", "util", "utils", "handler", "data", "info", "common"];

/// The names of the file, its types and its modules; a `get_` in front of a function.
pub fn names(source: &Source) -> Vec<Finding> {
    let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    let mut findings: Vec<Finding> =
        empty_word(stem).map(|w| source.finding(0, says_nothing(stem, w))).into_iter().collect();
    for pair in source.tokens().windows(2) {
        let [TokenTree::Ident(keyword), TokenTree::Ident(name)] = pair else { continue };
        let (keyword, line, name) = (keyword.to_string(), name.span().start().line, name.to_string());
        if matches!(keyword.as_str(), "struct" | "enum" | "trait" | "type" | "mod" | "union") {
            findings.extend(empty_word(&name).map(|w| source.finding(line, says_nothing(&name, w))));
        }
        if keyword == "fn" && name.starts_with("get_") {
            findings.push(source.finding(line, format!("`{name}`: leave out the `get_`")));
        }
    }
    findings
}

/// A path of somebody's computer has no business in a repository.
pub fn machine_paths(source: &Source) -> Vec<Finding> {
    // In pieces, so that this file passes.
    let folders = [
        ["/ro", "ot/"].concat(),
        ["/wo", "rk/"].concat(),
        ["/Us", "ers/"].concat(),
        ["/.carg", "o/"].concat(),
    ];
    let at_start = |line: &str, folder: &str| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line[..at].chars().next_back().unwrap_or(' ');
            folder.starts_with("/.") || !(before.is_alphanumeric() || "_-.}/~".contains(before))
        })
    };
    let mut findings = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        for folder in folders.iter().filter(|f| at_start(line, f)) {
            findings.push(source.finding(at + 1, format!("names {folder}, which is a place on one machine")));
        }
    }
    findings
}

fn says_nothing(name: &str, word: &str) -> String {
    format!("`{name}`: \"{word}\" says nothing; which word does the field have for it?")
}

fn empty_word(name: &str) -> Option<&'static str> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c.is_uppercase() || c == '_' {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().expect("there is always a last word").extend(c.to_lowercase());
        }
    }
    EMPTY_WORDS.into_iter().find(|empty| words.iter().any(|w| w == empty))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        names(&Source::planted(path, text)).iter().map(|f| f.line).collect()
    }

    #[test]
    fn an_empty_word_is_found_in_types_modules_and_files() {
        assert_eq!(
            found("core/src/pool.rs", "struct Pool;\nstruct PoolManager;\nenum JobInfo {}\nmod utils;"),
            [2, 3, 4]
        );
        assert_eq!(found("core/src/pool_helper.rs", ""), [0]);
        assert_eq!(
            found("core/src/pool.rs", "struct Database; struct Informer; // JobManager\nmod metadata;"),
            []
        );
    }

    #[test]
    fn a_getter_is_found() {
        assert_eq!(
            found("core/src/pool.rs", "fn get(&self) {}\nfn get_age(&self) {}\nfn getaddrinfo() {}"),
            [2]
        );
    }

    #[test]
    fn a_machine_path_is_found() {
        let line = ["see /wo", "rk/notes or ", "/ro", "ot/x"].concat();
        assert_eq!(machine_paths(&Source::planted("README.md", &line)).len(), 2);
        let relative = ["/scratch/wo", "rk/a ", "./wo", "rk/b"].concat();
        assert_eq!(machine_paths(&Source::planted("README.md", &relative)), []);
    }
}

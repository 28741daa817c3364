//! Which files of a folder are wanted: patterns, and the choice that they make.

use super::{RemotePath, TransportError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A pattern over the relative paths of files: `*` and `?` stay within one name, `**` crosses folders, `[a-z]` and
/// `{a,b}` choose. The syntax is that of the `globset` crate; case counts, and a leading dot is nothing special.
///
/// ```
/// use procession::transport::{Glob, RemotePath};
/// let glob: Glob = "out/*.txt".parse()?;
/// assert!(glob.matches(&RemotePath::literal("out/a.txt")));
/// assert!(!glob.matches(&RemotePath::literal("out/deep/a.txt")));
/// assert!("out/[".parse::<Glob>().unwrap_err().to_string().contains("out/["));
/// # Ok::<(), procession::transport::GlobError>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob {
    pattern: String,
    /// None if it is a plain path, as most are: a state machine costs more than all else that is done for a small file.
    matcher: Option<globset::GlobMatcher>,
}

/// Why a text is no pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the pattern {pattern:?} cannot be used: {why}")]
pub struct GlobError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

/// Files that are wanted from a host.
///
/// ```
/// use procession::transport::Want;
/// let want = Want { limit: 1 << 20, ..Want::required("result.json".parse()?) };
/// assert!(want.required);
/// # Ok::<(), procession::transport::GlobError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Want {
    /// Which, as paths relative to the folder that is fetched from.
    pub pattern: Glob,
    /// Whether it is an error if there is none.
    #[serde(default)]
    pub required: bool,
    /// The most bytes that all files of this pattern may have together.
    #[serde(default = "default_limit")]
    pub limit: u64,
}

impl Glob {
    /// Outside of these a text stands for itself.
    const SPECIAL: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

    /// The longest pattern, in bytes. A compiled pattern is a state machine several hundred times its text.
    pub const LONGEST: usize = 1024;

    /// The text it was made from.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Whether this relative path matches.
    pub fn matches(&self, path: &RemotePath) -> bool {
        match &self.matcher {
            Some(matcher) => matcher.is_match(path.as_str()),
            None => self.pattern == path.as_str(),
        }
    }
}

impl Want {
    /// The cap where none is given: 16 GiB, more than anybody fetches by accident.
    pub const DEFAULT_LIMIT: u64 = 16 << 30;

    /// Files that must be there.
    pub fn required(pattern: Glob) -> Want {
        Want { pattern, required: true, limit: Want::DEFAULT_LIMIT }
    }

    /// Files that are fetched if they are there.
    pub fn optional(pattern: Glob) -> Want {
        Want { pattern, required: false, limit: Want::DEFAULT_LIMIT }
    }

    /// Which of the `found` files (path relative to the folder, size in bytes) are wanted.
    ///
    /// `NotFound`, naming the pattern, if a required one matches nothing; `TooLarge` if the files of one pattern have
    /// more bytes than its limit. Every transport chooses by this function.
    pub fn choose(
        wants: &[Want],
        found: &[(RemotePath, u64)],
    ) -> Result<BTreeSet<RemotePath>, TransportError> {
        let mut chosen = BTreeSet::new();
        for want in wants {
            let matching = || found.iter().filter(|(path, _)| want.pattern.matches(path));
            let bytes = matching().fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
            if want.required && matching().next().is_none() {
                return Err(TransportError::NotFound(want.pattern.pattern.clone()));
            }
            if bytes > want.limit {
                return Err(TransportError::TooLarge {
                    path: want.pattern.pattern.clone(),
                    limit: want.limit,
                });
            }
            chosen.extend(matching().map(|(path, _)| path.clone()));
        }
        Ok(chosen)
    }
}

fn default_limit() -> u64 {
    Want::DEFAULT_LIMIT
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(pattern: &str) -> Result<Glob, GlobError> {
        let wrong = |why: &str| GlobError { pattern: pattern.to_owned(), why: why.to_owned() };
        if pattern.is_empty() {
            return Err(wrong("it is empty"));
        }
        if pattern.len() > Glob::LONGEST {
            return Err(wrong("it is longer than 1024 bytes"));
        }
        if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
            return Err(wrong("it must stay below the folder that is searched"));
        }
        if !pattern.contains(Glob::SPECIAL) {
            return Ok(Glob { pattern: pattern.to_owned(), matcher: None });
        }
        let glob = globset::GlobBuilder::new(pattern)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|e| wrong(&e.kind().to_string()))?;
        Ok(Glob { pattern: pattern.to_owned(), matcher: Some(glob.compile_matcher()) })
    }
}

impl TryFrom<String> for Glob {
    type Error = GlobError;

    fn try_from(pattern: String) -> Result<Glob, GlobError> {
        pattern.parse()
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> String {
        glob.pattern
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Glob) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Glob {}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Vec<(RemotePath, u64)> {
        ["a.txt", "b.txt", "deep/c.txt", "deep/d.bin", ".hidden", "new\nline.txt"]
            .map(|text| (text.parse().unwrap(), 10))
            .to_vec()
    }

    fn chosen(wants: &[Want]) -> Result<Vec<String>, TransportError> {
        Ok(Want::choose(wants, &found())?.into_iter().map(String::from).collect())
    }

    #[test]
    fn stars_stay_within_a_name_and_double_stars_do_not() {
        let optional = |pattern: &str| [Want::optional(pattern.parse().unwrap())];
        assert_eq!(chosen(&optional("*.txt")).unwrap(), ["a.txt", "b.txt", "new\nline.txt"]);
        assert_eq!(chosen(&optional("**/*.{txt,bin}")).unwrap().len(), 5);
        assert_eq!(chosen(&optional("deep/**")).unwrap(), ["deep/c.txt", "deep/d.bin"]);
        assert_eq!(chosen(&optional("**")).unwrap().len(), 6);
        assert_eq!(chosen(&optional("*.none")).unwrap().len(), 0);
    }

    #[test]
    fn a_plain_path_matches_as_if_it_were_a_pattern() {
        let texts = [
            "a.txt",
            "deep/c.txt",
            "a",
            "a.tx",
            "A.txt",
            ".hidden",
            "new\nline.txt",
            "a b",
            "!a",
            "ä",
            "a/",
            "./a",
            "a,b",
        ];
        for text in texts {
            let glob: Glob = text.parse().unwrap();
            assert!(glob.matcher.is_none(), "{text}");
            let compiled =
                globset::GlobBuilder::new(text).literal_separator(true).build().unwrap().compile_matcher();
            for path in texts
                .iter()
                .filter_map(|text| text.parse::<RemotePath>().ok())
                .chain(found().into_iter().map(|f| f.0))
            {
                assert_eq!(glob.matches(&path), compiled.is_match(path.as_str()), "{text} and {path}");
            }
        }
        for text in ["a*", "a?", "[a]", "{a}", "a\\*"] {
            assert!(text.parse::<Glob>().unwrap().matcher.is_some(), "{text}");
        }
    }

    #[test]
    fn a_required_pattern_without_a_match_is_named() {
        let wants = [Want::optional("x".parse().unwrap()), Want::required("out/*.dat".parse().unwrap())];
        assert_eq!(chosen(&wants), Err(TransportError::NotFound("out/*.dat".into())));
    }

    #[test]
    fn the_cap_counts_all_files_of_a_pattern() {
        let want = |limit| [Want { limit, ..Want::required("*.txt".parse().unwrap()) }];
        assert!(chosen(&want(30)).is_ok());
        assert_eq!(chosen(&want(29)), Err(TransportError::TooLarge { path: "*.txt".into(), limit: 29 }));
    }

    #[test]
    fn wrong_patterns_are_refused_with_their_text() {
        for pattern in ["", "a[", "{a", "/etc/*", "../x", "a/../b", &"x".repeat(1025)] {
            assert_eq!(pattern.parse::<Glob>().unwrap_err().pattern, pattern);
        }
    }
}

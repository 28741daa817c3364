//! A file of the repository, and what a rule finds in it.

use proc_macro2::{TokenStream, TokenTree};
use std::fmt;
use std::path::Path;

/// One text file.
pub struct Source {
    /// From the root of the repository, with slashes.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// A place that breaks a rule.
#[derive(Debug, PartialEq)]
pub struct Finding {
    pub path: String,
    /// From 1; 0 for the file as a whole.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl Source {
    /// A planted text, for the tests of the rules.
    pub fn planted(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs") && !self.is_fixture()
    }

    /// Programs that must not compile, and inputs of fuzzers: they are ugly on purpose.
    fn is_fixture(&self) -> bool {
        ["/compile-fail/", "/compile_fail/", "/ui/", "/corpus/"].iter().any(|part| self.path.contains(part))
    }

    /// Whether the whole file is a test: the stories with their world, and the tests of a crate.
    pub fn is_test(&self) -> bool {
        let world = self.path.starts_with("tests/src/");
        world || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// The text up to the unit tests, which stand at the end of a file.
    pub fn production(&self) -> &str {
        let mut from = 0;
        while let Some(at) = self.text[from..].find("#[cfg(test)]\nmod ") {
            let at = from + at;
            if at == 0 || self.text[..at].ends_with('\n') {
                return &self.text[..at];
            }
            from = at + 1;
        }
        &self.text
    }

    /// Whether this line belongs to the unit tests at the end of the file.
    pub fn is_unit_test(&self, line: usize) -> bool {
        line > self.production().lines().count()
    }

    /// The tokens of the part without the unit tests: no comment is among them, and what a macro is given is.
    pub fn tokens(&self) -> Vec<TokenTree> {
        self.tokens_of(self.production())
    }

    /// The tokens of the file with its unit tests.
    pub fn all_tokens(&self) -> Vec<TokenTree> {
        self.tokens_of(&self.text)
    }

    fn tokens_of(&self, text: &str) -> Vec<TokenTree> {
        let stream: TokenStream = text.parse().unwrap_or_else(|e| panic!("{}: {e}", self.path));
        let mut flat = Vec::new();
        flatten(stream, &mut flat);
        flat
    }

    /// The syntax of the part without the unit tests.
    pub fn syntax(&self) -> syn::File {
        syn::parse_file(self.production()).unwrap_or_else(|e| panic!("{}: {e}", self.path))
    }

    pub fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}

/// A group becomes itself (for its delimiter), followed by what is in it.
fn flatten(stream: TokenStream, out: &mut Vec<TokenTree>) {
    for tree in stream {
        let inner = if let TokenTree::Group(group) = &tree { Some(group.stream()) } else { None };
        out.push(tree);
        if let Some(inner) = inner {
            flatten(inner, out);
        }
    }
}

/// Every text file of the repository, in the order of the paths.
pub fn repository() -> Vec<Source> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in a folder of the repository");
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(|e| {
        let name = e.file_name().to_string_lossy();
        e.depth() == 0 || !(name == "target" || name.starts_with(".git"))
    });
    walk.filter_map(Result::ok)
        .filter(|e| e.file_type().is_file())
        .filter_map(|e| {
            let path = e
                .path()
                .strip_prefix(root)
                .expect("the walk began at the root")
                .to_string_lossy()
                .into_owned();
            // What is no text (a corpus may hold anything) is of no interest to any rule.
            std::fs::read_to_string(e.path()).ok().map(|text| Source { path, text })
        })
        .collect()
}

#[test]
fn unit_tests_are_not_production() {
    let source =
        Source::planted("core/src/a.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
    assert_eq!(source.production(), "fn a() {}\n\n");
    assert_eq!(source.syntax().items.len(), 1);
}

#[test]
fn the_whole_repository_is_read() {
    let files = repository();
    assert!(files.iter().any(|f| f.path == "core/src/lib.rs"));
    assert!(files.iter().any(|f| f.path == "tests/tests/tidy/source.rs"));
    assert!(files.iter().all(|f| !f.path.starts_with("target/")));
}

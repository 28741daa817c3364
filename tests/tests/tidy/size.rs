//! Files and functions stay small; what is too large today is written down, and may only shrink.

use crate::source::{Finding, Source};
use std::collections::BTreeMap;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Lines of a file without its unit tests. Above it, the file stands in the ratchet.
const FILE_THINK: usize = 400;
/// No ratchet permits more.
const FILE_NEVER: usize = 600;
/// Lines of a function, from `fn` to its brace: what fits on a screen. Above it, the function stands in the ratchet.
const FUNCTION_THINK: usize = 60;
/// How far the ratchet may lag behind: not every line that is saved needs a change of its number.
const SLACK: usize = 25;
/// No ratchet permits more.
const FUNCTION_NEVER: usize = 90;

/// A size that somebody must have agreed to.
#[derive(Debug, PartialEq)]
pub struct Measured {
    /// `path` or `path function`.
    pub what: String,
    pub lines: usize,
    never: usize,
}

/// Everything in a file that is larger than one should have to think about.
pub fn measure(source: &Source) -> Vec<Measured> {
    let mut out = Vec::new();
    let lines = source.production().lines().count();
    if lines > FILE_THINK && !source.is_test() {
        out.push(Measured { what: source.path.clone(), lines, never: FILE_NEVER });
    }
    let mut functions = Functions { path: &source.path, out };
    functions.visit_file(&source.syntax());
    functions.out
}

/// Holds what was measured against the ratchet, which has a line `LINES WHAT` for each.
pub fn judge(measured: Vec<Measured>, ratchet: &str) -> Vec<Finding> {
    let mut agreed: BTreeMap<&str, usize> = ratchet
        .lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
        .map(|l| {
            let (lines, what) = l.split_once(' ').expect("a line of the ratchet is a number and a name");
            (what, lines.parse().expect("a line of the ratchet begins with a number"))
        })
        .collect();
    let mut findings = Vec::new();
    let mut find = |what: &str, text: String| {
        findings.push(Finding { path: what.into(), line: 0, what: text });
    };
    for Measured { what, lines, never } in &measured {
        let agreed = agreed.remove(what.as_str());
        match agreed {
            _ if lines > never => find(what, format!("{lines} lines; split it, for {never} is the limit")),
            None => find(what, format!("{lines} lines; split it, or agree on it in tests/tidy-ratchet.txt")),
            Some(agreed) if *lines > agreed => find(what, format!("grew from {agreed} to {lines} lines")),
            Some(agreed) if *lines + SLACK < agreed => {
                find(what, format!("shrank to {lines} lines: lower the ratchet's {agreed}"))
            }
            Some(_) => {}
        }
    }
    for what in agreed.keys() {
        find(what, "is small now, or gone: take it out of the ratchet".into());
    }
    findings
}

struct Functions<'a> {
    path: &'a str,
    out: Vec<Measured>,
}

impl Functions<'_> {
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        if lines > FUNCTION_THINK {
            let what = format!("{} {}", self.path, signature.ident);
            self.out.push(Measured { what, lines, never: FUNCTION_NEVER });
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, f: &'ast syn::ItemFn) {
        self.function(&f.sig, &f.block);
        visit::visit_item_fn(self, f);
    }

    fn visit_impl_item_fn(&mut self, f: &'ast syn::ImplItemFn) {
        self.function(&f.sig, &f.block);
        visit::visit_impl_item_fn(self, f);
    }

    fn visit_trait_item_fn(&mut self, f: &'ast syn::TraitItemFn) {
        if let Some(block) = &f.default {
            self.function(&f.sig, block);
        }
        visit::visit_trait_item_fn(self, f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(lines_in_function: usize, lines_after: usize) -> Vec<Measured> {
        let inside = "    call();\n".repeat(lines_in_function - 2);
        let after = "// a line\n".repeat(lines_after);
        measure(&Source::planted("core/src/a.rs", &format!("fn long() {{\n{inside}}}\n{after}")))
    }

    #[test]
    fn a_screen_is_the_limit_of_a_function() {
        assert_eq!(planted(60, 0), []);
        let found = planted(61, 0);
        assert_eq!((found[0].what.as_str(), found[0].lines), ("core/src/a.rs long", 61));
    }

    #[test]
    fn a_method_and_a_default_method_are_functions() {
        let body = "    call();\n".repeat(60);
        let text = format!("impl A {{ fn b() {{\n{body}}} }}\ntrait C {{ fn d() {{\n{body}}} }}");
        let found = measure(&Source::planted("core/src/a.rs", &text));
        assert_eq!(found.iter().map(|m| &m.what[14..]).collect::<Vec<_>>(), ["b", "d"]);
    }

    #[test]
    fn a_file_is_measured_without_its_tests() {
        assert_eq!(planted(10, 390), []);
        assert_eq!(planted(10, 391)[0].lines, 401);
        let tests = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "// a line\n".repeat(900));
        assert_eq!(measure(&Source::planted("core/src/a.rs", &tests)), []);
    }

    #[test]
    fn the_ratchet_only_turns_one_way() {
        let verdict = |lines: usize, ratchet: &str| {
            let found = judge(planted(10, lines - 10), ratchet);
            found.iter().map(|f| f.what.clone()).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(verdict(450, "# why\n450 core/src/a.rs\n"), "");
        assert_eq!(verdict(450, "475 core/src/a.rs"), "");
        assert!(verdict(450, "").contains("split it, or agree"));
        assert!(verdict(450, "440 core/src/a.rs").contains("grew from 440 to 450"));
        assert!(verdict(450, "476 core/src/a.rs").contains("lower the ratchet's 476"));
        assert!(verdict(601, "601 core/src/a.rs").contains("600 is the limit"));
        assert!(verdict(300, "450 core/src/a.rs").contains("take it out"));
    }
}

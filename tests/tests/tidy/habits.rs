//! Habits of code that a reader would stumble over.

use crate::source::{Finding, Source};
use proc_macro2::{Delimiter, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Who may look away from a lint, besides tests, and from which. The reason stands in the attribute.
const MAY_EXPECT: [(&str, &str); 7] = [
    // Where the runtime's time comes from.
    ("core/src/runtime/clock.rs", "disallowed_methods"),
    // The helper thread for bulk file work.
    ("transports/local/src/worker.rs", "disallowed_methods"),
    // Each is a host with a loop and a clock of its own.
    ("examples/", "disallowed_methods"),
    // It measures.
    ("tests/bench/src/main.rs", "disallowed_methods"),
    // The allocator that counts is an `unsafe impl`.
    ("tests/bench/src/count_alloc.rs", "unsafe_code"),
    // What C calls, and what no safe interface offers.
    ("transports/ssh/chachapoly/src/symbols.rs", "unsafe_code"),
    ("transports/ssh/chachapoly/src/tag.rs", "unsafe_code"),
];

/// Lints about what the framework must never do by itself; every other exception only needs its reason.
const GUARDED: [&str; 4] = ["disallowed_methods", "disallowed_types", "unsafe_code", "missing_docs"];

/// `todo!`, `unimplemented!`, `dbg!`, and tests that do not run.
pub fn left_open(source: &Source) -> Vec<Finding> {
    let tokens = source.all_tokens();
    let mut findings = Vec::new();
    for pair in tokens.windows(2) {
        match pair {
            [TokenTree::Ident(name), TokenTree::Punct(bang)]
                if bang.as_char() == '!' && ["todo", "unimplemented", "dbg"].iter().any(|n| name == n) =>
            {
                findings.push(source.finding(name.span().start().line, format!("{name}! is left open")));
            }
            [TokenTree::Punct(hash), TokenTree::Group(attribute)] if hash.as_char() == '#' => {
                let first = attribute.stream().into_iter().next();
                if matches!(&first, Some(TokenTree::Ident(i)) if i == "ignore") {
                    findings.push(
                        source.finding(hash.span().start().line, "a test that is ignored proves nothing"),
                    );
                }
            }
            _ => {}
        }
    }
    findings
}

/// `.unwrap()` outside of tests: an `expect` says why it cannot happen.
pub fn unwraps(source: &Source) -> Vec<Finding> {
    if source.is_test() {
        return Vec::new();
    }
    let tokens = source.tokens();
    let calls = tokens.windows(3).filter_map(|three| match three {
        [TokenTree::Punct(dot), TokenTree::Ident(name), TokenTree::Group(arguments)]
            if dot.as_char() == '.'
                && name == "unwrap"
                && arguments.delimiter() == Delimiter::Parenthesis
                && arguments.stream().is_empty() =>
        {
            Some(source.finding(name.span().start().line, "say with `expect` why this cannot happen"))
        }
        _ => None,
    });
    calls.collect()
}

/// In a table of states and inputs every pair has a name: no `_` arm, and none that binds whatever comes.
pub fn wildcards(source: &Source) -> Vec<Finding> {
    let is_table = source.path.ends_with("/machine.rs") || source.path.ends_with("/table.rs");
    if !is_table || source.is_test() {
        return Vec::new();
    }
    let mut arms = Arms { source, findings: Vec::new() };
    arms.visit_file(&source.syntax());
    arms.findings
}

struct Arms<'a> {
    source: &'a Source,
    findings: Vec<Finding>,
}

impl<'ast> Visit<'ast> for Arms<'_> {
    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let everything = match &arm.pat {
            syn::Pat::Tuple(tuple) => tuple.elems.iter().any(matches_everything),
            pat => matches_everything(pat),
        };
        if everything {
            let line = arm.pat.span().start().line;
            self.findings.push(
                self.source.finding(line, "an arm that matches whatever comes hides what was not decided"),
            );
        }
        visit::visit_arm(self, arm);
    }
}

fn matches_everything(pat: &syn::Pat) -> bool {
    match pat {
        syn::Pat::Wild(_) | syn::Pat::Rest(_) => true,
        // In capitals it is a constant, which matches one thing.
        syn::Pat::Ident(name) => {
            name.subpat.is_none() && !name.ident.to_string().starts_with(char::is_uppercase)
        }
        syn::Pat::Guard(guard) => matches_everything(&guard.pat),
        _ => false,
    }
}

/// `allow` and `expect`: each with a reason, and those from the guarded lints only where we agreed.
pub fn exceptions(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tokens = source.all_tokens();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(attribute) = token else { continue };
        let hash =
            |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == '#' || p.as_char() == '!');
        let mut inside = attribute.stream().into_iter();
        let (Some(TokenTree::Ident(verb)), Some(TokenTree::Group(lints))) = (inside.next(), inside.next())
        else {
            continue;
        };
        let is_exception = verb == "allow" || verb == "expect";
        if attribute.delimiter() != Delimiter::Bracket || !is_exception || at == 0 || !hash(&tokens[at - 1]) {
            continue;
        }
        let (line, lints) = (verb.span().start().line, lints.stream().to_string());
        if !lints.contains("reason =") {
            findings.push(source.finding(line, format!("{verb}({lints}) needs a reason = \"…\"")));
        }
        for guarded in GUARDED.iter().filter(|g| lints.contains(**g)) {
            let agreed =
                MAY_EXPECT.iter().any(|(path, lint)| source.path.starts_with(path) && lint == guarded);
            if !agreed && !source.is_test() && !source.is_unit_test(line) {
                findings.push(
                    source
                        .finding(line, format!("{guarded}: this file is not on the list in tidy/habits.rs")),
                );
            }
        }
    }
    findings
}

/// `async`, `std::future` and `std::task` outside of the glue: everybody else is given callbacks.
pub fn futures(source: &Source) -> Vec<Finding> {
    let framework =
        ["core/", "transports/", "schedulers/", "node/"].iter().any(|f| source.path.starts_with(f));
    if !framework || source.is_test() {
        return Vec::new();
    }
    let tokens = source.tokens();
    let named = tokens.windows(4).filter_map(|w| match w {
        [TokenTree::Ident(a), TokenTree::Punct(_), TokenTree::Punct(_), TokenTree::Ident(b)] => {
            ((a == "std" || a == "core") && (b == "future" || b == "task")).then(|| b.clone())
        }
        _ => None,
    });
    let asynchronous = tokens.iter().filter_map(|t| match t {
        TokenTree::Ident(i) if i == "async" || i == "await" => Some(i.clone()),
        _ => None,
    });
    let all = named.chain(asynchronous);
    all.map(|i| source.finding(i.span().start().line, format!("`{i}`: futures are named in glue-async only")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        rule(&Source::planted(path, text)).iter().map(|f| f.line).collect()
    }

    #[test]
    fn what_is_left_open_is_found_also_in_tests_and_macros() {
        let text = "fn a() {\n    todo!()\n}\n#[cfg(test)]\nmod tests {\n    #[ignore = \"slow\"]\n    fn b() { call!([x], dbg!(1)) }\n}\n";
        assert_eq!(lines(left_open, "core/src/a.rs", text), [2, 6, 7]);
        assert_eq!(lines(left_open, "core/src/a.rs", "// todo!() later\nfn a() { todo() }\n"), []);
    }

    #[test]
    fn an_unwrap_is_found_where_it_is_no_test() {
        let text = "fn a() {\n    b.unwrap();\n    c.unwrap_or(1);\n    // d.unwrap()\n    call!([e.unwrap()], f());\n}\n#[cfg(test)]\nmod tests {\n    fn g() { h.unwrap() }\n}\n";
        assert_eq!(lines(unwraps, "core/src/a.rs", text), [2, 5]);
        assert_eq!(lines(unwraps, "tests/tests/a.rs", text), []);
    }

    #[test]
    fn a_wildcard_is_found_in_a_table() {
        let text = "fn a() { match (s, i) {\n (A, B) => 1,\n (_, C) => 2,\n (A { .. }, D(_)) => 3,\n other => 4,\n _ if x => 5,\n} }";
        assert_eq!(lines(wildcards, "schedulers/batch/src/machine.rs", text), [3, 5, 6]);
        assert_eq!(lines(wildcards, "schedulers/batch/src/poller.rs", text), []);
    }

    #[test]
    fn an_exception_needs_a_reason_and_a_place() {
        let bare = "#[allow(dead_code)]\nfn a() {}\n";
        assert_eq!(lines(exceptions, "core/src/a.rs", bare), [1]);
        assert_eq!(
            lines(exceptions, "core/src/a.rs", "#[expect(dead_code, reason = \"r\")]\nfn a() {}\n"),
            []
        );
        let clock = "#![expect(clippy::disallowed_methods, reason = \"r\")]\n";
        assert_eq!(lines(exceptions, "core/src/a.rs", clock), [1]);
        assert_eq!(lines(exceptions, "tests/tests/a.rs", clock), []);
        let in_test = "fn a() {}\n#[cfg(test)]\nmod tests {\n    #![expect(clippy::disallowed_methods, reason = \"r\")]\n}\n";
        assert_eq!(lines(exceptions, "core/src/a.rs", in_test), []);
    }

    #[test]
    fn a_future_is_found_outside_of_the_glue() {
        let text = "use std::task::Poll;\nasync fn a() { b.await }\nuse mio::Waker;\n";
        assert_eq!(lines(futures, "core/src/a.rs", text), [1, 2, 2]);
        assert_eq!(lines(futures, "glue-async/src/a.rs", text), []);
    }
}

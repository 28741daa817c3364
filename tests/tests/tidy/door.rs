//! A `lib.rs` is a door: prose, modules and what they give to the public.

use crate::source::{Finding, Source};

/// The crate roots that cannot forbid `unsafe`, and deny it instead: a counting allocator is an `unsafe impl`, and functions that
/// C calls get pointers.
const MAY_NOT_FORBID: [&str; 2] = ["tests/bench/src/main.rs", "transports/ssh/chachapoly/src/lib.rs"];

/// Applies to `lib.rs`; of `main.rs` only the ban of `unsafe` is asked.
pub fn door(source: &Source) -> Vec<Finding> {
    let is_lib = source.path.ends_with("/src/lib.rs");
    if !is_lib && !source.path.ends_with("/src/main.rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if !source.text.contains("\n#![forbid(unsafe_code)]") && !MAY_NOT_FORBID.contains(&source.path.as_str()) {
        findings.push(source.finding(0, "a crate says #![forbid(unsafe_code)] below its first paragraph"));
    }
    if !source.text.starts_with("//! ") {
        findings.push(source.finding(1, "a crate begins with prose: what it is, and what it never does"));
    }
    if is_lib {
        use syn::spanned::Spanned;
        let rooms = source.syntax().items.into_iter().filter(|item| !is_frame(item));
        findings
            .extend(rooms.map(|i| {
                source.finding(i.span().start().line, "lib.rs is a door; this belongs in a module")
            }));
    }
    findings
}

fn is_frame(item: &syn::Item) -> bool {
    match item {
        syn::Item::Mod(m) => m.content.is_none(),
        syn::Item::Use(u) => matches!(u.vis, syn::Visibility::Public(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        door(&Source::planted("core/src/lib.rs", text)).len()
    }

    #[test]
    fn a_door_is_prose_modules_and_pub_use() {
        assert_eq!(
            found("//! What it is.\n\n#![forbid(unsafe_code)]\n\nmod a;\npub mod b;\npub use a::A;\n"),
            0
        );
        assert_eq!(found("//! What it is.\n\nmod a;\n"), 1);
        assert_eq!(found("#![allow(dead_code)]\n#![forbid(unsafe_code)]\nmod a;\n"), 1);
        assert_eq!(
            found("//! What it is.\n\n#![forbid(unsafe_code)]\nfn room() {}\nmod inline { }\nuse a::B;\n"),
            3
        );
    }

    #[test]
    fn other_files_are_no_doors() {
        assert_eq!(door(&Source::planted("core/src/a.rs", "fn a() {}")), []);
        assert_eq!(
            door(&Source::planted("cli/src/main.rs", "//! It.\n\n#![forbid(unsafe_code)]\nfn main() {}")),
            []
        );
    }
}

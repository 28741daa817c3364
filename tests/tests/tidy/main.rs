//! What the compiler does not check, and what would otherwise have to be said in every review.
//!
//! Each rule is a function from a text to findings; it knows no file system. Below it stands a test with a planted text
//! which proves that the rule bites. This file reads the repository and applies them all.

mod door;
mod habits;
mod names;
mod rings;
mod size;
mod source;

use source::{Finding, Source, repository};

/// Fails with every finding on a line of its own, so that an editor can jump to it.
fn expect_none(findings: Vec<Finding>) {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
}

fn rust_files(rule: impl Fn(&Source) -> Vec<Finding>) -> Vec<Finding> {
    repository().iter().filter(|f| f.is_rust()).flat_map(rule).collect()
}

#[test]
fn files_and_functions_are_small() {
    let measured = repository().iter().filter(|f| f.is_rust()).flat_map(size::measure).collect();
    let ratchet = include_str!("../../tidy-ratchet.txt");
    expect_none(size::judge(measured, ratchet));
}

#[test]
fn names_say_what_a_thing_is() {
    expect_none(rust_files(names::names));
}

#[test]
fn nothing_tells_on_which_machine_it_was_written() {
    expect_none(repository().iter().flat_map(names::machine_paths).collect());
}

#[test]
fn nothing_is_left_open() {
    expect_none(rust_files(habits::left_open));
}

#[test]
fn nothing_is_unwrapped_without_a_reason() {
    expect_none(rust_files(habits::unwraps));
}

#[test]
fn every_pair_of_a_table_has_a_name() {
    expect_none(rust_files(habits::wildcards));
}

#[test]
fn exceptions_from_lints_have_a_reason_and_a_place() {
    expect_none(rust_files(habits::exceptions));
}

#[test]
fn only_the_glue_names_futures() {
    expect_none(rust_files(habits::futures));
}

#[test]
fn every_crate_has_a_door() {
    expect_none(rust_files(door::door));
}

#[test]
fn imports_go_inwards() {
    let files = repository();
    let root = files.iter().find(|f| f.path == "Cargo.toml").expect("the repository has a root manifest");
    let members = rings::members(root);
    assert!(members.len() >= 7, "the list of members was not understood: {members:?}");
    let mut findings = rings::workspace(root);
    for member in members {
        let path = format!("{member}/Cargo.toml");
        let manifest = files.iter().find(|f| f.path == path).expect("every member has a manifest");
        findings.extend(rings::manifest(manifest));
    }
    expect_none(findings);
}

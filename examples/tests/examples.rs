//! The example programs run, and print what they promise.
#![expect(clippy::disallowed_methods, reason = "the test waits for the programs")]
#![allow(missing_docs, reason = "the names say it")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_sum_is_fetched_and_added() {
    assert_eq!(said(env!("CARGO_BIN_EXE_sum"), &[]), "Finished(42)\n");
}

#[test]
fn a_countdown_that_was_killed_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
        command.arg(&path);
        command
    };
    let mut first = program().stdout(Stdio::piped()).spawn().expect("the program starts");
    let lines = BufReader::new(first.stdout.take().expect("piped")).lines();
    let numbers: Vec<String> = lines.take(3).map(|line| line.expect("UTF-8")).collect();
    assert_eq!(numbers, ["10", "9", "8"]);
    first.kill().expect("it is ours");
    first.wait().expect("it was started");
    let rest = said(env!("CARGO_BIN_EXE_durable"), &[path.to_str().expect("UTF-8")]);
    assert!(rest.starts_with("1 found again\n8\n") || rest.starts_with("1 found again\n7\n"), "{rest}");
    assert!(rest.ends_with("0\nrocket 1: Some(\"\\\"lift off\\\"\")\n"), "{rest}");
}

#[test]
fn a_parent_waits_for_children_that_are_started_afresh() {
    assert_eq!(said(env!("CARGO_BIN_EXE_children"), &[]), "Finished(5) in 4 tries\n");
}

#[test]
fn a_foreign_loop_is_woken_only_when_there_is_something_to_do() {
    assert_eq!(said(env!("CARGO_BIN_EXE_embed_fd"), &[]), "4 beats, no spinning\n");
}

#[test]
fn a_job_is_run_by_a_program_of_ones_own() {
    assert_eq!(said(env!("CARGO_BIN_EXE_job"), &[]), "exited with 0\noutputs/answer.txt: 42\n");
}

#[cfg(feature = "multi-runtime")]
#[test]
fn two_runtimes_live_in_one_thread() {
    assert_eq!(said(env!("CARGO_BIN_EXE_two_runtimes"), &[]), "Finished(20), Finished(10)\ntrue\n");
}

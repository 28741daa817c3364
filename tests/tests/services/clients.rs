//! What users have: `ssh`, `sbatch` and the like, run to their ends.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Runs a program with these variables; its stdout, trimmed. Panics if it fails.
pub fn run(argv: &[&str], env: &[(String, String)]) -> String {
    let output = attempt(argv, env);
    assert!(output.status.success(), "{argv:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// The same, whatever comes of it.
pub fn attempt(argv: &[&str], env: &[(String, String)]) -> Output {
    let mut command = Command::new(argv[0]);
    command.args(&argv[1..]).envs(env.iter().cloned()).stdin(Stdio::null());
    command.output().unwrap_or_else(|e| panic!("{argv:?}: {e}"))
}

/// Looks again and again; generous, for a test that loops for minutes is one that fails.
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if happened() {
            return;
        }
        nap();
    }
    panic!("never happened: {what}");
}

/// Lets others run for 20 ms.
pub fn nap() {
    std::thread::sleep(Duration::from_millis(20));
}

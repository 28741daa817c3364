//! Counts instructions: the program runs itself under valgrind, twice, and takes the difference.
//!
//! `procession-bench scenario NAME N` does one thing N times. With N and 2 N the start of the program, its set-up and its
//! end cancel out, and what is left is the cost of N. Counts do not depend on what else the machine does, so one run of
//! each is enough.

use std::process::{Command, Stdio};

/// Instructions a unit; none if valgrind is not installed, or the scenario did not run under it (it says so on stderr).
pub fn instructions(scenario: &str, units: u64) -> Option<f64> {
    let once = collected(scenario, units)?;
    let twice = collected(scenario, 2 * units)?;
    Some(twice.saturating_sub(once) as f64 / units as f64)
}

fn collected(scenario: &str, units: u64) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["scenario", scenario, &units.to_string()])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&run.stderr);
    let found = total(&said);
    if found.is_none() || !run.status.success() {
        eprintln!("callgrind could not run {scenario}: {}", said.lines().last().unwrap_or_default());
        return None;
    }
    found
}

/// The line `==123== Collected : 456`.
fn total(said: &str) -> Option<u64> {
    said.lines().find_map(|l| l.split_once("Collected :")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_what_callgrind_says() {
        assert_eq!(total("==1== Events    : Ir\n==1== Collected : 1234567\n==1== \n"), Some(1_234_567));
        assert_eq!(total("valgrind: failed to start tool"), None);
    }
}

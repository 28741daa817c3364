//! Children without us: `std::process` (which calls `posix_spawn`) in a loop that keeps as many alive as we do.

use std::collections::VecDeque;
use std::process::{Child, Command, Stdio};

/// Runs `true` `n` times, at most `at_once` at once. Answers how many ended well.
pub fn run_true(n: u64, at_once: usize) -> std::io::Result<u64> {
    let mut alive: VecDeque<Child> = VecDeque::with_capacity(at_once);
    let mut well = 0;
    for _ in 0..n {
        if alive.len() == at_once {
            well += reap(&mut alive)?;
        }
        let mut command = Command::new("true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        alive.push_back(command.spawn()?);
    }
    while !alive.is_empty() {
        well += reap(&mut alive)?;
    }
    Ok(well)
}

fn reap(alive: &mut VecDeque<Child>) -> std::io::Result<u64> {
    let Some(mut oldest) = alive.pop_front() else { return Ok(0) };
    Ok(u64::from(oldest.wait()?.success()))
}

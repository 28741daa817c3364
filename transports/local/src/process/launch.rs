//! A command that is about to start, and the limits that the kernel is to keep for it.

use super::Limits;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::process::Command;

/// A command to start.
pub(super) struct Launch {
    pub(super) command: Command,
    pub(super) limits: Limits,
    /// Whether it waits at a gate until [`Commands::open`].
    pub(super) gated: bool,
    /// Whether it goes on when this program ends.
    pub(super) survives: bool,
}

/// Sets the limits that the kernel keeps, before the command begins: its processes inherit them from the witness.
pub(super) fn confine(pid: Pid, limits: &Limits) -> rustix::io::Result<()> {
    let cpu = limits.cpu.map(|limit| limit.as_secs() + u64::from(limit.subsec_nanos() > 0));
    let set = |resource, limit: Option<u64>, slack: u64| match limit {
        Some(limit) => {
            let limit = Rlimit { current: Some(limit), maximum: Some(limit.saturating_add(slack)) };
            prlimit(Some(pid), resource, limit).map(drop)
        }
        None => Ok(()),
    };
    // At the soft limit comes SIGXCPU, which says why; at the hard one SIGKILL, which does not.
    set(Resource::Cpu, cpu, 2)?;
    set(Resource::As, limits.address_space, 0)?;
    set(Resource::Fsize, limits.output, 0)
}

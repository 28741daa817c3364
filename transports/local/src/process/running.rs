//! What is known of one command that runs.

use super::identity::OsProcess;
use super::{Limit, Limits};
use crate::watched::Watched;
use procession::transport::Ended;
use rustix::fd::OwnedFd;
use rustix::process::{Signal, kill_process_group};
use stakker::{Core, FixedTimerKey, Ret};
use stakker_mio::MioSource;
use std::time::Duration;

/// What a watcher is told, once.
pub(super) enum Seen {
    /// It has ended; how, if it was a child of this program.
    Gone(Gone),
    /// It has come to a limit that we keep, and goes on.
    Exceeded(Limit),
}

/// How a command ended, as far as it is known.
#[derive(Clone, Copy, Default)]
pub(super) struct Gone {
    pub(super) ended: Option<Ended>,
    pub(super) peak_rss: Option<u64>,
    pub(super) cpu: Option<Duration>,
}

pub(super) struct Running {
    pub(super) serial: u64,
    /// None once it has ended; nobody has asked yet how.
    pub(super) pidfd: Option<MioSource<Watched>>,
    pub(super) gate: Option<OwnedFd>,
    pub(super) survives: bool,
    pub(super) ours: bool,
    pub(super) standing: Standing,
    pub(super) gone: Gone,
    pub(super) watcher: Option<Watcher>,
    pub(super) stopping: Option<Ret<Gone>>,
    pub(super) kill: Option<FixedTimerKey>,
}

/// How a command stands to the process that asked for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The process does not have it in its state yet.
    Unclaimed,
    /// It does.
    Claimed,
    /// It never will: nobody is going to ask how the command ended.
    Forgotten,
}

pub(super) struct Watcher {
    pub(super) serial: u64,
    pub(super) ret: Ret<Seen>,
    pub(super) limits: Limits,
    pub(super) deadline: Option<FixedTimerKey>,
    pub(super) sample: Option<FixedTimerKey>,
}

impl Watcher {
    /// Ends the watch: whom to tell, if there is something to tell.
    pub(super) fn end(self, core: &mut Core) -> Ret<Seen> {
        for timer in [self.deadline, self.sample].into_iter().flatten() {
            core.timer_del(timer);
        }
        self.ret
    }
}

impl Running {
    /// A command that this program did not start.
    pub(super) fn found(pidfd: Option<MioSource<Watched>>) -> Running {
        Running {
            serial: 0,
            pidfd,
            gate: None,
            survives: true,
            ours: false,
            standing: Standing::Claimed,
            gone: Gone::default(),
            watcher: None,
            stopping: None,
            kill: None,
        }
    }
}

/// Signals the group of a command whose leader is not reaped, so that its number is not another's.
pub(super) fn signal(os: &OsProcess, running: &Running, signal: Signal) {
    if running.pidfd.is_some() {
        signal_group(os, signal);
    }
}

/// Signals a group, whose number must be known to be no other's.
pub(super) fn signal_group(os: &OsProcess, signal: Signal) {
    if let Some(pid) = os.pid() {
        // ESRCH means that all of them have ended: just what was wanted.
        let _ = kill_process_group(pid, signal);
    }
}

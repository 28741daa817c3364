//! A child of ours that leads a process group: started, awaited through a pidfd, killed with all its group.
//!
//! No SIGCHLD (it belongs to the host program), no blocking wait, no `pre_exec`: `process_group(0)` keeps the standard
//! library on `posix_spawn`. The start itself happens on the caller's thread and takes about a millisecond; a thread for it
//! would cost more than it saves.

use crate::watched::Watched;
use crate::worker::Worker;
use procession::transport::TransportError;
use procession::transport::reason;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use stakker::Fwd;
use stakker_mio::mio::Interest;
use stakker_mio::{MioPoll, MioSource, Ready};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::rc::Rc;
use wait4::{ResUse, Wait4};

/// A running child. Dropping it kills its group, and the worker reaps it.
pub(crate) struct Leader {
    pid: Pid,
    child: Option<Child>,
    worker: Rc<Worker>,
    _pidfd: Option<MioSource<Watched>>,
}

impl Leader {
    /// Starts `command` as the leader of a new group; `ended` is called when it has ended (or, spuriously, before).
    pub(crate) fn start(
        mut command: Command,
        poll: &MioPoll,
        worker: Rc<Worker>,
        ended: Fwd<Ready>,
    ) -> Result<Leader, TransportError> {
        let child = command.process_group(0).spawn().map_err(|e| reason::named(&described(&command), &e))?;
        let pid = Pid::from_child(&child);
        let mut leader = Leader { pid, child: Some(child), worker, _pidfd: None };
        let watch = pidfd_open(pid, PidfdFlags::NONBLOCK)
            .map_err(std::io::Error::from)
            .and_then(|pidfd| Watched::add(poll, pidfd, Interest::READABLE, ended));
        leader._pidfd = Some(watch.map_err(|e| reason::named(&described(&command), &e))?);
        Ok(leader)
    }

    /// The id of the process and of its group.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal to the whole group. It does nothing once the leader has been reaped: its number may be another's.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.child.is_some() {
            // ESRCH means that all of them have ended: just what was wanted.
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// How it ended and what it used; none while it runs, and none ever after.
    pub(crate) fn reap(&mut self) -> Option<ResUse> {
        let used = self.child.as_mut()?.try_wait4().unwrap_or_else(|e| {
            log::error!(
                "child {} cannot be waited for: {e}; does the program reap children of others?",
                self.pid
            );
            None
        })?;
        self.child = None;
        Some(used)
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(child) = self.child.take() {
            self.worker.adopt(child);
        }
    }
}

/// ENOENT may be about the program or about its folder, and only a look at the file system could tell.
fn described(command: &Command) -> String {
    let program = command.get_program().display();
    match command.get_current_dir() {
        Some(folder) => format!("{program} (in {})", folder.display()),
        None => program.to_string(),
    }
}

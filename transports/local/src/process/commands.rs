//! The commands that this machine runs for its processes: an actor that starts them in turn, watches them and stops them.
//!
//! A command occupies the machine whether or not anybody watches it, so its place under the limit belongs to the command:
//! it is given back when the command has ended, also while its process is paused.

use super::identity::{self, OsProcess};
use super::launch::{Launch, confine};
use super::running::{Gone, Running, Seen, Standing, Watcher, signal, signal_group};
use super::{Limit, Limits};
use crate::exec::ended;
use crate::watched::Watched;
use crate::worker::bury_elsewhere;
use procession::transport::TransportError;
use procession::transport::reason;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use stakker::{Actor, CX, Ret, after, call, fwd_to};
use stakker_mio::mio::Interest;
use stakker_mio::{MioPoll, MioSource, Ready};
use std::collections::{BTreeMap, VecDeque};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

/// How often memory and children are looked at.
const SAMPLE: Duration = Duration::from_millis(500);

/// How long a command has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// How often it is looked whether the last of a killed group has gone: so often quickly, then slowly and thoroughly.
const LOOK: Duration = Duration::from_millis(20);
const QUICK_LOOKS: u32 = 5;
const SLOW_LOOK: Duration = Duration::from_secs(1);

/// The commands of this machine. Dropping its owner, before the runtime, kills those that are not in a journal; the others
/// go on.
pub struct Commands {
    poll: MioPoll,
    limit: usize,
    boot: u64,
    running: BTreeMap<OsProcess, Running>,
    queue: VecDeque<(u64, Launch, Ret<Started>)>,
}

pub(super) type Started = Result<OsProcess, TransportError>;

/// Keeps a place in the queue, or a watch. Dropping it gives it up.
pub(super) struct Hold {
    commands: Actor<Commands>,
    os: Option<OsProcess>,
    serial: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let serial = self.serial;
        match self.os.take() {
            Some(os) => call!([self.commands], unwatch(os, serial)),
            None => call!([self.commands], forget(serial)),
        }
    }
}

/// A number for a hold. It needs to be unique among the holds of one program only.
pub(super) fn hold(commands: &Actor<Commands>, os: Option<&OsProcess>) -> (Hold, u64) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let serial = NEXT.fetch_add(1, Ordering::Relaxed);
    (Hold { commands: commands.clone(), os: os.copied(), serial }, serial)
}

impl Commands {
    pub(super) fn init(_: CX![], poll: MioPoll, limit: usize) -> Option<Commands> {
        let (running, queue) = Default::default();
        Some(Commands { poll, limit, boot: identity::boot(), running, queue })
    }

    /// Starts a command when it is its turn: first come, first served.
    pub(super) fn start(&mut self, cx: CX![], serial: u64, launch: Launch, ret: Ret<Started>) {
        self.queue.push_back((serial, launch, ret));
        self.admit(cx);
    }

    fn admit(&mut self, cx: CX![]) {
        while self.occupied() < self.limit {
            let Some((serial, launch, ret)) = self.queue.pop_front() else { return };
            ret.ret(self.launch(cx, serial, launch));
        }
    }

    fn occupied(&self) -> usize {
        self.running.values().filter(|running| running.pidfd.is_some()).count()
    }

    fn launch(&mut self, cx: CX![], serial: u64, launch: Launch) -> Started {
        let Launch { mut command, limits, gated, survives } = launch;
        let name = command.get_program().display().to_string();
        let wrong = |e: std::io::Error| reason::named(&name, &e);
        let gate = if gated {
            let flags = SocketFlags::CLOEXEC;
            let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
                .map_err(|e| wrong(e.into()))?;
            command.stdin(theirs);
            Some(ours)
        } else {
            command.stdin(Stdio::null());
            None
        };
        let child = command.process_group(0).spawn().map_err(wrong)?;
        drop(command);
        let pid = Pid::from_child(&child);
        // A child that cannot be identified is killed: a gated one has done nothing yet, a plain one is in no journal.
        let identified = OsProcess::of(pid, self.boot)
            .ok_or_else(|| TransportError::Protocol(format!("/proc does not know the child {pid}")))
            .and_then(|os| confine(pid, &limits).map(|()| os).map_err(|e| wrong(e.into())))
            .and_then(|os| Ok((self.pidfd(cx, &os, pid).map_err(wrong)?, os)));
        match identified {
            Ok((pidfd, os)) => {
                let ours = Running { serial, gate, survives, ours: true, ..Running::found(Some(pidfd)) };
                self.running.insert(os, Running { standing: Standing::Unclaimed, ..ours });
                Ok(os)
            }
            Err(e) => {
                let _ = kill_process_group(pid, Signal::KILL);
                bury_elsewhere(vec![child]);
                Err(e)
            }
        }
    }

    fn pidfd(&self, cx: CX![], os: &OsProcess, pid: Pid) -> std::io::Result<MioSource<Watched>> {
        let fd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        let os = *os;
        let ended = fwd_to!([cx], |this, cx, _ready: Ready| this.on_ended(cx, &os));
        Watched::add(&self.poll, fd, Interest::READABLE, ended)
    }

    /// The process has taken what was started into its state.
    pub(super) fn claim(&mut self, _: CX![], os: OsProcess) {
        if let Some(running) = self.running.get_mut(&os) {
            running.standing = Standing::Claimed;
        }
    }

    /// A place in the queue is given up. What was started for it and not claimed is killed.
    fn forget(&mut self, _: CX![], serial: u64) {
        self.queue.retain(|(queued, _, _)| *queued != serial);
        self.running.retain(|os, running| {
            if running.serial != serial || running.standing != Standing::Unclaimed {
                return true;
            }
            running.standing = Standing::Forgotten;
            running.gate = None;
            signal(os, running, Signal::KILL);
            running.pidfd.is_some()
        });
    }

    /// Opens the gate of a command, if it waits at one.
    pub(super) fn open(&mut self, _: CX![], os: OsProcess) {
        let gate = self.running.get_mut(&os).and_then(|running| running.gate.take());
        // A witness that has been killed meanwhile does not read it: that will be seen by its end.
        if let Some(Err(e)) = gate.map(|gate| send(&gate, b"go\n", SendFlags::NOSIGNAL)) {
            log::debug!("the gate of process {} leads nowhere: {e}", os.pid);
        }
    }

    /// Tells `ret` when the command has ended, or has come to a limit that we keep. `left` is what is left of its time.
    pub(super) fn watch(
        &mut self,
        cx: CX![],
        os: OsProcess,
        serial: u64,
        limits: Limits,
        left: Option<Duration>,
        ret: Ret<Seen>,
    ) {
        if !self.attach(cx, &os) {
            return ret.ret(Seen::Gone(Gone::default()));
        }
        let Some(running) = self.running.get_mut(&os) else { return };
        if running.pidfd.is_none() {
            return ret.ret(Seen::Gone(running.gone));
        }
        let sampled = !running.ours || limits.memory.is_some() || limits.processes.is_some();
        let timed = os;
        let deadline = left
            .map(|left| after!(left, [cx], |this, cx| this.tell(cx, &timed, Seen::Exceeded(Limit::Wall))));
        let watcher = Watcher { serial, ret, limits, deadline, sample: None };
        if let Some(before) = running.watcher.replace(watcher) {
            drop(before.end(cx));
        }
        if sampled {
            self.sample(cx, os);
        }
    }

    fn unwatch(&mut self, cx: CX![], os: OsProcess, serial: u64) {
        if let Some(running) = self.running.get_mut(&os)
            && let Some(watcher) = running.watcher.take_if(|watcher| watcher.serial == serial)
        {
            drop(watcher.end(cx));
        }
    }

    /// Finds a command that this program did not start. Whether it is there.
    fn attach(&mut self, cx: CX![], os: &OsProcess) -> bool {
        if self.running.contains_key(os) {
            return true;
        }
        let Some(pid) = os.pid() else { return false };
        // First the pidfd, then the look: so it is a descriptor of the process that was looked at.
        let Ok(pidfd) = self.pidfd(cx, os, pid) else { return false };
        if !os.is_there(self.boot) {
            return false;
        }
        self.running.insert(*os, Running::found(Some(pidfd)));
        true
    }

    fn sample(&mut self, cx: CX![], os: OsProcess) {
        let Some(running) = self.running.get_mut(&os) else { return };
        let Some(watcher) = running.watcher.as_mut() else { return };
        let usage = os.usage();
        running.gone.peak_rss = running.gone.peak_rss.max(Some(usage.peak));
        let exceeded = if watcher.limits.memory.is_some_and(|limit| usage.rss > limit) {
            Some(Limit::Memory)
        } else if watcher.limits.processes.is_some_and(|limit| usage.below > limit) {
            Some(Limit::Processes)
        } else {
            None
        };
        match exceeded {
            Some(limit) => self.tell(cx, &os, Seen::Exceeded(limit)),
            None => watcher.sample = Some(after!(SAMPLE, [cx], sample(os))),
        }
    }

    fn tell(&mut self, cx: CX![], os: &OsProcess, seen: Seen) {
        if let Some(watcher) = self.running.get_mut(os).and_then(|running| running.watcher.take()) {
            watcher.end(cx).ret(seen);
        }
    }

    fn on_ended(&mut self, cx: CX![], os: &OsProcess) {
        let Some(running) = self.running.get_mut(os).filter(|running| running.pidfd.is_some()) else {
            return;
        };
        if running.pidfd.as_ref().is_some_and(|pidfd| !has_ended(pidfd)) {
            // A token is used again, so an event may be about an older descriptor.
            return;
        }
        if running.stopping.is_some() {
            // While the leader is not reaped its number cannot be another's, so the rest of its group can still be named.
            signal(os, running, Signal::KILL);
        }
        match wait4::try_wait4_pid(os.pid.unsigned_abs()) {
            Ok(Some(used)) => {
                let cpu = Some(used.rusage.utime + used.rusage.stime);
                let peak_rss = running.gone.peak_rss.max(Some(used.rusage.maxrss));
                running.gone = Gone { ended: Some(ended(used.status)), peak_rss, cpu };
            }
            Ok(None) => return,
            // Not a child of this program: whoever's it is reaps it.
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::CHILD.raw_os_error()) => {}
            Err(e) => log::error!("child {} cannot be waited for: {e}", os.pid),
        }
        running.pidfd = None;
        running.gate = None;
        let gone = running.gone;
        let (stopping, standing) = (running.stopping.is_some(), running.standing);
        self.tell(cx, os, Seen::Gone(gone));
        if stopping {
            self.look(cx, *os, 0);
        } else if standing == Standing::Forgotten {
            self.running.remove(os);
        }
        self.admit(cx);
    }

    /// The process knows how its command ended. Until it says so it may ask again, for instance after a pause.
    pub(super) fn release(&mut self, _: CX![], os: OsProcess) {
        if self.running.get(&os).is_some_and(|running| running.pidfd.is_none()) {
            self.running.remove(&os);
        }
    }

    /// Stops a command with its whole group, and answers when nothing of it is left. At once, if it is gone already.
    pub(super) fn stop(&mut self, cx: CX![], os: OsProcess, ret: Ret<Gone>) {
        if !self.attach(cx, &os) {
            if !os.has_orphans(self.boot) {
                return ret.ret(Gone::default());
            }
            // The witness is gone and its command is not.
            self.running.insert(os, Running::found(None));
        }
        let Some(running) = self.running.get_mut(&os) else { return };
        running.stopping = Some(ret);
        if running.pidfd.is_none() {
            if os.has_orphans(self.boot) {
                signal_group(&os, Signal::KILL);
            }
            return self.look(cx, os, 0);
        }
        signal(&os, running, Signal::TERM);
        if running.kill.is_none() {
            running.kill = Some(after!(GRACE, [cx], |this, _cx| {
                if let Some(running) = this.running.get(&os) {
                    signal(&os, running, Signal::KILL);
                }
            }));
        }
    }

    /// Whether the last of the group has gone. The number of the leader stays taken as long as there is a group of this number.
    fn look(&mut self, cx: CX![], os: OsProcess, looks: u32) {
        let is_left = os.has_group(self.boot);
        if is_left && looks < QUICK_LOOKS {
            after!(LOOK, [cx], look(os, looks + 1));
        } else if is_left && os.has_living_orphans() {
            after!(SLOW_LOOK, [cx], look(os, looks));
        } else if let Some(running) = self.running.remove(&os) {
            if let Some(timer) = running.kill {
                cx.timer_del(timer);
            }
            if let Some(ret) = running.stopping {
                ret.ret(running.gone);
            }
        }
    }
}

/// A pidfd is readable when its process has ended (pidfd_open(2)).
fn has_ended(pidfd: &Watched) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

impl Drop for Commands {
    fn drop(&mut self) {
        for (os, running) in &self.running {
            // A gate that is dropped unopened lets its witness end by itself.
            if running.ours && !running.survives {
                signal(os, running, Signal::KILL);
            }
        }
    }
}

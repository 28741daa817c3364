//! A way through a command (`ProxyCommand`): what it reads and writes is the stream.

use procession::transport::{Op, Transport, TransportError};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use stakker::{ActorOwn, ActorOwnSlab, CX, Core, actor_in_slab, actor_new, call, fwd_to, ret_nop, stop};
use stakker_mio::mio::Interest;
use stakker_mio::{FdSource, MioPoll, MioSource, Ready};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A transport that can do one thing: connect, by running the command. Whatever else is asked of it, it refuses.
pub(crate) struct ProxyCommand {
    host: String,
    command: String,
    children: ActorOwnSlab<Running>,
}

impl ProxyCommand {
    /// To this host, by this command; a shell reads it, as `ssh` has it read. Dropping the owner kills what still runs.
    pub(crate) fn start(core: &mut Core, host: &str, command: &str) -> (Transport, ActorOwn<ProxyCommand>) {
        let actor = actor_new!(core, ProxyCommand, ret_nop!());
        let transport = Transport::new(&format!("ProxyCommand of {host}"), fwd_to!([actor], on_op() as (Op)));
        call!([actor], ProxyCommand::init(host.to_owned(), command.to_owned()));
        (transport, actor)
    }

    fn init(_: CX![], host: String, command: String) -> Option<ProxyCommand> {
        Some(ProxyCommand { host, command, children: ActorOwnSlab::new() })
    }

    fn on_op(&mut self, cx: CX![], op: Op) {
        let no = || TransportError::Refused("a ProxyCommand only connects".to_owned());
        match op {
            Op::Connect { host: _, port: _, ret } => ret.ret(self.connect(cx)),
            Op::WhenUp(ret) => ret.ret(Ok(())),
            Op::Exec(_, ret) => ret.ret(Err(no())),
            Op::Put(_, ret) | Op::Get(_, ret) => ret.ret(Err(no())),
            Op::List(_, ret) => ret.ret(Err(no())),
            Op::Stat(_, ret) => ret.ret(Err(no())),
            Op::Remove { path: _, tree: _, ret } => ret.ret(Err(no())),
            Op::Read { path: _, limit: _, ret } => ret.ret(Err(no())),
            Op::Mkdir { ret, .. }
            | Op::Rename { ret, .. }
            | Op::Symlink { ret, .. }
            | Op::Chmod { ret, .. }
            | Op::Write { ret, .. } => ret.ret(Err(no())),
        }
    }

    fn connect(&mut self, cx: CX![]) -> Result<OwnedFd, TransportError> {
        let failed = |e: std::io::Error| TransportError::Unreachable {
            host: self.host.clone(),
            why: format!("its ProxyCommand ({}) cannot be started: {e}", self.command),
        };
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(|e| failed(e.into()))?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(|e| failed(e.into()))?;
        let stdin = theirs.try_clone().map_err(failed)?;
        let mut command = Command::new("sh");
        // `exec`, as `ssh` does it: so that the child is the command itself, and ends with it.
        command.arg("-c").arg(format!("exec {}", self.command)).process_group(0);
        command.stdin(stdin).stdout(theirs).stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        match pidfd_open(Pid::from_child(&child), PidfdFlags::NONBLOCK) {
            Ok(pidfd) => {
                actor_in_slab!(self.children, cx, Running::init(child, pidfd));
                Ok(ours)
            }
            Err(e) => {
                let _ = child.kill();
                Err(failed(e.into()))
            }
        }
    }
}

/// A command that runs until its stream is closed.
struct Running {
    child: Child,
    ended: bool,
    // The registration ends before the descriptor is closed.
    _watch: Option<MioSource<FdSource>>,
    _pidfd: OwnedFd,
}

impl Running {
    fn init(cx: CX![], child: Child, pidfd: OwnedFd) -> Option<Running> {
        let ready = fwd_to!([cx], on_end() as (Ready));
        let poll = cx.anymap_get::<MioPoll>();
        let watch = poll.add(FdSource::new(pidfd.as_raw_fd()), Interest::READABLE, PRIORITY, ready);
        if let Err(e) = &watch {
            log::warn!("a ProxyCommand is not watched, and will be reaped late: {e}");
        }
        Some(Running { child, ended: false, _watch: watch.ok(), _pidfd: pidfd })
    }

    fn on_end(&mut self, cx: CX![], _: Ready) {
        if let Ok(Some(_)) = self.child.try_wait() {
            self.ended = true;
            stop!(cx);
        }
    }
}

/// That of all descriptors.
const PRIORITY: u32 = 10;

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            // Its group, for it may be a pipeline; ESRCH means that all of it has ended.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.try_wait();
        }
    }
}

//! `ssh -G`, as a child that is watched by the one thread and never waited for.

use super::{Here, Target};
use procession::transport::{Answer, TransportError};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use stakker::{ActorOwn, CX, Core, FixedTimerKey, Fwd, actor_new, after, call, fwd_to, ret_nop, stop};
use stakker_mio::mio::event::Source;
use stakker_mio::mio::unix::SourceFd;
use stakker_mio::mio::unix::pipe::Receiver;
use stakker_mio::mio::{Interest, Registry, Token};
use stakker_mio::{MioPoll, MioSource, Ready};
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long `ssh -G` may take. It takes 16 ms; a `Match exec` or a slow name server of the user may take seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// How much it may print, in bytes: some twenty times what it does.
const MOST: usize = 128 << 10;

/// The priority of its pipes: that of all descriptors.
const PRIORITY: u32 = 10;

/// How settings are looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lookup {
    /// The program: `ssh`, as found in the `PATH`.
    pub program: PathBuf,
    /// The user's file, if it is another one than `~/.ssh/config`. The machine's file is then not read, as with `ssh -F`.
    pub file: Option<PathBuf>,
    /// Who we are.
    pub here: Here,
}

/// Whose settings. What is given here stands above what the files say.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Query {
    /// What the user calls the host.
    pub alias: String,
    /// The user there.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// Through which hosts, as `ssh -J` takes it.
    pub jump: Option<String>,
}

impl Query {
    /// All as the files say it.
    pub fn new(alias: impl Into<String>) -> Query {
        Query { alias: alias.into(), ..Query::default() }
    }
}

impl Lookup {
    /// With the `ssh` of the `PATH`, the files it reads by itself, and the user of this program.
    pub fn new() -> Lookup {
        Lookup { program: "ssh".into(), file: None, here: Here::of_environment() }
    }

    /// Begins to look up; needs a `MioPoll` in this stakker. `NotFound` says what to install if there is no `ssh`; `Refused`
    /// repeats what `ssh` had against its files or the alias. The child ends by itself or after 20 seconds.
    ///
    /// ```
    /// use procession_ssh::config::{Lookup, Query};
    /// use stakker::{Ret, Stakker};
    /// use stakker_mio::{MioPoll, mio};
    /// use std::time::{Duration, Instant};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// let mut stakker = Stakker::new(Instant::now());
    /// let poll = MioPoll::new(&mut stakker, mio::Poll::new()?, mio::Events::with_capacity(64), 10)?;
    /// let lookup = Lookup { program: "no-such-ssh".into(), ..Lookup::new() };
    /// let found = Rc::new(RefCell::new(None));
    /// let slot = found.clone();
    /// lookup.start(&mut stakker, Query::new("cluster"), Ret::new(move |target| *slot.borrow_mut() = target));
    /// while found.borrow().is_none() {
    ///     stakker.run(Instant::now(), false);
    ///     poll.poll(stakker.next_wait_max(Instant::now(), Duration::from_secs(1), false))?;
    /// }
    /// assert!(found.take().unwrap().unwrap_err().to_string().contains("openssh-client"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(&self, core: &mut Core, query: Query, answer: Answer<Target>) {
        let actor = actor_new!(core, Asking, ret_nop!());
        // The actor holds itself until the child is reaped.
        let me = actor.owned();
        call!([actor], Asking::init(self.clone(), query, answer, me));
    }

    fn command(&self, query: &Query) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-G").arg("-T");
        if let Some(file) = &self.file {
            command.arg("-F").arg(file);
        }
        if let Some(user) = &query.user {
            command.arg("-l").arg(user);
        }
        if let Some(port) = query.port {
            command.arg("-p").arg(port.to_string());
        }
        if let Some(jump) = &query.jump {
            command.arg("-J").arg(jump);
        }
        command.arg("--").arg(&query.alias);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn no_program(&self, e: &std::io::Error) -> TransportError {
        let program = self.program.display();
        match e.kind() {
            ErrorKind::NotFound => TransportError::NotFound(format!(
                "the program {program}, which reads ~/.ssh/config: install it (openssh-client on Debian and Ubuntu, \
                 openssh-clients on Fedora), or give the host, the user and the port yourself"
            )),
            _ => TransportError::Refused(format!("{program}: {e}")),
        }
    }
}

impl Default for Lookup {
    fn default() -> Lookup {
        Lookup::new()
    }
}

/// A lookup under way.
struct Asking {
    lookup: Lookup,
    alias: String,
    child: Child,
    outputs: [Option<MioSource<Receiver>>; 2],
    texts: [Vec<u8>; 2],
    ended: Option<ExitStatus>,
    late: bool,
    limit: FixedTimerKey,
    answer: Option<Answer<Target>>,
    _pidfd: MioSource<Pidfd>,
    _me: ActorOwn<Asking>,
}

impl Asking {
    fn init(
        cx: CX![],
        lookup: Lookup,
        query: Query,
        answer: Answer<Target>,
        me: ActorOwn<Asking>,
    ) -> Option<Asking> {
        let Some(poll) = cx.anymap_try_get::<MioPoll>() else {
            answer.ret(Err(TransportError::Refused("the runtime has no mio poll".to_owned())));
            stop!(cx);
            return None;
        };
        let mut child = match lookup.command(&query).spawn() {
            Ok(child) => child,
            Err(e) => {
                answer.ret(Err(lookup.no_program(&e)));
                stop!(cx);
                return None;
            }
        };
        let ready = fwd_to!([cx], on_ready() as (Ready));
        match watch(&poll, &mut child, ready) {
            Ok((outputs, pidfd)) => Some(Asking {
                lookup,
                alias: query.alias,
                child,
                outputs,
                texts: [Vec::new(), Vec::new()],
                ended: None,
                late: false,
                limit: after!(LIMIT, [cx], on_limit()),
                answer: Some(answer),
                _pidfd: pidfd,
                _me: me,
            }),
            Err(e) => {
                // Out of descriptors: the child is killed, and reaped if it is quick.
                let _ = child.kill();
                let _ = child.try_wait();
                answer.ret(Err(TransportError::Refused(format!("ssh -G cannot be watched: {e}"))));
                stop!(cx);
                None
            }
        }
    }

    fn on_limit(&mut self, _: CX![]) {
        self.late = true;
        // It is there: it is reaped only below, and then the timer is gone.
        let _ = self.child.kill();
    }

    fn on_ready(&mut self, cx: CX![], _: Ready) {
        for at in 0..2 {
            if let Some(output) = &self.outputs[at]
                && read(output, &mut self.texts[at])
            {
                self.outputs[at] = None;
            }
        }
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap_or_default();
        }
        // Somebody whom it left behind may hold its outputs; what was printed is whole when it has ended.
        let Some(status) = self.ended else { return };
        cx.timer_del(self.limit);
        if let Some(answer) = self.answer.take() {
            answer.ret(self.outcome(status));
        }
        stop!(cx);
    }

    fn outcome(&self, status: ExitStatus) -> Result<Target, TransportError> {
        let alias = &self.alias;
        if self.late {
            return Err(TransportError::TimedOut(format!("`ssh -G {alias}` (limit {LIMIT:?})")));
        }
        let text = String::from_utf8_lossy(&self.texts[0]);
        if !status.success() {
            let said = String::from_utf8_lossy(&self.texts[1]);
            let said = said.lines().last().unwrap_or("nothing");
            return Err(TransportError::Refused(format!("`ssh -G {alias}` says: {said}")));
        }
        Target::parse(alias, &text, &self.lookup.here).map_err(|e| TransportError::Refused(e.to_string()))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // The runtime ends before the child: it is killed, and whoever reaps the children of this program reaps it.
            let _ = self.child.kill();
            let _ = self.child.try_wait();
        }
    }
}

fn watch(
    poll: &MioPoll,
    child: &mut Child,
    ready: Fwd<Ready>,
) -> std::io::Result<([Option<MioSource<Receiver>>; 2], MioSource<Pidfd>)> {
    let add = |receiver: Receiver| {
        receiver.set_nonblocking(true)?;
        poll.add(receiver, Interest::READABLE, PRIORITY, ready.clone())
    };
    let stdout = child.stdout.take().map(Receiver::from).map(add).transpose()?;
    let stderr = child.stderr.take().map(Receiver::from).map(add).transpose()?;
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::NONBLOCK)?;
    let pidfd = poll.add(Pidfd(pidfd), Interest::READABLE, PRIORITY, ready)?;
    Ok(([stdout, stderr], pidfd))
}

/// Reads what there is; what is too much is thrown away. Whether that was all.
fn read(mut output: &Receiver, text: &mut Vec<u8>) -> bool {
    let mut piece = [0; 8 << 10];
    loop {
        match output.read(&mut piece) {
            Ok(0) => return true,
            Ok(count) => text.extend_from_slice(&piece[..count.min(MOST.saturating_sub(text.len()))]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
    }
}

/// Readable when the child has ended (`pidfd_open(2)`).
struct Pidfd(OwnedFd);

impl Source for Pidfd {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(registry, token, interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> std::io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}

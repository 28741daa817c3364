//! One running command: an actor that owns its child, its outputs and its time limit.
//!
//! Input is given whole, in a file in memory (`memfd_create`), so there is nothing to write and no SIGPIPE. Outputs are
//! pipes: a program that opens `/dev/stderr` anew, as many scripts do, would fail on a socket (ENXIO, `open(2)`).
//!
//! The answer comes when the child has ended and both outputs have. A grandchild may keep an output open for ever, so
//! after [`GRACE`] we stop listening.

use crate::leader::Leader;
use crate::watched::Watched;
use crate::worker::Worker;
use procession::transport::reason;
use procession::transport::{Answer, Chunk, Ended, Exec, Exit, Stream, TransportError};
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use stakker::{CX, FixedTimerKey, Fwd, after, fwd_to, idle, ret_some_to, stop};
use stakker_mio::mio::Interest;
use stakker_mio::{MioPoll, MioSource, Ready};
use std::io::{Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

/// How long outputs are listened to after the child has ended: enough for what a pipeline still has to say, and short
/// beside what its user would notice.
const GRACE: Duration = Duration::from_millis(250);

/// How much of an output is read before others have their turn: four times what a pipe holds.
const BUDGET: usize = 256 << 10;

/// How much is read with one call, in bytes.
const PIECE: usize = 16 << 10;

/// Everything that a command needs from its transport.
pub(crate) struct Place {
    pub(crate) poll: MioPoll,
    pub(crate) worker: Rc<Worker>,
    pub(crate) folder: PathBuf,
}

/// A command that runs.
pub(crate) struct Running {
    leader: Leader,
    ended: Option<Ended>,
    outputs: [Output; 2],
    stream: Option<Fwd<Chunk>>,
    keep: usize,
    /// Why it is being killed.
    verdict: Option<TransportError>,
    answer: Option<Answer<Exit>>,
    limit: Option<FixedTimerKey>,
    grace: Option<FixedTimerKey>,
    _cancel: Option<procession::transport::CancelToken>,
}

struct Output {
    open: Option<MioSource<Watched>>,
    /// There was more than could be read in one turn; it is read in the next one.
    is_left: bool,
    kept: Vec<u8>,
    total: u64,
}

impl Running {
    /// Starts the command. If that fails, `answer` says why and there is no actor.
    pub(crate) fn init(cx: CX![], exec: Exec, place: Place, answer: Answer<Exit>) -> Option<Running> {
        match Running::start(cx, &exec, place) {
            Ok((leader, outputs)) => {
                let named = exec.argv[0].clone();
                let limit = exec.timeout.map(|limit| after!(limit, [cx], on_timeout(named, limit)));
                if let Some(cancel) = &exec.cancel {
                    cancel.on_cancel(ret_some_to!([cx], on_cancel() as ()));
                }
                Some(Running {
                    leader,
                    ended: None,
                    outputs,
                    stream: exec.stream,
                    keep: exec.keep,
                    verdict: None,
                    answer: Some(answer),
                    limit,
                    grace: None,
                    _cancel: exec.cancel,
                })
            }
            Err(e) => {
                answer.ret(Err(e));
                stop!(cx);
                None
            }
        }
    }

    fn start(cx: CX![], exec: &Exec, place: Place) -> Result<(Leader, [Output; 2]), TransportError> {
        let Some((program, args)) = exec.argv.split_first() else {
            return Err(TransportError::Refused("a command has at least the name of a program".to_owned()));
        };
        let refused = |e: std::io::Error| reason::named(program, &e);
        let mut command = Command::new(program);
        command.args(args).envs(&exec.env).current_dir(&place.folder);
        command.stdin(input(&exec.stdin).map_err(refused)?);
        let (out, write_out) = output().map_err(refused)?;
        let (err, write_err) = output().map_err(refused)?;
        command.stdout(write_out).stderr(write_err);
        let leader = Leader::start(command, &place.poll, place.worker, fwd_to!([cx], on_end() as (Ready)))?;
        let watch = |fd, ready| {
            let open = Watched::add(&place.poll, fd, Interest::READABLE, ready).map_err(refused)?;
            Ok(Output { open: Some(open), is_left: false, kept: Vec::new(), total: 0 })
        };
        let out = watch(out, fwd_to!([cx], on_output(Stream::Stdout) as (Ready)))?;
        let err = watch(err, fwd_to!([cx], on_output(Stream::Stderr) as (Ready)))?;
        Ok((leader, [out, err]))
    }

    fn on_output(&mut self, cx: CX![], from: Stream, _: Ready) {
        // What comes now is read with what was left.
        if !self.outputs[from as usize].is_left {
            self.listen(cx, from);
        }
    }

    /// Reads what there is, up to the budget; then the others have their turn.
    fn listen(&mut self, cx: CX![], from: Stream) {
        let is_left = !self.read(from, BUDGET);
        self.outputs[from as usize].is_left = is_left;
        if is_left {
            idle!([cx], listen(from));
        }
        self.settle(cx);
    }

    /// Reads up to `budget` bytes. Whether there is nothing more for now.
    fn read(&mut self, from: Stream, budget: usize) -> bool {
        let output = &mut self.outputs[from as usize];
        let mut piece = [0; PIECE];
        let mut read = 0;
        while let Some(open) = &output.open {
            match rustix::io::read(&**open, &mut piece) {
                Ok(0) => output.open = None,
                Ok(count) => {
                    read += count;
                    output.total += count as u64;
                    let room = self.keep.saturating_sub(output.kept.len());
                    output.kept.extend_from_slice(&piece[..count.min(room)]);
                    if let Some(stream) = &self.stream {
                        stream.fwd(Chunk { stream: from, bytes: piece[..count].to_vec() });
                    }
                    if read >= budget {
                        return false;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(e) => {
                    log::warn!("an output of process {} cannot be read: {e}", self.leader.pid());
                    output.open = None;
                }
            }
        }
        true
    }

    fn on_end(&mut self, cx: CX![], _: Ready) {
        if let Some(used) = self.leader.reap() {
            self.ended = Some(ended(used.status));
            self.grace = Some(after!(GRACE, [cx], on_grace()));
        }
        self.settle(cx);
    }

    /// Somebody else holds an output open. What is there already still counts.
    fn on_grace(&mut self, cx: CX![]) {
        for from in [Stream::Stdout, Stream::Stderr] {
            self.read(from, BUDGET);
            self.outputs[from as usize].open = None;
        }
        self.settle(cx);
    }

    fn on_timeout(&mut self, cx: CX![], named: String, limit: Duration) {
        self.condemn(cx, TransportError::TimedOut(format!("{named} (limit {limit:?})")));
    }

    fn on_cancel(&mut self, cx: CX![]) {
        self.condemn(cx, TransportError::Cancelled);
    }

    /// Kills the group; the answer waits until the leader is reaped, so that after it nothing of the command runs.
    fn condemn(&mut self, cx: CX![], why: TransportError) {
        self.verdict.get_or_insert(why);
        self.leader.signal(Signal::KILL);
        self.settle(cx);
    }

    fn settle(&mut self, cx: CX![]) {
        let Some(how) = self.ended else { return };
        if self.verdict.is_none() && self.outputs.iter().any(|output| output.open.is_some()) {
            return;
        }
        let Some(answer) = self.answer.take() else { return };
        for timer in [self.limit.take(), self.grace.take()].into_iter().flatten() {
            cx.timer_del(timer);
        }
        answer.ret(match self.verdict.take() {
            Some(why) => Err(why),
            None => {
                let total = [self.outputs[0].total, self.outputs[1].total];
                let [stdout, stderr] = self.outputs.each_mut().map(|output| std::mem::take(&mut output.kept));
                Ok(Exit { how, stdout, stderr, total })
            }
        });
        stop!(cx);
    }
}

/// The exit code, or the signal.
pub(crate) fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        // A status that is neither cannot come from a wait without WUNTRACED; 0 is no signal.
        (None, signal) => Ended::Signal(signal.unwrap_or(0)),
    }
}

fn input(bytes: &[u8]) -> std::io::Result<Stdio> {
    if bytes.is_empty() {
        return Ok(Stdio::null());
    }
    // Where vm.memfd_noexec is 2 the seal is demanded; kernels before 6.3 do not know it (memfd_create(2)).
    let fd = memfd_create("procession-stdin", MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create("procession-stdin", MemfdFlags::CLOEXEC))?;
    let mut file = std::fs::File::from(fd);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(Stdio::from(file))
}

/// Our end, which does not block, and that of the child, which does. Each has its own open file description.
fn output() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok((ours, theirs))
}

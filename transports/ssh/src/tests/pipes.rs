//! For tests: `sh` and `sftp-server` of this machine over plain pipes, in the place of a session.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the loop of a test: it reads the clock and reaps its children"
)]

mod contract_run;
mod hard_cases;

use crate::talk::{Ask, Closed, Line, Opens, Outbox, Talk};
use procession::transport::{Stream, TransportError};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use stakker::{CX, fwd_to, idle, stop};
use stakker_mio::mio::Interest;
use stakker_mio::{FdSource, MioPoll, MioSource, Ready};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

/// Where Debian has it.
const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// How the other side is to be found lacking.
#[derive(Clone, Default)]
pub(crate) struct Rig {
    /// The folder where commands begin.
    pub(crate) home: std::path::PathBuf,
    /// After so many bytes that we said, the connection breaks.
    pub(crate) cut_after: Option<u64>,
    /// After so many bytes that we heard, the connection breaks.
    pub(crate) cut_hearing: Option<u64>,
    /// The `PATH` of the host, if not ours.
    pub(crate) path: Option<String>,
    /// A command in the place of whatever is opened.
    pub(crate) instead: Option<String>,
}

/// One child and the talk with it.
pub(crate) struct Pipe {
    sources: [Option<MioSource<FdSource>>; 3],
    ends: [Option<OwnedFd>; 3],
    child: Child,
    talk: Option<Box<dyn Talk>>,
    out: Outbox,
    said: u64,
    cut_after: Option<u64>,
    heard: u64,
    cut_hearing: Option<u64>,
}

impl Pipe {
    pub(crate) fn init(cx: CX![], rig: Rig, mut talk: Box<dyn Talk>) -> Option<Pipe> {
        let mut command = match rig.instead.clone().map_or_else(|| talk.opens(), Opens::Command) {
            Opens::Command(line) => {
                let mut command = Command::new("/bin/sh");
                command.arg("-c").arg(line);
                command
            }
            Opens::Subsystem("sftp") => Command::new(SFTP_SERVER),
            other => panic!("{other:?} has no pipe"),
        };
        if let Some(path) = &rig.path {
            command.env("PATH", path);
        }
        command.current_dir(&rig.home).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a shell can be started");
        let ends: [OwnedFd; 3] = [
            child.stdin.take().expect("it is a pipe").into(),
            child.stdout.take().expect("it is a pipe").into(),
            child.stderr.take().expect("it is a pipe").into(),
        ];
        let poll = cx.anymap_get::<MioPoll>();
        let sources = [0, 1, 2].map(|at| {
            rustix::io::ioctl_fionbio(&ends[at], true).expect("a pipe");
            let interest = if at == 0 { Interest::WRITABLE } else { Interest::READABLE };
            let ready = fwd_to!([cx], on_ready() as (Ready));
            Some(poll.add(FdSource::new(ends[at].as_raw_fd()), interest, 10, ready).expect("it is polled"))
        });
        talk.placed(Line::new(fwd_to!([cx], on_ask() as (Ask)), std::rc::Rc::default()));
        let mut pipe = Pipe {
            sources,
            ends: ends.map(Some),
            child,
            talk: Some(talk),
            out: Outbox::default(),
            said: 0,
            cut_after: rig.cut_after,
            heard: 0,
            cut_hearing: rig.cut_hearing,
        };
        pipe.pump(cx);
        Some(pipe)
    }

    fn on_ready(&mut self, cx: CX![], _: Ready) {
        self.pump(cx);
    }

    fn on_ask(&mut self, cx: CX![], ask: Ask) {
        match ask {
            Ask::Poke => self.pump(cx),
            Ask::Errand(_) => panic!("file talks have no errands"),
        }
    }

    fn close(&mut self, at: usize) {
        self.sources[at] = None;
        self.ends[at] = None;
    }

    fn pump(&mut self, cx: CX![]) {
        for _ in 0..64 {
            let Some(talk) = &mut self.talk else { return };
            if self.ends[0].is_some() && !self.out.is_over() {
                talk.say(&mut self.out);
            }
            let mut moved = self.write();
            moved |= self.read(1, Stream::Stdout);
            moved |= self.read(2, Stream::Stderr);
            if self.cut_after.is_some_and(|limit| self.said >= limit)
                || self.cut_hearing.is_some_and(|limit| self.heard >= limit)
            {
                let why = "it was cut".to_owned();
                return self.end(cx, Err(TransportError::Unreachable { host: "pipes".to_owned(), why }));
            }
            if self.talk.as_ref().is_some_and(|talk| talk.is_done()) {
                return self.end(cx, Ok(()));
            }
            if self.ends[1].is_none() && self.ends[2].is_none() {
                return self.end(cx, Ok(()));
            }
            if !moved {
                return;
            }
        }
        idle!([cx], pump());
    }

    fn write(&mut self) -> bool {
        let Some(end) = &self.ends[0] else { return false };
        let rest = self.out.rest();
        // A cut is exact.
        let room = self.cut_after.map_or(u64::MAX, |limit| limit - self.said);
        let rest = &rest[..rest.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        let moved = if rest.is_empty() {
            false
        } else {
            match rustix::io::write(end, rest) {
                Ok(count) => {
                    self.out.take(count);
                    self.said += count as u64;
                    true
                }
                Err(Errno::AGAIN) => false,
                // It does not read any more: what it says decides.
                Err(Errno::PIPE) => {
                    self.close(0);
                    return false;
                }
                Err(e) => panic!("{e}"),
            }
        };
        if self.out.is_over() {
            self.close(0);
        }
        moved
    }

    fn read(&mut self, at: usize, from: Stream) -> bool {
        let (Some(end), Some(talk)) = (&self.ends[at], &mut self.talk) else { return false };
        if talk.appetite() == 0 {
            return false;
        }
        let mut bytes = [0; 64 << 10];
        match rustix::io::read(end, &mut bytes) {
            Ok(0) => {
                if at == 1 {
                    talk.on_end();
                }
                self.close(at);
                true
            }
            Ok(count) => {
                self.heard += count as u64;
                talk.hear(from, &bytes[..count]);
                true
            }
            Err(Errno::AGAIN) => false,
            Err(e) => panic!("{e}"),
        }
    }

    fn end(&mut self, cx: CX![], how: Result<(), TransportError>) {
        let done = self.talk.as_ref().is_some_and(|talk| talk.is_done());
        if done || how.is_err() {
            // As sshd does: the input ends, and the command lives on until it notices.
            (0..3).for_each(|at| self.close(at));
        }
        let status = self.child.wait().expect("it is ours");
        let closed = Closed {
            code: status.code().unwrap_or(0),
            signal: status.signal().map(|signal| signal.to_string()),
        };
        let talk = self.talk.take().expect("it ends once");
        talk.over(how.map(|()| closed));
        stop!(cx);
    }
}

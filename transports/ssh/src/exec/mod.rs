//! A command on the host: framed, so that its end is evidence, and killed by its process group.

mod frame;
mod kill;
mod lane;
mod marks;
pub(crate) mod quote;
mod shell;
mod signals;
mod turn;

pub(crate) use lane::{Lane, Seat, Word};
pub(crate) use shell::Shell;

use crate::session::LONGEST_LINE;
use crate::talk::{Closed, Line, Opens, Outbox, Recall, Talk};
use frame::Order;
use kill::Kill;
use marks::{Heard, Reader};
use procession::pool::Urgency;
use procession::transport::{
    Answer, CancelToken, Chunk, Ended, Exec, Exit, RemotePath, Stream, TransportError,
};
use stakker::Fwd;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use turn::Turn;

/// How long outputs are listened to after the command has ended, and how long we wait for a killed one: enough for what a
/// pipeline still has to say, and short beside what its user would notice.
const GRACE: Duration = Duration::from_millis(250);

/// How many bytes of the input wait to be written: as many as one pump may send.
const AHEAD: usize = 128 << 10;

/// How long a login that hangs may take to say who is to be killed.
const HOPE: Duration = Duration::from_secs(10);

/// A conversation with a framed command.
pub(crate) struct Command {
    /// By which whoever began it finds it.
    pub(crate) id: u64,
    host: Rc<str>,
    /// For messages.
    program: String,
    urgent: bool,
    turn: Turn,
    order: Order,
    mark: String,
    /// What was known of the login shell when the line was made.
    shell: Shell,
    line: String,
    /// What is said before the input: the frame itself, if it is long.
    first: String,
    stdin: Vec<u8>,
    said: usize,
    streams: [Listener; 2],
    stream: Option<Fwd<Chunk>>,
    keep: usize,
    limit: Option<Duration>,
    /// When the limit is reached, once the command was begun.
    late: Option<Instant>,
    state: State,
    /// The command line was sent.
    begun: bool,
    /// It has ended with this status, and it is waited for what the shell says about that.
    ended: Option<(i32, bool)>,
    /// Why it could not be run.
    failure: Option<TransportError>,
    /// Why it is to be killed.
    verdict: Option<TransportError>,
    recall: Rc<Recall>,
    session: Option<Line>,
    answer: Option<Answer<Exit>>,
    _cancel: Option<CancelToken>,
}

struct Listener {
    reader: Reader,
    kept: Vec<u8>,
    total: u64,
    /// Its end mark was seen.
    ended: bool,
    /// The login shell had something to say about the command.
    remark: bool,
}

enum State {
    /// The frame has not spoken yet. If it is to be killed already, that is waited for until then.
    Asked {
        hope: Option<Instant>,
    },
    Running {
        group: u32,
    },
    /// It is being killed; the cell says when that is done.
    Killed {
        done: Rc<Cell<bool>>,
        grace: Option<Instant>,
    },
    Over {
        how: Ended,
        grace: Option<Instant>,
    },
    /// Nothing more is waited for.
    Done,
}

impl Command {
    /// The conversation that runs `exec` below the work folder. `mark` is a number that nobody can foresee.
    pub(crate) fn new(
        host: Rc<str>,
        work: &RemotePath,
        mark: u64,
        mut exec: Exec,
        answer: Answer<Exit>,
    ) -> Result<Command, (TransportError, Answer<Exit>)> {
        let order = match Order::of(work, &mut exec) {
            Ok(order) => order,
            Err(e) => return Err((e, answer)),
        };
        let mark = format!("@{mark:016x}:");
        let listener = || Listener {
            reader: Reader::new(&mark),
            kept: Vec::new(),
            total: 0,
            ended: false,
            remark: false,
        };
        Ok(Command {
            id: 0,
            host,
            program: order.argv[0].clone(),
            urgent: exec.urgent,
            streams: [listener(), listener()],
            turn: Turn::of(exec.brief && exec.stdin.is_empty(), &mark, &order),
            order,
            mark,
            shell: Shell::Unknown,
            line: String::new(),
            first: String::new(),
            stdin: exec.stdin,
            said: 0,
            stream: exec.stream,
            keep: exec.keep,
            limit: exec.timeout,
            late: None,
            state: State::Asked { hope: None },
            begun: false,
            ended: None,
            failure: None,
            verdict: None,
            recall: Rc::default(),
            session: None,
            answer: Some(answer),
            _cancel: exec.cancel,
        })
    }

    /// How it waits for a channel.
    pub(crate) fn urgency(&self) -> Urgency {
        if self.urgent { Urgency::Control } else { Urgency::Work }
    }

    /// The wish that it may be cancelled.
    pub(crate) fn recall(&self) -> Rc<Recall> {
        self.recall.clone()
    }

    /// The token of its caller.
    pub(crate) fn cancel(&self) -> Option<&CancelToken> {
        self._cancel.as_ref()
    }

    fn on_heard(&mut self, from: Stream, heard: Heard) {
        match heard {
            Heard::Output(bytes) => self.keep(from, bytes),
            Heard::Began { group, words, version } => {
                if let State::Asked { .. } = self.state {
                    self.state = State::Running { group };
                    self.learn(words, version);
                }
            }
            Heard::Remark => self.streams[from as usize].remark = true,
            Heard::NoFolder { permission: false } => {
                self.fail(TransportError::NotFound(self.order.folder.clone()))
            }
            Heard::NoFolder { permission: true } => {
                self.fail(TransportError::Permission(self.order.folder.clone()))
            }
            // Whether it was not found or not permitted is in the status of the end mark.
            Heard::NoProgram => self.fail(TransportError::NotFound(self.program.clone())),
            Heard::Ended { status, remark } => {
                self.streams[from as usize].ended = true;
                match from {
                    Stream::Stdout => self.ended = Some((status, remark)),
                    Stream::Stderr => {}
                }
                self.look_at_end();
            }
        }
    }

    /// What the login shell made of our question is known to all that come after.
    fn learn(&self, words: u32, version: Option<u32>) {
        if let Some(line) = &self.session
            && line.shell().get() == self.shell
        {
            line.shell().set(self.shell.told(words, version));
        }
    }

    /// A login shell that runs the frame itself speaks on stderr, before its end mark there.
    fn look_at_end(&mut self) {
        let [_, err] = &self.streams;
        match self.ended {
            Some((status, _)) if self.shell == Shell::Bash && status >= 126 && !err.ended => {}
            Some((status, remark)) => {
                let remark = remark || err.remark;
                self.on_ended(status, remark);
            }
            None => {}
        }
    }

    fn on_ended(&mut self, status: i32, remark: bool) {
        self.ended = None;
        if self.shell == Shell::Bash && remark && [126, 127].contains(&status) {
            self.fail(TransportError::NotFound(self.program.clone()));
        }
        // 126: found, but it can't be run (POSIX, sh, 2.8.2).
        if let (Some(TransportError::NotFound(_)), 126) = (&self.failure, status) {
            self.failure = Some(TransportError::Permission(self.program.clone()));
        }
        let silent = [128 + signals::INT, 128 + signals::PIPE].contains(&status);
        let how = match status > 128 && (remark || silent) {
            true => Ended::Signal(status - 128),
            false => Ended::Code(status),
        };
        self.state = State::Over { how, grace: None };
    }

    fn fail(&mut self, why: TransportError) {
        self.failure.get_or_insert(why);
    }

    fn keep(&mut self, from: Stream, bytes: Vec<u8>) {
        let listener = &mut self.streams[from as usize];
        listener.total += bytes.len() as u64;
        let room = self.keep.saturating_sub(listener.kept.len());
        listener.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if let Some(stream) = &self.stream {
            stream.fwd(Chunk { stream: from, bytes });
        }
    }

    /// Looks at the limit and at the wish to cancel, and kills the command if it is so and its group is known.
    fn judge(&mut self, now: Instant) {
        if let (None, Some(limit)) = (self.late, self.limit) {
            self.late = now.checked_add(limit);
        }
        if self.recall.is_wished() {
            self.verdict.get_or_insert(TransportError::Cancelled);
        } else if self.late.is_some_and(|late| now >= late) {
            let why = format!("{} (limit {:?})", self.program, self.limit.unwrap_or_default());
            self.verdict.get_or_insert(TransportError::TimedOut(why));
        }
        if let (Some(_), State::Running { group }, Some(session)) =
            (&self.verdict, &self.state, &self.session)
        {
            let done = Rc::new(Cell::new(false));
            session.errand(Box::new(Kill { group: *group, done: done.clone(), session: session.clone() }));
            self.state = State::Killed { done, grace: None };
        }
    }

    fn tell(&mut self, how: Result<Ended, TransportError>) {
        self.state = State::Done;
        let Some(answer) = self.answer.take() else { return };
        let [out, err] = &mut self.streams;
        answer.ret(how.map(|how| Exit {
            how,
            stdout: std::mem::take(&mut out.kept),
            stderr: std::mem::take(&mut err.kept),
            total: [out.total, err.total],
        }));
    }

    /// The channel is closed, and the frame did not say how it ended.
    fn without_end(&self, closed: &Closed) -> Result<Ended, TransportError> {
        let noise: Vec<u8> = self.streams.iter().flat_map(|stream| stream.reader.noise()).copied().collect();
        let noise = String::from_utf8_lossy(&noise).trim().to_owned();
        let began = !matches!(self.state, State::Asked { .. });
        match closed.signal.as_deref().and_then(signals::number).filter(|_| began) {
            // The whole group was killed, the frame with it; sshd saw the signal.
            Some(signal) => Ok(Ended::Signal(signal)),
            // One of many was said to a shell that had run others: who knows.
            None if began || matches!(self.turn, Turn::Taken) => Err(TransportError::Unreachable {
                host: self.host.to_string(),
                why: format!("{} vanished without an exit status", self.program),
            }),
            None => Err(TransportError::Protocol(format!(
                "{} did not run a command; its login said: {noise:?}",
                self.host
            ))),
        }
    }
}

impl Talk for Command {
    fn opens(&self) -> Opens {
        Opens::Command(self.line.clone())
    }

    fn placed(&mut self, line: Line) {
        self.recall.attach(line.clone());
        self.shell = line.shell().get();
        (self.line, self.first) = frame::lay_out(&self.mark, &self.order, self.shell, LONGEST_LINE);
        self.session = Some(line);
    }

    fn say(&mut self, out: &mut Outbox) {
        self.begun = true;
        out.push(std::mem::take(&mut self.first).as_bytes());
        let rest = &self.stdin[self.said..];
        let slice = &rest[..rest.len().min(AHEAD.saturating_sub(out.rest().len()))];
        out.push(slice);
        self.said += slice.len();
        if self.said == self.stdin.len() {
            out.end();
        }
    }

    fn hear(&mut self, from: Stream, bytes: &[u8]) {
        let mut heard = Vec::new();
        self.streams[from as usize].reader.hear(bytes, &mut heard);
        heard.into_iter().for_each(|heard| self.on_heard(from, heard));
    }

    fn on_end(&mut self) {
        for from in [Stream::Stdout, Stream::Stderr] {
            let mut heard = Vec::new();
            self.streams[from as usize].reader.end(&mut heard);
            heard.into_iter().for_each(|heard| self.on_heard(from, heard));
        }
        if let Some((status, remark)) = self.ended {
            self.on_ended(status, remark || self.streams[1].remark);
        }
    }

    fn on_time(&mut self, now: Instant) -> Option<Instant> {
        self.judge(now);
        let whole = self.is_whole();
        let (wait, until) = match &mut self.state {
            State::Asked { hope } if self.verdict.is_some() => (HOPE, hope),
            State::Asked { .. } | State::Running { .. } => return self.late,
            State::Killed { done, grace } if done.get() => (GRACE, grace),
            State::Killed { .. } | State::Done => return None,
            State::Over { grace, .. } => (GRACE, grace),
        };
        let until = *until.get_or_insert(now + wait);
        if now < until && !whole {
            return Some(until);
        }
        let how = match &self.state {
            State::Over { how, .. } => Ok(*how),
            State::Asked { .. } | State::Running { .. } | State::Killed { .. } | State::Done => {
                Err(self.verdict.take().unwrap_or(TransportError::Cancelled))
            }
        };
        let how = self.failure.take().map_or(how, Err);
        self.tell(how);
        None
    }

    fn is_done(&self) -> bool {
        match self.state {
            State::Asked { .. } => self.recall.is_wished() && !self.begun,
            State::Running { .. } | State::Killed { .. } | State::Over { .. } => false,
            State::Done => true,
        }
    }

    fn over(mut self: Box<Self>, how: Result<Closed, TransportError>) {
        let told = match (how, &self.state) {
            (_, State::Done) => return,
            (Err(e), State::Asked { .. }) if !self.begun => Err(self.verdict.take().unwrap_or(e)),
            // Whether it runs, or was killed: who knows.
            (Err(e), State::Asked { .. } | State::Running { .. } | State::Killed { .. }) => Err(e),
            (_, State::Over { how, .. }) => Ok(*how),
            (Ok(_), State::Asked { .. }) if !self.begun => Err(TransportError::Cancelled),
            (Ok(closed), State::Asked { .. } | State::Running { .. } | State::Killed { .. }) => {
                self.verdict.take().map_or_else(|| self.without_end(&closed), Err)
            }
        };
        let told = self.failure.take().map_or(told, Err);
        self.tell(told);
    }
}

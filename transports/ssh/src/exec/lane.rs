//! A shell that runs brief commands one after the other, and so spares each the login.
//!
//! ```text
//!            where the shell is a bash     it reads        both end marks
//! placed ───────────────────────────→ asked ────→ running ⇄ ───────────→ free ──→ closed
//!    └──── anywhere else: one command ───┴──────────┴── anything else ───────────→ ┘
//! ```
//!
//! Each command has marks of its own, so what is heard between two of them belongs to nobody. Whoever kills a command kills the shell.
//! Nothing is said to a shell before it tells that it reads: files of its user may read the input as well.

use super::frame::{over, ready, turns};
use super::{Command, Shell};
use crate::talk::{Closed, Line, Opens, Outbox, Talk};
use procession::transport::{Stream, TransportError};
use stakker::Fwd;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A shell gets no command after so long, so that the session under it may end, and what its user wrote into a profile is read.
const AGE: Duration = Duration::from_secs(60);

/// A shell that does not read after so long is given up, and its command has a login of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of what was heard is remembered: more than the longest of its own marks.
const TAIL: usize = 64;

/// What a lane says to whoever hands out its turns.
pub(crate) enum Word {
    /// Its command has ended, and the next may come.
    Free(Rc<Seat>),
    /// It has ended before it began this one.
    Unsaid(Box<Command>),
    /// The same, and it had run nothing before: another one would not either.
    Unfit(Box<Command>),
    /// It has ended.
    Gone,
}

/// Where the next command of a shell is put.
pub(crate) struct Seat {
    /// When its first command came.
    since: Instant,
    next: RefCell<Option<Box<Command>>>,
    line: RefCell<Option<Line>>,
    closed: Cell<bool>,
    words: Fwd<Word>,
}

impl Seat {
    /// Gives the shell, which is free, its next command. It comes back if the shell has ended.
    pub(crate) fn give(&self, command: Box<Command>) -> Result<(), Box<Command>> {
        match &*self.line.borrow() {
            Some(line) if !self.closed.get() => {
                *self.next.borrow_mut() = Some(command);
                line.poke();
                Ok(())
            }
            _ => Err(command),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Whether it has served for long enough.
    pub(crate) fn is_old(&self, now: Instant) -> bool {
        now >= self.since + AGE
    }

    /// Lets the shell, which is free, end.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        if let Some(line) = &*self.line.borrow() {
            line.poke();
        }
    }
}

/// A conversation with such a shell; or with one command, where the shell is none that takes turns.
pub(crate) struct Lane {
    seat: Rc<Seat>,
    /// It runs, or has just ended.
    command: Option<Box<Command>>,
    /// What it tells of itself begins with this.
    mark: String,
    stage: Stage,
    /// The last of what was heard on stdout.
    tail: Vec<u8>,
    _token: Rc<()>,
}

enum Stage {
    /// The shell takes no turns: one command is all.
    Alone,
    /// It has not told that it reads. It is given up then.
    Asked(Option<Instant>),
    /// It reads, and so many commands have ended.
    Reads(u64),
}

impl Lane {
    /// A shell with its first command. `mark` is a number that nobody can foresee; `words` hears when the next may
    /// come; `token` is held as long as it runs.
    pub(crate) fn new(
        mark: u64,
        command: Box<Command>,
        now: Instant,
        words: Fwd<Word>,
        token: Rc<()>,
    ) -> Lane {
        let seat = Seat {
            since: now,
            next: RefCell::new(None),
            line: RefCell::new(None),
            closed: Cell::new(false),
            words,
        };
        let mark = format!("={mark:016x}:");
        Lane {
            seat: Rc::new(seat),
            command: Some(command),
            mark,
            stage: Stage::Alone,
            tail: Vec::new(),
            _token: token,
        }
    }

    fn takes_turns(&self) -> bool {
        !matches!(self.stage, Stage::Alone)
    }

    /// The line of the command that is to begin now.
    fn next(&mut self) -> Option<String> {
        let line = self.seat.line.borrow().clone()?;
        match self.seat.next.take() {
            Some(command) if command.recall.is_wished() => {
                command.over(Err(TransportError::Cancelled));
                self.on_free();
            }
            Some(command) => self.command = Some(command),
            None => {}
        }
        self.command.as_mut()?.take_turn(line)
    }

    fn on_free(&mut self) {
        self.command = None;
        self.seat.words.fwd(Word::Free(self.seat.clone()));
    }

    /// Hears what it tells of itself.
    fn listen(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        let ready = ready(&self.mark);
        if let Stage::Asked(_) = self.stage
            && self.tail.windows(ready.len()).any(|some| some == ready.as_bytes())
        {
            self.stage = Stage::Reads(0);
        }
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }

    /// Whether it told that it does not read any more.
    fn has_left(&self) -> bool {
        self.tail.trim_ascii_end().ends_with(over(&self.mark).as_bytes())
    }

    /// What becomes of a command that is there when it has ended.
    fn leave(&self, mut command: Box<Command>, how: &Result<Closed, TransportError>) {
        if command.is_said_only() && self.has_left() {
            command.take_back();
        }
        let goes_on = self.takes_turns() && command.may_take_turns();
        if !goes_on || command.is_done() || command.recall.is_wished() {
            return command.over(how.clone());
        }
        let is_broken = matches!(how, Err(TransportError::Unreachable { .. }));
        let has_run = matches!(self.stage, Stage::Reads(1..));
        if has_run || is_broken {
            return self.seat.words.fwd(Word::Unsaid(command));
        }
        // What its user has it do at a login is in the way, if it could be started at all.
        if let (Ok(_), Some(line)) = (how, &*self.seat.line.borrow()) {
            line.shell().set(Shell::Other);
        }
        self.seat.words.fwd(Word::Unfit(command));
    }
}

impl Talk for Lane {
    fn opens(&self) -> Opens {
        match &self.command {
            Some(command) if !self.takes_turns() => command.opens(),
            _ => Opens::Command(turns(&self.mark)),
        }
    }

    fn placed(&mut self, line: Line) {
        let Some(command) = &mut self.command else { return };
        if line.shell().get() == Shell::Bash && command.may_take_turns() {
            command.recall.attach(line.clone());
            *self.seat.line.borrow_mut() = Some(line);
            self.stage = Stage::Asked(None);
        } else {
            command.placed(line);
        }
    }

    fn say(&mut self, out: &mut Outbox) {
        match (&self.stage, &mut self.command) {
            (Stage::Alone, Some(command)) => command.say(out),
            (Stage::Reads(_), _) => {
                if let Some(line) = self.next() {
                    out.push(line.as_bytes());
                    out.push(b"\n");
                }
            }
            (Stage::Alone | Stage::Asked(_), _) => {}
        }
    }

    fn hear(&mut self, from: Stream, bytes: &[u8]) {
        let turns = self.takes_turns();
        if turns && from == Stream::Stdout {
            self.listen(bytes);
        }
        // What is heard before it was said is a greeting of the shell.
        if let Some(command) = self.command.as_mut().filter(|it| !turns || !it.may_take_turns()) {
            command.hear(from, bytes);
        }
    }

    fn on_end(&mut self) {
        // Nothing comes after it.
        self.seat.closed.set(true);
        if let Some(command) = &mut self.command {
            command.on_end();
        }
    }

    fn on_time(&mut self, now: Instant) -> Option<Instant> {
        let wake = self.command.as_mut()?.on_time(now);
        match &mut self.stage {
            Stage::Asked(until) => {
                let until = *until.get_or_insert(now + PATIENCE);
                if now >= until {
                    self.seat.closed.set(true);
                }
                return wake.into_iter().chain([until]).min();
            }
            Stage::Reads(ran) if self.command.as_ref().is_some_and(|it| it.is_done() && it.is_whole()) => {
                *ran += 1;
                self.on_free();
            }
            Stage::Reads(_) | Stage::Alone => {}
        }
        wake
    }

    fn is_done(&self) -> bool {
        let closed = self.seat.closed.get();
        match &self.command {
            Some(command) => command.is_done() || (closed && matches!(self.stage, Stage::Asked(_))),
            None => closed && self.seat.next.borrow().is_none(),
        }
    }

    fn give_up(&mut self) -> Option<Box<Command>> {
        self.command.take_if(|command| command.may_take_turns())
    }

    fn over(mut self: Box<Self>, how: Result<Closed, TransportError>) {
        self.seat.closed.set(true);
        let left = [self.command.take(), self.seat.next.take()];
        left.into_iter().flatten().for_each(|command| self.leave(command, &how));
        self.seat.words.fwd(Word::Gone);
    }
}

#[cfg(test)]
mod tests;

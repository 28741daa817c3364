//! A shell that runs brief commands one after the other, and so spares each the login.
//!
//! ```text
//!            where the shell is a bash            both end marks
//! placed ───────────────────────────→ running ⇄ ───────────────→ free ──→ closed
//!    └──── anywhere else: one command ──┴─── anything else ───────────────→ ┘
//! ```
//!
//! Each has marks of its own, so what is heard between two of them belongs to nobody. Whoever kills a command kills the shell.

use super::frame::TURNS;
use super::{Command, Shell};
use crate::talk::{Closed, Line, Opens, Outbox, Talk};
use procession::transport::{Stream, TransportError};
use stakker::Fwd;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A shell gets no command after so long, so that the session under it may end, and what its user wrote into a profile is read.
const AGE: Duration = Duration::from_secs(60);

/// What a lane says to whoever hands out its turns.
pub(crate) enum Word {
    /// Its command has ended, and the next may come.
    Free(Rc<Seat>),
    /// It has ended before it began this one.
    Unsaid(Box<Command>),
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
    /// Whether the shell takes turns. It is told its first command with the others that come after it.
    turns: bool,
}

impl Lane {
    /// A shell with its first command. `words` hears when the next may come.
    pub(crate) fn new(command: Box<Command>, now: Instant, words: Fwd<Word>) -> Lane {
        let seat = Seat {
            since: now,
            next: RefCell::new(None),
            line: RefCell::new(None),
            closed: Cell::new(false),
            words,
        };
        Lane { seat: Rc::new(seat), command: Some(command), turns: false }
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
}

impl Talk for Lane {
    fn opens(&self) -> Opens {
        match &self.command {
            Some(command) if !self.turns => command.opens(),
            _ => Opens::Command(TURNS.to_owned()),
        }
    }

    fn placed(&mut self, line: Line) {
        let Some(command) = &mut self.command else { return };
        self.turns = line.shell().get() == Shell::Bash && command.may_take_turns();
        match self.turns {
            true => {
                command.recall.attach(line.clone());
                *self.seat.line.borrow_mut() = Some(line);
            }
            false => command.placed(line),
        }
    }

    fn say(&mut self, out: &mut Outbox) {
        match &mut self.command {
            Some(command) if !self.turns => command.say(out),
            _ => {
                if let Some(line) = self.next() {
                    out.push(line.as_bytes());
                    out.push(b"\n");
                }
            }
        }
    }

    fn hear(&mut self, from: Stream, bytes: &[u8]) {
        if let Some(command) = &mut self.command {
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
        if self.command.as_ref().is_some_and(|command| command.is_done() && command.is_whole()) {
            self.on_free();
        }
        wake
    }

    fn is_done(&self) -> bool {
        match &self.command {
            Some(command) => command.is_done(),
            None => self.seat.closed.get() && self.seat.next.borrow().is_none(),
        }
    }

    fn give_up(&mut self) -> Option<Box<Command>> {
        self.command.take_if(|command| command.may_take_turns())
    }

    fn over(mut self: Box<Self>, how: Result<Closed, TransportError>) {
        self.seat.closed.set(true);
        let turns = self.turns;
        for command in [self.command.take(), self.seat.next.take()].into_iter().flatten() {
            match turns && command.may_take_turns() && !command.recall.is_wished() {
                true => self.seat.words.fwd(Word::Unsaid(command)),
                false => command.over(how.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests;

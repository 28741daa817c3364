//! A command as one of many that a shell runs.

use super::frame::{self, Order};
use super::{Command, Shell, State};
use crate::talk::Line;

/// The longest line of such a command, in bytes: bash reads it byte by byte, and then a login is no longer what costs the most.
const LONGEST: usize = 4 << 10;

/// Whether a shell runs it as one of many.
pub(super) enum Turn {
    /// It has a channel of its own.
    Own,
    /// It may be so, as this line.
    May(String),
    /// It is so.
    Taken,
}

impl Turn {
    pub(super) fn of(may: bool, mark: &str, order: &Order) -> Turn {
        let line = may.then(|| frame::for_turn(mark, order));
        line.filter(|line| line.len() <= LONGEST).map_or(Turn::Own, Turn::May)
    }
}

impl Command {
    /// Whether a shell may run it as one of many, and has not begun to.
    pub(crate) fn may_take_turns(&self) -> bool {
        matches!(self.turn, Turn::May(_))
    }

    /// It has a channel of its own from now on.
    pub(crate) fn keep_apart(&mut self) {
        self.turn = Turn::Own;
    }

    /// Whether it was said to a shell and has not begun there.
    pub(super) fn is_said_only(&self) -> bool {
        matches!((&self.turn, &self.state), (Turn::Taken, State::Asked { .. }))
    }

    /// The shell to which it was said does not run it: it is as it was.
    pub(super) fn take_back(&mut self) {
        self.turn = Turn::of(true, &self.mark, &self.order);
        self.session = None;
        self.begun = false;
    }

    /// Begins it as one of many that a bash runs. Its line for that shell, if it has not begun.
    pub(super) fn take_turn(&mut self, session: Line) -> Option<String> {
        match std::mem::replace(&mut self.turn, Turn::Taken) {
            Turn::May(line) => {
                self.recall.attach(session.clone());
                self.shell = Shell::Bash;
                self.session = Some(session);
                self.begun = true;
                Some(line)
            }
            other @ (Turn::Own | Turn::Taken) => {
                self.turn = other;
                None
            }
        }
    }

    /// Whether all of it was heard that there is to hear: nothing of it is left in the shell, and nobody is about to kill that.
    pub(super) fn is_whole(&self) -> bool {
        let heard = self.streams.iter().all(|stream| stream.ended);
        heard && matches!(self.turn, Turn::Taken) && self.verdict.is_none()
    }
}

//! The shells that wait for brief commands.

use crate::exec::{Command, Seat};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A shell that has waited for so long is closed: it takes a place among MaxSessions.
const IDLE: Duration = Duration::from_secs(5);

/// The shells that are free.
#[derive(Default)]
pub(super) struct Lanes {
    /// Since when each is; the last is the one that was used last.
    free: Vec<(Rc<Seat>, Instant)>,
    /// Somebody will call [`sweep`](Lanes::sweep).
    watched: bool,
    /// The host has fewer channels than were lent.
    crowded: bool,
}

impl Lanes {
    /// Gives a command to the shell that was used last. It comes back if there is none.
    pub(super) fn give(&mut self, mut command: Box<Command>) -> Result<(), Box<Command>> {
        while let Some((seat, _)) = self.free.pop() {
            match seat.give(command) {
                Ok(()) => return Ok(()),
                Err(back) => command = back,
            }
        }
        Err(command)
    }

    /// This one has nothing to do. When to sweep, if that is not known yet.
    pub(super) fn add(&mut self, seat: Rc<Seat>, now: Instant) -> Option<Instant> {
        self.free.push((seat, now));
        (!std::mem::replace(&mut self.watched, true)).then_some(now + IDLE)
    }

    /// Closes those that have waited for too long. When to sweep again.
    pub(super) fn sweep(&mut self, now: Instant) -> Option<Instant> {
        let idle = self.free.iter().take_while(|(_, since)| now >= *since + IDLE).count();
        self.free.drain(..idle).for_each(|(seat, _)| seat.close());
        self.watched = !self.free.is_empty();
        self.free.first().map(|(_, since)| *since + IDLE)
    }

    /// The host refused a channel: the next shell that is free is one too many, for one channel is kept for control.
    pub(super) fn crowd(&mut self) {
        self.crowded = true;
    }

    /// Whether there is one too many, asked once.
    pub(super) fn is_crowded(&mut self) -> bool {
        std::mem::take(&mut self.crowded)
    }

    /// Closes the one that has waited for longest: another kind of work needs a channel.
    pub(super) fn give_way(&mut self) {
        if !self.free.is_empty() {
            self.free.remove(0).0.close();
        }
    }
}

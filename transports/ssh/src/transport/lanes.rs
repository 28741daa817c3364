//! The shells that wait for brief commands, the brief commands that wait for shells, and whose turn it is.
//!
//! A channel is asked for because commands wait, and not for one of them: whichever has waited longest begins where there is a shell
//! first. So no more channels are asked for than a few, and none of them is asked for in vain for long.

use crate::exec::{Command, Seat};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A shell that has waited for so long is closed: it takes a place among MaxSessions.
const IDLE: Duration = Duration::from_secs(5);

/// So many channels are asked for at a time: more than a host gives.
const MOST_ASKED: usize = 32;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Lanes {
    /// Since when each shell is free; the last is the one that was used last.
    free: Vec<(Rc<Seat>, Instant)>,
    /// Commands by their number, which grows.
    waiting: BTreeMap<u64, Box<Command>>,
    /// Channels that were asked for.
    asked: usize,
    /// How much other work lacks a channel, and how many shells are ending for it.
    lacking: usize,
    made_way: usize,
    /// How many channels went back for that since one of those had its own.
    yielded: usize,
    alive: Rc<()>,
    /// The host has fewer channels than were lent, and one of them is kept for control.
    crowded: bool,
    /// Somebody will call [`sweep`](Lanes::sweep).
    watched: bool,
}

impl Lanes {
    /// How many commands wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

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

    /// Lets a command wait, also one that waited before.
    pub(super) fn wait(&mut self, command: Box<Command>) {
        self.waiting.insert(command.id, command);
    }

    /// The command that has waited longest.
    pub(super) fn next(&mut self) -> Option<Box<Command>> {
        self.waiting.pop_first().map(|(_, command)| command)
    }

    /// Takes out a command that is not to wait any more.
    pub(super) fn take(&mut self, id: u64) -> Option<Box<Command>> {
        self.waiting.remove(&id)
    }

    /// Whether a channel is to be asked for, which is then counted.
    pub(super) fn asks(&mut self) -> bool {
        let asks = self.asked < self.waiting.len().min(MOST_ASKED);
        self.asked += usize::from(asks);
        asks
    }

    /// What was asked for is answered.
    pub(super) fn answered(&mut self) {
        self.asked = self.asked.saturating_sub(1);
    }

    /// The command for a channel that was asked for. None, and the channel goes back, if nobody waits any more, or if other work
    /// lacks one while shells run: else each shell that makes way would make way for another shell.
    pub(super) fn open(&mut self) -> Option<Box<Command>> {
        let runs = Rc::strong_count(&self.alive) > 1;
        if runs && self.lacking > 0 && self.yielded < MOST_ASKED {
            self.yielded += 1;
            return None;
        }
        self.next()
    }

    /// What each shell has, as long as it runs.
    pub(super) fn token(&self) -> Rc<()> {
        self.alive.clone()
    }

    /// A channel that was given is refused, and so it is asked for again: one shell is too many.
    pub(super) fn refused(&mut self) {
        self.asked += 1;
        self.crowded = true;
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

    /// Other work lacks a channel.
    pub(super) fn lack(&mut self) {
        self.lacking += 1;
        self.make_way();
    }

    /// Shells that wait make way, one for each that lacks a channel; else the next that are free.
    pub(super) fn make_way(&mut self) {
        self.free.retain(|(seat, _)| !seat.is_closed());
        while !self.free.is_empty() && self.makes_way() {
            self.free.remove(0).0.close();
        }
    }

    /// A shell has ended. That may not be enough: of few channels one is kept for control.
    pub(super) fn gone(&mut self) {
        self.made_way = self.made_way.saturating_sub(1);
    }

    /// It does not any more.
    pub(super) fn lack_no_more(&mut self) {
        self.lacking = self.lacking.saturating_sub(1);
        self.yielded = 0;
    }

    /// Whether a shell that is free is to make way, which is then counted.
    pub(super) fn makes_way(&mut self) -> bool {
        let makes = self.made_way < self.lacking;
        self.made_way += usize::from(makes);
        makes || std::mem::take(&mut self.crowded)
    }
}

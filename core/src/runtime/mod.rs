//! The runtime: one thread that never blocks, with everything that processes need.
//!
//! A [`Runtime`] owns the Stakker, the poll, the journal, the process table and the clock. It offers three ways to run:
//! its own loop ([`Runtime::run`]), one turn ([`Runtime::turn`]), and a foreign loop: [`Runtime::fd`] is readable,
//! level-triggered, exactly when a turn has something to do. Timers and "work now" live inside that one descriptor.
//!
//! There are no globals here, no signal handlers, and no threads that call user code.

mod agenda;
mod budget;
mod builder;
mod clock;
mod io;
mod kernel;
mod kinds;
mod letters;
mod outbox;
mod recover;
mod remote;
mod slot;
mod spawn;

pub use builder::Builder;
pub use recover::{Parked, Recovered};
pub use remote::{RemoteHandle, RuntimeClosed};
pub use spawn::{RuntimeHandle, SpawnError};

pub(crate) use kernel::Kernel;
pub(crate) use slot::Slot;

use crate::journal::{Journal, JournalError, Loaded, Note, Order};
use crate::process::Found;
use crate::process::{Handle, Outcome, OutcomeOf, PhaseOf, Process, Refused};
use clock::Clock;
use io::{Arrived, Io};
use stakker::{Ret, Stakker};
use std::cell::RefCell;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Instant;

/// How often a turn looks for input before it lets the host go on. A turn that stops here rings its own bell.
const POLLS_A_TURN: u32 = 16;

/// How many on the agenda are told before what they said is heard.
const TOLD_TOGETHER: u32 = 32;

/// One thread that never blocks, with everything that processes need: the Stakker, the poll, the journal, the process table
/// and the clock.
///
/// It offers three ways to run: its own loop ([`run`](Self::run)), one turn ([`turn`](Self::turn)), and a foreign loop:
/// [`fd`](Self::fd) is readable, level-triggered, exactly when a turn has something to do. Drop the owners of services
/// before the runtime, so that they can still say good-bye.
///
/// A service with much to do does a part of it and leaves the rest to `idle!`: each turn polls, and runs one such call of those that
/// were left by the turns before.
///
/// ```
/// use procession::Runtime;
/// use std::time::Instant;
///
/// let mut runtime = Runtime::builder().build()?;
/// runtime.remote().call(|_| println!("this runs on the runtime's thread"))?;
/// runtime.run()?; // returns when no process is left
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Runtime {
    // Dropped in this order: what may still call into the Stakker goes first.
    loaded: Option<Loaded>,
    journal: Option<Box<dyn Journal>>,
    kernel: Rc<Kernel>,
    remote: RemoteHandle,
    io: Option<Io>,
    stakker: Stakker,
    clock: Clock,
    /// Whether a call of `idle!` waits for the next turn.
    idle: bool,
    broken: Option<RuntimeError>,
}

/// What a turn left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// There is more to do now: the budget of this turn was used up, or something was left for the next one.
    pub more: bool,
    /// When the next timer is due.
    pub next: Option<Instant>,
}

/// Why a runtime cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The journal cannot be written or read. No process has moved past what is in it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The system refused a poll, a timer or a waker.
    #[error("the system refused {what}: {why}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        why: String,
    },
    /// Without the feature `multi-runtime` there is one runtime at a time in a program, and all of them on one thread.
    #[error(
        "this program has a runtime already: build it with the feature `multi-runtime` of procession for another one"
    )]
    OnlyOne,
    /// A service (an actor that is not a process) panicked. Processes catch their own panics.
    #[error("a service panicked: {0}; what is in the journal is safe, and a new runtime goes on from there")]
    Panicked(String),
    /// The handle that was given is not one of this runtime.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// In virtual time: nothing will ever happen any more, and what was waited for has not happened.
    #[error("nothing is left to happen, and the process has not ended")]
    Stuck,
    /// The process ended without an outcome, because the runtime is closing.
    #[error("the runtime was closed before the process ended")]
    Closed,
}

impl Runtime {
    /// Begins to describe a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Runs until no process is left that could go on, or until [`RuntimeHandle::stop`].
    pub fn run(&mut self) -> Result<(), RuntimeError> {
        self.run_while(|runtime| runtime.kernel.live() > 0)
    }

    /// Runs until this process has ended, and gives its outcome.
    pub fn run_until<P: Process>(&mut self, handle: &Handle<P>) -> Result<OutcomeOf<P>, RuntimeError> {
        self.check(handle)?;
        let answer = Rc::new(RefCell::new(None));
        let told = answer.clone();
        handle.outcome(Ret::new(move |outcome| *told.borrow_mut() = Some(outcome)));
        self.run_while(|_| answer.borrow().is_none())?;
        let outcome: Option<Option<Outcome<P::Output>>> = answer.borrow_mut().take();
        outcome.flatten().ok_or(RuntimeError::Closed)
    }

    /// Runs while `going` says so, or until [`RuntimeHandle::stop`].
    pub fn run_while(&mut self, mut going: impl FnMut(&mut Runtime) -> bool) -> Result<(), RuntimeError> {
        let mut now = self.clock.now(self.stakker.now());
        loop {
            let turn = self.turn(now)?;
            if self.kernel.take_stop() || !going(self) {
                return Ok(());
            }
            now = match (&self.io, turn.more) {
                (_, true) => self.clock.now(now),
                (Some(io), false) => {
                    io.wait()?;
                    self.clock.now(now)
                }
                // In virtual time nothing else can happen before the next timer.
                (None, false) => turn.next.ok_or(RuntimeError::Stuck)?.max(now),
            };
        }
    }

    /// One turn: takes in what has arrived, runs what there is to run, hands transitions to the journal. Never blocks, and
    /// is bounded: what does not fit is left for the next turn, and `fd` stays readable.
    pub fn turn(&mut self, now: Instant) -> Result<Turn, RuntimeError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let is_rung = self.kernel.begin_turn(now, self.clock.wall(now));
        let turned = self.work(now, is_rung);
        let turn = turned.and_then(|()| self.rearm(now));
        self.kernel.end_turn();
        if let Err(e) = &turn {
            log::error!("the runtime stops: {e}");
            self.broken = Some(e.clone());
        }
        turn
    }

    fn work(&mut self, now: Instant, is_rung: bool) -> Result<(), RuntimeError> {
        let (mut is_ours, mut idle) = (is_rung, self.idle);
        for _ in 0..POLLS_A_TURN {
            let arrived = match &self.io {
                Some(io) => io.poll()?,
                None => Arrived::Nothing,
            };
            self.remote.deliver(&mut self.stakker, || RuntimeHandle::of(&self.kernel));
            self.run_calls(now, std::mem::take(&mut idle))?;
            while self.tell_some()? {
                self.run_calls(now, false)?;
            }
            let answered = self.carry(arrived != Arrived::Nothing)?;
            let may_have_more = match arrived {
                Arrived::Nothing => false,
                // What we rang for ourselves is done. If anything else came, what follows it makes the descriptor readable.
                Arrived::All => !is_ours,
                Arrived::Part => true,
            };
            if !(may_have_more || answered) || !self.kernel.has_room() {
                return Ok(());
            }
            is_ours = false;
        }
        self.kernel.ring();
        Ok(())
    }

    /// Runs what is queued; with `idle` also one of the calls that wait until there has been a poll.
    fn run_calls(&mut self, now: Instant, idle: bool) -> Result<(), RuntimeError> {
        self.idle = caught(|| self.stakker.run(now, idle))?;
        Ok(())
    }

    /// Tells some of those on the agenda, if there is room. Whether anybody was told.
    fn tell_some(&mut self) -> Result<bool, RuntimeError> {
        let (kernel, stakker) = (&self.kernel, &mut self.stakker);
        caught(|| {
            let mut told = 0;
            while told < TOLD_TOGETHER
                && let Some(desk) = kernel.next_desk()
            {
                told += desk.tell_next(stakker, TOLD_TOGETHER - told);
            }
            told > 0
        })
    }

    /// Carries orders to the journal and notes back. Whether there were notes.
    fn carry(&mut self, arrived: bool) -> Result<bool, RuntimeError> {
        let Some(journal) = &mut self.journal else { return Ok(false) };
        let order = self.kernel.outbox().order();
        if self.kernel.take_letters_due() {
            journal.send(Order::ReadLetters);
        }
        // A journal with a helper thread wakes the poll when it has a note, so that an idle turn need not ask.
        let may_have_notes = arrived || order.is_some() || self.io.is_none();
        if let Some(order) = order {
            journal.send(order);
        }
        if !may_have_notes {
            return Ok(false);
        }
        let mut any = false;
        while let Some(note) = journal.take() {
            any = true;
            match note {
                Note::Durable { ticket } => self.kernel.on_durable(ticket),
                Note::Failed { why, .. } => return Err(why.into()),
                Note::Bell => journal.send(Order::ReadLetters),
                Note::Letters(letters) => letters::on_letters(&self.kernel, &mut self.stakker, letters),
            }
        }
        Ok(any)
    }

    fn rearm(&mut self, now: Instant) -> Result<Turn, RuntimeError> {
        let more = self.idle || self.kernel.has_work();
        let next = self.stakker.next_expiry();
        if let Some(io) = &self.io {
            io.rearm(next, &self.clock, now)?;
            if more {
                self.kernel.ring();
            }
        }
        Ok(Turn { more, next })
    }

    /// The descriptor for a foreign loop: readable, level-triggered, when [`turn`](Self::turn) has something to do. None in
    /// virtual time. It belongs to the runtime and is closed with it.
    pub fn fd(&self) -> Option<RawFd> {
        self.io.as_ref().map(Io::fd)
    }

    /// For other threads.
    pub fn remote(&self) -> RemoteHandle {
        self.remote.clone()
    }

    /// For the code of services and processes on this thread.
    pub fn handle(&self) -> RuntimeHandle {
        RuntimeHandle::of(&self.kernel)
    }

    /// The Stakker, to start services with. Calls that are queued here take effect in the next turn.
    pub fn stakker(&mut self) -> &mut Stakker {
        self.kernel.on_outside();
        &mut self.stakker
    }

    /// How many processes have not ended.
    pub fn live(&self) -> usize {
        self.kernel.live()
    }

    /// How many timers processes hold through [`Life::after`](crate::Life::after).
    pub fn held_timers(&self) -> usize {
        self.kernel.timers()
    }

    /// The phase of a process at this moment.
    pub fn phase<P: Process>(&mut self, handle: &Handle<P>) -> Result<PhaseOf<P>, Refused> {
        self.check(handle)?;
        match handle.find() {
            Some(Found::Over(end)) => Ok(end.outcome.clone().into()),
            Some(Found::Live(actor)) => {
                actor.query(&mut self.stakker, |this, _| this.life().phase()).ok_or(Refused::Gone)
            }
            None => Err(Refused::Gone),
        }
    }

    fn check<P: Process>(&self, handle: &Handle<P>) -> Result<(), Refused> {
        if handle.belongs_to(&self.kernel) { Ok(()) } else { Err(Refused::OtherRuntime) }
    }
}

/// Runs code of services and processes. A panic that gets here was one of a service.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, RuntimeError> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|panic| RuntimeError::Panicked(crate::process::panic_text(panic)))
}

/// Closing: every actor is dropped, every `Ret` is answered (with nothing, where there is nothing to say), and what was
/// decided is in the journal.
impl Drop for Runtime {
    fn drop(&mut self) {
        self.kernel.close();
        self.remote.close();
        let now = self.stakker.now();
        // What is dropped may queue calls, and those may drop more. Each round can only reach what the last one freed.
        for _ in 0..8 {
            if self.broken.is_none() && self.run_calls(now, false).is_err() {
                break;
            }
        }
        if let Some(io) = &self.io {
            io.stop_listening();
        }
        if let (None, Some(journal), Some(order)) =
            (&self.broken, &mut self.journal, self.kernel.outbox().order())
        {
            journal.send(order);
        }
    }
}

//! The descriptors of a runtime: one epoll, and inside it the timer, the waker and everybody's sources.

use super::RuntimeError;
use super::clock::Clock;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use stakker::{Fwd, Stakker};
use stakker_mio::mio::{Events, Interest, Poll, Waker};
use stakker_mio::{FdSource, MioPoll, MioSource};
use std::cell::{Cell, RefCell};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many events are taken from the kernel at once.
const EVENTS: usize = 256;

/// How long the own loop sleeps at most. The timer wakes it when it is needed, so this only has to be long.
const NAP: Duration = Duration::from_secs(3600);

/// The priority of the waker and the timer among the sources; others choose theirs below.
const FIRST: u32 = 10;

/// See the [module](self).
pub(super) struct Io {
    // The sources leave the poll before their descriptors are closed.
    _timer_source: MioSource<FdSource>,
    bell_source: RefCell<Option<MioSource<FdSource>>>,
    timer: OwnedFd,
    poll: MioPoll,
    epoll: RawFd,
    waker: Arc<Waker>,
    /// What arrived during [`wait`](Self::wait), which the next [`poll`](Self::poll) must tell.
    arrived: Cell<Arrived>,
    /// What the timer is set to, until it has gone off: it costs a system call, so it is set only when this changes.
    set_to: Rc<Cell<Option<Instant>>>,
}

/// What a poll has taken in.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Arrived {
    #[default]
    Nothing,
    All,
    /// Not all: the rest is for the next poll, and the descriptor says nothing about it.
    Part,
}

impl Arrived {
    fn of((active, pending): (bool, bool)) -> Arrived {
        match (active, pending) {
            (_, true) => Arrived::Part,
            (true, false) => Arrived::All,
            (false, false) => Arrived::Nothing,
        }
    }
}

fn refused(what: &'static str) -> impl Fn(std::io::Error) -> RuntimeError {
    move |e| RuntimeError::System { what, why: e.to_string() }
}

impl Io {
    pub(super) fn new(stakker: &mut Stakker) -> Result<Io, RuntimeError> {
        let poll = Poll::new().map_err(refused("a poll"))?;
        // The poll is about to move out of reach, and its descriptor lives as long as it does.
        let epoll = poll.as_raw_fd();
        let mut poll =
            MioPoll::new(stakker, poll, Events::with_capacity(EVENTS), FIRST).map_err(refused("a waker"))?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)
            .map_err(|e| refused("a timer")(e.into()))?;
        let set_to = Rc::new(Cell::new(None));
        // A turn polls several times, and may so take in a timer that was not due when it began. Nothing tells of it again.
        let gone_off = set_to.clone();
        let on_timer = Fwd::new(move |_| gone_off.set(None));
        let timer_source = poll
            .add(FdSource::new(timer.as_raw_fd()), Interest::READABLE, FIRST, on_timer)
            .map_err(refused("a timer"))?;
        let waker = poll.waker();
        let (bell_source, arrived) = (RefCell::new(None), Cell::default());
        Ok(Io { _timer_source: timer_source, bell_source, timer, poll, epoll, waker, arrived, set_to })
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    pub(super) fn fd(&self) -> RawFd {
        self.epoll
    }

    /// Lets turns happen when this descriptor is readable. Whoever owns it drains it.
    pub(super) fn listen(&self, fd: RawFd) -> Result<(), RuntimeError> {
        let source = self
            .poll
            .add(FdSource::new(fd), Interest::READABLE, FIRST, Fwd::new(|_| ()))
            .map_err(refused("the journal's bell"))?;
        *self.bell_source.borrow_mut() = Some(source);
        Ok(())
    }

    pub(super) fn stop_listening(&self) {
        *self.bell_source.borrow_mut() = None;
    }

    /// Takes in what has arrived.
    pub(super) fn poll(&self) -> Result<Arrived, RuntimeError> {
        // What ended the sleep was taken in by it. The next poll of the same turn asks the kernel again.
        match self.arrived.take() {
            Arrived::Nothing => self.poll.poll(Duration::ZERO).map(Arrived::of).map_err(refused("a poll")),
            arrived => Ok(arrived),
        }
    }

    /// Sleeps until something arrives or a timer is due.
    pub(super) fn wait(&self) -> Result<(), RuntimeError> {
        self.arrived.set(self.poll.poll(NAP).map(Arrived::of).map_err(refused("a poll"))?);
        Ok(())
    }

    /// Sets the timer to the next moment at which there is something to do.
    pub(super) fn rearm(
        &self,
        next: Option<Instant>,
        clock: &Clock,
        now: Instant,
    ) -> Result<(), RuntimeError> {
        if self.set_to.get() == next {
            return Ok(());
        }
        let wait = match next {
            // Zero would disarm the timer: what is due already is due in a nanosecond.
            Some(at) => at.saturating_duration_since(clock.now(now)).max(Duration::from_nanos(1)),
            None => Duration::ZERO,
        };
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: i64::MAX / 2, tv_nsec: 0 });
        let spec = Itimerspec { it_interval: zero, it_value };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)
            .map_err(|e| refused("a timer")(e.into()))?;
        self.set_to.set(next);
        Ok(())
    }
}

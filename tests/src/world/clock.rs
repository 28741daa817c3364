//! The one clock of a simulated world. It stands still until it is moved.

use procession::WallTime;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The wall time at which every world begins: 2026-09-21, which matters to nobody.
const BEGINNING: WallTime = WallTime(1_790_000_000_000);

/// A clock; a clone is the same clock. Time is counted from the beginning of the world.
#[derive(Clone)]
pub struct Clock {
    /// Any instant will do: only differences count.
    base: Instant,
    now: Rc<Cell<Duration>>,
}

impl Clock {
    /// A clock at the beginning of a world. The real clock is read once, because an `Instant` cannot be made otherwise;
    /// nothing depends on what it says.
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant cannot be made out of nothing; only differences to it count"
    )]
    pub fn new() -> Clock {
        Clock { base: Instant::now(), now: Rc::new(Cell::new(Duration::ZERO)) }
    }

    /// How old the world is.
    pub fn now(&self) -> Duration {
        self.now.get()
    }

    /// The same moment, as stakker and the runtime count time.
    pub fn instant(&self) -> Instant {
        self.at(self.now())
    }

    /// The instant at which the world will be this old.
    pub fn at(&self, age: Duration) -> Instant {
        self.base + age
    }

    /// How old the world is at an instant; zero for one before its beginning.
    pub fn age(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.base)
    }

    /// What a calendar that is right shows.
    pub fn wall(&self) -> WallTime {
        WallTime(BEGINNING.0 + i64::try_from(self.now().as_millis()).expect("no story lasts that long"))
    }

    /// Moves it on; never back.
    pub fn advance_to(&self, age: Duration) {
        self.now.set(self.now().max(age));
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

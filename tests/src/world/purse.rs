//! The budget that the runtimes of a world share: what the file does on a real machine, and it does not die with them.

use procession::WallTime;
use procession::pool::{Budget, Later, Rules, Seat};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The window of the cap, in milliseconds: one more than an hour has, because times are cut off to milliseconds.
const HOUR_MS: i64 = 3_600_001;

/// The budget of one host; a clone is the same one.
#[derive(Clone)]
pub struct Purse {
    rules: Rules,
    /// When sessions were opened, in milliseconds of the calendar.
    opens: Rc<RefCell<Vec<i64>>>,
    seats: Rc<Cell<u32>>,
}

impl Purse {
    /// Nothing is spent yet.
    pub fn new(rules: Rules) -> Purse {
        Purse { rules, opens: Rc::default(), seats: Rc::default() }
    }
}

impl Budget for Purse {
    fn claim(&mut self, now: WallTime) -> Result<Seat, Later> {
        let mut opens = self.opens.borrow_mut();
        opens.retain(|at| now.0 - at < HOUR_MS);
        if opens.len() >= self.rules.hourly as usize {
            let wait = Duration::from_millis(u64::try_from(opens[0] + HOUR_MS - now.0).unwrap_or(1));
            return Err(Later { wait, why: "the hour is used up".to_owned() });
        }
        if self.seats.get() >= self.rules.max_sessions {
            let wait = Duration::from_secs(5);
            return Err(Later { wait, why: "others have all sessions".to_owned() });
        }
        opens.push(now.0);
        self.seats.set(self.seats.get() + 1);
        Ok(Seat::new(Place(self.seats.clone())))
    }
}

struct Place(Rc<Cell<u32>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

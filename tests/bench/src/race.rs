//! Measures several lanes beside each other: A B A B, never all of A before all of B, so that a machine that becomes slower
//! or faster meanwhile does so for all of them.

use std::time::{Duration, Instant};

/// One of those that are compared.
pub struct Lane<'a> {
    /// `ours`, or the name of a peer.
    pub name: &'static str,
    /// Runs once and says how long what counts has taken, for how many units.
    pub run: Box<dyn FnMut() -> Lap + 'a>,
}

/// What a lane did in a round.
#[derive(Clone, Copy, Debug)]
pub struct Lap {
    pub took: Duration,
    pub units: u64,
}

/// Nanoseconds a unit, over all rounds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Of the best round: what it costs when nothing disturbs. This is what is reported.
    pub least: f64,
}

impl<'a> Lane<'a> {
    pub fn new(name: &'static str, run: impl FnMut() -> Lap + 'a) -> Lane<'a> {
        Lane { name, run: Box::new(run) }
    }
}

impl Lap {
    /// Times all of `work`.
    pub fn of(units: u64, work: impl FnOnce()) -> Lap {
        let start = Instant::now();
        work();
        Lap { took: start.elapsed(), units }
    }
}

/// Runs every lane once to warm up and then `rounds` times in turn.
pub fn race(rounds: usize, lanes: &mut [Lane<'_>]) -> Vec<(&'static str, Pace)> {
    let mut paces: Vec<Vec<f64>> = vec![Vec::with_capacity(rounds); lanes.len()];
    for round in 0..=rounds {
        for (lane, paces) in lanes.iter_mut().zip(&mut paces) {
            let lap = (lane.run)();
            if round > 0 {
                paces.push(lap.took.as_nanos() as f64 / lap.units as f64);
            }
        }
    }
    let named = lanes.iter().zip(paces).map(|(lane, mut paces)| {
        paces.sort_by(f64::total_cmp);
        (lane.name, Pace { least: paces[0] })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn lanes_run_in_turn_and_the_first_lap_does_not_count() {
        let order = RefCell::new(Vec::new());
        let lane = |name, laps: [u64; 4]| {
            let (order, mut laps) = (&order, laps.into_iter());
            Lane::new(name, move || {
                order.borrow_mut().push(name);
                Lap { took: Duration::from_nanos(laps.next().expect("three rounds and a warm-up")), units: 1 }
            })
        };
        let paces = race(3, &mut [lane("a", [9, 3, 1, 2]), lane("b", [1, 5, 6, 7])]);
        assert_eq!(*order.borrow(), ["a", "b", "a", "b", "a", "b", "a", "b"]);
        assert_eq!(paces[0].1.least, 1.0);
        assert_eq!(paces[1].1.least, 5.0);
    }
}

//! Nudges that were not used yet. Few processes have one at a time, and in most programs none ever has: then there is
//! nothing to look into when a process ends.

use super::slab::Place;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

/// How many nudges there are for the process in each place.
#[derive(Default)]
pub(super) struct Nudges(OnceCell<RefCell<BTreeMap<Place, u32>>>);

impl Nudges {
    /// Adds one, and says whether it is the only one there.
    pub fn add(&self, place: Place) -> bool {
        let mut nudges = self.0.get_or_init(RefCell::default).borrow_mut();
        let left = nudges.entry(place).or_default();
        *left = left.saturating_add(1);
        *left == 1
    }

    pub fn has(&self, place: Place) -> bool {
        self.0.get().is_some_and(|nudges| nudges.borrow().contains_key(&place))
    }

    /// Uses one up.
    pub fn take(&self, place: Place) {
        let Some(nudges) = self.0.get() else { return };
        let mut nudges = nudges.borrow_mut();
        match nudges.get_mut(&place) {
            Some(left @ 2..) => *left -= 1,
            Some(_) => drop(nudges.remove(&place)),
            None => {}
        }
    }

    /// Drops all that there are.
    #[inline(always)]
    pub fn clear(&self, place: Place) {
        if self.0.get().is_some() {
            self.clear_one(place);
        }
    }

    #[inline(never)]
    fn clear_one(&self, place: Place) {
        if let Some(nudges) = self.0.get() {
            nudges.borrow_mut().remove(&place);
        }
    }
}

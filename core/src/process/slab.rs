//! Places that are used again: where the rows of a desk are.
//!
//! Design note: one vector for all rows would copy them whenever it is full, and be a third empty on average. Blocks stay
//! where they are, and at most one of them is not full.

/// A place in a slab, with a generation: a stale one is found out. The default is no place at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Place {
    index: u32,
    generation: u32,
}

/// See the [module](self).
pub(super) struct Slab<T> {
    blocks: Vec<Box<Block<T>>>,
    /// The first place that is free, in a list through all of them.
    free: Option<u32>,
}

/// Generations are apart from the entries, because beside them most of each eight bytes would be padding.
struct Block<T> {
    generations: [u32; BLOCK],
    entries: [Entry<T>; BLOCK],
}

enum Entry<T> {
    /// The next place that is free.
    Vacant(Option<u32>),
    Taken(T),
}

/// Entries in a block: few enough that a runtime with one process of a kind does not mind.
const BLOCK: usize = 64;

/// Puts `new` where something is that owns nothing. The compiler does not see that, and would look for what to drop.
#[inline(always)]
pub(super) fn overwrite<T>(place: &mut T, new: T) {
    std::mem::forget(std::mem::replace(place, new));
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { blocks: Vec::new(), free: None }
    }
}

impl<T> Slab<T> {
    pub fn insert(&mut self, item: T) -> Place {
        self.insert_with(|| item)
    }

    /// The same of an item that is made where it is to lie. One that is made elsewhere is copied while its parts are still on
    /// their way to memory, and the processor waits for them.
    #[inline(always)]
    pub fn insert_with(&mut self, make: impl FnOnce() -> T) -> Place {
        let index = self.free.unwrap_or_else(|| self.grow());
        let block = &mut self.blocks[index as usize / BLOCK];
        let entry = &mut block.entries[index as usize % BLOCK];
        let &mut Entry::Vacant(next) = entry else {
            unreachable!("the list of free places has one that is taken")
        };
        overwrite(entry, Entry::Taken(make()));
        self.free = next;
        Place { index, generation: block.generations[index as usize % BLOCK] }
    }

    /// Adds a block, and gives the first place in it.
    #[cold]
    fn grow(&mut self) -> u32 {
        let first = u32::try_from(self.blocks.len() * BLOCK).expect("memory ends before places do");
        let vacant = |at: usize| Entry::Vacant((at + 1 < BLOCK).then_some(first + at as u32 + 1));
        let block = Block { generations: [1; BLOCK], entries: std::array::from_fn(vacant) };
        self.blocks.push(Box::new(block));
        first
    }

    pub fn at(&self, place: Place) -> Option<&T> {
        let (block, at) = (self.blocks.get(place.index as usize / BLOCK)?, place.index as usize % BLOCK);
        match &block.entries[at] {
            Entry::Taken(item) if block.generations[at] == place.generation => Some(item),
            Entry::Taken(_) | Entry::Vacant(_) => None,
        }
    }

    pub fn at_mut(&mut self, place: Place) -> Option<&mut T> {
        let (block, at) = (self.blocks.get_mut(place.index as usize / BLOCK)?, place.index as usize % BLOCK);
        match &mut block.entries[at] {
            Entry::Taken(item) if block.generations[at] == place.generation => Some(item),
            Entry::Taken(_) | Entry::Vacant(_) => None,
        }
    }

    /// Makes the place free, and gives back what was there.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        self.remove_if(place, |_| true)
    }

    /// The same, if what is there is to go.
    #[inline]
    pub fn remove_if(&mut self, place: Place, goes: impl FnOnce(&T) -> bool) -> Option<T> {
        let (block, at) = (self.blocks.get_mut(place.index as usize / BLOCK)?, place.index as usize % BLOCK);
        let entry = &mut block.entries[at];
        match entry {
            Entry::Taken(item) if block.generations[at] == place.generation && goes(item) => {}
            Entry::Taken(_) | Entry::Vacant(_) => return None,
        }
        // Zero is the generation of no place.
        block.generations[at] = place.generation.wrapping_add(1).max(1);
        match std::mem::replace(entry, Entry::Vacant(self.free.replace(place.index))) {
            Entry::Taken(item) => Some(item),
            Entry::Vacant(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_and_the_stale_one_is_found_out() {
        let mut slab = Slab::default();
        let places: Vec<Place> = (0..200).map(|n| slab.insert(n)).collect();
        assert!(places.iter().zip(0..).all(|(place, n)| slab.at(*place) == Some(&n)));
        assert_eq!(slab.remove(places[70]), Some(70));
        assert_eq!(slab.remove(places[70]), None);
        let again = slab.insert(1000);
        assert_eq!(again.index, places[70].index);
        assert_eq!(slab.at(places[70]), None);
        assert_eq!(slab.at_mut(places[70]), None);
        assert_eq!(slab.at(again), Some(&1000));
    }

    #[test]
    fn what_is_not_to_go_stays() {
        let mut slab = Slab::default();
        let place = slab.insert(7);
        assert_eq!(slab.remove_if(place, |n| *n == 8), None);
        assert_eq!(slab.remove_if(place, |n| *n == 7), Some(7));
        assert_eq!(slab.remove_if(place, |_| true), None);
    }

    #[test]
    fn the_default_place_is_never_taken() {
        let mut slab = Slab::default();
        slab.insert(0);
        assert_eq!(slab.at(Place::default()), None);
    }

    #[test]
    fn free_places_are_taken_before_new_ones() {
        let mut slab = Slab::default();
        let places: Vec<Place> = (0..128).map(|n| slab.insert(n)).collect();
        places.iter().for_each(|place| assert!(slab.remove(*place).is_some()));
        let mut again: Vec<u32> = (0..128).map(|n| slab.insert(n).index).collect();
        again.sort_unstable();
        assert_eq!(again, (0..128).collect::<Vec<_>>());
        assert_eq!(slab.insert(0).index, 128);
    }
}

//! Who is to be told what, when there is room in a turn. First come, first served.
//!
//! Design note: a ring would look twice, at its head and at its end, for each entry that comes or goes. Here the entries
//! that were told stay where they are until they are half of all; then they go at once. So each is moved once at most.

use super::slot::Slot;
use crate::process::{Place, Poke};

/// See the [module](self).
#[derive(Default)]
pub(super) struct Agenda {
    entries: Vec<Entry>,
    /// How many of the entries were told. Less than half of them.
    told: usize,
}

/// A slot and what to tell, without the padding that a slot in a pair would have.
#[derive(Clone, Copy)]
struct Entry {
    place: Place,
    desk: u16,
    poke: Poke,
}

impl Entry {
    fn slot(&self) -> Slot {
        Slot { desk: self.desk, place: self.place }
    }
}

impl Agenda {
    #[inline]
    pub fn push(&mut self, slot: Slot, poke: Poke) {
        let Slot { desk, place } = slot;
        self.entries.push(Entry { place, desk, poke });
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Who is next.
    pub fn first(&self) -> Option<Slot> {
        self.entries.get(self.told).map(Entry::slot)
    }

    /// Takes off the first entry, if that is to be told.
    #[inline]
    pub fn pop_if(&mut self, is_to_be_told: impl FnOnce(Slot) -> bool) -> Option<(Slot, Poke)> {
        let entry = *self.entries.get(self.told).filter(|entry| is_to_be_told(entry.slot()))?;
        self.told += 1;
        if 2 * self.told >= self.entries.len() {
            self.tidy();
        }
        Some((entry.slot(), entry.poke))
    }

    #[cold]
    fn tidy(&mut self) {
        self.entries.drain(..self.told);
        self.told = 0;
    }

    pub fn clear(&mut self) {
        *self = Agenda::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_three_words_of_four_bytes() {
        assert_eq!(size_of::<Entry>(), 12);
    }

    #[test]
    fn entries_come_off_in_the_order_in_which_they_came() {
        let mut agenda = Agenda::default();
        let slot = |desk: u16| Slot { desk, ..Slot::default() };
        let (mut next, mut seen) = (0, Vec::new());
        for round in 0..100 {
            for _ in 0..round % 7 {
                agenda.push(slot(next), Poke::Drive);
                next += 1;
            }
            assert_eq!(agenda.pop_if(|_| false), None);
            for _ in 0..round % 5 {
                let first = agenda.first();
                let popped = agenda.pop_if(|_| true);
                assert_eq!(popped.map(|(slot, _)| slot), first);
                seen.extend(popped.map(|(slot, _)| slot.desk));
            }
        }
        while let Some((slot, _)) = agenda.pop_if(|_| true) {
            seen.push(slot.desk);
        }
        assert_eq!(seen, (0..next).collect::<Vec<_>>());
        assert!(agenda.is_empty() && agenda.entries.is_empty());
    }
}

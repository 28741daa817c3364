//! What is on its way to the journal, and who waits for it to be there.

use super::Slot;
use crate::journal::{Entry, Order};
use std::collections::VecDeque;

/// The entries of this turn, and the writes that have not come back.
#[derive(Default)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
    waiting: Vec<Slot>,
    tickets: u64,
    in_flight: VecDeque<(u64, Vec<Slot>)>,
}

impl Outbox {
    /// Adds an entry that nobody waits for.
    pub(super) fn note(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Adds the entries of a transition. The process in `slot` waits for them.
    pub(super) fn write(&mut self, slot: Slot, entries: impl Iterator<Item = Entry>) {
        self.entries.extend(entries);
        self.waiting.push(slot);
    }

    /// All that was added since the last time, as one order.
    pub(super) fn order(&mut self) -> Option<Order> {
        if self.entries.is_empty() {
            return None;
        }
        self.tickets += 1;
        self.in_flight.push_back((self.tickets, std::mem::take(&mut self.waiting)));
        Some(Order::Write { ticket: self.tickets, entries: std::mem::take(&mut self.entries) })
    }

    /// Whether there is something that `order` would give.
    pub(super) fn has_order(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Who waited for this ticket and those before it.
    pub(super) fn landed(&mut self, ticket: u64) -> Vec<Slot> {
        let mut landed = Vec::new();
        while self.in_flight.front().is_some_and(|(t, _)| *t <= ticket) {
            if let Some((_, slots)) = self.in_flight.pop_front() {
                landed.extend(slots);
            }
        }
        landed
    }
}

//! Who waits for a channel, in which order: control first; of the others whoever was refused by the host, and then one
//! requester after the other.

use super::lease::{Requester, Urgency, Want};
use super::policy::Ticket;
use std::collections::{BTreeMap, VecDeque};

/// Who waits for a channel.
#[derive(Default)]
pub(super) struct Queue {
    control: VecDeque<(Ticket, Want)>,
    /// Those who had a channel already, which the host refused.
    refused: VecDeque<(Ticket, Want)>,
    lanes: BTreeMap<Requester, VecDeque<(Ticket, Want)>>,
    /// The requesters that have a lane, the next one first.
    turns: VecDeque<Requester>,
    /// How many wait in lanes.
    in_lanes: usize,
}

impl Queue {
    /// Takes somebody in, at the end of his lane.
    pub(super) fn push(&mut self, ticket: Ticket, want: Want) {
        match want.urgency {
            Urgency::Control => self.control.push_back((ticket, want)),
            Urgency::Work | Urgency::Bulk => {
                let lane = self.lanes.entry(want.requester).or_default();
                if lane.is_empty() {
                    self.turns.push_back(want.requester);
                }
                lane.push_back((ticket, want));
                self.in_lanes += 1;
            }
        }
    }

    /// Takes somebody back whose channel was refused, before all that are not more urgent.
    pub(super) fn push_refused(&mut self, ticket: Ticket, want: Want) {
        match want.urgency {
            Urgency::Control => self.control.push_front((ticket, want)),
            Urgency::Work | Urgency::Bulk => self.refused.push_front((ticket, want)),
        }
    }

    /// Who is next.
    pub(super) fn first(&self) -> Option<Want> {
        let in_lane = || self.turns.front().and_then(|next| self.lanes[next].front());
        self.control.front().or_else(|| self.refused.front()).or_else(in_lane).map(|(_, want)| *want)
    }

    /// Takes the next one out.
    pub(super) fn pop(&mut self) -> Option<(Ticket, Want)> {
        if let Some(first) = self.control.pop_front().or_else(|| self.refused.pop_front()) {
            return Some(first);
        }
        let requester = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&requester).expect("who has a turn has a lane");
        let first = lane.pop_front();
        if lane.is_empty() {
            self.lanes.remove(&requester);
        } else {
            self.turns.push_back(requester);
        }
        self.in_lanes -= 1;
        first
    }

    /// How many wait to control something.
    pub(super) fn control(&self) -> usize {
        self.control.len()
    }

    /// How many wait for anything else.
    pub(super) fn work(&self) -> usize {
        self.refused.len() + self.in_lanes
    }

    pub(super) fn len(&self) -> usize {
        self.control() + self.work()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(urgency: Urgency, requester: u64) -> Want {
        Want { urgency, requester: Requester(requester) }
    }

    #[test]
    fn control_is_first_then_the_refused_then_everybody_in_turns() {
        let mut queue = Queue::default();
        for ticket in 0..4 {
            queue.push(Ticket(ticket), want(Urgency::Work, 1));
        }
        queue.push(Ticket(10), want(Urgency::Bulk, 2));
        queue.push(Ticket(20), want(Urgency::Control, 1));
        queue.push_refused(Ticket(30), want(Urgency::Work, 1));
        queue.push_refused(Ticket(40), want(Urgency::Control, 3));
        assert_eq!((queue.control(), queue.work()), (2, 6));
        assert_eq!(queue.first().map(|want| want.requester), Some(Requester(3)));
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|(ticket, _)| ticket.0).collect();
        assert_eq!(order, [40, 20, 30, 0, 10, 1, 2, 3]);
        assert!(queue.is_empty() && queue.lanes.is_empty() && queue.turns.is_empty());
    }

    #[test]
    fn one_who_wants_much_does_not_hold_up_one_who_wants_little() {
        let mut queue = Queue::default();
        (0..1000).for_each(|ticket| queue.push(Ticket(ticket), want(Urgency::Work, 1)));
        queue.push(Ticket(5000), want(Urgency::Work, 2));
        let place = std::iter::from_fn(|| queue.pop()).position(|(ticket, _)| ticket.0 == 5000);
        assert_eq!(place, Some(1));
    }
}

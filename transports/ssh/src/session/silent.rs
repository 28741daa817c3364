//! Channels on which nothing is said.

use crate::talk::{Closed, Opens, Outbox, Talk};
use procession::transport::{Stream, TransportError};
use std::cell::Cell;
use std::rc::Rc;

/// A sign of life: a channel that is opened and closed. It starts no process, and a refusal is an answer too.
pub(super) struct Ping;

impl Talk for Ping {
    fn opens(&self) -> Opens {
        Opens::Nothing
    }

    fn say(&mut self, _: &mut Outbox) {}

    fn hear(&mut self, _: Stream, _: &[u8]) {}

    fn over(self: Box<Self>, _: Result<Closed, TransportError>) {}
}

/// A channel on which nothing is said. While it is open libssh2 can read, whatever the other channels have to send; see
/// `Conversation::stir`. Without it a session whose last channels are being closed stalled while new keys were exchanged.
pub(super) struct Stay(pub(super) Rc<Cell<bool>>);

impl Talk for Stay {
    fn opens(&self) -> Opens {
        Opens::Stay
    }

    fn say(&mut self, _: &mut Outbox) {}

    fn appetite(&self) -> usize {
        0
    }

    fn hear(&mut self, _: Stream, _: &[u8]) {}

    fn is_done(&self) -> bool {
        self.0.get()
    }

    fn over(self: Box<Self>, _: Result<Closed, TransportError>) {}
}

//! The end of a command that is wanted no more.

use super::quote;
use crate::talk::{Closed, Line, Opens, Outbox, Talk};
use procession::transport::{Stream, TransportError};
use std::cell::Cell;
use std::rc::Rc;

/// The kill of a process group, as a command of its own.
pub(super) struct Kill {
    pub(super) group: u32,
    /// It is over, whatever came of it.
    pub(super) done: Rc<Cell<bool>>,
    pub(super) session: Line,
}

impl Talk for Kill {
    fn opens(&self) -> Opens {
        let group = self.group;
        // Where the login shell did not step aside the group has another number, which `ps` knows.
        let script = format!(
            "kill -s KILL -- -{group} 2>/dev/null||kill -s KILL -- -$(ps -o pgid= -p {group}|tr -d \" \") 2>/dev/null"
        );
        Opens::Command(format!("exec sh -c {}", quote::line(&script)))
    }

    fn say(&mut self, out: &mut Outbox) {
        out.end();
    }

    fn hear(&mut self, _: Stream, _: &[u8]) {}

    fn over(self: Box<Self>, how: Result<Closed, TransportError>) {
        if let Err(e) = how {
            log::warn!("the process group {} may go on: {e}", self.group);
        }
        self.done.set(true);
        self.session.poke();
    }
}

//! A channel that somebody wants, and the bell that tells its talk to go on.

use crate::talk::Talk;
use stakker::Fwd;
use std::cell::RefCell;
use std::rc::Rc;

/// What is to be at the other end of a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// A command, as its words; no shell is between beyond the one that the server starts it with.
    Command(Vec<String>),
    /// The SFTP subsystem.
    Sftp,
}

/// A wish for a channel. If there will be none, [`Talk::over`] says why.
pub(crate) struct Open {
    /// To what.
    pub(crate) line: Line,
    /// What is said on it.
    pub(crate) talk: Box<dyn Talk>,
    /// To be connected to the session's pump when there is a channel.
    pub(crate) poke: Poke,
}

/// Rings when a talk has more to say, or more appetite, for a reason that the session cannot see.
#[derive(Clone, Default)]
pub(crate) struct Poke(Rc<RefCell<Option<Fwd<()>>>>);

impl Poke {
    /// Tells whom to tell. Before that, nobody needs to be told: a talk is asked when its channel is open.
    pub(crate) fn connect(&self, pump: Fwd<()>) {
        *self.0.borrow_mut() = Some(pump);
    }

    /// Tells the session to ask the talk again.
    pub(crate) fn ring(&self) {
        let pump = self.0.borrow().clone();
        if let Some(pump) = pump {
            pump.fwd(());
        }
    }
}

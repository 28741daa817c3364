//! A talk on its way to a session, and what is kept of it there.

use super::Session;
use crate::talk::Talk;
use procession::pool::Lease;
use stakker::{Actor, Ret};

/// A talk that is to be had, and what becomes of it if it cannot be begun here.
pub(crate) struct Placement {
    pub(super) talk: Option<Box<dyn Talk>>,
    pub(super) lease: Option<Lease<Actor<Session>>>,
    pub(super) back: Option<Ret<Unplaced>>,
}

/// A talk that had no effect, and may be had elsewhere.
pub(crate) enum Unplaced {
    /// The server refused the channel of this lease.
    Refused(Box<dyn Talk>, Lease<Actor<Session>>),
    /// The session broke before the talk had begun.
    Broken(Box<dyn Talk>),
}

impl Placement {
    /// Gives the talk back through `back` if it cannot be begun.
    pub(crate) fn new(talk: Box<dyn Talk>, lease: Lease<Actor<Session>>, back: Ret<Unplaced>) -> Placement {
        Placement { talk: Some(talk), lease: Some(lease), back: Some(back) }
    }
}

/// A session that is gone drops what it is sent.
impl Drop for Placement {
    fn drop(&mut self) {
        if let (Some(talk), Some(back)) = (self.talk.take(), self.back.take()) {
            back.ret(Unplaced::Broken(talk));
        }
    }
}

/// What is kept of a talk that is had.
pub(super) struct Placed {
    pub(super) lease: Option<Lease<Actor<Session>>>,
    pub(super) back: Option<Ret<Unplaced>>,
}

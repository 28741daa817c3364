//! How the pool opens sessions of a host, and closes them.

use crate::session::{Destination, Session};
use procession::pool::{Dial, News};
use stakker::{Actor, ActorOwn, Core, Fwd, actor, call, ret_nop};
use std::rc::Rc;

/// How sessions of this host are opened and closed.
pub(crate) struct Dialer {
    to: Rc<Destination>,
    /// Those that have not ended, and some that have.
    sessions: Vec<ActorOwn<Session>>,
}

impl Dialer {
    pub(crate) fn new(to: Rc<Destination>) -> Dialer {
        Dialer { to, sessions: Vec::new() }
    }
}

impl Dial for Dialer {
    type Session = Actor<Session>;

    fn open(&mut self, core: &mut Core, news: Fwd<News<Actor<Session>>>) {
        self.sessions.retain(|session| !session.is_zombie());
        let to = self.to.clone();
        self.sessions.push(actor!(core, Session::init(to, news), ret_nop!()));
    }

    fn close(&mut self, _: &mut Core, session: Actor<Session>) {
        call!([session], close());
    }
}

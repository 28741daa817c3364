//! The sessions of a host, and who may use them.
//!
//! A [`Dial`] knows how a session is opened and closed; the pool decides when. It is generic over what it pools, so that
//! the same rules hold for ssh and for the simulated host.

use crate::transport::TransportError;
use stakker::{Core, Fwd};

/// How the sessions of one host are opened and closed.
pub trait Dial: 'static {
    /// A session, cheap to clone: an actor, or a connection behind an `Rc`.
    type Session: Clone + 'static;

    /// Begins to open a session. `news` hears [`News::Opened`] and later its end, or only its end.
    fn open(&mut self, core: &mut Core, news: Fwd<News<Self::Session>>);

    /// Closes a session. Nothing on it is leased any more.
    fn close(&mut self, core: &mut Core, session: Self::Session);
}

/// What a session has to tell to its pool.
#[derive(Clone, Debug)]
pub enum News<S> {
    /// It is open, and authenticated.
    Opened(S),
    /// It could not be opened, or it broke. What was in flight on it is answered by the session itself.
    Ended(TransportError),
    /// The other side refused a channel: it takes no more than are open now (`MaxSessions` of OpenSSH).
    Full,
    /// It should get no new work: it has carried as many bytes as it may, or something about it is in doubt.
    Worn,
}

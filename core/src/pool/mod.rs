//! The sessions of a host, and who may use them.
//!
//! A host bans whoever connects too often, and takes only so many channels on a session. So there is one pool for each
//! host: it opens few sessions, slowly, keeps them, and lends their channels. While the host is down it tries by itself, one
//! try at a time and ever more rarely, and everybody waits free of charge.
//!
//! A [`Dial`] knows how a session is opened and closed; the pool decides when. It is generic over what it pools, so that
//! the same rules hold for ssh and for the simulated host. What is decided stands in `policy`, which knows no actor and no
//! clock; the actor [`Pool`] carries it out.
//!
//! ```
//! use procession::Runtime;
//! use procession::pool::{Dial, Health, Lease, News, Pool, Setup, Urgency};
//! use procession::transport::TransportError;
//! use stakker::{Core, Fwd, Ret};
//! use std::{cell::RefCell, rc::Rc};
//!
//! /// Sessions that are numbers.
//! struct Numbers(u32);
//! impl Dial for Numbers {
//!     type Session = u32;
//!     fn open(&mut self, _: &mut Core, news: Fwd<News<u32>>) {
//!         self.0 += 1;
//!         news.fwd(News::Opened(self.0));
//!     }
//!     fn close(&mut self, _: &mut Core, _: u32) {}
//! }
//!
//! # #[expect(clippy::disallowed_methods)] let start = std::time::Instant::now();
//! let mut runtime = Runtime::builder().virtual_time(start).build()?;
//! let setup = Setup::new("host", Numbers(0), runtime.handle());
//! let (sessions, _owner) = Pool::start(runtime.stakker(), setup);
//!
//! let got = Rc::new(RefCell::new(None));
//! let slot = got.clone();
//! sessions.lease(Urgency::Work, Ret::new(move |lease| *slot.borrow_mut() = lease));
//! runtime.turn(start)?;
//! let lease: Lease<u32> = got.take().unwrap()?;
//! assert_eq!(*lease.session(), 1);
//! drop(lease); // the channel is free again
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod actor;
mod bucket;
mod budget;
mod lease;
mod policy;
mod queue;
mod report;
mod rules;

pub use actor::{Pool, Setup};
pub use budget::{Budget, FileBudget, Later, Seat};
pub use lease::{Lease, Requester, Sessions, Urgency, Want};
pub use report::{Health, Report, SessionReport, SessionStage, Waiting};
pub use rules::Rules;

use crate::transport::TransportError;
use stakker::{Core, Fwd};

/// How the sessions of one host are opened and closed.
pub trait Dial: 'static {
    /// A session, cheap to clone: an actor, or a connection behind an `Rc`.
    type Session: Clone + 'static;

    /// Begins to open a session. `news` hears [`News::Opened`] and later its end, or only its end. Dropping all clones of
    /// `news` is an end too, as unreachable. It gives up by itself what does not come to an end:
    /// [`Rules::open_within`] is only the last resort, after which the pool counts it as gone though it may still hang.
    ///
    /// [`TransportError::AuthFailed`], [`TransportError::HostKeyChanged`] and [`TransportError::HostKeyUnknown`] as the end of
    /// one that was not open yet stop all further tries until [`Sessions::retry`]; any other reason is tried again by the
    /// pool.
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
    /// The other side refused a channel: it takes no more than are open now (`MaxSessions` of OpenSSH). Where the lease of
    /// the channel is at hand, [`Lease::refused`] says the same and brings another one.
    Full,
    /// It should get no new work: it has carried as many bytes as it may, or something about it is in doubt.
    Worn,
}

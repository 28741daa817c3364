//! What the users of a pool hold: a handle to ask with, and leases.

use super::policy::SessionId;
use super::report::Report;
use crate::transport::TransportError;
use stakker::{Fwd, Ret};
use std::fmt;
use std::rc::Rc;

/// How urgent something is, and how much of the session it will take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Urgency {
    /// To kill, to cancel, to look: served before all others, on a channel that the others do not get.
    Control,
    /// To do some work.
    Work,
    /// To move many bytes. Put beside others of its kind where there is a choice.
    Bulk,
}

/// For whom something is wanted. Those who wait are served in turns, so that one who wants a thousand channels does not
/// hold up another who wants one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Requester(pub u64);

/// What is wanted. An [`Urgency`] alone is wanted by nobody in particular.
///
/// ```
/// use procession::pool::{Requester, Urgency, Want};
/// let want = Want { requester: Requester(7), ..Want::from(Urgency::Bulk) };
/// assert_eq!(want.urgency, Urgency::Bulk);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// How urgent it is.
    pub urgency: Urgency,
    /// For whom.
    pub requester: Requester,
}

impl From<Urgency> for Want {
    fn from(urgency: Urgency) -> Want {
        Want { urgency, requester: Requester::default() }
    }
}

/// The answer to a wish for a lease.
pub(super) type Leased<S> = Ret<Result<Lease<S>, TransportError>>;

/// What a pool is asked, by its handles and by its leases.
pub(super) enum Ask<S: 'static> {
    Lease(Want, Leased<S>),
    Refused(SessionId, Want, Leased<S>),
    Returned(SessionId, Urgency),
    WhenUp(Ret<()>),
    Report(Ret<Report>),
    Retry,
    Close,
}

/// The sessions of a host, as their users hold them: cheap to clone, owns nothing. If the pool is gone, every `Ret` is
/// answered with `None`.
pub struct Sessions<S: 'static> {
    host: Rc<str>,
    ask: Fwd<Ask<S>>,
}

impl<S: 'static> Sessions<S> {
    pub(super) fn new(host: Rc<str>, ask: Fwd<Ask<S>>) -> Sessions<S> {
        Sessions { host, ask }
    }

    /// The name of the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A channel of a session, as soon as one is free. It waits while the first session is opened and while all channels are
    /// in use.
    ///
    /// While the host is down the answer comes at once: [`TransportError::Unreachable`], which says since when and when it is
    /// tried next, or the error with which the host refused the credentials. `Refused` if too many wait already.
    pub fn lease(&self, want: impl Into<Want>, ret: Ret<Result<Lease<S>, TransportError>>) {
        self.ask.fwd(Ask::Lease(want.into(), ret));
    }

    /// Answers when the host can be asked: at once, if it can be or if nobody knows. While it is down the pool tries by itself
    /// as long as somebody waits here; it costs nothing but memory. `None` if the pool ends, or if too many wait already.
    pub fn when_up(&self, ret: Ret<()>) {
        self.ask.fwd(Ask::WhenUp(ret));
    }

    /// How the host and its sessions are.
    pub fn report(&self, ret: Ret<Report>) {
        self.ask.fwd(Ask::Report(ret));
    }

    /// Lets the pool try again now: the credentials are there, the key has been looked at, or somebody knows that the host is
    /// back. The limits on how often it connects hold all the same.
    pub fn retry(&self) {
        self.ask.fwd(Ask::Retry);
    }

    /// Lets the pool end: who waits is told, nothing new is leased, and each session is closed when its leases are back.
    pub fn close(&self) {
        self.ask.fwd(Ask::Close);
    }
}

impl<S> Clone for Sessions<S> {
    fn clone(&self) -> Sessions<S> {
        Sessions { host: self.host.clone(), ask: self.ask.clone() }
    }
}

/// The right to open one channel on a session. Dropping it returns the channel: drop it when the channel is closed, and not
/// before.
#[must_use = "dropping it returns the channel"]
pub struct Lease<S: 'static> {
    session: S,
    number: SessionId,
    want: Want,
    /// None once it was returned by other means.
    back: Option<Fwd<Ask<S>>>,
}

impl<S: 'static> Lease<S> {
    pub(super) fn new(session: S, number: SessionId, want: Want, back: Fwd<Ask<S>>) -> Lease<S> {
        Lease { session, number, want, back: Some(back) }
    }

    /// The session. It may have broken since: whoever uses it hears of that from itself.
    pub fn session(&self) -> &S {
        &self.session
    }

    /// The host refused the channel (`MaxSessions` of OpenSSH): the session takes no more than the others that are open. The
    /// pool remembers that, and answers `ret` with another lease before all that wait and are not more urgent.
    pub fn refused(mut self, ret: Ret<Result<Lease<S>, TransportError>>) {
        if let Some(back) = self.back.take() {
            back.fwd(Ask::Refused(self.number, self.want, ret));
        }
    }
}

impl<S: 'static> Drop for Lease<S> {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            back.fwd(Ask::Returned(self.number, self.want.urgency));
        }
    }
}

impl<S: 'static> fmt::Debug for Lease<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({:?} on session {})", self.want.urgency, self.number.0)
    }
}

//! A descriptor that mio watches and that closes when it is no longer watched.

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use stakker::Fwd;
use stakker_mio::mio::event::Source;
use stakker_mio::mio::unix::SourceFd;
use stakker_mio::mio::{Interest, Registry, Token};
use stakker_mio::{MioPoll, MioSource, Ready};
use std::io::Result;
use std::rc::Rc;

/// An owned descriptor as a source of events. It is shared, so that it can outlive its registration.
pub(crate) struct Watched(Rc<OwnedFd>);

impl Watched {
    /// Watches `fd`, edge-triggered: after an event, read or write until `WouldBlock`.
    pub(crate) fn add(
        poll: &MioPoll,
        fd: OwnedFd,
        interest: Interest,
        ready: Fwd<Ready>,
    ) -> Result<MioSource<Watched>> {
        poll.add(Watched(Rc::new(fd)), interest, PRIORITY, ready)
    }

    /// Another hold on the descriptor.
    pub(crate) fn share(&self) -> Rc<OwnedFd> {
        self.0.clone()
    }
}

/// All descriptors of this crate have the same priority as those of others: none of them may starve the rest.
const PRIORITY: u32 = 10;

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Source for Watched {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(registry, token, interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}

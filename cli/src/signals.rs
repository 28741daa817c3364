//! Ctrl-C and its kin, as bytes in a socket: no handler of ours runs, so nothing can be interrupted halfway.

use crate::exit::Trouble;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What ends us politely: the keyboard, `kill`, and a terminal that goes away.
const POLITE: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// Tells whether somebody wants us to end, and is the only place where the human side of the program waits.
pub(crate) struct Signals {
    bytes: UnixStream,
}

impl Signals {
    /// Begins to listen. From now on the signals end nothing by themselves.
    pub(crate) fn listen() -> Result<Signals, Trouble> {
        let refused = |why| Trouble::System { what: "to listen to signals", why };
        let (bytes, sender) = UnixStream::pair().map_err(refused)?;
        for signal in POLITE {
            let sender = sender.try_clone().map_err(refused)?;
            signal_hook::low_level::pipe::register(signal.as_raw(), sender).map_err(refused)?;
        }
        bytes.set_nonblocking(true).map_err(refused)?;
        Ok(Signals { bytes })
    }

    /// Waits so long, or until a signal comes. How many have come.
    pub(crate) fn wait(&mut self, at_most: Duration) -> usize {
        let limit = Timespec { tv_sec: at_most.as_secs() as i64, tv_nsec: at_most.subsec_nanos().into() };
        let mut fds = [PollFd::new(&self.bytes, PollFlags::IN)];
        // Interrupted or not, what counts is what lies in the socket.
        let _ = poll(&mut fds, Some(&limit));
        let mut bytes = [0; 16];
        self.bytes.read(&mut bytes).unwrap_or(0)
    }
}

//! A conversation on one channel, without the channel: what a command, an SFTP server or a stream of files says and hears.
//!
//! A [`Talk`] is driven by the session that owns its channel. It does no input or output of its own, so that it can be
//! tried with bytes alone.

use procession::transport::{Stream, TransportError};

/// One side of a conversation: ours.
pub(crate) trait Talk {
    /// Adds what it has to say to `out`, as long as there is [`room`](Outbox::room). Called at the beginning, whenever
    /// room has come, and when the talk was poked.
    fn say(&mut self, out: &mut Outbox);

    /// How many bytes it can hear now. 0 stops the reading of its channel until it is poked.
    fn appetite(&self) -> usize {
        usize::MAX
    }

    /// Hears what the other side said.
    fn hear(&mut self, from: Stream, bytes: &[u8]);

    /// Whether nothing more is to be said or heard: the channel is closed, without waiting for the other side.
    fn is_done(&self) -> bool {
        false
    }

    /// The channel is closed. Answers whoever waits.
    fn over(self: Box<Self>, how: Result<Closed, TransportError>);
}

/// What ssh tells about the end of a command. It is not evidence: a server that is killed looks like an exit with 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Closed {
    /// The exit status.
    pub(crate) code: i32,
    /// The signal, by name without `SIG`.
    pub(crate) signal: Option<String>,
}

/// What is to be written to a channel. It only grows at its end until it is taken from its beginning: a write that is
/// repeated begins with the same byte and is no shorter, as libssh2 demands.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl Outbox {
    /// How many bytes are kept at most before the talk is asked to wait.
    pub(crate) const MARK: usize = 1 << 20;

    /// How many more bytes should be added now.
    pub(crate) fn room(&self) -> usize {
        Outbox::MARK.saturating_sub(self.bytes.len() - self.taken)
    }

    /// Adds bytes at the end.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        debug_assert!(!self.ended, "nothing is said after the end");
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        } else if self.taken > Outbox::MARK {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Nothing more will be added: when all is written, the end of the input is sent.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// What is still to be written.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// So many of them were written.
    pub(crate) fn take(&mut self, count: usize) {
        self.taken += count;
        debug_assert!(self.taken <= self.bytes.len());
    }

    /// Whether all was written and the end is to be sent.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && self.taken == self.bytes.len()
    }
}

//! A conversation on one channel, without the channel: what a command, an SFTP server or a stream of files says and hears.
//!
//! A [`Talk`] is driven by the session that owns its channel. It does no input or output of its own, so that it can be
//! tried with bytes alone. Whoever has something new for it from outside (a file that was read, a wish to cancel) changes
//! what it shares with the talk and then pokes it through its [`Line`].

use crate::exec::{Command, Shell};
use procession::transport::{Stream, TransportError};
use stakker::Fwd;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// One side of a conversation: ours.
///
/// After its channel was opened the session calls [`placed`](Talk::placed), then [`say`](Talk::say), [`hear`](Talk::hear)
/// and [`on_time`](Talk::on_time) as bytes come and go, and [`over`](Talk::over) last, in every case.
pub(crate) trait Talk {
    /// What is opened for it.
    fn opens(&self) -> Opens;

    /// How many bytes the other side may send before we have read them. A call that reads may take in that much at once:
    /// see [`Window`].
    fn window(&self) -> Window {
        Window::Command
    }

    /// The channel is about to be opened. What comes of it has had no effect yet until [`say`](Talk::say) is called.
    fn placed(&mut self, line: Line) {
        drop(line);
    }

    /// Adds what it has to say to `out`, as long as there is [`room`](Outbox::room). Called when the channel is open, whenever
    /// room has come, and when the talk was poked.
    fn say(&mut self, out: &mut Outbox);

    /// How many bytes it would like to hear now. 0 stops the reading of its channel until it is poked. It may hear up to
    /// [`Window::piece`] bytes more than it said.
    fn appetite(&self) -> usize {
        usize::MAX
    }

    /// Hears what the other side said.
    fn hear(&mut self, from: Stream, bytes: &[u8]);

    /// The other side will say nothing more.
    fn on_end(&mut self) {}

    /// The time, told whenever something happened to this talk, and at the moment that was returned the last time.
    fn on_time(&mut self, now: Instant) -> Option<Instant> {
        let _ = now;
        None
    }

    /// Whether nothing more is to be said or heard: the channel is closed, without waiting for the other side.
    fn is_done(&self) -> bool {
        false
    }

    /// Gives up the command that it is for, if a shell may have that as well and it has not begun. The talk is dropped then.
    fn give_up(&mut self) -> Option<Box<Command>> {
        None
    }

    /// The channel is closed, or was never opened. Answers whoever waits. An `Unreachable` means that the effect of what was
    /// said is unknown.
    fn over(self: Box<Self>, how: Result<Closed, TransportError>);
}

/// What a channel is opened for (RFC 4254, sections 6.5 and 7.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Opens {
    /// A command line for the login shell of the host.
    Command(String),
    /// A subsystem of the server.
    Subsystem(&'static str),
    /// Nothing: the channel is closed as soon as it is open. It shows that the server answers, and starts no process.
    Nothing,
    /// Nothing, and the channel stays open.
    Stay,
    /// A connection from the server to an address, as the server sees it.
    Address {
        /// Name or number.
        host: String,
        /// The port.
        port: u16,
    },
}

/// How many bytes may be under way to us on one channel.
///
/// libssh2 takes in all that has arrived, for all channels, with any call that reads. So the sum of the windows of a session
/// bounds how long one call holds the thread: about 2.5 ms for each MiB, measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Window {
    /// For a command that says little: 128 KiB.
    Command,
    /// For a transfer: 1 MiB, which fills a line of 100 MiB/s with 10 ms of delay.
    Bulk,
}

impl Window {
    /// In bytes.
    pub(crate) const fn bytes(self) -> u32 {
        match self {
            Window::Command => 128 << 10,
            Window::Bulk => 1 << 20,
        }
    }

    /// How many bytes are read at once. libssh2 widens the window by as much, when less than three quarters of it and this are
    /// open (`channel.c`, `ssh2_channel_read`): with a quarter of the window, a packet more for each command that says a word.
    pub(crate) const fn piece(self) -> usize {
        match self {
            Window::Command => 16 << 10,
            Window::Bulk => 128 << 10,
        }
    }
}

/// What ssh tells about the end of a command. It is not evidence: a server that is killed looks like an exit with 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Closed {
    /// The exit status.
    pub(crate) code: i32,
    /// The signal, by name without `SIG`.
    pub(crate) signal: Option<String>,
}

/// A wish from outside that a talk may end, shared by the talk and by whoever wishes.
#[derive(Default)]
pub(crate) struct Recall {
    wished: std::cell::Cell<bool>,
    line: std::cell::RefCell<Option<Line>>,
}

impl Recall {
    /// The talk was placed: it is to be poked through `line`.
    pub(crate) fn attach(&self, line: Line) {
        *self.line.borrow_mut() = Some(line);
    }

    /// Wishes that the talk may end.
    pub(crate) fn wish(&self) {
        self.wished.set(true);
        if let Some(line) = &*self.line.borrow() {
            line.poke();
        }
    }

    /// Whether somebody wishes it.
    pub(crate) fn is_wished(&self) -> bool {
        self.wished.get()
    }
}

/// The way from outside to a talk and to its session: cheap to clone, owns nothing. After the talk is over it does nothing.
#[derive(Clone)]
pub(crate) struct Line {
    asks: Fwd<Ask>,
    shell: Rc<Cell<Shell>>,
}

/// What a session is asked through a [`Line`].
pub(crate) enum Ask {
    /// To look at the talk again: it has something to say, wants to hear again, or is done.
    Poke,
    /// To have another conversation beside it, on a channel that is kept for such.
    Errand(Box<dyn Talk>),
}

impl Line {
    pub(crate) fn new(asks: Fwd<Ask>, shell: Rc<Cell<Shell>>) -> Line {
        Line { asks, shell }
    }

    /// What is known of the login shell there.
    pub(crate) fn shell(&self) -> &Cell<Shell> {
        &self.shell
    }

    /// Lets the session look at the talk again. It happens later, never within this call.
    pub(crate) fn poke(&self) {
        self.asks.fwd(Ask::Poke);
    }

    /// Lets the session have another conversation, on a channel of its own that no lease is needed for: to kill.
    pub(crate) fn errand(&self, talk: Box<dyn Talk>) {
        self.asks.fwd(Ask::Errand(talk));
    }
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

    /// Whether nothing more will be added. The talk is not asked any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
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

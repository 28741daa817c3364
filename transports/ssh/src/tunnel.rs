//! A byte stream through a channel, as a socket of this machine.
//!
//! One end of a pair of sockets is given to whoever asked; an actor moves bytes between the other end and the talk, with at
//! most [`MOST`] of them in memory each way. What one side says after its end is said no more; the other side may go on.

use crate::talk::{Closed, Line, Opens, Outbox, Talk};
use procession::transport::{Answer, Stream, TransportError};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, shutdown, socketpair,
};
use stakker::{CX, Fwd, fwd_to, idle, stop};
use stakker_mio::mio::Interest;
use stakker_mio::{FdSource, MioPoll, MioSource, Ready};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many bytes wait in memory in each direction: what a socket holds.
const MOST: usize = 256 << 10;

/// How much is moved at once before others have their turn.
const PIECE: usize = 64 << 10;

/// The same priority as the descriptors of others.
const PRIORITY: u32 = 10;

/// A pair of sockets: ours, and that of whoever asked. Neither blocks.
pub(crate) fn ends() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// What lies between the talk and the actor.
#[derive(Default)]
pub(crate) struct Pipe {
    /// From the socket, to be said.
    up: VecDeque<u8>,
    /// Nothing more comes from the socket.
    up_ended: bool,
    /// From the channel, to be written to the socket.
    down: VecDeque<u8>,
    /// Nothing more comes from the channel.
    down_ended: bool,
    /// The channel is closed, or the socket is.
    over: bool,
    line: Option<Line>,
    /// Wakes the actor.
    bell: Option<Fwd<()>>,
}

impl Pipe {
    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.fwd(());
        }
    }

    fn poke(&self) {
        if let Some(line) = &self.line {
            line.poke();
        }
    }
}

/// The talk on the channel to `host`; `theirs` is given to whoever asked when the channel is open.
pub(crate) fn talk(
    host: String,
    port: u16,
    theirs: OwnedFd,
    answer: Answer<OwnedFd>,
) -> (TunnelTalk, Rc<RefCell<Pipe>>) {
    let pipe = Rc::new(RefCell::new(Pipe::default()));
    (TunnelTalk { host, port, pipe: pipe.clone(), asked: Some((theirs, answer)), ended: false }, pipe)
}

/// The side of the channel.
pub(crate) struct TunnelTalk {
    host: String,
    port: u16,
    pipe: Rc<RefCell<Pipe>>,
    asked: Option<(OwnedFd, Answer<OwnedFd>)>,
    ended: bool,
}

impl Talk for TunnelTalk {
    fn opens(&self) -> Opens {
        Opens::Address { host: self.host.clone(), port: self.port }
    }

    fn placed(&mut self, line: Line) {
        self.pipe.borrow_mut().line = Some(line);
    }

    fn say(&mut self, out: &mut Outbox) {
        if let Some((theirs, answer)) = self.asked.take() {
            answer.ret(Ok(theirs));
        }
        let mut pipe = self.pipe.borrow_mut();
        let count = pipe.up.len().min(out.room());
        let (front, back) = pipe.up.as_slices();
        let cut = count.min(front.len());
        out.push(&front[..cut]);
        out.push(&back[..count - cut]);
        pipe.up.drain(..count);
        if pipe.up_ended && pipe.up.is_empty() && !self.ended {
            self.ended = true;
            out.end();
        }
        if count > 0 {
            pipe.ring();
        }
    }

    fn appetite(&self) -> usize {
        MOST.saturating_sub(self.pipe.borrow().down.len())
    }

    fn hear(&mut self, _: Stream, bytes: &[u8]) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.down.extend(bytes);
        pipe.ring();
    }

    fn on_end(&mut self) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.down_ended = true;
        pipe.ring();
    }

    fn is_done(&self) -> bool {
        let pipe = self.pipe.borrow();
        pipe.over || (self.ended && pipe.down_ended && pipe.up.is_empty())
    }

    fn over(mut self: Box<Self>, how: Result<Closed, TransportError>) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.over = true;
        pipe.down_ended = true;
        pipe.ring();
        drop(pipe);
        if let (Some((_, answer)), Err(e)) = (self.asked.take(), how) {
            answer.ret(Err(e));
        }
    }
}

/// The side of the socket.
pub(crate) struct Tunnel {
    source: Option<MioSource<FdSource>>,
    fd: OwnedFd,
    pipe: Rc<RefCell<Pipe>>,
    /// A further pump is under way.
    pumping: bool,
    shut: bool,
}

impl Tunnel {
    /// Moves bytes between our end and the pipe until both directions have ended.
    pub(crate) fn init(cx: CX![], fd: OwnedFd, pipe: Rc<RefCell<Pipe>>) -> Option<Tunnel> {
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = fwd_to!([cx], on_ready() as (Ready));
        let added = cx.anymap_get::<MioPoll>().add(FdSource::new(fd.as_raw_fd()), both, PRIORITY, ready);
        let source = match added {
            Ok(source) => Some(source),
            Err(e) => {
                log::warn!("a tunnel cannot be polled: {e}");
                pipe.borrow_mut().over = true;
                stop!(cx);
                return None;
            }
        };
        pipe.borrow_mut().bell = Some(fwd_to!([cx], on_bell() as ()));
        Some(Tunnel { source, fd, pipe, pumping: false, shut: false })
    }

    fn on_ready(&mut self, cx: CX![], _: Ready) {
        self.pump(cx);
    }

    fn on_bell(&mut self, cx: CX![]) {
        self.pump(cx);
    }

    fn on_more(&mut self, cx: CX![]) {
        self.pumping = false;
        self.pump(cx);
    }

    fn pump(&mut self, cx: CX![]) {
        let read = self.read();
        let wrote = self.write();
        let mut pipe = self.pipe.borrow_mut();
        if read {
            pipe.poke();
        }
        if wrote {
            pipe.poke();
        }
        if pipe.down_ended && pipe.down.is_empty() && !self.shut {
            self.shut = true;
            // It fails if they have closed their end.
            let _ = shutdown(&self.fd, Shutdown::Write);
        }
        let over = pipe.over && pipe.down.is_empty() || pipe.up_ended && self.shut;
        if over {
            pipe.over |= pipe.up.is_empty();
            pipe.bell = None;
            pipe.poke();
            drop(pipe);
            self.source = None;
            return stop!(cx);
        }
        drop(pipe);
        if (read || wrote) && !self.pumping {
            self.pumping = true;
            idle!([cx], on_more());
        }
    }

    /// Reads one piece from the socket. Whether there may be more.
    fn read(&mut self) -> bool {
        let mut pipe = self.pipe.borrow_mut();
        if pipe.up_ended || pipe.over || pipe.up.len() >= MOST {
            return false;
        }
        let mut piece = [0; PIECE];
        match rustix::net::recv(&self.fd, &mut piece[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => {
                pipe.up_ended = true;
                true
            }
            Ok((count, _)) => {
                pipe.up.extend(&piece[..count]);
                true
            }
            Err(Errno::AGAIN) => false,
            Err(Errno::INTR) => true,
            Err(_) => {
                pipe.up_ended = true;
                true
            }
        }
    }

    /// Writes one piece to the socket. Whether something was written.
    fn write(&mut self) -> bool {
        let mut pipe = self.pipe.borrow_mut();
        let (front, _) = pipe.down.as_slices();
        if front.is_empty() {
            return false;
        }
        let slice = &front[..front.len().min(PIECE)];
        match rustix::net::send(&self.fd, slice, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(count) => {
                pipe.down.drain(..count);
                true
            }
            Err(Errno::AGAIN) => false,
            Err(Errno::INTR) => true,
            // They have closed their end: nobody hears what comes.
            Err(_) => {
                pipe.down.clear();
                pipe.over = true;
                true
            }
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.source = None;
        if let Ok(mut pipe) = self.pipe.try_borrow_mut() {
            pipe.bell = None;
        }
    }
}

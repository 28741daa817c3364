//! A connection that is being made: an actor that tries one address after the other and never blocks.

use crate::watched::Watched;
use procession::transport::reason;
use procession::transport::{Answer, TransportError};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use stakker::{CX, FixedTimerKey, after, fwd_to, stop};
use stakker_mio::mio::Interest;
use stakker_mio::{MioPoll, MioSource, Ready};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How long one address may take. The system alone would try for two minutes (tcp(7), tcp_syn_retries).
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection that is being made.
pub(crate) struct Dial {
    name: String,
    poll: MioPoll,
    addresses: std::vec::IntoIter<SocketAddr>,
    trying: Option<MioSource<Watched>>,
    patience: Option<FixedTimerKey>,
    last: TransportError,
    answer: Option<Answer<OwnedFd>>,
}

impl Dial {
    /// Tries the addresses of the host called `name` in their order.
    pub(crate) fn init(
        cx: CX![],
        name: String,
        poll: MioPoll,
        addresses: Vec<SocketAddr>,
        answer: Answer<OwnedFd>,
    ) -> Option<Dial> {
        let last = TransportError::Unreachable { host: name.clone(), why: "it has no address".to_owned() };
        let addresses = addresses.into_iter();
        let mut dial =
            Dial { name, poll, addresses, trying: None, patience: None, last, answer: Some(answer) };
        dial.next(cx);
        Some(dial)
    }

    fn next(&mut self, cx: CX![]) {
        self.trying = None;
        if let Some(timer) = self.patience.take() {
            cx.timer_del(timer);
        }
        while let Some(address) = self.addresses.next() {
            let begun = begin(address).and_then(|fd| {
                Watched::add(&self.poll, fd, Interest::WRITABLE, fwd_to!([cx], on_ready() as (Ready)))
            });
            match begun {
                Ok(source) => {
                    self.trying = Some(source);
                    self.patience = Some(after!(PATIENCE, [cx], on_impatience()));
                    return;
                }
                Err(e) => self.last = self.reason(&e),
            }
        }
        self.end(cx, Err(self.last.clone()));
    }

    fn on_ready(&mut self, cx: CX![], _: Ready) {
        let Some(source) = &self.trying else { return };
        let fd: Rc<OwnedFd> = source.share();
        match sockopt::socket_error(&fd) {
            Ok(Ok(())) if rustix::net::getpeername(&fd).is_ok() => {
                self.trying = None;
                let fd = Rc::into_inner(fd).expect("the registration that shared it is gone");
                self.end(cx, Ok(fd));
            }
            // Spurious: it is neither connected nor refused yet.
            Ok(Ok(())) => {}
            Ok(Err(e)) | Err(e) => {
                self.last = self.reason(&e.into());
                self.next(cx);
            }
        }
    }

    fn on_impatience(&mut self, cx: CX![]) {
        self.patience = None;
        self.last = TransportError::TimedOut(format!("{} did not answer for {PATIENCE:?}", self.name));
        self.next(cx);
    }

    fn reason(&self, e: &std::io::Error) -> TransportError {
        match reason::named(&self.name, e) {
            e @ (TransportError::Refused(_) | TransportError::Permission(_)) => e,
            _ => TransportError::Unreachable { host: self.name.clone(), why: e.to_string() },
        }
    }

    fn end(&mut self, cx: CX![], result: Result<OwnedFd, TransportError>) {
        if let Some(timer) = self.patience.take() {
            cx.timer_del(timer);
        }
        if let Some(answer) = self.answer.take() {
            answer.ret(result);
        }
        stop!(cx);
    }
}

fn begin(address: SocketAddr) -> std::io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match connect(&fd, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(fd),
        Err(e) => Err(e.into()),
    }
}

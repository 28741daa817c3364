//! A connection to the host that is being made: an actor that tries one address after the other and never blocks.

use super::wire::unreachable;
use crate::aside::aside;
use procession::transport::TransportError;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use stakker::{CX, FixedTimerKey, Ret, after, fwd_to, ret_to, stop};
use stakker_mio::mio::Interest;
use stakker_mio::{FdSource, MioPoll, MioSource, Ready};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::Duration;

/// The same priority as the descriptors of others.
const PRIORITY: u32 = 10;

/// A connection that is being made.
pub(crate) struct Reach {
    /// What the host is called in messages.
    host: Rc<str>,
    poll: MioPoll,
    addresses: std::vec::IntoIter<SocketAddr>,
    trying: Option<Try>,
    /// How long one address may take. The system alone would try for two minutes (tcp(7), tcp_syn_retries).
    each: Duration,
    patience: Option<FixedTimerKey>,
    last: TransportError,
    answer: Option<Ret<Result<OwnedFd, TransportError>>>,
}

struct Try {
    // The registration ends before the descriptor is closed or handed on.
    source: MioSource<FdSource>,
    fd: OwnedFd,
}

impl Reach {
    /// Looks `address` up, if it is a name, and tries what it stands for in that order.
    pub(crate) fn init(
        cx: CX![],
        host: Rc<str>,
        address: String,
        port: u16,
        each: Duration,
        answer: Ret<Result<OwnedFd, TransportError>>,
    ) -> Option<Reach> {
        let poll = cx.anymap_get::<MioPoll>();
        let last = unreachable(&host, format!("{address} has no address"));
        let addresses = Vec::new().into_iter();
        let mut reach =
            Reach { host, poll, addresses, trying: None, each, patience: None, last, answer: Some(answer) };
        if let Ok(ip) = address.parse::<IpAddr>() {
            reach.addresses = vec![SocketAddr::new(ip, port)].into_iter();
            reach.next(cx);
            return Some(reach);
        }
        let look_up = move || (address.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        let found = ret_to!([cx], on_addresses() as (std::io::Result<Vec<SocketAddr>>));
        if let Err(e) = aside(cx, "procession-names", look_up, found) {
            reach.end(cx, Err(TransportError::Refused(format!("a thread that looks up names: {e}"))));
        }
        Some(reach)
    }

    fn on_addresses(&mut self, cx: CX![], found: Option<std::io::Result<Vec<SocketAddr>>>) {
        match found {
            Some(Ok(addresses)) => self.addresses = addresses.into_iter(),
            Some(Err(e)) => self.last = unreachable(&self.host, e.to_string()),
            None => self.last = unreachable(&self.host, "the look-up of its name panicked"),
        }
        self.next(cx);
    }

    fn next(&mut self, cx: CX![]) {
        self.trying = None;
        if let Some(timer) = self.patience.take() {
            cx.timer_del(timer);
        }
        while let Some(address) = self.addresses.next() {
            let begun = begin(address).and_then(|fd| {
                let source = FdSource::new(fd.as_raw_fd());
                let ready = fwd_to!([cx], on_ready() as (Ready));
                Ok(Try { source: self.poll.add(source, Interest::WRITABLE, PRIORITY, ready)?, fd })
            });
            match begun {
                Ok(trying) => {
                    self.trying = Some(trying);
                    self.patience = Some(after!(self.each, [cx], on_impatience(address)));
                    return;
                }
                Err(e) => self.last = unreachable(&self.host, format!("{address}: {e}")),
            }
        }
        self.end(cx, Err(self.last.clone()));
    }

    fn on_ready(&mut self, cx: CX![], _: Ready) {
        let Some(trying) = &self.trying else { return };
        match sockopt::socket_error(&trying.fd) {
            Ok(Ok(())) if rustix::net::getpeername(&trying.fd).is_ok() => {
                let Try { source, fd } = self.trying.take().expect("looked at above");
                drop(source);
                self.end(cx, Ok(fd));
            }
            // Spurious: it is neither connected nor refused yet.
            Ok(Ok(())) => {}
            Ok(Err(e)) | Err(e) => {
                self.last = unreachable(&self.host, std::io::Error::from(e).to_string());
                self.next(cx);
            }
        }
    }

    fn on_impatience(&mut self, cx: CX![], address: SocketAddr) {
        self.patience = None;
        self.last = unreachable(&self.host, format!("{address} did not answer for {:?}", self.each));
        self.next(cx);
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
        Ok(()) | Err(Errno::INPROGRESS) => Ok(fd),
        Err(e) => Err(e.into()),
    }
}

//! One ssh connection: an actor that opens it, drives all conversations on it, and notices when it is dead.
//!
//! ```text
//! Reaching → Greeting → Entering → Open → Ended
//!     └─────────┴──────────┴──────────────→┘
//! ```
//!
//! It is one pump: an edge of the socket, a new talk, a poke or a timer all lead to the same call, queued and never nested, so
//! that libssh2 is always called from the same depth.

mod conversation;
mod locks;
mod pulse;
mod reach;
mod traffic;
mod wire;

pub(crate) use conversation::LONGEST_LINE;
pub use pulse::Patience;

use crate::access::Access;
use crate::aside::aside;
use crate::talk::{Ask, Closed, Line, Opens, Outbox, Talk};
use conversation::Fate;
use procession::pool::{Lease, News};
use procession::transport::{Op, Stream, Transport, TransportError};
use reach::Reach;
use rustix::fd::OwnedFd;
use stakker::{
    Actor, ActorOwn, CX, FixedTimerKey, Fwd, Ret, actor, after, at, call, fwd_to, ret_nop, ret_to, stop,
};
use stakker_mio::{MioPoll, Ready};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use traffic::{Ended, Traffic};
use wire::{Meaning, Wire, unreachable};

/// How a host is reached, and how long we wait for it.
pub(crate) struct Route {
    /// What the host is called in messages.
    pub(crate) host: Rc<str>,
    pub(crate) way: Way,
    pub(crate) access: Rc<dyn Access>,
    pub(crate) patience: Patience,
}

/// How the first byte gets there.
pub(crate) enum Way {
    /// From this machine to an address and a port.
    Direct(String, u16),
    /// From another host, which connects to an address and a port as it sees them.
    Through(Transport, String, u16),
}

/// A talk that is to be had, and what becomes of it if it cannot be begun here.
pub(crate) struct Placement {
    talk: Option<Box<dyn Talk>>,
    lease: Option<Lease<Actor<Session>>>,
    back: Option<Ret<Unplaced>>,
}

/// A talk that had no effect, and may be had elsewhere.
pub(crate) enum Unplaced {
    /// The server refused the channel of this lease.
    Refused(Box<dyn Talk>, Lease<Actor<Session>>),
    /// The session broke before the talk had begun.
    Broken(Box<dyn Talk>),
}

impl Placement {
    /// Gives the talk back through `back` if it cannot be begun.
    pub(crate) fn new(
        talk: Box<dyn Talk>,
        lease: Lease<Actor<Session>>,
        back: Ret<Unplaced>,
    ) -> Placement {
        Placement { talk: Some(talk), lease: Some(lease), back: Some(back) }
    }
}

/// A session that is gone drops what it is sent.
impl Drop for Placement {
    fn drop(&mut self) {
        if let (Some(talk), Some(back)) = (self.talk.take(), self.back.take()) {
            back.ret(Unplaced::Broken(talk));
        }
    }
}

/// One ssh connection.
pub(crate) struct Session {
    route: Rc<Route>,
    news: Fwd<News<Actor<Session>>>,
    stage: Stage,
    placed: BTreeMap<u64, Placed>,
    /// A pump is queued already.
    pumping: bool,
    /// When it is to be pumped though nothing came.
    alarm: Option<(Instant, FixedTimerKey)>,
}

struct Placed {
    lease: Option<Lease<Actor<Session>>>,
    back: Option<Ret<Unplaced>>,
}

enum Stage {
    Reaching(Option<ActorOwn<Reach>>),
    Greeting(Wire),
    Entering(Wire),
    Open(Traffic),
    Ended,
}

impl Session {
    /// Begins to open a session. `news` hears that it is open, and of its end.
    pub(crate) fn init(cx: CX![], route: Rc<Route>, news: Fwd<News<Actor<Session>>>) -> Option<Session> {
        let reached = ret_to!([cx], on_reached() as (Result<OwnedFd, TransportError>));
        let reach = match &route.way {
            Way::Direct(address, port) => {
                let (host, address, port) = (route.host.clone(), address.clone(), *port);
                Some(actor!(cx, Reach::init(host, address, port, reached), ret_nop!()))
            }
            Way::Through(transport, host, port) => {
                transport.op(Op::Connect { host: host.clone(), port: *port, ret: reached });
                None
            }
        };
        let stage = Stage::Reaching(reach);
        Some(Session { route, news, stage, placed: BTreeMap::new(), pumping: false, alarm: None })
    }

    fn on_reached(&mut self, cx: CX![], reached: Option<Result<OwnedFd, TransportError>>) {
        let opened = match reached {
            Some(Ok(fd)) => self.greet(cx, fd),
            Some(Err(e)) => Err(e),
            None => Err(unreachable(&self.route.host, "what connects to it has ended")),
        };
        match opened {
            Ok(wire) => {
                self.stage = Stage::Greeting(wire);
                self.set_alarm(cx, Some(cx.now() + self.route.patience.answer));
                self.pump_soon(cx);
            }
            Err(e) => self.end(cx, e),
        }
    }

    fn greet(&self, cx: CX![], fd: OwnedFd) -> Result<Wire, TransportError> {
        let poll = cx.anymap_get::<MioPoll>();
        let ready = fwd_to!([cx], on_ready() as (Ready));
        let wire =
            Wire::new(&poll, fd, ready).map_err(|e| TransportError::Refused(format!("a session: {e}")))?;
        self.route.access.prepare(wire.ssh())?;
        Ok(wire)
    }

    fn on_ready(&mut self, cx: CX![], ready: Ready) {
        // The server wants an answer (a keepalive, new keys) that only a call can give, or it is gone.
        if let Stage::Open(traffic) = &mut self.stage
            && traffic.is_quiet()
            && ready.is_readable()
        {
            traffic.add(Box::new(Ping), cx.now());
        }
        self.pump_soon(cx);
    }

    fn pump_soon(&mut self, cx: CX![]) {
        if !self.pumping {
            self.pumping = true;
            call!([cx], pump());
        }
    }

    fn pump(&mut self, cx: CX![]) {
        self.pumping = false;
        match &mut self.stage {
            Stage::Greeting(_) => self.shake_hands(cx),
            Stage::Open(_) => self.drive(cx),
            Stage::Reaching(_) | Stage::Entering(_) | Stage::Ended => {}
        }
    }

    fn shake_hands(&mut self, cx: CX![]) {
        let Stage::Greeting(wire) = &mut self.stage else { return };
        match wire.ssh_mut().handshake().map_err(|e| Meaning::of(&e)) {
            Err(Meaning::Later) => {}
            Err(Meaning::Channel(why) | Meaning::Broken(why)) => {
                self.end(cx, unreachable(&self.route.host, format!("no handshake: {why}")))
            }
            Ok(()) => match self.route.access.check(wire.ssh()) {
                Ok(()) => self.enter(cx),
                Err(e) => self.end(cx, e),
            },
        }
    }

    fn enter(&mut self, cx: CX![]) {
        let Stage::Greeting(wire) = std::mem::replace(&mut self.stage, Stage::Ended) else { return };
        let ssh = wire.ssh().clone();
        let login = self.route.access.login(cx);
        let entered = ret_to!([cx], on_entered() as (Result<(), TransportError>));
        // The session goes to the thread and comes back: until then nobody here touches it, but for cutting it.
        let work = move || {
            ssh.set_blocking(true);
            let entered = login(&ssh);
            ssh.set_blocking(false);
            entered
        };
        self.stage = Stage::Entering(wire);
        self.set_alarm(cx, Some(cx.now() + self.route.patience.login));
        if let Err(e) = aside(cx, "procession-login", work, entered) {
            self.end(cx, TransportError::Refused(format!("a thread to log in: {e}")));
        }
    }

    fn on_entered(&mut self, cx: CX![], entered: Option<Result<(), TransportError>>) {
        let Stage::Entering(wire) = std::mem::replace(&mut self.stage, Stage::Ended) else { return };
        match entered {
            Some(Ok(())) => {
                self.stage = Stage::Open(Traffic::new(wire, self.route.patience, cx.now()));
                self.news.fwd(News::Opened(cx.this().clone()));
                self.pump_soon(cx);
            }
            Some(Err(e)) => self.end(cx, e),
            None => self.end(cx, unreachable(&self.route.host, "the login panicked; please report it")),
        }
    }

    /// Has a talk on a channel of its own.
    pub(crate) fn converse(&mut self, cx: CX![], mut placement: Placement) {
        let Stage::Open(_) = &self.stage else { return };
        if let Some(talk) = placement.talk.take() {
            self.place(cx, talk, placement.lease.take(), placement.back.take());
        }
    }

    fn place(
        &mut self,
        cx: CX![],
        mut talk: Box<dyn Talk>,
        lease: Option<Lease<Actor<Session>>>,
        back: Option<Ret<Unplaced>>,
    ) {
        let Stage::Open(traffic) = &mut self.stage else { return };
        let id = traffic.next_id();
        talk.placed(Line::new(fwd_to!([cx], on_ask(id) as (Ask))));
        traffic.add(talk, cx.now());
        self.placed.insert(id, Placed { lease, back });
        self.pump_soon(cx);
    }

    fn on_ask(&mut self, cx: CX![], id: u64, ask: Ask) {
        match (ask, &mut self.stage) {
            (Ask::Poke, Stage::Open(traffic)) => {
                traffic.poke(id);
                self.pump_soon(cx);
            }
            (Ask::Errand(talk), Stage::Open(_)) => self.place(cx, talk, None, None),
            (Ask::Errand(talk), _) => talk.over(Err(unreachable(&self.route.host, "the session has ended"))),
            (Ask::Poke, _) => {}
        }
    }

    /// Closes the session, on which nothing is leased any more.
    pub(crate) fn close(&mut self, cx: CX![]) {
        self.end(cx, unreachable(&self.route.host, "the session was closed"));
    }

    fn drive(&mut self, cx: CX![]) {
        let Stage::Open(traffic) = &mut self.stage else { return };
        if traffic.is_silent(cx.now()) {
            traffic.add(Box::new(Ping), cx.now());
        }
        let pumped = match traffic.pump(cx.now()) {
            Ok(pumped) => pumped,
            Err(why) => return self.end(cx, unreachable(&self.route.host, why)),
        };
        let alarm = traffic.alarm();
        if pumped.worn {
            self.news.fwd(News::Worn);
        }
        for ended in pumped.over {
            self.on_over(ended);
        }
        if pumped.more {
            // Not a call: the queue would be served before the sockets of others.
            after!(Duration::ZERO, [cx], pump_soon());
        }
        self.set_alarm(cx, alarm);
    }

    fn on_over(&mut self, ended: Ended) {
        let placed = self.placed.remove(&ended.id);
        match (ended.fate, placed) {
            (Fate::Closed(how), placed) => {
                // The channel is free before whoever waits asks for another.
                drop(placed);
                ended.talk.over(how);
            }
            (Fate::Refused(_), Some(Placed { lease: Some(lease), back: Some(back) })) => {
                back.ret(Unplaced::Refused(ended.talk, lease));
            }
            (Fate::Refused(why), _) => ended.talk.over(Err(TransportError::Refused(why))),
        }
    }

    fn set_alarm(&mut self, cx: CX![], when: Option<Instant>) {
        if self.alarm.as_ref().map(|(set, _)| *set) == when {
            return;
        }
        if let Some((_, timer)) = self.alarm.take() {
            cx.timer_del(timer);
        }
        self.alarm = when.map(|when| (when, at!(when, [cx], on_alarm())));
    }

    fn on_alarm(&mut self, cx: CX![]) {
        self.alarm = None;
        let patience = self.route.patience;
        match &self.stage {
            Stage::Open(_) => self.pump_soon(cx),
            Stage::Greeting(_) => {
                let why = format!("it did not greet us for {:?}", patience.answer);
                self.end(cx, unreachable(&self.route.host, why));
            }
            Stage::Entering(_) => {
                let why = format!("the login took longer than {:?}", patience.login);
                self.end(cx, unreachable(&self.route.host, why));
            }
            Stage::Reaching(_) | Stage::Ended => {}
        }
    }

    /// The end of the session, whatever was going on.
    fn end(&mut self, cx: CX![], why: TransportError) {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Open(traffic) => {
                for (id, talk, begun) in traffic.end() {
                    let placed = self.placed.remove(&id);
                    match placed.and_then(|placed| placed.back).filter(|_| !begun) {
                        Some(back) => back.ret(Unplaced::Broken(talk)),
                        None => talk.over(Err(why.clone())),
                    }
                }
            }
            Stage::Reaching(_) | Stage::Greeting(_) | Stage::Entering(_) => {}
            Stage::Ended => return,
        }
        self.set_alarm(cx, None);
        self.news.fwd(News::Ended(why));
        stop!(cx);
    }
}

/// A sign of life: a channel that is opened and closed. It starts no process, and a refusal is an answer too.
struct Ping;

impl Talk for Ping {
    fn opens(&self) -> Opens {
        Opens::Nothing
    }

    fn say(&mut self, _: &mut Outbox) {}

    fn hear(&mut self, _: Stream, _: &[u8]) {}

    fn over(self: Box<Self>, _: Result<Closed, TransportError>) {}
}

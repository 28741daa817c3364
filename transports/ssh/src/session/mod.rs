//! One ssh connection: an actor that opens it, drives all conversations on it, and notices when it is dead.
//!
//! ```text
//! Reading → Reaching → Greeting → Entering → Open → Ended
//!    └─────────┴───────────┴──────────┴─────────────→┘
//! ```
//!
//! An edge of the socket, a new talk, a poke and a timer all lead to one pump: a call that is queued and never nested.

mod cadence;
mod conversation;
mod flow;
mod locks;
mod placement;
mod pulse;
mod reach;
mod silent;
mod traffic;
mod wire;

pub(crate) use conversation::LONGEST_LINE;
pub(crate) use placement::{Placement, Unplaced};
pub use pulse::Patience;

use crate::aside::aside;
use crate::auth::{Authentication, Login, Secrets};
use crate::config::Target;
use crate::exec::Shell;
use crate::hostkey::KnownHosts;
use crate::talk::{Ask, Line, Talk};
use cadence::Cadence;
use conversation::Fate;
use placement::Placed;
use procession::pool::{Lease, News};
use procession::transport::{Op, Transport, TransportError};
use reach::Reach;
use rustix::fd::OwnedFd;
use rustix::net::sockopt;
use silent::{Ping, Stay};
use ssh2::MethodType;
use stakker::{Actor, ActorOwn, CX, Fwd, Ret, actor, after, fwd_to, ret_nop, ret_to, stop};
use stakker_mio::{MioPoll, Ready};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use traffic::{Ended, Traffic};
use wire::{Meaning, Socket, Wire, unreachable};

/// How soon an errand that was refused a channel is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// Where a session leads, and how long we wait for it.
pub(crate) struct Destination {
    /// What the host is called in messages.
    pub(crate) host: Rc<str>,
    pub(crate) target: Arc<Target>,
    /// The last host on the way, which connects to the target; none if we do.
    pub(crate) via: Option<Transport>,
    pub(crate) secrets: Secrets,
    pub(crate) patience: Patience,
    /// In bytes; the system's choice if it is none.
    pub(crate) send_buffer: Option<usize>,
}

/// One ssh connection.
pub(crate) struct Session {
    to: Rc<Destination>,
    known: Arc<KnownHosts>,
    news: Fwd<News<Actor<Session>>>,
    stage: Stage,
    placed: BTreeMap<u64, Placed>,
    /// Errands that wait for the one that is under way: they have one channel for all of them.
    errands: VecDeque<Box<dyn Talk>>,
    errand: Option<u64>,
    /// The channel that stays is to be given up.
    stay: Rc<Cell<bool>>,
    /// What is known of the login shell.
    shell: Rc<Cell<Shell>>,
    cadence: Cadence,
}

enum Stage {
    Reading,
    Reaching {
        _reach: Option<ActorOwn<Reach>>,
    },
    Greeting(Wire),
    Entering(
        Socket,
        #[expect(dead_code, reason = "it lives as long as it is owned")] ActorOwn<Authentication>,
    ),
    Open(Traffic),
    Ended,
}

impl Session {
    /// Begins to open a session. `news` hears that it is open, and of its end.
    pub(crate) fn init(cx: CX![], to: Rc<Destination>, news: Fwd<News<Actor<Session>>>) -> Option<Session> {
        let target = to.target.clone();
        let read = move || KnownHosts::read(target.known_hosts_files());
        let known = ret_to!([cx], on_known() as (KnownHosts));
        if let Err(e) = aside(cx, "procession-known-hosts", read, known) {
            news.fwd(News::Ended(TransportError::Refused(format!("a thread that reads known hosts: {e}"))));
            stop!(cx);
            return None;
        }
        Some(Session {
            to,
            known: Arc::default(),
            news,
            stage: Stage::Reading,
            placed: BTreeMap::new(),
            errands: VecDeque::new(),
            errand: None,
            stay: Rc::default(),
            shell: Rc::default(),
            cadence: Cadence::default(),
        })
    }

    fn on_known(&mut self, cx: CX![], known: Option<KnownHosts>) {
        if !matches!(self.stage, Stage::Reading) {
            return;
        }
        self.known = Arc::new(known.unwrap_or_default());
        let reached = ret_to!([cx], on_reached() as (Result<OwnedFd, TransportError>));
        let (address, port) = (self.to.target.host.clone(), self.to.target.port);
        let reach = match &self.to.via {
            Some(gate) => {
                gate.op(Op::Connect { host: address, port, ret: reached });
                None
            }
            None => {
                let each = self.to.target.connect_timeout.unwrap_or(self.to.patience.answer);
                let host = self.to.host.clone();
                Some(actor!(cx, Reach::init(host, address, port, each, reached), ret_nop!()))
            }
        };
        self.stage = Stage::Reaching { _reach: reach };
    }

    fn on_reached(&mut self, cx: CX![], reached: Option<Result<OwnedFd, TransportError>>) {
        if !matches!(self.stage, Stage::Reaching { .. }) {
            return;
        }
        let opened = match reached {
            Some(Ok(fd)) => self.greet(cx, fd),
            Some(Err(e)) => Err(self.at_the_gate(e)),
            None => Err(unreachable(&self.to.host, "what connects to it has ended")),
        };
        match opened {
            Ok(wire) => {
                self.stage = Stage::Greeting(wire);
                self.cadence.set_alarm(cx, Some(cx.now() + self.to.patience.answer));
                self.cadence.pump_soon(cx);
            }
            Err(e) => self.end(cx, e),
        }
    }

    /// What is wrong with a host on the way is dealt with there. This one is tried again until the way is free.
    fn at_the_gate(&self, e: TransportError) -> TransportError {
        match &self.to.via {
            Some(gate) => unreachable(&self.to.host, format!("on the way, {}: {e}", gate.name())),
            None => e,
        }
    }

    fn greet(&self, cx: CX![], fd: OwnedFd) -> Result<Wire, TransportError> {
        if let Some(bytes) = self.to.send_buffer {
            sockopt::set_socket_send_buffer_size(&fd, bytes)
                .map_err(|e| TransportError::Refused(format!("a send buffer of {bytes} bytes: {e}")))?;
        }
        let poll = cx.anymap_get::<MioPoll>();
        let ready = fwd_to!([cx], on_ready() as (Ready));
        let wire =
            Wire::new(&poll, fd, ready).map_err(|e| TransportError::Refused(format!("a session: {e}")))?;
        let algorithms =
            self.known.algorithms(&self.to.target.known_name(), &self.to.target.host_key_algorithms);
        if !algorithms.is_empty()
            && let Err(e) = wire.ssh().method_pref(MethodType::HostKey, &algorithms)
        {
            return Err(TransportError::Refused(format!(
                "none of the algorithms {algorithms} for host keys: {e}"
            )));
        }
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
        self.cadence.pump_soon(cx);
    }

    fn pump(&mut self, cx: CX![]) {
        self.cadence.on_pump(cx.now());
        match &mut self.stage {
            Stage::Greeting(_) => self.shake_hands(cx),
            Stage::Open(_) => self.drive(cx),
            Stage::Reading | Stage::Reaching { .. } | Stage::Entering(..) | Stage::Ended => {}
        }
    }

    fn shake_hands(&mut self, cx: CX![]) {
        let Stage::Greeting(wire) = &mut self.stage else { return };
        match wire.ssh_mut().handshake().map_err(|e| Meaning::of(&e)) {
            Err(Meaning::Later | Meaning::Lost) => {}
            Err(Meaning::Channel(why) | Meaning::Broken(why)) => {
                self.end(cx, unreachable(&self.to.host, format!("no handshake: {why}")))
            }
            Ok(()) => self.enter(cx),
        }
    }

    fn enter(&mut self, cx: CX![]) {
        let Stage::Greeting(wire) = std::mem::replace(&mut self.stage, Stage::Ended) else { return };
        let (socket, session) = wire.apart();
        let twin = match socket.twin() {
            Ok(twin) => twin,
            Err(e) => {
                self.stage = Stage::Reading;
                return self.end(cx, TransportError::Refused(format!("a descriptor: {e}")));
            }
        };
        let login = Login {
            session,
            socket: twin,
            target: self.to.target.clone(),
            known: self.known.clone(),
            secrets: self.to.secrets.clone(),
        };
        let entered = ret_to!([cx], on_entered() as (Result<ssh2::Session, TransportError>));
        self.stage = Stage::Entering(socket, Authentication::start(cx, login, entered));
        // It keeps its own time.
        self.cadence.set_alarm(cx, None);
    }

    fn on_entered(&mut self, cx: CX![], entered: Option<Result<ssh2::Session, TransportError>>) {
        if !matches!(self.stage, Stage::Entering(..)) {
            return;
        }
        match (entered, std::mem::replace(&mut self.stage, Stage::Reading)) {
            (Some(Ok(ssh)), Stage::Entering(socket, _)) => {
                let mut traffic = Traffic::new(socket.with(ssh), self.to.patience, cx.now());
                traffic.add(Box::new(Stay(self.stay.clone())), cx.now());
                self.stage = Stage::Open(traffic);
                self.news.fwd(News::Opened(cx.this().clone()));
                self.cadence.pump_soon(cx);
            }
            (Some(Err(e)), _) => self.end(cx, e),
            (_, _) => self.end(cx, unreachable(&self.to.host, "the login was dropped")),
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
        talk.placed(Line::new(fwd_to!([cx], on_ask(id) as (Ask)), self.shell.clone()));
        traffic.add(talk, cx.now());
        self.placed.insert(id, Placed { lease, back });
        self.cadence.pump_soon(cx);
    }

    fn on_ask(&mut self, cx: CX![], id: u64, ask: Ask) {
        match (ask, &mut self.stage) {
            (Ask::Poke, Stage::Open(traffic)) => {
                traffic.poke(id);
                self.cadence.pump_soon(cx);
            }
            (Ask::Errand(talk), Stage::Open(_)) => {
                self.errands.push_back(talk);
                self.run_errand(cx);
            }
            (Ask::Errand(talk), _) => talk.over(Err(unreachable(&self.to.host, "the session has ended"))),
            (Ask::Poke, _) => {}
        }
    }

    fn run_errand(&mut self, cx: CX![]) {
        if let (Stage::Open(traffic), None) = (&self.stage, self.errand)
            && let Some(talk) = self.errands.pop_front()
        {
            self.errand = Some(traffic.next_id());
            self.place(cx, talk, None, None);
        }
    }

    /// Closes the session, on which nothing is leased any more.
    pub(crate) fn close(&mut self, cx: CX![]) {
        self.end(cx, unreachable(&self.to.host, "the session was closed"));
    }

    fn drive(&mut self, cx: CX![]) {
        let Stage::Open(traffic) = &mut self.stage else { return };
        if traffic.is_silent(cx.now()) {
            traffic.add(Box::new(Ping), cx.now());
        }
        let pumped = match traffic.pump(cx.now()) {
            Ok(pumped) => pumped,
            Err(why) => return self.end(cx, unreachable(&self.to.host, why)),
        };
        let alarm = traffic.alarm();
        if pumped.worn {
            self.news.fwd(News::Worn);
        }
        for ended in pumped.over {
            self.on_over(cx, ended);
        }
        if pumped.more {
            self.cadence.pump_soon(cx);
        }
        self.cadence.set_alarm(cx, alarm);
    }

    fn on_over(&mut self, cx: CX![], ended: Ended) {
        let placed = self.placed.remove(&ended.id);
        let errand = self.errand == Some(ended.id);
        match (ended.fate, placed) {
            (Fate::Refused(why), Some(Placed { lease: Some(lease), back: Some(back) })) => {
                log::debug!("{}: a channel is refused: {why}", self.to.host);
                // Where channels are as rare as this, none may be idle.
                self.stay.set(true);
                self.cadence.pump_soon(cx);
                back.ret(Unplaced::Refused(ended.talk, lease));
            }
            (Fate::Refused(_), _) if errand => {
                // The server frees channels late (measured with OpenSSH 9.2), and this one was promised.
                self.errands.push_front(ended.talk);
                self.errand = None;
                after!(AGAIN, [cx], run_errand());
                return;
            }
            (Fate::Refused(why), _) => ended.talk.over(Err(TransportError::Refused(why))),
            (Fate::Closed(how), placed) => {
                // The channel is free before whoever waits asks for another.
                drop(placed);
                ended.talk.over(how);
            }
        }
        if errand {
            self.errand = None;
            self.run_errand(cx);
        }
    }

    fn on_alarm(&mut self, cx: CX![]) {
        self.cadence.on_alarm();
        let patience = self.to.patience;
        match &self.stage {
            Stage::Open(_) => self.cadence.pump_soon(cx),
            Stage::Greeting(_) => {
                let why = format!("it did not greet us for {:?}", patience.answer);
                self.end(cx, unreachable(&self.to.host, why));
            }
            Stage::Reading | Stage::Reaching { .. } | Stage::Entering(..) | Stage::Ended => {}
        }
    }

    /// The end of the session, whatever was going on.
    fn end(&mut self, cx: CX![], why: TransportError) {
        let stage = std::mem::replace(&mut self.stage, Stage::Ended);
        if let Stage::Ended = stage {
            return;
        }
        // The pool hears of it first, so that what is placed again is not placed here.
        self.news.fwd(News::Ended(why.clone()));
        for errand in self.errands.drain(..) {
            errand.over(Err(why.clone()));
        }
        if let Stage::Open(traffic) = stage {
            for (id, talk, begun) in traffic.end() {
                let placed = self.placed.remove(&id);
                match placed.and_then(|placed| placed.back).filter(|_| !begun) {
                    Some(back) => back.ret(Unplaced::Broken(talk)),
                    None => talk.over(Err(why.clone())),
                }
            }
        }
        self.cadence.set_alarm(cx, None);
        stop!(cx);
    }
}

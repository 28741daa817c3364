//! The actor behind the transport: it leases a channel for each operation, and has a conversation on it.
//!
//! An operation that has had no effect yet is placed again when its session breaks or refuses the channel. One that has is
//! answered with `Unreachable`, and nobody tries it again but who asked for it.

mod commands;
mod lanes;

use crate::dialer::Dialer;
use crate::disk::Disk;
use crate::host::{Config, StartError};
use crate::jump::{ProxyCommand, Route};
use crate::session::{Destination, Placement, Session, Unplaced};
use crate::sftp::Sftp;
use crate::talk::{Talk, Window};
use crate::tree::{Getting, Place, Putting, remove_tree};
use crate::tunnel::{self, Tunnel};
use lanes::Lanes;
use procession::RuntimeHandle;
use procession::pool::{Lease, Pool, Report, Sessions, Setup, Urgency};
use procession::transport::{Answer, Get, Manifest, Op, Put, RemotePath, Transport, TransportError};
use stakker::{
    Actor, ActorOwn, ActorOwnSlab, CX, Core, Ret, StopCause, actor, actor_in_slab, actor_new, after, at,
    call, fwd_to, lazy, ret_nop, ret_some_to, ret_to,
};
use stakker_mio::MioPoll;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A host behind SSH, as an actor. Dropping its owner, before the runtime, closes its sessions; whoever asked gets `None`,
/// and commands that run go on until they write.
pub struct Ssh {
    host: Rc<str>,
    work: RemotePath,
    runtime: RuntimeHandle,
    sessions: Sessions<Actor<Session>>,
    _pool: ActorOwn<Pool<Dialer>>,
    _proxy: Option<ActorOwn<ProxyCommand>>,
    next: u64,
    /// Talks that wait for a lease.
    waiting: BTreeMap<u64, Waiting>,
    lanes: Lanes,
    desk: Option<Desk>,
    disk: Disk,
    transfers: BTreeMap<u64, Moving>,
    /// Transfers that wait until others are over.
    queue: VecDeque<Transfer>,
    tunnels: ActorOwnSlab<Tunnel>,
}

/// The SFTP server that small operations share.
struct Desk {
    sftp: Sftp,
    opened: Instant,
    used: Instant,
}

/// A channel for small operations is closed when nobody has asked it for so long: it takes a place among MaxSessions.
const DESK_IDLE: Duration = Duration::from_secs(60);

/// After so long another one is opened, so that the session under it may end.
const DESK_AGE: Duration = Duration::from_secs(600);

/// A transfer that is asked for.
enum Transfer {
    Put(Put, Answer<Manifest>),
    Get(Get, Answer<Manifest>),
}

impl Transfer {
    fn answer(self) -> Answer<Manifest> {
        match self {
            Transfer::Put(_, answer) | Transfer::Get(_, answer) => answer,
        }
    }
}

/// A transfer that goes on; it lives as long as this.
#[expect(dead_code, reason = "they are held, and work by themselves")]
enum Moving {
    Put(ActorOwn<Putting>),
    Get(ActorOwn<Getting>),
}

/// How many transfers go on at once. Together they fill any line; and as one may need a second channel while it has one, all
/// of them together must find one channel more than they are.
const MOST_TRANSFERS: usize = 4;

/// How many wait behind these. Whoever has more in flight has lost count of them.
const MOST_WAITING: usize = 100_000;

struct Waiting {
    talk: Box<dyn Talk>,
    urgency: Urgency,
    /// A turn brought it no channel.
    lacks: bool,
}

impl Ssh {
    /// Starts the transport in the runtime of this handle. It connects when somebody asks for something.
    pub fn start(
        core: &mut Core,
        runtime: RuntimeHandle,
        config: Config,
    ) -> Result<(Transport, ActorOwn<Ssh>), StartError> {
        if core.anymap_try_get::<MioPoll>().is_none() {
            return Err(StartError::NoPoll);
        }
        let host: Rc<str> = config.name.as_str().into();
        let (via, proxy) = match (config.via, &config.target.route) {
            (Some(via), _) => (Some(via), None),
            (None, Route::Direct) => (None, None),
            (None, Route::Command(command)) => {
                let (via, proxy) = ProxyCommand::start(core, &host, command);
                (Some(via), Some(proxy))
            }
            // Never directly: the user said that there is another way.
            (None, Route::Jump(_)) => return Err(StartError::NoGate(config.name)),
        };
        let to = Rc::new(Destination {
            host: host.clone(),
            target: Arc::new(config.target),
            via,
            secrets: config.secrets,
            patience: config.patience,
            send_buffer: config.send_buffer,
        });
        let dial = Dialer::new(to.clone());
        let setup = Setup {
            rules: config.rules,
            budget: config.budget,
            ..Setup::new(&config.name, dial, runtime.clone())
        };
        let (sessions, pool) = Pool::start(core, setup);
        let actor = actor_new!(core, Ssh, ret_nop!());
        to.secrets.watch(&to.target.alias, fwd_to!([actor], on_better_secrets() as ()));
        let transport = Transport::new(&config.name, fwd_to!([actor], on_op() as (Op)));
        let disk = Disk::start(core, fwd_to!([actor], on_disk() as ()))?;
        let ssh = Ssh {
            host,
            work: config.work,
            runtime,
            sessions,
            _pool: pool,
            _proxy: proxy,
            next: 0,
            waiting: BTreeMap::new(),
            lanes: Lanes::default(),
            desk: None,
            disk,
            transfers: BTreeMap::new(),
            queue: VecDeque::new(),
            tunnels: ActorOwnSlab::new(),
        };
        call!([actor], Ssh::moved_in(ssh));
        Ok((transport, actor))
    }

    /// How the host and its sessions are.
    pub fn report(&mut self, _: CX![], ret: Ret<Report>) {
        self.sessions.report(ret);
    }

    /// Tries again now to connect: somebody has dealt with what was wrong.
    pub fn retry(&mut self, _: CX![]) {
        self.sessions.retry();
    }

    fn moved_in(_: CX![], ssh: Ssh) -> Option<Ssh> {
        Some(ssh)
    }

    /// What barred the host may be over.
    fn on_better_secrets(&mut self, _: CX![]) {
        self.sessions.retry();
    }

    fn on_op(&mut self, cx: CX![], op: Op) {
        match op {
            Op::Exec(exec, answer) => self.exec(cx, exec, answer),
            Op::WhenUp(ret) => self.sessions.when_up(Ret::new(move |up: Option<()>| match up {
                Some(()) => ret.ret(Ok(())),
                None => drop(ret),
            })),
            Op::Connect { host, port, ret } => self.connect(cx, host, port, ret),
            op @ (Op::List(..)
            | Op::Stat(..)
            | Op::Mkdir { .. }
            | Op::Rename { .. }
            | Op::Remove { tree: false, .. }
            | Op::Symlink { .. }
            | Op::Chmod { .. }
            | Op::Read { .. }
            | Op::Write { .. }) => self.small(cx, op),
            Op::Put(put, answer) => self.transfer(cx, Transfer::Put(put, answer)),
            Op::Get(get, answer) => self.transfer(cx, Transfer::Get(get, answer)),
            Op::Remove { path, tree: true, ret } => {
                self.have(cx, Urgency::Work, remove_tree(&self.work.join(&path), ret));
            }
        }
    }

    /// Begins a transfer, or lets it wait until others are over.
    fn transfer(&mut self, cx: CX![], transfer: Transfer) {
        if self.transfers.len() >= MOST_TRANSFERS {
            if self.queue.len() >= MOST_WAITING {
                let full = format!("{MOST_WAITING} transfers wait already, the limit");
                return transfer.answer().ret(Err(TransportError::Refused(full)));
            }
            return self.queue.push_back(transfer);
        }
        let place = Place {
            host: self.host.to_string(),
            disk: self.disk.clone(),
            open: fwd_to!([cx], on_talk() as (Box<dyn Talk>)),
        };
        let number = self.number();
        let over = ret_some_to!([cx], on_transferred(number) as (StopCause));
        let begun = match transfer {
            Transfer::Put(put, answer) => {
                let to = self.work.join(&put.to);
                Moving::Put(actor!(cx, Putting::init(place, put, to, answer), over))
            }
            Transfer::Get(get, answer) => {
                let from = self.work.join(&get.from);
                Moving::Get(actor!(cx, Getting::init(place, get, from, answer), over))
            }
        };
        self.transfers.insert(number, begun);
    }

    fn on_transferred(&mut self, cx: CX![], number: u64, _: StopCause) {
        self.transfers.remove(&number);
        if let Some(next) = self.queue.pop_front() {
            self.transfer(cx, next);
        }
    }

    fn on_talk(&mut self, cx: CX![], talk: Box<dyn Talk>) {
        self.have(cx, Urgency::Work, talk);
    }

    fn on_disk(&mut self, _: CX![]) {
        self.disk.collect();
    }

    /// Small operations on files share one channel, which stays open for a while.
    fn small(&mut self, cx: CX![], op: Op) {
        let now = cx.now();
        if self.desk.as_ref().is_none_or(|desk| desk.sftp.is_over() || now >= desk.opened + DESK_AGE) {
            self.close_desk();
            let (sftp, talk) = Sftp::new(&self.host, Window::Command);
            self.desk = Some(Desk { sftp, opened: now, used: now });
            self.have(cx, Urgency::Work, Box::new(talk));
            after!(DESK_IDLE, [cx], on_desk_idle());
        }
        let desk = self.desk.as_mut().expect("it has just been made");
        desk.used = now;
        desk.sftp.small(&self.work, op).unwrap_or_else(|_| unreachable!("only small operations come here"));
    }

    fn on_desk_idle(&mut self, cx: CX![]) {
        match &self.desk {
            None => {}
            Some(desk) if cx.now() >= desk.used + DESK_IDLE => self.close_desk(),
            Some(desk) => {
                at!(desk.used + DESK_IDLE, [cx], on_desk_idle());
            }
        }
    }

    fn close_desk(&mut self) {
        if let Some(desk) = self.desk.take() {
            desk.sftp.close();
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn connect(&mut self, cx: CX![], host: String, port: u16, answer: Answer<OwnedFd>) {
        match tunnel::ends() {
            Ok((ours, theirs)) => {
                let (talk, pipe) = tunnel::talk(host, port, theirs, answer);
                actor_in_slab!(self.tunnels, cx, Tunnel::init(ours, pipe));
                self.have(cx, Urgency::Work, Box::new(talk));
            }
            Err(e) => answer.ret(Err(TransportError::Refused(format!("a pair of sockets: {e}")))),
        }
    }

    /// Has a talk on a channel of its own, as soon as there is one.
    fn have(&mut self, cx: CX![], urgency: Urgency, talk: Box<dyn Talk>) {
        let id = self.number();
        self.lease(cx, id, urgency, talk);
    }

    fn lease(&mut self, cx: CX![], id: u64, urgency: Urgency, talk: Box<dyn Talk>) {
        let leased = ret_to!([cx], on_lease(id) as (Result<Lease<Actor<Session>>, TransportError>));
        self.wait(cx, id, urgency, talk);
        self.sessions.lease(urgency, leased);
    }

    fn wait(&mut self, cx: CX![], id: u64, urgency: Urgency, talk: Box<dyn Talk>) {
        lazy!([cx], on_wait(id));
        self.waiting.insert(id, Waiting { talk, urgency, lacks: false });
    }

    /// A turn did not bring it a channel: that of a shell may be what it lacks.
    fn on_wait(&mut self, _: CX![], id: u64) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.lacks = true;
            self.lanes.lack();
        }
    }

    /// Takes out what is not to wait any more.
    fn take(&mut self, id: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        if waiting.lacks {
            self.lanes.lack_no_more();
        }
        Some(waiting)
    }

    fn on_lease(&mut self, cx: CX![], id: u64, lease: Option<Result<Lease<Actor<Session>>, TransportError>>) {
        // Without a talk it was cancelled, and the lease goes back.
        let Some(Waiting { talk, urgency, .. }) = self.take(id) else { return };
        match lease {
            Some(Ok(lease)) => {
                let session = lease.session().clone();
                let back = ret_some_to!([cx], on_unplaced(id, urgency) as (Unplaced));
                let placement = Placement::new(talk, lease, back);
                call!([session], converse(placement));
            }
            Some(Err(e)) => talk.over(Err(e)),
            None => talk.over(Err(self.closed())),
        }
    }

    fn closed(&self) -> TransportError {
        TransportError::Unreachable { host: self.host.to_string(), why: "its sessions are closed".to_owned() }
    }

    fn on_unplaced(&mut self, cx: CX![], id: u64, urgency: Urgency, unplaced: Unplaced) {
        match unplaced {
            Unplaced::Refused(talk, lease) => {
                let next = ret_to!([cx], on_lease(id) as (Result<Lease<Actor<Session>>, TransportError>));
                self.wait(cx, id, urgency, talk);
                lease.refused(next);
            }
            Unplaced::Broken(talk) => self.lease(cx, id, urgency, talk),
        }
    }
}

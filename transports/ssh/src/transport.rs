//! The actor behind the transport: it leases a channel for each operation, and has a conversation on it.
//!
//! An operation that has had no effect yet is placed again when its session breaks or refuses the channel. One that has is
//! answered with `Unreachable`, and nobody tries it again but who asked for it.

use crate::auth::Secrets;
use crate::config::Target;
use crate::exec::Command;
use crate::session::{Destination, Patience, Placement, Session, Unplaced};
use crate::talk::{Recall, Talk};
use procession::RuntimeHandle;
use procession::pool::{Budget, Dial, Lease, News, Pool, Report, Rules, Sessions, Setup, Urgency};
use procession::transport::{Answer, Exec, Exit, Op, RemotePath, Transport, TransportError};
use stakker::{
    Actor, ActorOwn, CX, Core, Fwd, Ret, actor, actor_new, call, fwd_to, ret_nop, ret_some_to, ret_to,
};
use stakker_mio::MioPoll;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// How a host is used.
pub struct Config {
    /// What the host is called in messages and in the ledger.
    pub name: String,
    /// Where it is, and how to log in there.
    pub target: Target,
    /// The last host on the way to it, which connects to it; none if we do. For a `ProxyJump` that is the transport of the
    /// last hop.
    pub via: Option<Transport>,
    /// Where relative paths begin: absolute, or below the home folder of the user.
    pub work: RemotePath,
    /// Who answers when a password or a passphrase is needed.
    pub secrets: Secrets,
    /// How many sessions, and how often.
    pub rules: Rules,
    /// What it shares with other runtimes of the same user; nothing if none.
    pub budget: Option<Box<dyn Budget>>,
    /// How long it may be silent.
    pub patience: Patience,
}

impl Config {
    /// The host at `target`, with a work folder, asking nobody, under the default rules.
    pub fn new(name: &str, target: Target, work: RemotePath) -> Config {
        Config {
            name: name.to_owned(),
            target,
            via: None,
            work,
            secrets: Secrets::silent(),
            rules: Rules::default(),
            budget: None,
            patience: Patience::default(),
        }
    }
}

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no `MioPoll` in the anymap of this stakker: a runtime in virtual time has none.
    #[error("the runtime has no mio poll")]
    NoPoll,
}

/// A host behind SSH, as an actor. Dropping its owner, before the runtime, closes its sessions; whoever asked gets `None`,
/// and commands that run go on until they write.
pub struct Ssh {
    host: Rc<str>,
    work: RemotePath,
    runtime: RuntimeHandle,
    sessions: Sessions<Actor<Session>>,
    _pool: ActorOwn<Pool<Dialer>>,
    next: u64,
    /// Talks that wait for a lease.
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    talk: Box<dyn Talk>,
    urgency: Urgency,
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
        let to = Rc::new(Destination {
            host: host.clone(),
            target: Arc::new(config.target),
            via: config.via,
            secrets: config.secrets,
            patience: config.patience,
        });
        let dial = Dialer { to, sessions: Vec::new() };
        let setup = Setup {
            rules: config.rules,
            budget: config.budget,
            ..Setup::new(&config.name, dial, runtime.clone())
        };
        let (sessions, pool) = Pool::start(core, setup);
        let actor = actor_new!(core, Ssh, ret_nop!());
        let transport = Transport::new(&config.name, fwd_to!([actor], on_op() as (Op)));
        call!([actor], Ssh::init(host, config.work, runtime, sessions, pool));
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

    fn init(
        _: CX![],
        host: Rc<str>,
        work: RemotePath,
        runtime: RuntimeHandle,
        sessions: Sessions<Actor<Session>>,
        pool: ActorOwn<Pool<Dialer>>,
    ) -> Option<Ssh> {
        Some(Ssh { host, work, runtime, sessions, _pool: pool, next: 0, waiting: BTreeMap::new() })
    }

    fn on_op(&mut self, cx: CX![], op: Op) {
        match op {
            Op::Exec(exec, answer) => self.exec(cx, exec, answer),
            Op::WhenUp(ret) => self.sessions.when_up(stakker::Ret::new(move |up: Option<()>| match up {
                Some(()) => ret.ret(Ok(())),
                None => drop(ret),
            })),
            _ => {}
        }
    }

    fn exec(&mut self, cx: CX![], exec: Exec, answer: Answer<Exit>) {
        match Command::new(self.host.clone(), &self.work, self.runtime.random(), exec, answer) {
            Ok(command) => {
                let recall = command.recall();
                let id = self.next;
                if let Some(cancel) = command.cancel() {
                    cancel.on_cancel(ret_some_to!([cx], on_cancel(id, recall) as ()));
                }
                self.have(cx, Urgency::Work, Box::new(command));
            }
            Err((e, answer)) => answer.ret(Err(e)),
        }
    }

    /// Has a talk on a channel of its own, as soon as there is one.
    fn have(&mut self, cx: CX![], urgency: Urgency, talk: Box<dyn Talk>) {
        let id = self.next;
        self.next += 1;
        self.waiting.insert(id, Waiting { talk, urgency });
        self.sessions
            .lease(urgency, ret_to!([cx], on_lease(id) as (Result<Lease<Actor<Session>>, TransportError>)));
    }

    fn on_lease(&mut self, cx: CX![], id: u64, lease: Option<Result<Lease<Actor<Session>>, TransportError>>) {
        // Without a talk it was cancelled, and the lease goes back.
        let Some(Waiting { talk, urgency }) = self.waiting.remove(&id) else { return };
        match lease {
            Some(Ok(lease)) => {
                let session = lease.session().clone();
                let back = ret_some_to!([cx], on_unplaced(id, urgency) as (Unplaced));
                let placement = Placement::new(talk, lease, back);
                call!([session], converse(placement));
            }
            Some(Err(e)) => talk.over(Err(e)),
            None => {
                let why = "its sessions are closed".to_owned();
                talk.over(Err(TransportError::Unreachable { host: self.host.to_string(), why }));
            }
        }
    }

    fn on_unplaced(&mut self, cx: CX![], id: u64, urgency: Urgency, unplaced: Unplaced) {
        let next = ret_to!([cx], on_lease(id) as (Result<Lease<Actor<Session>>, TransportError>));
        match unplaced {
            Unplaced::Refused(talk, lease) => {
                self.waiting.insert(id, Waiting { talk, urgency });
                lease.refused(next);
            }
            Unplaced::Broken(talk) => {
                self.waiting.insert(id, Waiting { talk, urgency });
                self.sessions.lease(urgency, next);
            }
        }
    }

    fn on_cancel(&mut self, _: CX![], id: u64, recall: Rc<Recall>) {
        recall.wish();
        if let Some(Waiting { talk, .. }) = self.waiting.remove(&id) {
            talk.over(Err(TransportError::Cancelled));
        }
    }
}

/// How sessions of this host are opened and closed.
struct Dialer {
    to: Rc<Destination>,
    /// Those that have not ended, and some that have.
    sessions: Vec<ActorOwn<Session>>,
}

impl Dial for Dialer {
    type Session = Actor<Session>;

    fn open(&mut self, core: &mut Core, news: Fwd<News<Actor<Session>>>) {
        self.sessions.retain(|session| !session.is_zombie());
        let to = self.to.clone();
        self.sessions.push(actor!(core, Session::init(to, news), ret_nop!()));
    }

    fn close(&mut self, _: &mut Core, session: Actor<Session>) {
        call!([session], close());
    }
}

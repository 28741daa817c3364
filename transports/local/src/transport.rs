//! The actor behind the transport: it hands each operation to whoever can carry it out, and each reply to who asked.

use crate::dial::Dial;
use crate::exec::{Place, Running};
use crate::files::{Reply, Work};
use crate::worker::{News, WorkId, Worker};
use procession::transport::{
    Answer, CancelToken, Exec, Exit, Manifest, Op, Progress, RemotePath, Stat, Transport, TransportError,
    reason,
};
use rustix::fd::OwnedFd;
use stakker::{
    ActorOwn, ActorOwnSlab, CX, Core, Fwd, actor_in_slab, actor_new, call, fwd_to, ret_nop, ret_some_to,
};
use stakker_mio::MioPoll;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;

/// How many operations may wait for the helper thread. Whoever has more in flight has lost count of them.
const MOST_WAITING: usize = 100_000;

/// How this machine is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// What the transport is called in messages and in the ledger.
    pub name: String,
    /// Where relative paths begin; absolute.
    pub work: PathBuf,
    /// How many commands run at once. Each has three descriptors of the 1,024 that a program usually may have.
    pub commands: usize,
}

impl Config {
    /// The transport `local` with this work folder, and at most 256 commands at once.
    pub fn new(work: impl Into<PathBuf>) -> Config {
        Config { name: "local".to_owned(), work: work.into(), commands: 256 }
    }
}

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no `MioPoll` in the anymap of this stakker: make one before.
    #[error("the runtime has no mio poll")]
    NoPoll,
    /// The work folder is relative, so it would mean another one after each `chdir` of the program.
    #[error("the work folder {} is not absolute", .0.display())]
    Relative(PathBuf),
    /// The helper thread cannot be started.
    #[error("the helper thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// This machine, as an actor. Dropping its owner, before the stakker, kills the commands that run, with their groups, and
/// ends transfers; whoever asked gets `None`.
///
/// What a command says faster than it is read is left to `idle!`, so a loop of your own has to run what is idle, as a
/// [`Runtime`](procession::Runtime) does.
///
/// ```
/// use procession::transport::{Exec, Op};
/// use procession_local::{Config, Local};
/// use stakker::{Ret, Stakker};
/// use stakker_mio::{MioPoll, mio};
/// use std::time::{Duration, Instant};
/// use std::{cell::RefCell, rc::Rc};
///
/// let mut stakker = Stakker::new(Instant::now());
/// let poll = MioPoll::new(&mut stakker, mio::Poll::new()?, mio::Events::with_capacity(64), 10)?;
/// let (local, _owner) = Local::start(&mut stakker, Config::new(std::env::temp_dir()))?;
///
/// let said = Rc::new(RefCell::new(None));
/// let slot = said.clone();
/// local.op(Op::Exec(Exec::new(["echo", "hello"]), Ret::new(move |exit| *slot.borrow_mut() = exit)));
/// let mut idle = false;
/// while said.borrow().is_none() {
///     idle = stakker.run(Instant::now(), idle);
///     poll.poll(stakker.next_wait_max(Instant::now(), Duration::from_secs(1), idle))?;
/// }
/// assert_eq!(said.take().unwrap()?.stdout, b"hello\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Local {
    config: Config,
    poll: MioPoll,
    files: Rc<Worker>,
    /// Started when a name is to be looked up: a name server that does not answer must not hold up files.
    names: Option<Rc<Worker>>,
    next: WorkId,
    waiting: BTreeMap<WorkId, Waiting>,
    commands: ActorOwnSlab<Running>,
    dials: ActorOwnSlab<Dial>,
}

struct Waiting {
    answer: Whom,
    progress: Option<Fwd<Progress>>,
    _cancel: Option<CancelToken>,
}

/// Who waits, by type of answer.
enum Whom {
    Tree(Answer<Manifest>),
    Listed(Answer<Vec<Stat>>),
    Found(Answer<Stat>),
    Done(Answer<()>),
    Removed(Answer<bool>),
    Bytes(Answer<Vec<u8>>),
    Resolved(String, Answer<OwnedFd>),
}

impl Whom {
    fn fail(self, e: TransportError) {
        match self {
            Whom::Tree(whom) => whom.ret(Err(e)),
            Whom::Listed(whom) => whom.ret(Err(e)),
            Whom::Found(whom) => whom.ret(Err(e)),
            Whom::Done(whom) => whom.ret(Err(e)),
            Whom::Removed(whom) => whom.ret(Err(e)),
            Whom::Bytes(whom) => whom.ret(Err(e)),
            Whom::Resolved(_, whom) => whom.ret(Err(e)),
        }
    }
}

impl Local {
    /// Starts the transport in this stakker, which must have a `MioPoll`. The work folder is not made, and looked at only
    /// by the operations.
    pub fn start(core: &mut Core, config: Config) -> Result<(Transport, ActorOwn<Local>), StartError> {
        let poll = core.anymap_try_get::<MioPoll>().ok_or(StartError::NoPoll)?;
        if !config.work.is_absolute() {
            return Err(StartError::Relative(config.work));
        }
        let actor = actor_new!(core, Local, ret_nop!());
        let files = Worker::start(core, "procession-files", fwd_to!([actor], on_files() as ()))?;
        let transport = Transport::new(&config.name, fwd_to!([actor], on_op() as (Op)));
        call!([actor], Local::init(config, poll, files));
        Ok((transport, actor))
    }

    fn init(_: CX![], config: Config, poll: MioPoll, files: Rc<Worker>) -> Option<Local> {
        Some(Local {
            config,
            poll,
            files,
            names: None,
            next: 0,
            waiting: BTreeMap::new(),
            commands: ActorOwnSlab::new(),
            dials: ActorOwnSlab::new(),
        })
    }

    fn on_op(&mut self, cx: CX![], op: Op) {
        let at = |path: RemotePath| self.config.work.join(path.as_str());
        let (work, answer) = match op {
            Op::Exec(exec, answer) => return self.exec(cx, exec, answer),
            Op::Connect { host, port, ret } => return self.connect(cx, host, port, ret),
            Op::WhenUp(ret) => return ret.ret(Ok(())),
            Op::Put(put, answer) => {
                let work = Work::Put { from: put.from, to: at(put.to) };
                return self.transfer(cx, work, answer, put.progress, put.cancel);
            }
            Op::Get(get, answer) => {
                let work = Work::Get { from: at(get.from), want: get.want, to: get.to };
                return self.transfer(cx, work, answer, get.progress, get.cancel);
            }
            Op::List(path, answer) => (Work::List { path: at(path) }, Whom::Listed(answer)),
            Op::Stat(path, answer) => (Work::Stat { path: at(path) }, Whom::Found(answer)),
            Op::Mkdir { path, parents, ret } => (Work::Mkdir { path: at(path), parents }, Whom::Done(ret)),
            Op::Rename { from, to, ret } => (Work::Rename { from: at(from), to: at(to) }, Whom::Done(ret)),
            Op::Remove { path, tree: true, ret } => (Work::RemoveTree { path: at(path) }, Whom::Removed(ret)),
            Op::Remove { path, tree: false, ret } => (Work::Remove { path: at(path) }, Whom::Removed(ret)),
            Op::Symlink { target, link, ret } => (Work::Symlink { target, link: at(link) }, Whom::Done(ret)),
            Op::Chmod { path, mode, ret } => (Work::Chmod { path: at(path), mode }, Whom::Done(ret)),
            Op::Read { path, limit, ret } => (Work::Read { path: at(path), limit }, Whom::Bytes(ret)),
            Op::Write { path, bytes, mode, ret } => {
                (Work::Write { path: at(path), bytes, mode }, Whom::Done(ret))
            }
        };
        self.ask(work, Waiting { answer, progress: None, _cancel: None });
    }

    /// Hands work to the helper thread; who waits for it is found again by its number.
    fn ask(&mut self, work: Work, waiting: Waiting) {
        if self.waiting.len() >= MOST_WAITING {
            let full = format!("{MOST_WAITING} operations wait already, the limit");
            return waiting.answer.fail(TransportError::Refused(full));
        }
        let id = self.next;
        self.next += 1;
        let worker = if let Work::Resolve { .. } = work { &self.names } else { &None };
        worker.as_ref().unwrap_or(&self.files).ask(id, work);
        self.waiting.insert(id, waiting);
    }

    fn exec(&mut self, cx: CX![], exec: Exec, answer: Answer<Exit>) {
        if self.commands.len() >= self.config.commands {
            let limit = self.config.commands;
            return answer
                .ret(Err(TransportError::Refused(format!("{limit} commands run already, the limit"))));
        }
        let folder = match &exec.cwd {
            Some(path) => self.config.work.join(path.as_str()),
            None => self.config.work.clone(),
        };
        let place = Place { poll: self.poll.clone(), worker: self.files.clone(), folder };
        actor_in_slab!(self.commands, cx, Running::init(exec, place, answer));
    }

    fn transfer(
        &mut self,
        cx: CX![],
        work: Work,
        answer: Answer<Manifest>,
        progress: Option<Fwd<Progress>>,
        cancel: Option<CancelToken>,
    ) {
        let id = self.next;
        if let Some(cancel) = &cancel {
            cancel.on_cancel(ret_some_to!([cx], on_cancel(id) as ()));
        }
        self.ask(work, Waiting { answer: Whom::Tree(answer), progress, _cancel: cancel });
    }

    fn on_cancel(&mut self, _: CX![], id: WorkId) {
        if self.waiting.contains_key(&id) {
            self.files.cancel(id);
        }
    }

    fn connect(&mut self, cx: CX![], host: String, port: u16, answer: Answer<OwnedFd>) {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.dial(cx, host, vec![SocketAddr::new(address, port)], answer);
        }
        if self.names.is_none() {
            let news = fwd_to!([cx], on_names() as ());
            match Worker::start(cx, "procession-names", news) {
                Ok(names) => self.names = Some(names),
                Err(e) => {
                    return answer.ret(Err(reason::named("the thread that looks up names", &e)));
                }
            }
        }
        let answer = Whom::Resolved(host.clone(), answer);
        self.ask(Work::Resolve { host, port }, Waiting { answer, progress: None, _cancel: None });
    }

    fn dial(&mut self, cx: CX![], host: String, addresses: Vec<SocketAddr>, answer: Answer<OwnedFd>) {
        let poll = self.poll.clone();
        actor_in_slab!(self.dials, cx, Dial::init(host, poll, addresses, answer));
    }

    fn on_files(&mut self, cx: CX![]) {
        for (id, news) in self.files.collect() {
            self.on_news(cx, id, news);
        }
    }

    fn on_names(&mut self, cx: CX![]) {
        for (id, news) in self.names.iter().flat_map(|names| names.collect()).collect::<Vec<_>>() {
            self.on_news(cx, id, news);
        }
    }

    fn on_news(&mut self, cx: CX![], id: WorkId, news: News) {
        match news {
            News::Progress(progress) => {
                if let Some(Waiting { progress: Some(whom), .. }) = self.waiting.get(&id) {
                    whom.fwd(progress);
                }
            }
            News::Done(reply) => {
                let waiting = self.waiting.remove(&id).expect("work is asked for once and answered once");
                self.answer(cx, waiting.answer, reply);
            }
        }
    }

    fn answer(&mut self, cx: CX![], whom: Whom, reply: Reply) {
        match (whom, reply) {
            (Whom::Tree(whom), Reply::Tree(reply)) => whom.ret(reply),
            (Whom::Listed(whom), Reply::Listed(reply)) => whom.ret(reply),
            (Whom::Found(whom), Reply::Found(reply)) => whom.ret(reply),
            (Whom::Done(whom), Reply::Done(reply)) => whom.ret(reply),
            (Whom::Removed(whom), Reply::Removed(reply)) => whom.ret(reply),
            (Whom::Bytes(whom), Reply::Bytes(reply)) => whom.ret(reply),
            (Whom::Resolved(host, whom), Reply::Resolved(Ok(addresses))) => {
                self.dial(cx, host, addresses, whom)
            }
            (Whom::Resolved(_, whom), Reply::Resolved(Err(e))) => whom.ret(Err(e)),
            // The pairs are made in `on_op`, one beside the other.
            (
                Whom::Tree(_)
                | Whom::Listed(_)
                | Whom::Found(_)
                | Whom::Done(_)
                | Whom::Removed(_)
                | Whom::Bytes(_)
                | Whom::Resolved(..),
                _,
            ) => unreachable!("work is answered by a reply of its own type"),
        }
    }
}

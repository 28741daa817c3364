//! The door to a host behind ssh: a transport that is there at once. When something is asked for the first time, it looks up
//! how `ssh` would get to the host (`ssh -G`), and starts the real transport; what is asked meanwhile waits.

use procession::pool::{FileBudget, Health, Report, Rules, Waiting};
use procession::transport::{Op, RemotePath, Transport, TransportError};
use procession::{RuntimeHandle, WallTime};
use procession_ssh::auth::Secrets;
use procession_ssh::config::{Here, Lookup, Query, UnknownKeys};
use procession_ssh::jump::{Finder, Network, NetworkSetup};
use procession_ssh::{Config, Ssh};
use stakker::{Actor, ActorOwn, CX, Core, Ret, actor_new, after, call, fwd_to, ret_nop, ret_to};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// More operations than this do not wait for `ssh -G`, which takes some 20 ms.
const MOST_WAITING: usize = 100_000;
/// How long to wait before a lookup that failed is tried again for those who wait until the host is up.
const AGAIN: Duration = Duration::from_secs(30);

/// How to get to a host.
#[derive(Clone)]
pub(super) struct Way {
    /// What the host is called in messages.
    pub(super) name: String,
    /// The file of settings, if it is another one than `~/.ssh/config`.
    pub(super) file: Option<PathBuf>,
    /// Whose settings.
    pub(super) query: Query,
    /// The key to use, whatever they say.
    pub(super) identity: Option<PathBuf>,
    /// Whether a key of the host that was never seen is accepted; as the settings say, if not.
    pub(super) accept_new: bool,
    /// Where relative paths begin.
    pub(super) work: RemotePath,
    /// How it may be used.
    pub(super) rules: Rules,
    /// The folder in which runtimes share their budgets.
    pub(super) budgets: PathBuf,
}

/// What all doors of a runtime share.
#[derive(Clone)]
pub(super) struct House {
    pub(super) runtime: RuntimeHandle,
    pub(super) secrets: Secrets,
    /// One for each file of settings.
    networks: Rc<RefCell<BTreeMap<Option<PathBuf>, (Finder, ActorOwn<Network>)>>>,
}

impl House {
    pub(super) fn new(runtime: RuntimeHandle, secrets: Secrets) -> House {
        House { runtime, secrets, networks: Rc::default() }
    }

    fn finder(&self, core: &mut Core, file: &Option<PathBuf>) -> Finder {
        let mut networks = self.networks.borrow_mut();
        let (finder, _) = networks.entry(file.clone()).or_insert_with(|| {
            let lookup = Lookup { file: file.clone(), ..Lookup::new() };
            let setup = NetworkSetup { lookup, ..NetworkSetup::new(self.secrets.clone()) };
            Network::start(core, self.runtime.clone(), setup)
        });
        finder.clone()
    }
}

/// The actor.
pub(super) struct Door {
    way: Way,
    house: House,
    since: WallTime,
    state: State,
}

enum State {
    /// Nobody has asked for anything, or the last lookup failed for this reason.
    Closed(Option<TransportError>),
    /// `ssh -G` runs, and these wait.
    Looking(Vec<Op>),
    Open(Transport, ActorOwn<Ssh>),
}

impl Door {
    /// A door that nobody has gone through.
    pub(super) fn make(core: &mut Core, house: House, way: Way) -> (Transport, ActorOwn<Door>) {
        let actor = actor_new!(core, Door, ret_nop!());
        let transport = Transport::new(&way.name, fwd_to!([actor], on_op() as (Op)));
        call!([actor], Door::init(house, way));
        (transport, actor)
    }

    fn init(_: CX![], house: House, way: Way) -> Option<Door> {
        let since = house.runtime.wall();
        Some(Door { way, house, since, state: State::Closed(None) })
    }

    /// How the host is.
    pub(super) fn report(&mut self, _: CX![], ret: Ret<Report>) {
        let (health, why) = match &self.state {
            State::Open(_, ssh) => return call!([ssh], report(ret)),
            State::Closed(Some(why)) => (Health::Down, Some(why.to_string())),
            State::Closed(None) | State::Looking(_) => (Health::Unknown, None),
        };
        ret.ret(Report {
            host: self.way.name.clone(),
            health,
            since: self.since,
            why,
            next_try: None,
            sessions: Vec::new(),
            max_sessions: self.way.rules.max_sessions,
            opened_in_hour: 0,
            hourly: self.way.rules.hourly,
            waiting: Waiting::default(),
        });
    }

    /// Somebody has put things right.
    pub(super) fn retry(&mut self, _: CX![]) {
        self.house.secrets.forget(&self.way.query.alias);
        if let State::Open(_, ssh) = &self.state {
            call!([ssh], retry());
        }
    }

    fn on_op(&mut self, cx: CX![], op: Op) {
        match (&mut self.state, op) {
            (State::Open(transport, _), op) => transport.op(op),
            (State::Looking(waiting), op) if waiting.len() < MOST_WAITING => waiting.push(op),
            (State::Looking(_), op) => {
                op.refuse(TransportError::Refused(format!("{MOST_WAITING} operations wait already")));
            }
            // Whoever waits for better times is not told at once that they have not come.
            (State::Closed(Some(_)), Op::WhenUp(ret)) => {
                after!(AGAIN, [cx], |this, cx| this.look(cx, Op::WhenUp(ret)));
            }
            (State::Closed(_), op) => self.look(cx, op),
        }
    }

    fn look(&mut self, cx: CX![], op: Op) {
        if !matches!(self.state, State::Closed(_)) {
            return self.on_op(cx, op);
        }
        self.state = State::Looking(vec![op]);
        let found = ret_to!([cx], on_found() as (Result<Config, TransportError>));
        self.house.finder(cx, &self.way.file).find(self.way.query.clone(), found);
    }

    fn on_found(&mut self, cx: CX![], found: Option<Result<Config, TransportError>>) {
        let State::Looking(waiting) = std::mem::replace(&mut self.state, State::Closed(None)) else { return };
        self.since = self.house.runtime.wall();
        let died = || TransportError::Protocol("ssh -G was forgotten".to_owned());
        match found.unwrap_or_else(|| Err(died())).and_then(|config| self.open(cx, config)) {
            Ok((transport, ssh)) => {
                waiting.into_iter().for_each(|op| transport.op(op));
                self.state = State::Open(transport, ssh);
            }
            Err(why) => {
                // It is about the way to the host, and no job fails by it.
                let why = TransportError::Unreachable { host: self.way.name.clone(), why: why.to_string() };
                waiting.into_iter().for_each(|op| op.refuse(why.clone()));
                self.state = State::Closed(Some(why));
            }
        }
    }

    fn open(&mut self, cx: CX![], found: Config) -> Result<(Transport, ActorOwn<Ssh>), TransportError> {
        let way = &self.way;
        let mut target = found.target;
        if let Some(identity) = &way.identity {
            target.identities = vec![identity.clone()];
            (target.identities_chosen, target.identities_only) = (true, true);
        }
        if way.accept_new {
            target.unknown_keys = UnknownKeys::Accept;
        }
        let config = Config {
            name: way.name.clone(),
            target,
            work: way.work.clone(),
            budget: Some(Box::new(FileBudget::new(&way.budgets, &way.name, &way.rules))),
            rules: way.rules.clone(),
            ..found
        };
        Ssh::start(cx, self.house.runtime.clone(), config).map_err(|e| TransportError::Refused(e.to_string()))
    }
}

/// The file that is meant, with `~` for the home folder.
pub(super) fn at_home(path: PathBuf, here: &Here) -> PathBuf {
    path.strip_prefix("~").map(|rest| here.home.join(rest)).unwrap_or(path)
}

/// What to ask, from whom, for a host of the file.
pub(super) fn ask_for(door: &Actor<Door>) -> super::bulletin::Ask {
    let door = door.clone();
    Box::new(move |ret| call!([door], report(ret)))
}

//! The hosts that jobs may run on, each with its transport, its dialect, and who works for all its jobs.

use crate::courier::Courier;
use crate::dialect::Dialect;
use crate::monitor::Watcher;
use crate::poller::Poller;
use procession::Runtime;
use procession::transport::Transport;
use stakker::{Actor, ActorOwn, actor, ret_nop};
use std::collections::BTreeMap;
use std::rc::Rc;

/// One host, as the processes of its jobs see it.
#[derive(Clone)]
pub struct Host {
    /// Through which it is reached.
    pub transport: Transport,
    /// Its way of running jobs.
    pub dialect: Rc<dyn Dialect>,
    /// Who carries commands about single jobs there.
    pub courier: Actor<Courier>,
    /// Who follows the jobs there.
    pub poller: Actor<Poller>,
    /// Who looks at their files while they run.
    pub watcher: Actor<Watcher>,
}

/// All hosts, and this machine.
pub struct Hosts {
    /// This machine, where results are put in place. Its paths are absolute.
    pub here: Transport,
    hosts: BTreeMap<String, Host>,
    // What keeps these actors alive.
    owns: Vec<(ActorOwn<Courier>, ActorOwn<Poller>, ActorOwn<Watcher>)>,
}

impl Hosts {
    /// No host yet; `here` is a transport to this machine.
    pub fn new(here: Transport) -> Hosts {
        Hosts { here, hosts: BTreeMap::new(), owns: Vec::new() }
    }

    /// Adds a host under the name of its transport. A later one of the same name takes the place of the first.
    pub fn add(&mut self, runtime: &mut Runtime, transport: Transport, dialect: impl Dialect + 'static) {
        let dialect: Rc<dyn Dialect> = Rc::new(dialect);
        let handle = runtime.handle();
        let core = runtime.stakker();
        let courier = actor!(core, Courier::init(transport.clone()), ret_nop!());
        let poller = actor!(core, Poller::init(transport.clone(), dialect.clone(), handle), ret_nop!());
        let watcher = actor!(core, Watcher::init(transport.clone(), dialect.clone()), ret_nop!());
        let name = transport.name().to_string();
        let host = Host {
            transport,
            dialect,
            courier: courier.clone(),
            poller: poller.clone(),
            watcher: watcher.clone(),
        };
        self.hosts.insert(name, host);
        self.owns.push((courier, poller, watcher));
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// The names of all hosts, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }
}

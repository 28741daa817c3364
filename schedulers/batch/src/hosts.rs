//! The hosts that jobs may run on, each with its transport, its dialect and its poller.

use crate::dialect::Dialect;
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
    /// Who follows the jobs there.
    pub poller: Actor<Poller>,
}

/// All hosts, and this machine.
pub struct Hosts {
    /// This machine, where results are put in place. Its paths are absolute.
    pub here: Transport,
    hosts: BTreeMap<String, Host>,
    // What keeps the pollers alive.
    pollers: Vec<ActorOwn<Poller>>,
}

impl Hosts {
    /// No host yet; `here` is a transport to this machine.
    pub fn new(here: Transport) -> Hosts {
        Hosts { here, hosts: BTreeMap::new(), pollers: Vec::new() }
    }

    /// Adds a host under the name of its transport. A later one of the same name takes the place of the first.
    pub fn add(&mut self, runtime: &mut Runtime, transport: Transport, dialect: impl Dialect + 'static) {
        let dialect: Rc<dyn Dialect> = Rc::new(dialect);
        let handle = runtime.handle();
        let core = runtime.stakker();
        let own = actor!(core, Poller::init(transport.clone(), dialect.clone(), handle), ret_nop!());
        let name = transport.name().to_string();
        self.hosts.insert(name, Host { transport, dialect, poller: own.clone() });
        self.pollers.push(own);
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

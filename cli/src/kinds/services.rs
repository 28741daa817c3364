//! What the processes of a runtime need: a transport for each host, a poller, and this machine's commands.

use super::bulletin::{Ask, Bulletin};
use super::clerk::{self, Doors, Visitor};
use super::dialects::{at_once, dialect};
use super::door::{Door, House, Way, ask_for, at_home};
use super::questions;
use crate::board::{Board, Now};
use crate::exit::Trouble;
use crate::hosts::{Host, Hosts, TransportKind};
use crate::store::Store;
use procession::Runtime;
use procession::pool::Rules;
use procession::transport::{RemotePath, Transport};
use procession_batch::{Dialect, SchedulerProcess};
use procession_local::{Config, Local, LocalProcess, Machine};
use procession_ssh::config::{Here, Query};
use stakker::ActorOwn;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So many commands run at once for a host: those that ask and stage, not the jobs.
const COMMANDS: usize = 64;

/// Alive for as long as this is.
#[derive(Default)]
pub(crate) struct Services {
    owners: Vec<Box<dyn std::any::Any>>,
    /// What all hosts behind ssh share.
    house: Option<House>,
    doors: Doors,
    /// Who answers for this runtime, if its terminal does not.
    visitor: Visitor,
    /// How the pools are asked for their reports, by the names of their hosts.
    pools: Vec<(String, Ask)>,
}

/// Teaches a runtime all kinds, and starts what they need.
pub(crate) fn register(runtime: &mut Runtime, hosts: &Hosts, store: &Store) -> Result<Services, Trouble> {
    let mut services = Services::default();
    let mut board = Board { pid: std::process::id(), ..Board::default() };
    let here = services.local(runtime, "here", PathBuf::from("/"))?;
    let mut batch = procession_batch::Hosts::new(here);
    for (name, host) in hosts.iter() {
        let transport = services.transport(runtime, name, host, store)?;
        if name == Hosts::LOCAL {
            services.commands(runtime, &transport, work(host, store), host)?;
        }
        let dialect = dialect(host);
        board.hosts.insert(name.to_owned(), Now { limit: dialect.limit(), pool: None });
        batch.add(runtime, transport, dialect);
    }
    SchedulerProcess::register(runtime, batch);
    if services.house.is_some() {
        runtime.stakker().anymap_set(services.doors.clone());
        clerk::open(runtime, &store.counter(), services.visitor.clone())?;
    }
    let pools = std::mem::take(&mut services.pools);
    services.keep(Bulletin::start(runtime.stakker(), store.board(), board, pools)?);
    Ok(services)
}

impl Services {
    /// Starts the transport of a host. One through ssh connects when it is first asked for something.
    pub(crate) fn transport(
        &mut self,
        runtime: &mut Runtime,
        name: &str,
        host: &Host,
        store: &Store,
    ) -> Result<Transport, Trouble> {
        match host.transport {
            TransportKind::Local => {
                let work = work(host, store);
                std::fs::create_dir_all(&work).map_err(|why| Trouble::File { path: work.clone(), why })?;
                self.local(runtime, name, work)
            }
            TransportKind::Ssh => self.ssh(runtime, name, host, store),
        }
    }

    fn ssh(
        &mut self,
        runtime: &mut Runtime,
        name: &str,
        host: &Host,
        store: &Store,
    ) -> Result<Transport, Trouble> {
        let wrong = |why: String| Trouble::Host { host: name.to_owned(), why };
        let house = match &self.house {
            Some(house) => house.clone(),
            None => self
                .house
                .insert(House::new(runtime.handle(), questions::secrets(runtime, self.visitor.clone())?))
                .clone(),
        };
        let ssh = host.ssh.clone().unwrap_or_default();
        let here = Here::of_environment();
        let way = Way {
            name: name.to_owned(),
            file: ssh.config.map(|path| at_home(path, &here)),
            query: Query { user: ssh.user, port: ssh.port, ..Query::new(ssh.host) },
            identity: ssh.identity.map(|path| at_home(path, &here)),
            accept_new: ssh.accept_new,
            work: remote_work(host).map_err(wrong)?,
            rules: rules(host),
            budgets: store.budgets(),
        };
        let (transport, door) = Door::make(runtime.stakker(), house, way);
        self.pools.push((name.to_owned(), ask_for(&door)));
        self.doors.0.borrow_mut().insert(name.to_owned(), (transport.clone(), door.clone()));
        self.keep(door);
        Ok(transport)
    }

    fn local(&mut self, runtime: &mut Runtime, name: &str, work: PathBuf) -> Result<Transport, Trouble> {
        let config = Config { name: name.to_owned(), commands: COMMANDS, ..Config::new(work) };
        let (transport, owner) = Local::start(runtime.stakker(), config)
            .map_err(|why| Trouble::Host { host: name.to_owned(), why: why.to_string() })?;
        self.keep(owner);
        Ok(transport)
    }

    fn commands(
        &mut self,
        runtime: &mut Runtime,
        transport: &Transport,
        work: PathBuf,
        host: &Host,
    ) -> Result<(), Trouble> {
        let at_once = NonZeroUsize::new(at_once(host) as usize).unwrap_or(NonZeroUsize::MAX);
        let (machine, owner) = Machine::start(runtime.stakker(), transport, work, at_once)
            .map_err(|why| Trouble::Host { host: transport.name().to_owned(), why: why.to_string() })?;
        runtime.register(move |life| LocalProcess::new(life, machine.clone()));
        self.keep(owner);
        Ok(())
    }

    fn keep<A: 'static>(&mut self, owner: ActorOwn<A>) {
        self.owners.push(Box::new(owner));
    }
}

/// Where the jobs of a host of this machine have their folders.
pub(crate) fn work(host: &Host, store: &Store) -> PathBuf {
    host.work.clone().unwrap_or_else(|| store.work())
}

/// The same on a host behind ssh, where it may lie below the home folder.
pub(crate) fn remote_work(host: &Host) -> Result<RemotePath, String> {
    let work = host.work.as_deref().unwrap_or(Path::new("~/procession"));
    let work = work.to_str().ok_or_else(|| format!("{} is not UTF-8", work.display()))?;
    let below_home = work.strip_prefix('~').map(|rest| rest.trim_start_matches('/'));
    let work = below_home.map_or(work, |rest| if rest.is_empty() { "." } else { rest });
    work.parse().map_err(|why| format!("{work}: {why}"))
}

/// How a host may be used.
fn rules(host: &Host) -> Rules {
    let (limits, usual) = (&host.limits, Rules::default());
    let hourly = limits.opens_an_hour.unwrap_or(usual.hourly);
    Rules {
        max_sessions: limits.sessions.unwrap_or(usual.max_sessions),
        channels: limits.channels.unwrap_or(usual.channels),
        hourly,
        // Who permits more in an hour lets them follow each other sooner.
        refill: usual.refill.min(Duration::from_secs(3600) / hourly.max(1)),
        ..usual
    }
}

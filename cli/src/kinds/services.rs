//! What the processes of a runtime need: a transport for each host, a poller, and this machine's commands.

use super::dialects::{at_once, dialect};
use crate::exit::Trouble;
use crate::hosts::{Host, Hosts, TransportKind};
use crate::store::Store;
use procession::Runtime;
use procession::transport::Transport;
use procession_batch::SchedulerProcess;
use procession_local::{Config, Local, LocalProcess, Machine};
use stakker::ActorOwn;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// So many commands run at once for a host: those that ask and stage, not the jobs.
const COMMANDS: usize = 64;

/// Alive for as long as this is.
#[derive(Default)]
pub(crate) struct Services {
    owners: Vec<Box<dyn std::any::Any>>,
}

/// Teaches a runtime all kinds, and starts what they need.
pub(crate) fn register(runtime: &mut Runtime, hosts: &Hosts, store: &Store) -> Result<Services, Trouble> {
    let mut services = Services::default();
    let here = services.local(runtime, "here", PathBuf::from("/"))?;
    let mut batch = procession_batch::Hosts::new(here);
    for (name, host) in hosts.iter() {
        let transport = services.transport(runtime, name, host, store)?;
        if name == Hosts::LOCAL {
            services.commands(runtime, &transport, work(host, store), host)?;
        }
        batch.add(runtime, transport, dialect(host));
    }
    SchedulerProcess::register(runtime, batch);
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
            TransportKind::Ssh => {
                Err(Trouble::Host { host: name.to_owned(), why: "there is no ssh yet".to_owned() })
            }
        }
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

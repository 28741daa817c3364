//! What the processes of a runtime need: a transport for each host, a poller, and this machine's commands.

use crate::exit::Trouble;
use crate::hosts::{Host, Hosts, SchedulerKind, TransportKind};
use crate::store::Store;
use procession::Runtime;
use procession::transport::Transport;
use procession_batch::SchedulerProcess;
use procession_batch::dialect::Direct;
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
        let work = work(host, store);
        std::fs::create_dir_all(&work).map_err(|why| Trouble::File { path: work.clone(), why })?;
        let transport = match host.transport {
            TransportKind::Local => services.local(runtime, name, work.clone())?,
        };
        if name == Hosts::LOCAL {
            services.commands(runtime, &transport, work, host)?;
        }
        batch.add(runtime, transport, dialect(host));
    }
    SchedulerProcess::register(runtime, batch);
    Ok(services)
}

impl Services {
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

/// Where the jobs of a host have their folders.
pub(crate) fn work(host: &Host, store: &Store) -> PathBuf {
    host.work.clone().unwrap_or_else(|| store.work())
}

/// Who runs the jobs of a host.
pub(crate) fn dialect(host: &Host) -> Direct {
    match host.scheduler {
        SchedulerKind::Direct => Direct::new(at_once(host)),
    }
}

/// So many jobs run on a host at once; one for each core, unless the file of hosts or the user says otherwise.
fn at_once(host: &Host) -> u32 {
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    host.jobs.unwrap_or_else(cores)
}

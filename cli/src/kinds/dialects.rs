//! Who runs the jobs of a host, by its word in the file of hosts.

use crate::hosts::{GridEngineNames, Host, SchedulerKind};
use procession_batch::courier::Company;
use procession_batch::dialect::{
    Call, Cancelled, Dialect, Direct, Force, Found, GridEngine, JobId, Lsf, Pbs, PbsFlavour, ScriptFile,
    Slurm, Status, Submitted,
};
use procession_batch::poller::Pace;
use procession_batch::{JobName, JobSpec, Place, SpecError};
use std::time::Duration;

/// The dialect of a host, asked no more often than its owner wants.
pub(crate) struct Chosen {
    dialect: Box<dyn Dialect>,
    poll: Option<Duration>,
}

/// Who runs the jobs of a host.
pub(crate) fn dialect(host: &Host) -> Chosen {
    let dialect: Box<dyn Dialect> = match host.scheduler {
        SchedulerKind::Direct => Box::new(Direct::new(at_once(host))),
        SchedulerKind::Slurm => Box::new(Slurm),
        SchedulerKind::Pbs => Box::new(Pbs { flavour: PbsFlavour::Pro }),
        SchedulerKind::Torque => Box::new(Pbs { flavour: PbsFlavour::Torque }),
        SchedulerKind::GridEngine => Box::new(grid_engine(host.gridengine.clone().unwrap_or_default())),
        SchedulerKind::Lsf => Box::new(Lsf { unit: host.lsf.clone().unwrap_or_default().unit }),
    };
    let poll = host.limits.poll.map(|poll| Duration::from_secs(poll.seconds()));
    Chosen { dialect, poll }
}

fn grid_engine(names: GridEngineNames) -> GridEngine {
    let usual = GridEngine::default();
    GridEngine {
        one_node: names.one_node.unwrap_or(usual.one_node),
        many_nodes: names.many_nodes.unwrap_or(usual.many_nodes),
        gpu: names.gpu.unwrap_or(usual.gpu),
    }
}

/// So many jobs run at once on a host without a scheduler; one for each core of this machine, unless the file of hosts or
/// the user says otherwise.
pub(crate) fn at_once(host: &Host) -> u32 {
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    host.jobs.unwrap_or_else(cores)
}

impl Dialect for Chosen {
    fn word(&self) -> &'static str {
        self.dialect.word()
    }
    fn cannot(&self, spec: &JobSpec) -> Vec<SpecError> {
        self.dialect.cannot(spec)
    }
    fn files(&self, spec: &JobSpec, place: &Place) -> Vec<ScriptFile> {
        self.dialect.files(spec, place)
    }
    fn submit(&self, spec: &JobSpec, place: &Place) -> Call<Submitted> {
        self.dialect.submit(spec, place)
    }
    fn ask(&self, place: &Place) -> Call<Found> {
        self.dialect.ask(place)
    }
    fn fence(&self, place: &Place) -> Call<Found> {
        self.dialect.fence(place)
    }
    fn survey(&self, places: &[Place], running: &[Place]) -> Call<Vec<(JobName, Status)>> {
        self.dialect.survey(places, running)
    }
    fn look_up(&self, places: &[Place]) -> Call<Vec<(JobName, Status)>> {
        self.dialect.look_up(places)
    }
    fn cancel(&self, place: &Place, id: Option<&JobId>, force: Force) -> Call<Cancelled> {
        self.dialect.cancel(place, id, force)
    }

    fn cancels(&self) -> Company {
        self.dialect.cancels()
    }
    fn reach(&self) -> usize {
        self.dialect.reach()
    }
    fn pace(&self, jobs: usize) -> Pace {
        let Pace { fastest, slowest } = self.dialect.pace(jobs);
        match self.poll {
            Some(poll) => Pace { fastest: fastest.max(poll), slowest: slowest.max(poll) },
            None => Pace { fastest, slowest },
        }
    }
    fn limit(&self) -> String {
        self.dialect.limit()
    }
}

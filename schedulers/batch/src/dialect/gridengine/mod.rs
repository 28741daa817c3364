//! Grid Engine: Sun's, Son of Grid Engine, Open Grid Scheduler. Spoken to as 8.1.9 was seen to answer.
//!
//! What it does otherwise than others: a job that it could not start stays in the queue for ever, in a state with an `E`; a
//! job that has left the queue is known to `qacct` alone, and not at all if it was deleted while it waited; `qdel` says its
//! errors on the standard output. With `-notify` it tells a job with `SIGUSR2` that it is about to be killed, which the frame
//! takes as the moment to say how it ended.

pub mod account;
pub mod listing;
mod refusal;

use super::queue::{self, Protocol, protocol};
use super::{
    AnswerError, Call, Cancelled, Dialect, Force, Found, Frame, JobId, ScriptFile, Status, Submitted, framed,
};
use crate::poller::Pace;
use crate::{JobName, JobSpec, Place, Said, SpecError};

const SCRIPTS: Protocol = protocol!("sh/commands.sh");

/// Grid Engine, and the names that a site has chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GridEngine {
    /// The parallel environment that keeps the slots of a job on one node.
    pub one_node: String,
    /// The parallel environment that spreads them over nodes.
    pub many_nodes: String,
    /// The resource that counts GPUs. Most sites count it for each slot.
    pub gpu: String,
}

impl Default for GridEngine {
    fn default() -> GridEngine {
        GridEngine { one_node: "smp".into(), many_nodes: "mpi".into(), gpu: "gpu".into() }
    }
}

impl Dialect for GridEngine {
    fn word(&self) -> &'static str {
        "gridengine"
    }

    fn cannot(&self, spec: &JobSpec) -> Vec<SpecError> {
        let mut errors = queue::check_own_words(spec);
        if spec.qos.is_some() {
            let way_out = "leave it out; `queue` and `account` are what Grid Engine has";
            errors.push(SpecError::new("qos", "given", "Grid Engine has no such thing", way_out));
        }
        errors
    }

    fn files(&self, spec: &JobSpec, place: &Place) -> Vec<ScriptFile> {
        let frame = Frame {
            id: "\"$JOB_ID\"",
            // It counts tasks from 1, so ours are one more; the payload sees the index that the job file has.
            task: "$((SGE_TASK_ID - 1))",
            enter: "[ -z \"$task\" ] || { SGE_TASK_ID=$task; export SGE_TASK_ID; }",
            again: "\"$RESTARTED\"",
            ends: "USR2 TERM XCPU",
            warns: true,
            ..Frame::default()
        };
        frame.files(spec, place)
    }

    fn submit(&self, spec: &JobSpec, place: &Place) -> Call<Submitted> {
        SCRIPTS.submit(place, self.options(spec), |exit| queue::submitted(exit, refusal::declined))
    }

    fn ask(&self, place: &Place) -> Call<Found> {
        SCRIPTS.ask(place)
    }

    fn fence(&self, place: &Place) -> Call<Found> {
        SCRIPTS.fence(place)
    }

    fn survey(&self, _: &[Place], _: &[Place]) -> Call<Vec<(JobName, Status)>> {
        SCRIPTS.status(|exit| listed(&framed(exit)?))
    }

    fn look_up(&self, places: &[Place]) -> Call<Vec<(JobName, Status)>> {
        SCRIPTS.look_up(places, |exit| {
            let (rows, past) = queue::rows_and_past(exit)?;
            Ok(queue::with_past(listed(&rows)?, remembered(&past)?))
        })
    }

    fn cancel(&self, place: &Place, _: Option<&JobId>, force: Force) -> Call<Cancelled> {
        SCRIPTS.cancel(place, force)
    }

    fn reach(&self) -> usize {
        usize::MAX
    }

    /// A listing costs its master some 20 ms for a hundred jobs.
    fn pace(&self, jobs: usize) -> Pace {
        queue::pace(jobs)
    }

    fn limit(&self) -> String {
        "the slots and the quotas of the cluster".to_string()
    }
}

impl GridEngine {
    /// The options of `qsub` for what the job asks for; see qsub(1) and submit(1) of 8.1.9.
    fn options(&self, spec: &JobSpec) -> Vec<String> {
        let r = &spec.resources;
        let slots = u64::from(r.tasks) * u64::from(r.cpus_per_task);
        let mut words: Vec<String> = Vec::new();
        if r.nodes > 1 || slots > 1 {
            let pe = if r.nodes > 1 { &self.many_nodes } else { &self.one_node };
            words.extend(["-pe".to_string(), pe.clone(), slots.to_string()]);
        }
        let mut option = |name: &str, value: String| words.extend([name.to_string(), value]);
        if let Some(limit) = r.walltime {
            option("-l", format!("h_rt={}", limit.seconds()));
        }
        if let Some(memory) = r.memory {
            // It is counted for each slot.
            let on_a_node = slots.div_ceil(u64::from(r.nodes)).max(1);
            option("-l", format!("h_vmem={}", memory.bytes().div_ceil(on_a_node)));
        }
        if r.gpus > 0 {
            option("-l", format!("{}={}", self.gpu, r.gpus));
        }
        for (name, value) in [("-q", &spec.queue), ("-P", &spec.account), ("-l", &spec.constraint)] {
            if let Some(value) = value {
                option(name, value.clone());
            }
        }
        if spec.exclusive {
            option("-l", "exclusive=true".to_string());
        }
        if let Some(array) = &spec.array {
            let range = array.range;
            let (first, last) = (u64::from(range.first) + 1, u64::from(range.last) + 1);
            option("-t", format!("{first}-{last}:{}", range.step));
            if let Some(at_once) = array.at_once {
                option("-tc", at_once.to_string());
            }
        }
        words.extend(queue::own_words(spec));
        words
    }
}

fn listed(lines: &[String]) -> Result<Vec<(JobName, Status)>, AnswerError> {
    let rows = listing::rows(lines)?;
    Ok(queue::folded(
        rows.iter().filter_map(|row| Some((JobName::parse(&row.name)?, listing::status(&row.state)))),
    ))
}

fn remembered(lines: &[String]) -> Result<Vec<(JobName, Status)>, AnswerError> {
    let said = |record: &account::Record| -> Said {
        match (record.task.and_then(|task| task.checked_sub(1)), record.end()) {
            (Some(task), Some(end)) => Said { end: None, tasks: [(task, end)].into() },
            (None, Some(end)) => Said::of(end),
            (Some(_) | None, None) => Said::default(),
        }
    };
    let records = account::records(lines)?;
    Ok(queue::folded(
        records
            .iter()
            .filter_map(|record| Some((JobName::parse(&record.name)?, Status::Exited(said(record))))),
    ))
}

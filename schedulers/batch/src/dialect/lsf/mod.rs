//! LSF: Platform's and IBM Spectrum's, from 9.1 on, which is the first with `bjobs -o`.
//!
//! Nothing here was tried on a server; the sources of what is known stand where it is used. What LSF does otherwise than others:
//! its walltime is in minutes; its unit of memory is a setting of the cluster; its commands wait for a server that is down; and
//! it remembers a job for an hour after its end (`CLEAN_PERIOD`), with the reason in a word.

pub mod listing;
pub mod reason;
mod refusal;

use super::queue::{self, Protocol, protocol};
use super::{
    AnswerError, Call, Cancelled, Dialect, Force, Found, Frame, JobId, ScriptFile, Status, Submitted, framed,
};
use crate::poller::Pace;
use crate::{JobName, JobSpec, Memory, Place, SpecError};
use serde::{Deserialize, Serialize};

const SCRIPTS: Protocol = protocol!("sh/commands.sh");

/// LSF, and what its administrator has set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lsf {
    /// In what memory is counted.
    pub unit: MemoryUnit,
}

/// `LSF_UNIT_FOR_LIMITS` of lsf.conf(5). `badmin showconf mbd | grep UNIT` tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum MemoryUnit {
    /// It is not set: limits are in KiB, and what is reserved in MiB.
    #[default]
    Unset,
    /// KiB.
    KB,
    /// MiB.
    MB,
    /// GiB.
    GB,
    /// TiB.
    TB,
}

impl MemoryUnit {
    /// How many bytes the unit of a limit, and that of a reservation, are.
    fn bytes(self) -> (u64, u64) {
        match self {
            MemoryUnit::Unset => (1 << 10, 1 << 20),
            MemoryUnit::KB => (1 << 10, 1 << 10),
            MemoryUnit::MB => (1 << 20, 1 << 20),
            MemoryUnit::GB => (1 << 30, 1 << 30),
            MemoryUnit::TB => (1 << 40, 1 << 40),
        }
    }
}

impl Dialect for Lsf {
    fn word(&self) -> &'static str {
        "lsf"
    }

    fn cannot(&self, spec: &JobSpec) -> Vec<SpecError> {
        queue::check_own_words(spec)
    }

    fn files(&self, spec: &JobSpec, place: &Place) -> Vec<ScriptFile> {
        let frame = Frame {
            id: "\"$LSB_JOBID\"",
            // It counts tasks from 1, so ours are one more; the payload sees the index that the job file has.
            task: "$((LSB_JOBINDEX - 1))",
            enter: "[ -z \"$task\" ] || { LSB_JOBINDEX=$task; export LSB_JOBINDEX; }",
            // bkill: INT, TERM, KILL. At the walltime: USR2 first.
            ends: "INT TERM USR2 XCPU",
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
            let past =
                listing::remembered(&past).into_iter().map(|(name, said)| (name, Status::Exited(said)));
            Ok(queue::with_past(listed(&rows)?, queue::folded(past)))
        })
    }

    fn cancel(&self, place: &Place, _: Option<&JobId>, force: Force) -> Call<Cancelled> {
        SCRIPTS.cancel(place, force)
    }

    fn reach(&self) -> usize {
        usize::MAX
    }

    fn pace(&self, jobs: usize) -> Pace {
        queue::pace(jobs)
    }

    fn limit(&self) -> String {
        "the limits of the queue and of the cluster".to_string()
    }
}

impl Lsf {
    /// The options of `bsub` for what the job asks for; see bsub(1) of IBM Spectrum LSF 10.1.
    fn options(&self, spec: &JobSpec) -> Vec<String> {
        let r = &spec.resources;
        let mut words: Vec<String> = Vec::new();
        if let Some(array) = &spec.array {
            let range = array.range;
            let (first, last) = (u64::from(range.first) + 1, u64::from(range.last) + 1);
            let at_once = array.at_once.map_or_else(String::new, |n| format!("%{n}"));
            // The script puts it behind the name.
            words.push(format!("[{first}-{last}:{}]{at_once}", range.step));
        }
        let mut option = |name: &str, value: String| words.extend([name.to_string(), value]);
        let slots = u64::from(r.tasks) * u64::from(r.cpus_per_task);
        if slots > 1 || r.nodes > 1 {
            option("-n", slots.max(u64::from(r.nodes)).to_string());
            let span = match r.nodes {
                1 => "span[hosts=1]".to_string(),
                nodes => format!("span[ptile={}]", slots.div_ceil(u64::from(nodes)).max(1)),
            };
            option("-R", span);
        }
        if let Some(memory) = r.memory {
            let (limit, reserve) = self.unit.bytes();
            let in_units = |memory: Memory, unit: u64| memory.bytes().div_ceil(unit);
            option("-M", in_units(memory, limit).to_string());
            option("-R", format!("rusage[mem={}]", in_units(memory, reserve)));
        }
        if let Some(limit) = r.walltime {
            option("-W", limit.seconds().div_ceil(60).to_string());
        }
        if r.gpus > 0 {
            option("-gpu", format!("num={}", r.gpus));
        }
        if let Some(constraint) = &spec.constraint {
            option("-R", format!("select[{constraint}]"));
        }
        for (name, value) in [("-q", &spec.queue), ("-P", &spec.account), ("-sla", &spec.qos)] {
            if let Some(value) = value {
                option(name, value.clone());
            }
        }
        if spec.exclusive {
            words.push("-x".to_string());
        }
        words.extend(queue::own_words(spec));
        words
    }
}

fn listed(lines: &[String]) -> Result<Vec<(JobName, Status)>, AnswerError> {
    let rows = listing::rows(lines)?;
    Ok(queue::folded(rows.iter().filter_map(|row| Some((JobName::parse(&row.name)?, row.status())))))
}

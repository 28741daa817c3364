//! PBS: PBS Professional and OpenPBS, and Torque. They share commands, states and the form of a listing; resources, arrays
//! and exit codes they write in two ways.
//!
//! Nothing here was tried on a server; the sources of what is known stand where it is used, and the listings of the tests
//! are those of the manuals. To PBS Pro `qstat -x` is history, to Torque it is XML, so the script asks which it is. To both, a
//! job that is not in the listing tells nothing: history is off by default in the one, and ends after `keep_completed`
//! seconds in the other.

pub mod listing;
mod refusal;

use super::queue::{self, Protocol, protocol};
use super::{
    AnswerError, Call, Cancelled, Dialect, Force, Found, Frame, JobId, ScriptFile, Status, Submitted, framed,
};
use crate::poller::Pace;
use crate::{ArrayRange, JobName, JobSpec, Place, SpecError};
use listing::Flavour;

const SCRIPTS: Protocol = protocol!("sh/commands.sh");

/// PBS, and which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pbs {
    /// Which PBS it is.
    pub flavour: Flavour,
}

impl Dialect for Pbs {
    fn word(&self) -> &'static str {
        match self.flavour {
            Flavour::Pro => "pbs",
            Flavour::Torque => "torque",
        }
    }

    fn cannot(&self, spec: &JobSpec) -> Vec<SpecError> {
        let mut errors = queue::check_own_words(spec);
        let mut wrong = |field: &str, value: String, why: &str, way_out: &str| {
            errors.push(SpecError::new(field, value, why, way_out));
        };
        if let (Flavour::Pro, Some(qos)) = (self.flavour, &spec.qos) {
            let way_out = "leave it out; `queue` and `account` are what PBS has";
            wrong("qos", format!("{qos:?}"), "PBS has no such thing", way_out);
        }
        if let (Flavour::Pro, Some(array)) = (self.flavour, &spec.array)
            && array.range.first == array.range.last
        {
            let way_out = "give at least two tasks, or leave `array` out";
            wrong("array.range", array.range.to_string(), "PBS has no arrays of one task", way_out);
        }
        errors
    }

    fn files(&self, spec: &JobSpec, place: &Place) -> Vec<ScriptFile> {
        let task = match self.flavour {
            Flavour::Pro => "\"$PBS_ARRAY_INDEX\"",
            Flavour::Torque => "\"$PBS_ARRAYID\"",
        };
        let frame = Frame {
            enter: "cd \"$PBS_O_WORKDIR\" || exit 98",
            // The id of a task is `12[3].host`; of the array it is `12[].host`.
            id: "\"$(printf %s \"$PBS_JOBID\" | sed 's/\\[[0-9]*\\]/[]/')\"",
            task,
            ends: "TERM",
            warns: true,
            ..Frame::default()
        };
        frame.files(spec, place)
    }

    fn submit(&self, spec: &JobSpec, place: &Place) -> Call<Submitted> {
        let options = match self.flavour {
            Flavour::Pro => pro_options(spec),
            Flavour::Torque => torque_options(spec),
        };
        SCRIPTS.submit(place, options, |exit| queue::submitted(exit, refusal::declined))
    }

    fn ask(&self, place: &Place) -> Call<Found> {
        SCRIPTS.ask(place)
    }

    fn fence(&self, place: &Place) -> Call<Found> {
        SCRIPTS.fence(place)
    }

    fn survey(&self, _: &[Place], _: &[Place]) -> Call<Vec<(JobName, Status)>> {
        SCRIPTS.status(match self.flavour {
            Flavour::Pro => |exit| listed(&framed(exit)?, Flavour::Pro),
            Flavour::Torque => |exit| listed(&framed(exit)?, Flavour::Torque),
        })
    }

    fn look_up(&self, places: &[Place]) -> Call<Vec<(JobName, Status)>> {
        SCRIPTS.look_up(
            places,
            match self.flavour {
                Flavour::Pro => |exit| {
                    let (rows, past) = queue::rows_and_past(exit)?;
                    Ok(queue::with_past(listed(&rows, Flavour::Pro)?, listed(&past, Flavour::Pro)?))
                },
                Flavour::Torque => |exit| listed(&queue::rows_and_past(exit)?.0, Flavour::Torque),
            },
        )
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
        "the limits of the queue and of the server".to_string()
    }
}

fn listed(lines: &[String], flavour: Flavour) -> Result<Vec<(JobName, Status)>, AnswerError> {
    let rows = listing::rows(lines)?;
    Ok(queue::folded(rows.iter().filter_map(|row| Some((job_name(row)?, row.status(flavour))))))
}

/// Torque names the tasks of an array `NAME-INDEX`.
fn job_name(row: &listing::Row) -> Option<JobName> {
    let suffix = row.task().map(|task| format!("-{task}"));
    let whole = suffix.and_then(|suffix| row.name.strip_suffix(&suffix));
    JobName::parse(&row.name).or_else(|| JobName::parse(whole?))
}

/// The options of `qsub` for what the job asks for: chunks of vnodes. See qsub(1B) and pbs_resources(7B) of PBS Professional.
fn pro_options(spec: &JobSpec) -> Vec<String> {
    let r = &spec.resources;
    let chunk = |(nodes, tasks): (u32, u32)| {
        let mut text =
            format!("{nodes}:ncpus={}:mpiprocs={tasks}", u64::from(tasks) * u64::from(r.cpus_per_task));
        if let Some(memory) = r.memory {
            text += &format!(":mem={}b", memory.bytes());
        }
        if r.gpus > 0 {
            text += &format!(":ngpus={}", r.gpus);
        }
        spec.constraint.iter().for_each(|constraint| text += &format!(":{constraint}"));
        text
    };
    let chunks: Vec<String> = queue::spread(spec).into_iter().map(chunk).collect();
    let mut words = vec!["-l".to_string(), format!("select={}", chunks.join("+"))];
    let place = match (r.nodes > 1, spec.exclusive) {
        (true, true) => Some("scatter:excl"),
        (true, false) => Some("scatter"),
        (false, true) => Some("pack:excl"),
        (false, false) => None,
    };
    words.extend(place.into_iter().flat_map(|place| ["-l".to_string(), format!("place={place}")]));
    words.extend(shared_options(spec));
    if let Some(array) = &spec.array {
        let ArrayRange { first, last, step } = array.range;
        let at_once = array.at_once.map_or_else(String::new, |n| format!("%{n}"));
        words.extend(["-J".to_string(), format!("{first}-{last}:{step}{at_once}")]);
    }
    words.extend(queue::own_words(spec));
    words
}

/// The same for Torque: nodes, and processors on each. See qsub(1B) and pbs_resources(7B) of Torque.
fn torque_options(spec: &JobSpec) -> Vec<String> {
    let r = &spec.resources;
    let part = |(nodes, tasks): (u32, u32)| {
        let mut text = format!("{nodes}:ppn={}", u64::from(tasks) * u64::from(r.cpus_per_task));
        if r.gpus > 0 {
            text += &format!(":gpus={}", r.gpus);
        }
        spec.constraint.iter().for_each(|constraint| text += &format!(":{constraint}"));
        text
    };
    let parts: Vec<String> = queue::spread(spec).into_iter().map(part).collect();
    let mut words = vec!["-l".to_string(), format!("nodes={}", parts.join("+"))];
    let mut option = |value: String| words.extend(["-l".to_string(), value]);
    if let Some(memory) = r.memory {
        // It is that of the whole job.
        option(format!("mem={}b", memory.bytes().saturating_mul(u64::from(r.nodes))));
    }
    if let Some(qos) = &spec.qos {
        option(format!("qos={qos}"));
    }
    if spec.exclusive {
        option("naccesspolicy=singlejob".to_string());
    }
    words.extend(shared_options(spec));
    if let Some(array) = &spec.array {
        let ArrayRange { first, last, step } = array.range;
        // It knows no steps, but lists.
        let list: Vec<String> = array.range.indices().map(|index| index.to_string()).collect();
        let range = if step.get() == 1 { format!("{first}-{last}") } else { list.join(",") };
        let at_once = array.at_once.map_or_else(String::new, |n| format!("%{n}"));
        words.extend(["-t".to_string(), format!("{range}{at_once}")]);
    }
    words.extend(queue::own_words(spec));
    words
}

fn shared_options(spec: &JobSpec) -> Vec<String> {
    let walltime = spec.resources.walltime.map(|limit| format!("walltime={}", limit.seconds()));
    let options = [("-l", &walltime), ("-q", &spec.queue), ("-A", &spec.account)];
    let given = options.into_iter().filter_map(|(name, value)| Some([name.to_string(), value.clone()?]));
    given.flatten().collect()
}

//! Jobs on a plain host without a scheduler. They run in sessions of their own and outlive everybody who started them.
//!
//! The limit of jobs at once is kept on the host, also while nobody looks: a job first waits for the head of a queue, and
//! the head waits for one of N slots; both are `flock`s, which the kernel releases when their holder dies. All runtimes
//! that name the same folder of slots share them.
//!
//! What it does not do: it hands out no GPUs, and it does not enforce `resources.memory`.

pub mod scripts;

use super::answer::{read_cancelled, read_found};
use super::{
    AnswerError, Call, Cancelled, Dialect, Force, Found, JobId, Refusal, ScriptFile, Status, Submitted,
    framed, framed_line, job_file, payload, sh, sums,
};
use crate::planted::fenced;
use crate::poller::Pace;
use crate::{JobName, JobSpec, Place, Said, SpecError};
use std::time::Duration;

/// The host itself as its scheduler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Direct {
    /// So many jobs run at once on the host; any number if it is 0.
    pub at_once: u32,
    /// The folder on the host that holds the slots, absolute or relative to the work folder of the transport.
    pub slots: String,
}

impl Direct {
    /// The folder of slots that all runtimes share if nobody says otherwise.
    pub const SLOTS: &'static str = "procession-slots";

    /// At most `at_once` jobs on the host, or any number for 0.
    pub fn new(at_once: u32) -> Direct {
        Direct { at_once, slots: Direct::SLOTS.to_string() }
    }

    fn found(&self, place: &Place, how: &str) -> Call<Found> {
        Call { argv: sh(scripts::FENCE, place.args().into_iter().chain([how.to_string()])), read: read_found }
    }
}

impl Dialect for Direct {
    fn word(&self) -> &'static str {
        "direct"
    }

    fn cannot(&self, spec: &JobSpec) -> Vec<SpecError> {
        let r = &spec.resources;
        let asked = [
            ("resources.nodes", r.nodes > 1),
            ("resources.gpus", r.gpus > 0),
            ("queue", spec.queue.is_some()),
            ("account", spec.account.is_some()),
            ("qos", spec.qos.is_some()),
            ("constraint", spec.constraint.is_some()),
            ("exclusive", spec.exclusive),
            ("array", spec.array.is_some()),
            ("scheduler", !spec.scheduler.is_empty()),
        ];
        let way_out = "leave it out, or choose a host with a batch scheduler";
        asked
            .into_iter()
            .filter(|(_, asked)| *asked)
            .map(|(field, _)| {
                SpecError::new(field, "given", "a host without a scheduler cannot do this", way_out)
            })
            .collect()
    }

    fn files(&self, spec: &JobSpec, place: &Place) -> Vec<ScriptFile> {
        let payload = payload(spec, place);
        let text = format!("#!/bin/sh\n{}{}", sums(&payload), fenced(scripts::JOB));
        let frame = ScriptFile { name: job_file(place.name.attempt), text, executable: true };
        std::iter::once(frame).chain(payload).collect()
    }

    fn submit(&self, spec: &JobSpec, place: &Place) -> Call<Submitted> {
        let walltime = spec.resources.walltime.map_or(0, |limit| limit.seconds());
        let (signal, before) = match &spec.signal {
            Some(signal) => (signal.name.clone(), signal.before.seconds()),
            None => ("TERM".to_string(), 0),
        };
        let limits =
            [self.at_once.to_string(), self.slots.clone(), walltime.to_string(), signal, before.to_string()];
        Call {
            argv: sh(&fenced(scripts::SUBMIT), place.args().into_iter().chain(limits)),
            read: read_submitted,
        }
    }

    fn ask(&self, place: &Place) -> Call<Found> {
        self.found(place, "look")
    }

    fn fence(&self, place: &Place) -> Call<Found> {
        self.found(place, "close")
    }

    fn survey(&self, places: &[Place], _: &[Place]) -> Call<Vec<(JobName, Status)>> {
        Call {
            argv: sh(scripts::STATUS, places.iter().flat_map(Place::args)),
            read: |exit| {
                let status = |line: String| {
                    let words =
                        line.split_once(' ').and_then(|(name, word)| Some((JobName::parse(name)?, word)));
                    match words {
                        Some((name, "pending")) => {
                            Ok((name, Status::Pending("waits for a slot".to_string())))
                        }
                        Some((name, "running")) => Ok((name, Status::Running)),
                        Some((name, "exited")) => Ok((name, Status::Exited(Said::default()))),
                        Some((name, "absent")) => Ok((name, Status::Unknown)),
                        Some(_) | None => Err(AnswerError::Garbled { line }),
                    }
                };
                framed(exit)?.into_iter().map(status).collect()
            },
        }
    }

    fn look_up(&self, places: &[Place]) -> Call<Vec<(JobName, Status)>> {
        self.status(places)
    }

    fn cancel(&self, place: &Place, _: Option<&JobId>, force: Force) -> Call<Cancelled> {
        let signal = match force {
            Force::Term => "TERM",
            Force::Kill => "KILL",
        };
        Call {
            argv: sh(scripts::CANCEL, place.args().into_iter().chain([signal.to_string()])),
            read: read_cancelled,
        }
    }

    /// A listing of the processes costs a host some 10 ms.
    fn pace(&self, _jobs: usize) -> Pace {
        Pace { fastest: Duration::from_millis(100), slowest: Duration::from_secs(5) }
    }

    fn limit(&self) -> String {
        match self.at_once {
            0 => "no limit of jobs at once".to_string(),
            1 => "1 job at once on this host".to_string(),
            n => format!("{n} jobs at once on this host"),
        }
    }
}

fn read_submitted(exit: &procession::transport::Exit) -> Result<Submitted, AnswerError> {
    let line = framed_line(exit)?;
    let refused = |why: &str| match why {
        "no-sandbox" | "no-script" => Some(Refusal::NoSandbox),
        "no-space" => Some(Refusal::NoSpace),
        "no-slots" => Some(Refusal::NoSlots),
        "no-setsid" | "no-flock" => Some(Refusal::NoProgram(why["no-".len()..].to_string())),
        _ => None,
    };
    let answer = match line.split_once(' ') {
        None if line == "unsure" => Some(Submitted::Unsure),
        Some(("submitted" | "known", id)) => Some(Submitted::Accepted(JobId(id.to_string()))),
        Some(("refused", why)) => refused(why).map(Submitted::Refused),
        Some(_) | None => None,
    };
    answer.ok_or(AnswerError::Garbled { line })
}

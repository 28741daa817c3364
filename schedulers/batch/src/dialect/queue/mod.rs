//! The protocol between us and a scheduler that keeps its own queue, written once for Grid Engine, PBS and LSF.
//!
//! A scheduler brings a vocabulary: shell functions that submit, list, delete and remember in its own words. The protocol is
//! five scripts over these: whoever makes `.attempt-N` first decides which submission counts; the id is written aside and
//! renamed into place; whoever doubts looks for the job by its name; and nothing is ended by an id alone. What the scheduler
//! says comes back word for word, between two lines of ours, and is read in Rust.
//!
//! The functions of a vocabulary, in `sh/commands.sh` of each dialect:
//!
//! ```text
//! programs            the programs that must be there
//! put A NAME OPTION…  submits `.job-A` from the sandbox under this name
//! id_of               reads what `put` printed, prints the id or nothing
//! list                prints rows about the user's jobs; fails if the scheduler does not answer
//! pick NAME live|any  reads rows, prints the ids of the jobs of this name that have not ended, or of all of them
//! drop TERM|KILL ID   tells the scheduler to end a job
//! recall NAME         prints what is remembered of a job that may have ended
//! ```

mod declined;

pub(super) use declined::{Declined, Sayings};

use super::{
    AnswerError, Call, Cancelled, Force, Found, JobId, Refusal, Status, Submitted, framed, framed_line, sh,
};
use crate::poller::Pace;
use crate::{JobName, JobSpec, Place, SpecError};
use procession::transport::Exit;
use std::collections::BTreeMap;
use std::time::Duration;

/// The scripts of one scheduler: its vocabulary and the protocol, in one text each.
pub(super) struct Protocol {
    pub submit: &'static str,
    pub fence: &'static str,
    pub status: &'static str,
    pub look_up: &'static str,
    pub cancel: &'static str,
}

/// The protocol over the vocabulary in this file. For modules that lie beside this one.
macro_rules! protocol {
    ($commands:literal) => {
        $crate::dialect::queue::Protocol {
            submit: concat!(include_str!("../frame/sent.sh"), protocol!($commands, "../queue/sh/submit.sh")),
            fence: protocol!($commands, "../queue/sh/fence.sh"),
            status: protocol!($commands, "../queue/sh/status.sh"),
            look_up: protocol!($commands, "../queue/sh/look_up.sh"),
            cancel: protocol!($commands, "../queue/sh/cancel.sh"),
        }
    };
    ($commands:literal, $script:literal) => {
        concat!(include_str!("../queue/sh/head.sh"), include_str!($commands), include_str!($script))
    };
}
pub(super) use protocol;

impl Protocol {
    /// Submits with these options. `read` is [`submitted`] with the scheduler's own reading of its refusals.
    pub fn submit(
        &self,
        place: &Place,
        options: Vec<String>,
        read: fn(&Exit) -> Result<Submitted, AnswerError>,
    ) -> Call<Submitted> {
        Call { argv: sh(self.submit, place.args().into_iter().chain(options)), read }
    }

    pub fn ask(&self, place: &Place) -> Call<Found> {
        self.found(place, "look")
    }

    pub fn fence(&self, place: &Place) -> Call<Found> {
        self.found(place, "close")
    }

    fn found(&self, place: &Place, how: &str) -> Call<Found> {
        Call {
            argv: sh(self.fence, place.args().into_iter().chain([how.to_string()])),
            read: |exit| {
                let line = framed_line(exit)?;
                match line.split_once(' ') {
                    Some(("known", id)) => Ok(Found::Known(JobId(id.to_string()))),
                    None if line == "absent" => Ok(Found::Absent),
                    None if line == "fenced" => Ok(Found::Fenced),
                    Some(_) | None => Err(AnswerError::Garbled { line }),
                }
            },
        }
    }

    pub fn status(
        &self,
        read: fn(&Exit) -> Result<Vec<(JobName, Status)>, AnswerError>,
    ) -> Call<Vec<(JobName, Status)>> {
        Call { argv: sh(self.status, []), read }
    }

    pub fn look_up(
        &self,
        places: &[Place],
        read: fn(&Exit) -> Result<Vec<(JobName, Status)>, AnswerError>,
    ) -> Call<Vec<(JobName, Status)>> {
        Call { argv: sh(self.look_up, places.iter().flat_map(Place::args)), read }
    }

    pub fn cancel(&self, place: &Place, force: Force) -> Call<Cancelled> {
        let word = match force {
            Force::Term => "TERM",
            Force::Kill => "KILL",
        };
        Call {
            argv: sh(self.cancel, place.args().into_iter().chain([word.to_string()])),
            read: |exit| {
                let line = framed_line(exit)?;
                match line.split_once(' ') {
                    None if line == "gone" => Ok(Cancelled::Gone),
                    Some(("still", _)) => Ok(Cancelled::Still),
                    Some(_) | None => Err(AnswerError::Garbled { line }),
                }
            },
        }
    }
}

/// What came of a submission. `declined` reads what the scheduler said when it gave no id.
pub(super) fn submitted(exit: &Exit, declined: fn(&str) -> Declined) -> Result<Submitted, AnswerError> {
    let lines = framed(exit)?;
    let (first, rest) = lines.split_first().ok_or_else(|| AnswerError::Garbled { line: String::new() })?;
    let refused = |why: &str| match why {
        "no-sandbox" | "no-script" => Some(Refusal::NoSandbox),
        "no-space" => Some(Refusal::NoSpace),
        _ => why.strip_prefix("no-program ").map(|program| Refusal::NoProgram(program.to_string())),
    };
    let answer = match first.split_once(' ') {
        None if first == "unsure" => Some(Submitted::Unsure),
        None if first == "declined" => Some(match declined(&rest.join("\n")) {
            Declined::Refused(why) => Submitted::Refused(why),
            Declined::Unsure => Submitted::Unsure,
        }),
        Some(("submitted" | "known", id)) => Some(Submitted::Accepted(JobId(id.to_string()))),
        Some(("refused", why)) => refused(why).map(Submitted::Refused),
        Some(_) | None => None,
    };
    answer.ok_or_else(|| AnswerError::Garbled { line: first.clone() })
}

/// The rows of the listing, and what was remembered after them.
pub(super) fn rows_and_past(exit: &Exit) -> Result<(Vec<String>, Vec<String>), AnswerError> {
    let mut rows = framed(exit)?;
    match rows.iter().position(|line| line == "past") {
        Some(at) => {
            let past = rows.split_off(at);
            Ok((rows, past[1..].to_vec()))
        }
        None => Err(AnswerError::Cut { last: rows.pop().unwrap_or_default() }),
    }
}

/// The owner's own lines for the scheduler, as words of a command line.
pub(super) fn own_words(spec: &JobSpec) -> Vec<String> {
    spec.scheduler.iter().filter_map(|line| shlex::split(line)).flatten().collect()
}

/// What is wrong with the owner's own lines.
pub(super) fn check_own_words(spec: &JobSpec) -> Vec<SpecError> {
    let unread = spec.scheduler.iter().enumerate().filter(|(_, line)| shlex::split(line).is_none());
    unread
        .map(|(i, line)| {
            let field = format!("scheduler[{i}]");
            SpecError::new(field, format!("{line:?}"), "a quote is not closed", "close it, or leave it out")
        })
        .collect()
}

/// One word about each job from the rows about it. An array has a row for each task, or for some of them together: it runs
/// while one runs, it waits while one waits, and it has ended when all that is listed of it has.
pub(super) fn folded(rows: impl IntoIterator<Item = (JobName, Status)>) -> Vec<(JobName, Status)> {
    let mut found: BTreeMap<JobName, Status> = BTreeMap::new();
    for (name, status) in rows {
        let both = match (found.remove(&name), status) {
            (None, status) => status,
            (Some(Status::Running), _) | (Some(_), Status::Running) => Status::Running,
            (Some(Status::Pending(why)), _) | (Some(_), Status::Pending(why)) => Status::Pending(why),
            (Some(Status::Exited(before)), Status::Exited(said)) => Status::Exited(before.and(said)),
            (Some(Status::Exited(said)), Status::Unknown) | (Some(Status::Unknown), Status::Exited(said)) => {
                Status::Exited(said)
            }
            (Some(Status::Unknown), Status::Unknown) => Status::Unknown,
        };
        found.insert(name, both);
    }
    found.into_iter().collect()
}

/// The listing counts where it still has a job; what was remembered counts for the others.
pub(super) fn with_past(
    listed: Vec<(JobName, Status)>,
    past: Vec<(JobName, Status)>,
) -> Vec<(JobName, Status)> {
    let mut found: BTreeMap<JobName, Status> = past.into_iter().collect();
    found.extend(listed);
    found.into_iter().collect()
}

/// How the tasks of a job lie on its nodes: `(nodes, tasks on each of them)`, the fuller ones first.
pub(super) fn spread(spec: &JobSpec) -> Vec<(u32, u32)> {
    let (nodes, tasks) = (spec.resources.nodes.max(1), spec.resources.tasks);
    let (each, over) = (tasks / nodes, tasks % nodes);
    let parts = [(over, each + 1), (nodes - over, each)];
    parts.into_iter().filter(|(nodes, _)| *nodes > 0).map(|(nodes, tasks)| (nodes, tasks.max(1))).collect()
}

/// How often a listing of all jobs of a user may be asked for: the more there are, the dearer it is.
pub(super) fn pace(jobs: usize) -> Pace {
    /// With ten thousand jobs the listing is asked for twice a minute at most.
    const FOR_EACH_JOB: Duration = Duration::from_millis(3);
    let fastest = FOR_EACH_JOB.saturating_mul(u32::try_from(jobs).unwrap_or(u32::MAX));
    let slowest = Duration::from_secs(60);
    Pace { fastest: fastest.clamp(Duration::from_secs(1), slowest), slowest }
}

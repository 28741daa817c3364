//! Monitors: an eye on what a running job writes. When a pattern appears in a file, the job is ended or its owner is warned.
//!
//! The files stay on the host. `grep -E` looks there, at what was written since the last look, and only the first line that
//! matches comes back, cut short. So a pattern is a POSIX extended regular expression: what every host can search for without
//! sending a file, and what people try out at their terminal. One command looks for all jobs of a host; [`Watcher`] sends it.
//!
//! What an alarm means is decided here, without an actor: the first monitor that kills wins, and each warns once an attempt.

mod answer;
mod watcher;

pub use answer::{Look, Sight, looks};
pub use watcher::{ROWS, Watch, Watcher};

use crate::dialect::{Call, sh};
use crate::{JobSpec, Place, SpecError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Looks at files: `sh -c WATCH procession LIMIT (NAME MONITOR FILE FROM PATTERN)…`.
pub const WATCH: &str = include_str!("watch.sh");

/// So many bytes of a file are looked at in one go; the rest has its turn at the next look.
pub const LOOK: u64 = 64 << 20;
/// So many bytes are looked at twice, for a line that was half written at the last look.
pub const OVERLAP: u64 = 4096;

/// What to look for in a file of a running job, and what to do when it is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// A file in the sandbox; `stdout` and `stderr` are what the command itself writes.
    pub file: String,
    /// A POSIX extended regular expression, for one line, as `grep -E` has it.
    pub pattern: String,
    /// What to do.
    pub action: Action,
    /// What it means, in the owner's words; the pattern if it is left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What to do when a pattern appears.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// End the job. What it has left is fetched.
    Kill,
    /// Tell the owner, once.
    Warn,
}

/// A pattern appeared.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alarm {
    /// Which attempt.
    pub attempt: u32,
    /// Which of the job's monitors, from 0.
    pub monitor: usize,
    /// What it means.
    pub message: String,
    /// The first line that matched, at most 200 bytes of it.
    pub line: String,
}

/// What follows from a look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// The job is to be ended.
    Stop(Alarm),
    /// Its owner is to be told. Empty if there is nothing new.
    Warn(Vec<Alarm>),
}

impl Monitor {
    /// A job has at most so many.
    pub const MOST: usize = 16;
    /// A pattern has at most so many bytes, so that a hundred of them fit into one command.
    pub const LONGEST: usize = 500;

    /// The file, as the host finds it.
    pub fn path(&self, place: &Place) -> String {
        match self.file.as_str() {
            stream @ ("stdout" | "stderr") => format!("{}/{stream}", place.attempt_folder()),
            file => format!("{}/{file}", place.sandbox()),
        }
    }

    fn meaning(&self) -> String {
        if self.message.is_empty() {
            format!("{} has {:?}", self.file, self.pattern)
        } else {
            self.message.clone()
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.message, self.line)
    }
}

/// What the looks at the files of one job come to. `warned` are the alarms that its owner knows of.
pub fn judge(spec: &JobSpec, attempt: u32, warned: &[Alarm], looks: &[Look]) -> Judgement {
    let mut alarms = Vec::new();
    for look in looks {
        let Some(monitor) = spec.monitors.get(look.monitor) else { continue };
        let (line, action, message) = match &look.sight {
            Sight::Nothing => continue,
            Sight::Match(line) => (line.clone(), monitor.action, monitor.meaning()),
            // It will never appear, and nobody is ended for a typing error.
            Sight::Misread(why) => {
                (why.clone(), Action::Warn, format!("monitors[{}] does not work on the host", look.monitor))
            }
        };
        let alarm = Alarm { attempt, monitor: look.monitor, message, line };
        match action {
            Action::Kill => return Judgement::Stop(alarm),
            Action::Warn => alarms.push(alarm),
        }
    }
    alarms.dedup_by_key(|alarm| alarm.monitor);
    let is_new = |alarm: &Alarm| !warned.iter().any(|w| (w.attempt, w.monitor) == (attempt, alarm.monitor));
    Judgement::Warn(alarms.into_iter().filter(is_new).collect())
}

/// One row of the command: a job, one of its monitors, and how much of the file was looked at before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Where the job is.
    pub place: Place,
    /// Which of its monitors.
    pub number: usize,
    /// What it looks for.
    pub monitor: Monitor,
    /// So many bytes of the file were looked at.
    pub seen: u64,
}

/// Looks at all these files with one command.
pub fn look(rows: &[Row]) -> Call<Vec<Look>> {
    let words = rows.iter().flat_map(|row| {
        let from = row.seen.saturating_sub(OVERLAP).to_string();
        let file = row.monitor.path(&row.place);
        [row.place.name.to_string(), row.number.to_string(), file, from, row.monitor.pattern.clone()]
    });
    Call { argv: sh(WATCH, std::iter::once(LOOK.to_string()).chain(words)), read: looks }
}

/// What is wrong with the monitors of a job.
pub(crate) fn check(spec: &JobSpec, outside: fn(&str) -> Option<&'static str>) -> Vec<SpecError> {
    let mut errors = Vec::new();
    let mut wrong = |field: String, value: &str, why: &str, way_out: &str| {
        errors.push(SpecError::new(field, format!("{value:?}"), why, way_out));
    };
    if spec.monitors.len() > Monitor::MOST {
        let way_out =
            format!("a job has at most {}; one pattern can have several parts, as in `a|b`", Monitor::MOST);
        wrong("monitors".into(), &spec.monitors.len().to_string(), "too many", &way_out);
    }
    for (i, monitor) in spec.monitors.iter().enumerate() {
        let pattern = &monitor.pattern;
        if let Some(why) = outside(&monitor.file) {
            wrong(
                format!("monitors[{i}].file"),
                &monitor.file,
                why,
                "give a file in the sandbox, or `stdout`",
            );
        } else if spec.array.is_some() && matches!(monitor.file.as_str(), "stdout" | "stderr") {
            let way_out = "name a file that the tasks write";
            wrong(format!("monitors[{i}].file"), &monitor.file, "each task of an array has its own", way_out);
        }
        if pattern.is_empty() {
            wrong(format!("monitors[{i}].pattern"), pattern, "it is in every line", "say what to look for");
        } else if pattern.chars().any(char::is_control) {
            wrong(
                format!("monitors[{i}].pattern"),
                pattern,
                "not one line of text",
                "a pattern is for one line",
            );
        } else if pattern.len() > Monitor::LONGEST {
            let way_out = format!("a pattern has at most {} bytes", Monitor::LONGEST);
            wrong(format!("monitors[{i}].pattern"), pattern, "too long", &way_out);
        }
        if monitor.message.chars().any(char::is_control) {
            wrong(format!("monitors[{i}].message"), &monitor.message, "not one line of text", "correct it");
        }
    }
    errors
}

#[cfg(test)]
mod tests;

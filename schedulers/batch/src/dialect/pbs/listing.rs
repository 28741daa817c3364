//! Reads `qstat -f`, whose form PBS Pro, OpenPBS and Torque share. The JSON of PBS Pro is newer, is not there in Torque, and
//! breaks on values with quotes; the text has been the same since OpenPBS 2.3.
//!
//! ```text
//! Job Id: 179.host
//!     Job_Name = STDIN
//!     job_state = C
//!     comment = a long one goes on, after a line feed
//! <tab>and a tab, in the middle of a word
//!     exit_status = -1
//! ```
//!
//! Sources: qstat(1B) and the reference guide of PBS Professional 2024.1 (job states, table 11-2 of exit codes); the
//! administrator's guide of Torque 6.1.2 (`jobExitStatus`, `qstat`, `usingTracejobToLocateFailures`).

use crate::dialect::{AnswerError, Status};
use crate::{End, Said};

/// A job, or a task of an array, in the listing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Row {
    /// Its id, with its server: `12.host`, `12[].host`, `12[3].host`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state, a letter.
    pub state: String,
    /// What the scheduler has to say about it.
    pub comment: String,
    /// As PBS writes it, once it has ended.
    pub exit_status: Option<i64>,
    /// How long it may run, in seconds.
    pub limit: Option<u64>,
    /// How long it ran, in seconds.
    pub used: Option<u64>,
}

/// Which PBS it is. They share a language and differ in resources, arrays and the numbers of their exit codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flavour {
    /// PBS Professional and OpenPBS.
    Pro,
    /// Torque.
    Torque,
}

/// The rows of a listing, whole or only the lines that our script leaves of it.
///
/// # Errors
/// [`AnswerError::Garbled`] for a job without a name or a state, or with a number that is none.
pub fn rows(lines: &[String]) -> Result<Vec<Row>, AnswerError> {
    let mut rows: Vec<Row> = Vec::new();
    for line in joined(lines) {
        if let Some(id) = line.strip_prefix("Job Id:") {
            rows.push(Row { id: id.trim().to_string(), ..Row::default() });
            continue;
        }
        let (Some(row), Some((key, value))) = (rows.last_mut(), line.split_once(" = ")) else { continue };
        let garbled = || AnswerError::Garbled { line: line.clone() };
        match key.trim() {
            "Job_Name" => row.name = value.to_string(),
            "job_state" => row.state = value.trim().to_string(),
            "comment" => row.comment = value.to_string(),
            "exit_status" | "Exit_status" => {
                row.exit_status = Some(value.trim().parse().map_err(|_| garbled())?);
            }
            "Resource_List.walltime" => row.limit = seconds(value),
            "resources_used.walltime" => row.used = seconds(value),
            _ => {}
        }
    }
    match rows.iter().find(|row| row.name.is_empty() || row.state.is_empty()) {
        Some(row) => Err(AnswerError::Garbled { line: format!("Job Id: {}", row.id) }),
        None => Ok(rows),
    }
}

/// Lines that begin with a tab go on with the one before.
fn joined(lines: &[String]) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    for line in lines {
        match (line.strip_prefix('\t'), whole.last_mut()) {
            (Some(more), Some(last)) => last.push_str(more),
            (Some(_) | None, Some(_) | None) => whole.push(line.clone()),
        }
    }
    whole
}

/// `01:00:00`, or a number of seconds.
fn seconds(text: &str) -> Option<u64> {
    text.trim().split(':').try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))
}

impl Row {
    /// Of a task of an array, its index.
    pub fn task(&self) -> Option<u32> {
        self.id.split_once('[')?.1.split_once(']')?.0.parse().ok()
    }

    /// How far it is. A letter that neither manual has is a job that goes on: nothing is ended because of it.
    pub fn status(&self, flavour: Flavour) -> Status {
        let comment = self.comment.trim();
        let waits = |why: &str| Status::Pending(if comment.is_empty() { why } else { comment }.to_string());
        match self.state.as_str() {
            "Q" => waits("in the queue"),
            "H" => waits("held"),
            "W" => waits("waits for its time"),
            "T" => waits("on its way to another place"),
            // Of an array, at least one task has begun. Suspended and exiting jobs are there.
            "R" | "B" | "E" | "S" | "U" => Status::Running,
            "F" | "C" | "X" => Status::Exited(self.said(flavour)),
            // Another server has it, which we do not ask: it may well run.
            "M" => waits("moved to another server"),
            state => Status::Pending(format!("in the state {state:?}, which means nothing to us")),
        }
    }

    fn said(&self, flavour: Flavour) -> Said {
        // The status of a whole array is a summary, and names no end.
        let is_whole_array = self.id.contains("[]");
        let end = self.exit_status.filter(|_| !is_whole_array).and_then(|code| self.end(code, flavour));
        match (self.task(), end) {
            (Some(task), Some(end)) => Said { end: None, tasks: [(task, end)].into() },
            (None, Some(end)) => Said::of(end),
            (Some(_) | None, None) => Said::default(),
        }
    }

    fn end(&self, code: i64, flavour: Flavour) -> Option<End> {
        let by = |who: &str| Some(End::CancelledElsewhere { by: Some(who.to_string()) });
        match (flavour, code) {
            (_, 0..=128 | 193..=256) => Some(End::Exited { code: code as i32 }),
            // The frame's own code, which is that of the payload.
            (_, 129..=192) => Some(End::Signalled { signal: code as i32 - 128 }),
            (_, 257..) => Some(self.struck_by(code - 256)),
            (Flavour::Pro, -28 | -29) | (Flavour::Torque, -11 | -12) => Some(End::Walltime),
            (Flavour::Pro, -26 | -27) | (Flavour::Torque, -10) => Some(End::OutOfMemory),
            (Flavour::Pro, -24 | -25) => by("the limit of its processors"),
            (Flavour::Pro, -14 | -20) => Some(End::NodeFailure),
            (Flavour::Pro, -17 | -19) => by("a rule of the site"),
            // It is to be run again, so this is not its end.
            (Flavour::Pro, -3 | -11 | -12 | -15 | -16 | -18) | (Flavour::Torque, -3 | -13 | -14) => None,
            (Flavour::Pro | Flavour::Torque, ..0) => by("PBS, which could not start it"),
        }
    }

    /// The frame was killed: by PBS, which begins with `SIGTERM`, or on its node.
    fn struck_by(&self, signal: i64) -> End {
        const KILL: i64 = 9;
        const TERM: i64 = 15;
        let is_over = self.limit.zip(self.used).is_some_and(|(limit, used)| used >= limit);
        match signal {
            KILL | TERM if is_over => End::Walltime,
            KILL | TERM => End::CancelledElsewhere { by: None },
            signal => End::Signalled { signal: i32::try_from(signal).unwrap_or(0) },
        }
    }
}

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
    /// How PBS Pro ended it: 91 if it was deleted, 92 if it ended well, 93 if it failed.
    pub substate: Option<u32>,
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
            "substate" => row.substate = value.trim().parse().ok(),
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

/// Lines that begin with a tab go on with the one before. So do those with eight spaces, which some tools make of it; a line
/// of its own has four.
fn joined(lines: &[String]) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    for line in lines {
        match (line.strip_prefix('\t').or_else(|| line.strip_prefix("        ")), whole.last_mut()) {
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
        /// Of PBS Pro: somebody deleted it.
        const DELETED: u32 = 91;
        let is_over = self.limit.zip(self.used).is_some_and(|(limit, used)| used >= limit);
        // Some sites have a MoM that writes why: `job killed: vmem 192GB exceeded limit 190GB`.
        let exceeded = self.comment.split_once(" exceeded limit").map_or("", |(what, _)| what);
        match signal {
            KILL | TERM if exceeded.contains("mem ") => End::OutOfMemory,
            KILL | TERM if exceeded.contains("walltime ") => End::Walltime,
            KILL | TERM if is_over && self.substate != Some(DELETED) => End::Walltime,
            KILL | TERM => End::CancelledElsewhere { by: None },
            signal => End::Signalled { signal: i32::try_from(signal).unwrap_or(0) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Flavour, Row, rows};
    use crate::dialect::Status;
    use crate::{End, Said};

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_string).collect()
    }

    fn statuses(text: &str, flavour: Flavour) -> Vec<(String, Status)> {
        let rows = rows(&lines(text)).expect("as the manual has it");
        rows.into_iter().map(|row| (row.id.clone(), row.status(flavour))).collect()
    }

    #[test]
    fn a_listing_of_pbs_pro_says_how_each_job_is() {
        let cancelled = Said::of(End::CancelledElsewhere { by: None });
        let expected = [
            (
                "42634.sirius-pbs",
                Status::Pending(
                    "Not Running: Insufficient amount of resource: ncpus (R: 48 A: 12 T: 96)".into(),
                ),
            ),
            ("42635.sirius-pbs", Status::Running),
            ("42636.sirius-pbs", Status::Exited(Said::of(End::Exited { code: 0 }))),
            ("42637.sirius-pbs", Status::Exited(cancelled)),
            ("49223.gc-prd-hpcadm", Status::Exited(Said::of(End::Walltime))),
            ("12345.gadi-pbs", Status::Exited(Said::of(End::OutOfMemory))),
            ("50[].gadi-pbs", Status::Running),
            (
                "50[7].gadi-pbs",
                Status::Exited(Said { end: None, tasks: [(7, End::Exited { code: 3 })].into() }),
            ),
        ];
        let expected: Vec<_> = expected.into_iter().map(|(id, status)| (id.to_string(), status)).collect();
        assert_eq!(statuses(include_str!("fixtures/pro.txt"), Flavour::Pro), expected);
    }

    #[test]
    fn a_listing_of_torque_says_how_each_job_is() {
        let could_not = End::CancelledElsewhere { by: Some("PBS, which could not start it".into()) };
        let expected = [
            ("179.host", Status::Exited(Said::of(could_not))),
            ("546437.service1", Status::Exited(Said::of(End::CancelledElsewhere { by: None }))),
            ("48[].torque01", Status::Exited(Said::default())),
            ("547637.service1", Status::Pending("in the queue".into())),
            ("547638.service1", Status::Exited(Said::of(End::Walltime))),
        ];
        let expected: Vec<_> = expected.into_iter().map(|(id, status)| (id.to_string(), status)).collect();
        assert_eq!(statuses(include_str!("fixtures/torque.txt"), Flavour::Torque), expected);
    }

    #[test]
    fn every_state_and_every_exit_code_has_its_meaning_and_an_unknown_state_ends_nothing() {
        let row = |state: &str| Row { state: state.into(), ..Row::default() };
        for state in ["Q", "H", "W", "T", "M", "?"] {
            assert!(matches!(row(state).status(Flavour::Pro), Status::Pending(_)), "{state}");
        }
        for state in ["R", "B", "E", "S", "U"] {
            assert_eq!(row(state).status(Flavour::Torque), Status::Running, "{state}");
        }
        let end = |code, flavour| row("F").end(code, flavour);
        let by = |end: Option<End>| matches!(end, Some(End::CancelledElsewhere { by: Some(_) }));
        assert_eq!(end(-29, Flavour::Pro), Some(End::Walltime));
        assert_eq!(end(-11, Flavour::Torque), Some(End::Walltime));
        assert_eq!(end(-27, Flavour::Pro), Some(End::OutOfMemory));
        assert_eq!(end(-10, Flavour::Torque), Some(End::OutOfMemory));
        assert_eq!(end(-20, Flavour::Pro), Some(End::NodeFailure));
        assert_eq!(end(-11, Flavour::Pro), None);
        assert!(
            by(end(-25, Flavour::Pro)) && by(end(-1, Flavour::Torque)) && by(end(i64::MIN, Flavour::Pro))
        );
        assert_eq!(end(143, Flavour::Pro), Some(End::Signalled { signal: 15 }));
        assert_eq!(end(267, Flavour::Torque), Some(End::Signalled { signal: 11 }));
        assert_eq!(end(271, Flavour::Torque), Some(End::CancelledElsewhere { by: None }));
    }
}

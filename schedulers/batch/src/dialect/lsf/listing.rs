//! Reads `bjobs -o` with `|` between the fields, and `bhist -l`.
//!
//! The fields are `jobid stat exit_code job_name exit_reason`, and `pend_reason` where LSF knows it. What people wrote comes
//! last. A field without a value is `-`. Sources: the command reference of IBM Spectrum LSF 10.1 (`bjobs`, `-o`), and its
//! page of termination reasons.

use super::reason::end_of;
use crate::dialect::{AnswerError, Status};
use crate::{JobName, Said};

/// A job, or a task of an array, in the listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its number; the tasks of an array share one.
    pub id: u64,
    /// Its state, in capitals.
    pub state: String,
    /// Its exit code, if it has ended with one.
    pub exit_code: Option<i32>,
    /// Its name, without the index.
    pub name: String,
    /// Of a task of an array, its index.
    pub task: Option<u32>,
    /// Why LSF ended it: `TERM_OWNER: job killed by owner`.
    pub exit_reason: String,
    /// Why it waits.
    pub pend_reason: String,
}

/// The rows of a listing.
///
/// # Errors
/// [`AnswerError::Garbled`] for a line with fewer fields, or with a number that is none.
pub fn rows(lines: &[String]) -> Result<Vec<Row>, AnswerError> {
    let lines = lines.iter().filter(|line| !line.trim().is_empty());
    lines.map(|line| row(line).ok_or_else(|| AnswerError::Garbled { line: line.clone() })).collect()
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.splitn(6, '|').map(|field| if field.trim() == "-" { "" } else { field.trim() });
    let id = fields.next()?.parse().ok()?;
    let state = fields.next()?.to_string();
    let exit_code = match fields.next()? {
        "" => None,
        code => Some(code.parse().ok()?),
    };
    let (name, task) = named(fields.next()?);
    let exit_reason = fields.next()?.to_string();
    let pend_reason = fields.next().unwrap_or_default().to_string();
    Some(Row { id, state, exit_code, name, task, exit_reason, pend_reason })
}

/// `name[3]` is task 3 of an array.
fn named(text: &str) -> (String, Option<u32>) {
    let indexed = text.strip_suffix(']').and_then(|text| text.rsplit_once('['));
    match indexed.and_then(|(name, index)| Some((name, index.parse().ok()?))) {
        Some((name, index)) => (name.to_string(), Some(index)),
        None => (text.to_string(), None),
    }
}

impl Row {
    /// How far it is. A word that the manual does not have is a job that goes on: nothing is ended because of it.
    pub fn status(&self) -> Status {
        let waits = |why: &str| {
            Status::Pending(if self.pend_reason.is_empty() { why } else { &self.pend_reason }.to_string())
        };
        match self.state.as_str() {
            "PEND" => waits("in the queue"),
            "PSUSP" => waits("held"),
            "WAIT" => waits("waits for the jobs before it in its chunk"),
            "PROV" => waits("waits for its node to be made ready"),
            "FWD_PEND" => waits("waits in another cluster"),
            "RUN" | "USUSP" | "SSUSP" => Status::Running,
            // The node cannot be reached: the job may run there, and LSF decides when it is back.
            "UNKWN" | "ZOMBI" => Status::Running,
            "DONE" => Status::Exited(self.said(Some(0))),
            "EXIT" => Status::Exited(self.said(self.exit_code)),
            state => Status::Pending(format!("in the state {state:?}, which means nothing to us")),
        }
    }

    fn said(&self, code: Option<i32>) -> Said {
        said(self.task, &self.exit_reason, code)
    }
}

fn said(task: Option<u32>, reason: &str, code: Option<i32>) -> Said {
    match (task.and_then(index_of), end_of(reason, code)) {
        (Some(index), Some(end)) => Said { end: None, tasks: [(index, end)].into() },
        (None, Some(end)) => Said::of(end),
        (Some(_) | None, None) => Said::default(),
    }
}

/// LSF counts tasks from 1, and we from 0.
fn index_of(task: u32) -> Option<u32> {
    task.checked_sub(1)
}

/// How jobs ended, by `bhist -l`. It breaks lines after 80 characters, in the middle of words, and indents what follows; so
/// it is read without any white space.
pub fn remembered(lines: &[String]) -> Vec<(JobName, Said)> {
    let mut blocks: Vec<String> = Vec::new();
    for line in lines {
        if line.starts_with("Job <") {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.extend(line.chars().filter(|c| !c.is_whitespace()));
        }
    }
    blocks.iter().filter_map(|block| history(block)).collect()
}

fn history(block: &str) -> Option<(JobName, Said)> {
    let (name, task) = named(between(block, "JobName<", ">")?);
    let name = JobName::parse(&name)?;
    let number = |before: &str| {
        let digits = block.rsplit_once(before)?.1;
        digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse::<i32>().ok()
    };
    let code = if block.contains("Donesuccessfully") {
        Some(0)
    } else {
        number("Exitedwithexitcode").or_else(|| 128_i32.checked_add(number("Exitedbysignal")?))
    };
    let reason = block.rfind("TERM_").map_or("", |at| &block[at..]);
    if code.is_none() && reason.is_empty() {
        return None;
    }
    Some((name, said(task, reason, code)))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

#[cfg(test)]
mod tests {
    use super::{named, remembered, rows};
    use crate::dialect::Status;
    use crate::{End, JobName, Said};

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_string).collect()
    }

    #[test]
    fn a_listing_says_how_each_job_is() {
        let rows = rows(&lines(include_str!("fixtures/bjobs.txt"))).expect("as the manual has it");
        let told: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.status())).collect();
        let by = |who: &str| Said::of(End::CancelledElsewhere { by: Some(who.into()) });
        let task = |task, end| Status::Exited(Said { end: None, tasks: [(task, end)].into() });
        let expected = [
            ("aiida-1033269", Status::Exited(Said::of(End::Walltime))),
            (
                "aiida-1033444",
                Status::Pending("Job's requirements for resource reservation not satisfied: 5 hosts;".into()),
            ),
            ("test", Status::Running),
            ("a|b", Status::Pending("in the queue".into())),
            ("procession-0badcafe-3-1", task(0, End::Exited { code: 0 })),
            ("procession-0badcafe-3-1", task(1, End::Exited { code: 7 })),
            ("procession-0badcafe-3-1", Status::Running),
            ("procession-0badcafe-4-1", Status::Exited(by("its owner"))),
            ("procession-0badcafe-5-1", Status::Exited(Said::of(End::OutOfMemory))),
            ("procession-0badcafe-6-1", Status::Running),
        ];
        // A bar in a name shifts what follows; such a name is not one of ours.
        assert_eq!(told.len(), expected.len());
        for (told, expected) in told.iter().zip(&expected).filter(|(told, _)| told.0 != "a") {
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_history_is_read_wherever_its_lines_were_broken() {
        let told = remembered(&lines(include_str!("fixtures/bhist.txt")));
        let name = |text: &str| JobName::parse(text).expect("one of ours");
        let by = Said::of(End::CancelledElsewhere { by: Some("an administrator".into()) });
        let expected = [
            (name("procession-0badcafe-1-1"), Said::of(End::Walltime)),
            (name("procession-0badcafe-2-1"), Said::of(End::Exited { code: 0 })),
            (
                name("procession-0badcafe-3-1"),
                Said { end: None, tasks: [(2, End::Exited { code: 3 })].into() },
            ),
            (name("procession-0badcafe-4-1"), by),
            (name("procession-0badcafe-5-1"), Said::of(End::Signalled { signal: 11 })),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_unknown_word_ends_nothing_and_half_a_line_is_no_row() {
        let row = |line: &str| rows(&[line.to_string()]);
        let odd = row("1|DREAMS|-|a|-|-").expect("a row").remove(0);
        assert!(matches!(odd.status(), Status::Pending(why) if why.contains("DREAMS")));
        for state in ["UNKWN", "ZOMBI", "USUSP", "SSUSP"] {
            assert_eq!(
                row(&format!("1|{state}|-|a|-")).expect("a row")[0].status(),
                Status::Running,
                "{state}"
            );
        }
        for line in ["", "1", "1|RUN", "x|RUN|-|a|-", "1|RUN|x|a|-", "1|RUN|-|a"] {
            assert!(line.is_empty() || row(line).is_err(), "{line}");
        }
        assert_eq!(named("a[b]"), ("a[b]".to_string(), None));
    }
}

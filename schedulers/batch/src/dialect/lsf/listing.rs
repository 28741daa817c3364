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

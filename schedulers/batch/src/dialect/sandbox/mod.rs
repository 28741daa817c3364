//! What lies in a sandbox on a host, the same under every scheduler.
//!
//! ```text
//! procession-0badcafe-17-1/       the sandbox of attempt 1; the job's working folder
//!   .job-1                        the frame, which the scheduler starts
//!   .payload-1                    what the user asked for, with environment and modules, if it is no part of the frame
//!   .script-1                     the user's script, if the job is a script
//!   .attempt-1/                   made by whoever submits, or by whoever makes sure that nobody will; under Slurm with the sandbox
//!     begun                       under Slurm: made by one of the two in its place
//!     id                          the job's id, written by the submission and by the frame
//!     started/                    made by the frame before it starts the payload: whoever makes it first wins
//!     stdout, stderr              of the payload
//!     exit                        evidence of the end, renamed into place when it is complete
//!     scheduler                   what the scheduler itself has to say, if it writes into files
//!     task-7/                     of an array: made by the frame of the task before it starts the payload, for stdout, stderr and
//!                                 exit of that task; `started` above is then made by a fence alone
//!     whole                       of an array: the payload was found whole and is on the disk; by whom, and when that was started
//! ```

mod exit;

pub use exit::{EXIT_LINES, ExitCause, ExitFile, ListedFile};

use super::{AnswerError, Call, Cleaned, Evidence, JobId, framed, framed_line};
use crate::{JobName, Place};
use std::collections::BTreeMap;

/// Reads what attempts have left behind: `sh -c EVIDENCE procession (SANDBOX ATTEMPT NAME)…`.
pub const EVIDENCE: &str = include_str!("evidence.sh");

/// Removes a sandbox: `sh -c CLEAN procession SANDBOX ATTEMPT NAME`.
pub const CLEAN: &str = include_str!("clean.sh");

/// The name of the frame in the sandbox.
pub fn job_file(attempt: u32) -> String {
    format!(".job-{attempt}")
}

/// The name of the payload in the sandbox.
pub fn payload_file(attempt: u32) -> String {
    format!(".payload-{attempt}")
}

/// The name of the user's script in the sandbox.
pub fn script_file(attempt: u32) -> String {
    format!(".script-{attempt}")
}

/// The folder of an attempt in the sandbox.
pub fn attempt_folder(attempt: u32) -> String {
    format!(".attempt-{attempt}")
}

/// The command line of one of our scripts. Whatever varies is an argument, never a part of the script.
pub fn sh(script: &str, args: impl IntoIterator<Item = String>) -> Vec<String> {
    ["sh", "-c", script, "procession"].into_iter().map(str::to_string).chain(args).collect()
}

/// Asks what these attempts have left behind.
pub fn evidence(places: &[Place]) -> Call<Vec<(JobName, Evidence)>> {
    Call {
        argv: sh(EVIDENCE, places.iter().flat_map(Place::args)),
        read: |exit| {
            let mut found: Vec<(JobName, Vec<String>)> = Vec::new();
            for line in framed(exit)? {
                match (line.strip_prefix("job ").map(JobName::parse), found.last_mut()) {
                    (Some(Some(name)), Some(_) | None) => found.push((name, Vec::new())),
                    (Some(None), Some(_) | None) | (None, None) => return Err(AnswerError::Garbled { line }),
                    (None, Some((_, lines))) => lines.push(line),
                }
            }
            found.into_iter().map(|(name, lines)| Ok((name, evidence_of(name, lines)?))).collect()
        },
    }
}

/// Removes a sandbox and all that is in it.
pub fn clean(place: &Place) -> Call<Cleaned> {
    Call {
        argv: sh(CLEAN, place.args()),
        read: |exit| match framed_line(exit)?.as_str() {
            "gone" => Ok(Cleaned::Gone),
            "left" => Ok(Cleaned::Left),
            "refused" => Ok(Cleaned::Refused),
            line => Err(AnswerError::Garbled { line: line.to_string() }),
        },
    }
}

fn evidence_of(name: JobName, lines: Vec<String>) -> Result<Evidence, AnswerError> {
    let mut evidence = Evidence { id: None, started: false, exit: None, tasks: BTreeMap::new() };
    let mut exit = Vec::new();
    for line in lines {
        if let Some(row) = line.strip_prefix("| ") {
            exit.push(row.to_string());
        } else if let Some(id) = line.strip_prefix("id ") {
            evidence.id = Some(JobId(id.to_string()));
        } else if let Some(task) = line.strip_prefix("task ") {
            let (index, exit) = task_of(name, task).ok_or(AnswerError::Garbled { line })?;
            evidence.tasks.insert(index, exit);
        } else if line == "started" {
            evidence.started = true;
        } else {
            return Err(AnswerError::Garbled { line });
        }
    }
    if !exit.is_empty() {
        evidence.exit = Some(ExitFile::parse(name, &exit)?);
    }
    Ok(evidence)
}

/// `INDEX NAME CODE CAUSE STARTED ENDED`, from the exit file of a task.
fn task_of(name: JobName, line: &str) -> Option<(u32, ExitFile)> {
    let mut words = line.split(' ');
    let index = words.next()?.parse().ok()?;
    let mut word = || words.next();
    let fields = ["procession-exit 1".to_string()].into_iter().chain(
        ["name", "code", "cause", "started", "ended"]
            .map(|key| format!("{key} {}", word().unwrap_or_default())),
    );
    let lines: Vec<String> = fields.chain(["end".to_string()]).collect();
    words.next().is_none().then(|| ExitFile::parse(name, &lines).ok()).flatten().map(|exit| (index, exit))
}

//! The exit file: the evidence that an attempt has ended, and how.

use crate::dialect::AnswerError;
use crate::{End, Ending, JobName};
use procession::WallTime;
use serde::{Deserialize, Serialize};

/// The frame lists at most this many files, so that a job with a million outputs leaves a small exit file.
pub const EXIT_LINES: usize = 1000;

/// What an exit file says.
///
/// ```text
/// procession-exit 1
/// name procession-0badcafe-17-1
/// code 0
/// cause exited
/// started 1790000000
/// ended 1790000004
/// file 12 ./result.txt
/// end
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExitFile {
    /// As the shell has it: the exit code, or 128 and the number of the signal.
    pub code: i32,
    /// Whether the frame itself ended the payload.
    pub cause: ExitCause,
    /// When the payload was started, by the host's clock.
    pub started: WallTime,
    /// When it had ended, by the host's clock.
    pub ended: WallTime,
    /// The files in the sandbox at the end, without ours; at most [`EXIT_LINES`].
    pub files: Vec<ListedFile>,
}

/// Why a payload ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitCause {
    /// By itself, or by a signal from elsewhere.
    Exited,
    /// The frame ended it because its walltime was over.
    Walltime,
    /// It was started a second time by the scheduler, which does that when a node has failed under the first.
    Restarted,
    /// The scheduler said that it was about to kill the job, before its walltime was over, and the frame ended the payload.
    Told,
}

/// A file as the frame saw it at the end of the job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListedFile {
    /// Relative to the sandbox, without `./`.
    pub path: String,
    /// In bytes.
    pub size: u64,
}

impl ExitFile {
    /// Reads an exit file; `name` is the attempt it must belong to.
    ///
    /// # Errors
    /// [`AnswerError::Garbled`] for a line that does not fit and for a file of another attempt, [`AnswerError::Cut`] for a
    /// file without its end.
    pub fn parse(name: JobName, lines: &[String]) -> Result<ExitFile, AnswerError> {
        let garbled = |line: &str| AnswerError::Garbled { line: line.to_string() };
        let mut rest = lines.iter().map(String::as_str);
        let mut field = |key: &str| {
            let line = rest.next().unwrap_or_default();
            let value = line.strip_prefix(key).and_then(|value| value.strip_prefix(' '));
            value.ok_or_else(|| garbled(line))
        };
        let time = |text: &str| {
            let seconds = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000));
            seconds.map(WallTime).ok_or_else(|| garbled(text))
        };
        if field("procession-exit")? != "1" || field("name")? != name.to_string() {
            return Err(garbled(&lines[..lines.len().min(2)].join(" / ")));
        }
        let code = field("code")?;
        let code = code.parse().map_err(|_| garbled(code))?;
        let cause = match field("cause")? {
            "exited" => ExitCause::Exited,
            "walltime" => ExitCause::Walltime,
            "restarted" => ExitCause::Restarted,
            "told" => ExitCause::Told,
            word => return Err(garbled(word)),
        };
        let started = time(field("started")?)?;
        let ended = time(field("ended")?)?;
        let mut files = Vec::new();
        for line in rest {
            if line == "end" {
                return Ok(ExitFile { code, cause, started, ended, files });
            }
            files.push(listed(line).ok_or_else(|| garbled(line))?);
        }
        Err(AnswerError::Cut { last: lines.last().cloned().unwrap_or_default() })
    }

    /// The same, as the frame writes it.
    pub fn print(&self, name: JobName) -> String {
        let cause = match self.cause {
            ExitCause::Exited => "exited",
            ExitCause::Walltime => "walltime",
            ExitCause::Restarted => "restarted",
            ExitCause::Told => "told",
        };
        let ExitFile { code, started: WallTime(started), ended: WallTime(ended), .. } = self;
        let (started, ended) = (started / 1000, ended / 1000);
        let mut text = format!(
            "procession-exit 1\nname {name}\ncode {code}\ncause {cause}\nstarted {started}\nended {ended}\n"
        );
        for file in &self.files {
            text += &format!("file {} ./{}\n", file.size, file.path);
        }
        text + "end\n"
    }

    /// How the job ended. A shell says 128 and more for a signal, so a program that exits with such a code by itself
    /// cannot be told from one that was killed (POSIX, Shell Command Language, 2.8.2).
    pub fn end(&self) -> End {
        /// The highest signal of Linux, `SIGRTMAX`.
        const LAST_SIGNAL: i32 = 64;
        match (self.cause, self.code) {
            (ExitCause::Walltime, _) => End::Walltime,
            (ExitCause::Restarted, _) => End::NodeFailure,
            (ExitCause::Told, _) => End::CancelledElsewhere { by: None },
            (ExitCause::Exited, code) if (129..=128 + LAST_SIGNAL).contains(&code) => {
                End::Signalled { signal: code - 128 }
            }
            (ExitCause::Exited, code) => End::Exited { code },
        }
    }
}

impl From<&ExitFile> for Ending {
    fn from(exit: &ExitFile) -> Ending {
        Ending { end: exit.end(), started: Some(exit.started), over: Some(exit.ended), tasks: Vec::new() }
    }
}

fn listed(line: &str) -> Option<ListedFile> {
    let (size, path) = line.strip_prefix("file ")?.split_once(' ')?;
    Some(ListedFile { size: size.parse().ok()?, path: path.strip_prefix("./")?.to_string() })
}

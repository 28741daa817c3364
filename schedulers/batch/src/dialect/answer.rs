//! How the answer of a command is told from the noise around it.
//!
//! Hosts greet, shells complain, connections break in the middle. So each script of ours frames its answer: a first
//! line [`BEGIN`], a last line [`END`]. What is outside is ignored; an answer without its end is not an answer.

use super::{Cancelled, Found, JobId};
use procession::transport::{Ended, Exit};

/// The line before an answer. The number is the version of the form.
pub const BEGIN: &str = "PROCESSION-BEGIN 1";

/// The line after an answer.
pub const END: &str = "PROCESSION-END 1";

/// The lines between [`BEGIN`] and [`END`].
///
/// ```
/// use procession::transport::{Ended, Exit};
/// use procession_batch::dialect::framed;
/// let mut exit = Exit { how: Ended::Code(0), stdout: vec![], stderr: vec![], total: [0, 0] };
/// exit.stdout = b"Welcome!\nPROCESSION-BEGIN 1\ngone\nPROCESSION-END 1\n".to_vec();
/// assert_eq!(framed(&exit)?, ["gone"]);
/// exit.stdout = b"PROCESSION-BEGIN 1\ngo".to_vec();
/// assert!(framed(&exit).is_err());
/// # Ok::<(), procession_batch::dialect::AnswerError>(())
/// ```
///
/// # Errors
/// [`AnswerError::Failed`] if there is no answer and the command failed, else [`AnswerError::Cut`].
pub fn framed(exit: &Exit) -> Result<Vec<String>, AnswerError> {
    let text = String::from_utf8_lossy(&exit.stdout);
    let mut lines = text.lines().skip_while(|line| *line != BEGIN).skip(1);
    let mut inside = Vec::new();
    for line in lines.by_ref() {
        if line == END {
            return Ok(inside);
        }
        inside.push(line.to_string());
    }
    match exit.how {
        Ended::Code(0) => Err(AnswerError::Cut { last: text.lines().last().unwrap_or_default().to_string() }),
        Ended::Code(_) | Ended::Signal(_) => {
            Err(AnswerError::Failed { how: exit.how, said: last_words(&exit.stderr) })
        }
    }
}

/// The one line of an answer that has exactly one.
///
/// # Errors
/// Those of [`framed`], and [`AnswerError::Garbled`] for more or fewer lines.
pub fn framed_line(exit: &Exit) -> Result<String, AnswerError> {
    match <[String; 1]>::try_from(framed(exit)?) {
        Ok([line]) => Ok(line),
        Err(lines) => Err(AnswerError::Garbled { line: lines.join(" / ") }),
    }
}

/// Whether a submission arrived: `known ID`, `absent` or `fenced`.
///
/// # Errors
/// Those of [`framed_line`], and [`AnswerError::Garbled`] for any other word.
pub fn read_found(exit: &Exit) -> Result<Found, AnswerError> {
    let line = framed_line(exit)?;
    match line.split_once(' ') {
        Some(("known", id)) => Ok(Found::Known(JobId(id.to_string()))),
        None if line == "absent" => Ok(Found::Absent),
        None if line == "fenced" => Ok(Found::Fenced),
        Some(_) | None => Err(AnswerError::Garbled { line }),
    }
}

/// What came of ending a job: `gone`, `never`, or `still COUNT`.
///
/// # Errors
/// Those of [`framed_line`], and [`AnswerError::Garbled`] for any other word.
pub fn read_cancelled(exit: &Exit) -> Result<Cancelled, AnswerError> {
    let line = framed_line(exit)?;
    match line.split_once(' ') {
        None if line == "gone" => Ok(Cancelled::Gone),
        None if line == "never" => Ok(Cancelled::Never),
        Some(("still", _)) => Ok(Cancelled::Still),
        Some(_) | None => Err(AnswerError::Garbled { line }),
    }
}

/// Why the answer of a command tells nothing. It is about the host, never about a job.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnswerError {
    /// The scheduler or a script answered in a form that we do not know. Keep the line: it belongs in a fixture.
    #[error("unexpected answer: {line:?}")]
    Garbled {
        /// As it came.
        line: String,
    },
    /// The answer stopped before its end.
    #[error("the answer was cut off after {last:?}")]
    Cut {
        /// The last line that came.
        last: String,
    },
    /// The command failed and said nothing that we could use.
    #[error("the command ended with {how:?}: {said}")]
    Failed {
        /// How it ended.
        how: Ended,
        /// The end of its standard error.
        said: String,
    },
}

/// The end of what a command said on stderr, short enough for a message.
fn last_words(stderr: &[u8]) -> String {
    /// A message longer than this hides what matters.
    const CHARS: usize = 400;
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    text.chars().skip(text.chars().count().saturating_sub(CHARS)).collect()
}

//! Reads what the look at files answers.

use crate::JobName;
use crate::dialect::{AnswerError, framed};
use procession::transport::Exit;

/// What one look at one file came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    /// Whose file it is.
    pub name: JobName,
    /// For which of the job's monitors.
    pub monitor: usize,
    /// So many bytes of the file have been looked at.
    pub seen: u64,
    /// What was there.
    pub sight: Sight,
}

/// What was in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sight {
    /// Not the pattern.
    Nothing,
    /// The pattern, first in this line.
    Match(String),
    /// The host does not understand the pattern, or cannot read the file; in its words.
    Misread(String),
}

/// The looks of an answer.
///
/// # Errors
/// Those of [`framed`], and [`AnswerError::Garbled`] for a line that does not fit.
pub fn looks(exit: &Exit) -> Result<Vec<Look>, AnswerError> {
    let mut looks: Vec<Look> = Vec::new();
    for line in framed(exit)? {
        let words = line.split_once(' ');
        match (words, looks.last_mut()) {
            (Some(("look", rest)), Some(_) | None) => match look(rest) {
                Some(look) => looks.push(look),
                None => return Err(AnswerError::Garbled { line }),
            },
            (Some(("match", text)), Some(last)) => last.sight = Sight::Match(text.to_string()),
            (Some(("misread", why)), Some(last)) => last.sight = Sight::Misread(why.to_string()),
            (Some(_) | None, Some(_) | None) => return Err(AnswerError::Garbled { line }),
        }
    }
    Ok(looks)
}

fn look(text: &str) -> Option<Look> {
    let mut words = text.split(' ');
    let look = Look {
        name: JobName::parse(words.next()?)?,
        monitor: words.next()?.parse().ok()?,
        seen: words.next()?.parse().ok()?,
        sight: Sight::Nothing,
    };
    words.next().is_none().then_some(look)
}

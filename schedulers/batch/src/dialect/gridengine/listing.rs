//! Reads `qstat -xml`, whole or only the lines that our script leaves of it.
//!
//! It is no XML to rely on: 8.1.9 writes `<` in a name as `%lt;` and `&` as `&amp;` (seen on the real thing). So it is read
//! line by line, an element a line, as Grid Engine has always written it.

use crate::dialect::{AnswerError, Status};
use crate::{End, Said};

/// A job in the listing; of an array, some of its tasks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its number.
    pub number: u64,
    /// Its name, whole.
    pub name: String,
    /// Its state, in letters: `qw`, `r`, `Eqw`.
    pub state: String,
    /// Of an array, these tasks: `1`, `3,5`, `1-9:2`.
    pub tasks: Option<String>,
}

/// The rows of a listing.
///
/// # Errors
/// [`AnswerError::Garbled`] for a job without a number, a name or a state, [`AnswerError::Cut`] for one without its end.
pub fn rows(lines: &[String]) -> Result<Vec<Row>, AnswerError> {
    let mut rows = Vec::new();
    let mut open: [Option<String>; 4] = Default::default();
    for line in lines {
        if line.contains("<job_list") {
            open = Default::default();
        } else if line.contains("</job_list>") {
            let [number, name, state, tasks] = std::mem::take(&mut open);
            let number = number.and_then(|number| number.parse().ok());
            let (Some(number), Some(name), Some(state)) = (number, name, state) else {
                return Err(AnswerError::Garbled { line: line.clone() });
            };
            rows.push(Row { number, name, state, tasks });
        } else if let Some((tag, text)) = element(line) {
            let place = ["JB_job_number", "JB_name", "state", "tasks"].iter().position(|known| *known == tag);
            if let Some(place) = place {
                open[place] = Some(unescaped(text));
            }
        }
    }
    match open.iter().any(Option::is_some) {
        true => Err(AnswerError::Cut { last: lines.last().cloned().unwrap_or_default() }),
        false => Ok(rows),
    }
}

/// `<tag>text</tag>` on a line of its own.
fn element(line: &str) -> Option<(&str, &str)> {
    let (tag, rest) = line.trim().strip_prefix('<')?.split_once('>')?;
    let text = rest.strip_suffix('>')?.strip_suffix(tag)?.strip_suffix("</")?;
    Some((tag, text))
}

fn unescaped(text: &str) -> String {
    let pairs =
        [("%lt;", "<"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

/// What the letters of a state mean, by sge_status(5). A state that is not in that table is one that goes on: nothing is
/// ended because of a letter that we do not know.
pub fn status(state: &str) -> Status {
    let has = |letter| state.contains(letter);
    let known = !state.is_empty() && state.chars().all(|letter| "drtRsSTqwhEz".contains(letter));
    let waits = |why: &str| Status::Pending(why.to_string());
    match () {
        () if !known => waits(&format!("in the state {state:?}, which means nothing to us")),
        () if has('z') => Status::Exited(Said::default()),
        // It could not be started, and stays so until somebody clears the error (`qmod -cj`).
        () if has('E') && !has('d') => {
            let by = Some("Grid Engine, which could not start it (state E)".to_string());
            Status::Exited(Said::of(End::CancelledElsewhere { by }))
        }
        // It ends soon, and while it is listed it is there.
        () if has('d') => Status::Running,
        () if has('w') && has('h') => waits("held"),
        () if has('w') && has('R') => waits("put back into the queue"),
        () if has('w') => waits("in the queue"),
        // Suspended jobs keep their place.
        () => Status::Running,
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, rows, status};
    use crate::Said;
    use crate::dialect::Status;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_string).collect()
    }

    #[test]
    fn the_whole_listing_and_the_lines_that_are_left_of_it_read_the_same() {
        let whole = lines(include_str!("fixtures/qstat.xml"));
        let all = rows(&whole).expect("as Grid Engine wrote it");
        let tags = ["<JB_job_number>", "<JB_name>", "<state>", "<tasks>", "</job_list>"];
        let left: Vec<String> = whole
            .iter()
            .map(|l| l.trim().to_string())
            .filter(|l| tags.iter().any(|t| l.starts_with(t)))
            .collect();
        assert_eq!(rows(&left), Ok(all.clone()));
        let row = |number, name: &str, state: &str, tasks: Option<&str>| Row {
            number,
            name: name.into(),
            state: state.into(),
            tasks: tasks.map(Into::into),
        };
        assert_eq!(
            all,
            [
                row(17, "sleepy", "r", None),
                row(3, "procession-0badcafe-3-1", "r", Some("1")),
                row(3, "procession-0badcafe-3-1", "qw", Some("3,5")),
                row(16, "ok", "Eqw", None),
                row(23, "sleepy", "qw", Some("1-3:1")),
                row(24, "a<b&c", "qw", None),
                row(20, "sleepy", "hqw", None),
            ]
        );
    }

    #[test]
    fn a_listing_that_was_cut_off_tells_nothing() {
        let whole = lines(include_str!("fixtures/qstat.xml"));
        let inside = whole.iter().position(|l| l.contains("<state>")).expect("a job has one");
        assert!(rows(&whole[..=inside]).is_err());
    }

    #[test]
    fn every_state_of_the_manual_has_its_meaning_and_an_unknown_one_ends_nothing() {
        let pending = ["qw", "hqw", "hRwq", "x", ""];
        let running = [
            "r", "hr", "t", "Rr", "Rt", "s", "ts", "S", "tS", "T", "tT", "Rs", "Rts", "RS", "RtS", "RT",
            "RtT", "dr", "dt", "dRr", "dRt", "ds", "dS", "dT", "dRs", "dRS", "dRT",
        ];
        for state in running {
            assert_eq!(status(state), Status::Running, "{state}");
        }
        for state in pending {
            assert!(matches!(status(state), Status::Pending(_)), "{state}");
        }
        for state in ["Eqw", "Ehqw", "EhRqw"] {
            assert!(matches!(status(state), Status::Exited(said) if said.end.is_some()), "{state}");
        }
        assert_eq!(status("z"), Status::Exited(Said::default()));
    }
}

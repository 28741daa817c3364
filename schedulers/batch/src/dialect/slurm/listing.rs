//! What the listings of squeue, sacct and scontrol say about our jobs.
//!
//! Jobs are known by their names alone. Slurm gives ids out again when it has lost its memory, and the tasks of an array come
//! in many lines, some of them for many tasks: `22_[1-4%1]`. Lines about other people's jobs are passed over, whatever is
//! in them; a line with a name of ours that does not fit makes the whole answer void.

use super::reason::explained;
use super::state::{Meaning, failed, meaning};
use crate::dialect::{AnswerError, Status};
use crate::spec::Array;
use crate::{End, JobName, Said};
use std::collections::BTreeMap;

/// What the lines so far say about a job.
#[derive(Default)]
struct Heard {
    running: bool,
    /// Why it waits, if some of it does.
    waiting: Option<String>,
    said: Said,
}

/// What `ID|STATE|REASON|NAME` lines say.
pub(super) fn now(lines: &[String]) -> Result<Vec<(JobName, Status)>, AnswerError> {
    let mut heard: BTreeMap<JobName, Heard> = BTreeMap::new();
    for line in lines {
        hear(line, line, &mut heard)?;
    }
    Ok(heard.into_iter().map(|(name, heard)| (name, heard.status())).collect())
}

/// What the same lines say after `now|`, and `ID|STATE|CODE:SIGNAL|NAME` after `then|`.
///
/// Where the two differ, a job is as far as squeue says: accounting is some seconds late. How it ended, accounting knows
/// better.
pub(super) fn now_and_then(lines: &[String]) -> Result<Vec<(JobName, Status)>, AnswerError> {
    let (mut now, mut then): (BTreeMap<JobName, Heard>, BTreeMap<JobName, Heard>) = Default::default();
    for line in lines {
        if let Some(row) = line.strip_prefix("now|") {
            hear(row, line, &mut now)?;
        } else if let Some(row) = line.strip_prefix("then|") {
            hear(row, line, &mut then)?;
        }
    }
    for (name, past) in then {
        match now.get_mut(&name) {
            Some(heard) => heard.said = std::mem::take(&mut heard.said).and(past.said),
            // What accounting takes for alive and the controller does not know is not over for sure, nor alive.
            None if past.running || past.waiting.is_some() => {}
            None => drop(now.insert(name, past)),
        }
    }
    Ok(now.into_iter().map(|(name, heard)| (name, heard.status())).collect())
}

/// One line, without the word before it; `whole` is what to say of it if it does not fit.
fn hear(row: &str, whole: &str, heard: &mut BTreeMap<JobName, Heard>) -> Result<(), AnswerError> {
    let garbled = || AnswerError::Garbled { line: whole.to_string() };
    let mut fields = row.splitn(4, '|');
    let (Some(id), Some(state), Some(detail), Some(name)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        // A line break in somebody's name, or noise. Not if it is about us.
        return if row.contains(JobName::PREFIX) { Err(garbled()) } else { Ok(()) };
    };
    let Some(name) = JobName::parse(name) else {
        // Somebody's `a|b`; but if a reason of ours had a bar in it, we would take the job for lost.
        let ours = name.rsplit_once('|').is_some_and(|(_, last)| JobName::parse(last).is_some());
        return if ours { Err(garbled()) } else { Ok(()) };
    };
    if !id.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(garbled());
    }
    let heard = heard.entry(name).or_default();
    match meaning(state) {
        Meaning::Runs => heard.running = true,
        Meaning::Waits => heard.waiting = Some(explained(detail)),
        Meaning::New => heard.waiting = Some(format!("Slurm says that it is {state}")),
        Meaning::Over(end) => {
            let failed = || failed(detail).filter(|_| state == "FAILED");
            if let Some(end) = end.or_else(failed) {
                heard.said.note(tasks_of(id).ok_or_else(garbled)?, end);
            }
        }
    }
    Ok(())
}

impl Heard {
    fn status(self) -> Status {
        match (self.running, self.waiting) {
            (true, _) => Status::Running,
            (false, Some(reason)) => Status::Pending(reason),
            (false, None) => Status::Exited(self.said),
        }
    }
}

impl Said {
    /// So these tasks ended, or the job if it has none.
    fn note(&mut self, tasks: Vec<u32>, end: End) {
        if tasks.is_empty() {
            self.end = Some(end);
        } else {
            self.tasks.extend(tasks.into_iter().map(|index| (index, end.clone())));
        }
    }
}

/// The indices in an id: `22` has none, `22_7` has one, `22_[1-4,9-20:2%1]` has many. The parts of a heterogeneous job,
/// `22+1`, are one job.
fn tasks_of(id: &str) -> Option<Vec<u32>> {
    let number = |text: &str| text.parse::<u32>().ok();
    let Some((job, tasks)) = id.split_once('_') else {
        let parts = id.split_once('+').unwrap_or((id, "0"));
        return (number(parts.0).is_some() && number(parts.1).is_some()).then(Vec::new);
    };
    number(job)?;
    let Some(list) = tasks.strip_prefix('[').and_then(|list| list.strip_suffix(']')) else {
        return Some(vec![number(tasks)?]);
    };
    let list = list.split_once('%').map_or(list, |(list, _at_once)| list);
    let mut all = Vec::new();
    for part in list.split(',') {
        let (range, step) =
            part.split_once(':').map_or((part, Some(1)), |(range, step)| (range, number(step)));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        let step = usize::try_from(step?).ok().filter(|step| *step > 0)?;
        // An array of ours is never larger, so this is nobody's.
        all.extend((first..=last).step_by(step).take(Array::MOST + 1));
        if all.len() > Array::MOST {
            return None;
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::tasks_of;

    #[test]
    fn an_id_tells_its_tasks() {
        assert_eq!(tasks_of("22"), Some(vec![]));
        assert_eq!(tasks_of("22+1"), Some(vec![]));
        assert_eq!(tasks_of("22_7"), Some(vec![7]));
        assert_eq!(tasks_of("22_[1-4%1]"), Some(vec![1, 2, 3, 4]));
        assert_eq!(tasks_of("22_[1,3,10-20:5]"), Some(vec![1, 3, 10, 15, 20]));
        for odd in ["", "x", "22_", "22_[", "22_[]", "22_[1-]", "22_[1-2:0]", "22_[0-4294967295]", "22_[...]"]
        {
            assert_eq!(tasks_of(odd), None, "{odd}");
        }
    }
}

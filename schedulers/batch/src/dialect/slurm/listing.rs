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
    /// It is being tidied up after. How it ended, the controller knows, and will say.
    closing: bool,
    /// It has left evidence of its end.
    left: bool,
    /// Why it waits, if some of it does.
    waiting: Option<String>,
    said: Said,
}

/// What `ID|STATE|REASON|NAME` lines say, and `left|NAME` after them.
pub(super) fn now(lines: &[String]) -> Result<Vec<(JobName, Status)>, AnswerError> {
    let mut heard: BTreeMap<JobName, Heard> = BTreeMap::new();
    for line in lines {
        match line.strip_prefix("left|").map(JobName::parse) {
            Some(Some(name)) => {
                if let Some(heard) = heard.get_mut(&name) {
                    heard.left = true;
                }
            }
            Some(None) | None => hear(line, line, &mut heard)?,
        }
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
            // For accounting that is a run which was ended for another one, and not a job that waits.
            hear(&row.replacen("|REQUEUED|", "|NODE_FAIL|", 1), line, &mut then)?;
        }
    }
    for (name, past) in then {
        match now.get_mut(&name) {
            Some(heard) => heard.said = std::mem::take(&mut heard.said).and(past.said),
            // What accounting takes for alive and the controller does not know is not over for sure, nor alive.
            None if past.running || past.closing || past.waiting.is_some() => {}
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
        Meaning::Closes => heard.closing = true,
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
        match (self.running || self.closing, self.waiting) {
            // Nobody runs who has left evidence of the end. How it ended is in there.
            (true, _) if self.left && !self.closing => Status::Exited(Said::default()),
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
            self.end = Some(after(self.end.take(), end));
        } else {
            for index in tasks {
                let before = self.tasks.remove(&index);
                self.tasks.insert(index, after(before, end.clone()));
            }
        }
    }
}

/// How a job ended of which one run ended before another. A frame starts its payload once, so if the node failed under one run,
/// that was the one, and the code of a later run is not the payload's. Slurm 22.05 has started the second run too soon after the
/// first, refused it (`Job credential revoked`) and told it as `FAILED`, `1:0`.
fn after(before: Option<End>, end: End) -> End {
    match (before, end) {
        (Some(End::NodeFailure), End::Exited { code: _ } | End::Signalled { signal: _ }) => End::NodeFailure,
        (Some(_) | None, end) => end,
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
    use super::{now, now_and_then, tasks_of};
    use crate::dialect::Status;
    use crate::{End, JobName, Said};
    use std::collections::BTreeMap;

    fn name(process: u64) -> JobName {
        JobName::parse(&format!("procession-0badcafe-{process}-1")).expect("one of ours")
    }

    fn lines(text: &str) -> Vec<String> {
        let inside = text.lines().filter(|line| !line.starts_with("PROCESSION-"));
        inside.map(str::to_string).collect()
    }

    fn cancelled(by: Option<&str>) -> Status {
        Status::Exited(Said::of(End::CancelledElsewhere { by: by.map(str::to_string) }))
    }

    #[test]
    fn a_real_listing_tells_how_far_each_job_is_and_nothing_about_others() {
        let heard: BTreeMap<_, _> =
            now(&lines(include_str!("fixtures/status.txt"))).expect("read").into_iter().collect();
        let pending = |reason: &str| Status::Pending(reason.to_string());
        let over = |end: Option<End>| Status::Exited(end.map_or_else(Said::default, Said::of));
        let expected = [
            (1, over(None)),
            (2, over(None)),
            (3, Status::Running),
            (4, cancelled(None)),
            (5, over(Some(End::NodeFailure))),
            (6, pending("BeginTime")),
            (7, over(None)),
            (8, over(None)),
            (11, pending("BeginTime")),
            (12, pending("BeginTime")),
            (13, Status::Running),
            (16, Status::Running),
            (17, cancelled(None)),
        ];
        for (process, status) in expected {
            assert_eq!(heard.get(&name(process)), Some(&status), "{process}");
        }
        for (process, word) in [(9, "more time"), (10, "release"), (14, "has failed"), (15, "cannot give")] {
            let Some(Status::Pending(reason)) = heard.get(&name(process)) else { panic!("{process}") };
            assert!(reason.contains(word) && reason.ends_with("it will not start as it is"), "{reason}");
        }
        assert_eq!(heard.len(), 17);
    }

    #[test]
    fn accounting_adds_how_a_job_ended_and_by_whom_but_not_how_far_it_is() {
        let texts = [
            (include_str!("fixtures/look_up-accounting.txt"), Some("root")),
            (include_str!("fixtures/look_up-controller.txt"), None),
        ];
        for (text, by) in texts {
            let heard: BTreeMap<_, _> = now_and_then(&lines(text)).expect("read").into_iter().collect();
            let end = |process| match heard.get(&name(process)) {
                Some(Status::Exited(said)) => said.clone(),
                other => panic!("{process}: {other:?}"),
            };
            assert_eq!(end(1), Said::of(End::Exited { code: 3 }));
            assert_eq!(end(2), Said::of(End::Signalled { signal: 11 }));
            assert_eq!(end(7), Said::default());
            let mut array = Said::default();
            array.tasks.insert(3, End::Exited { code: 4 });
            assert_eq!(end(8), array);
            assert_eq!((heard[&name(4)].clone(), heard[&name(17)].clone()), (cancelled(by), cancelled(by)));
            assert_eq!((&heard[&name(3)], heard.len()), (&Status::Running, 17));
        }
    }

    #[test]
    fn accounting_that_is_late_makes_nobody_run() {
        let line = |word: &str, state: &str| format!("{word}|7|{state}|0:0|{}", name(1));
        let heard = now_and_then(&[line("then", "RUNNING")]).expect("read");
        assert_eq!(heard, [], "the controller does not know it: that is no word about it");
        let heard = now_and_then(&[line("now", "CANCELLED"), line("then", "RUNNING")]).expect("read");
        assert_eq!(heard, [(name(1), cancelled(None))]);
    }

    #[test]
    fn a_job_whose_node_failed_under_its_first_run_is_told_so_whatever_became_of_the_second() {
        let row = |word: &str, id: &str, state: &str, code: &str, process| {
            format!("{word}|{id}|{state}|{code}|{}", name(process))
        };
        let heard = now_and_then(&[
            row("now", "7", "FAILED", "NonZeroExitCode", 1),
            row("then", "7", "NODE_FAIL", "0:0", 1),
            row("then", "7", "FAILED", "1:0", 1),
            row("then", "8_1", "REQUEUED", "0:0", 2),
            row("then", "8_1", "FAILED", "1:0", 2),
            row("then", "8_2", "FAILED", "1:0", 2),
            row("then", "9", "NODE_FAIL", "1:0", 3),
            row("then", "9", "CANCELLED by me", "0:0", 3),
        ]);
        let mut tasks = Said::default();
        tasks.tasks.extend([(1, End::NodeFailure), (2, End::Exited { code: 1 })]);
        let told = [
            (name(1), Status::Exited(Said::of(End::NodeFailure))),
            (name(2), Status::Exited(tasks)),
            // Somebody did not want it to run again.
            (name(3), cancelled(Some("me"))),
        ];
        assert_eq!(heard.expect("read"), told);
    }

    #[test]
    fn who_has_left_evidence_of_the_end_does_not_run_whatever_the_controller_says() {
        let line = |state: &str, process| format!("7|{state}|None|{}", name(process));
        let left = |process| format!("left|{}", name(process));
        let heard =
            now(&[line("RUNNING", 1), line("RUNNING", 2), line("COMPLETING", 3), left(1), left(3), left(4)]);
        let over = Status::Exited(Said::default());
        assert_eq!(
            heard.expect("read"),
            [(name(1), over), (name(2), Status::Running), (name(3), Status::Running)]
        );
        // The job that Slurm put back into the queue is another run.
        let waits = now(&[line("PENDING", 1), left(1)]).expect("read");
        assert_eq!(waits, [(name(1), Status::Pending("None".into()))]);
    }

    #[test]
    fn a_new_state_ends_nothing_and_a_line_of_ours_that_does_not_fit_voids_the_answer() {
        let heard = now(&[format!("7|DREAMING|None|{}", name(1))]).expect("read");
        assert_eq!(heard, [(name(1), Status::Pending("Slurm says that it is DREAMING".into()))]);
        for line in ["x|RUNNING|None|{}", "7|RUNNING|{}", "7|PENDING|a|b|{}", "{}", "7_[|FAILED|3:0|{}"] {
            let line = line.replace("{}", &name(1).to_string());
            let voided = now(&[line.replace("FAILED|3:0", "TIMEOUT|x")]);
            assert!(voided.is_err(), "{line}: {voided:?}");
        }
    }

    #[test]
    fn ten_thousand_lines_are_one_status_each() {
        let line = |n: u64| format!("{n}|RUNNING|None|{}", name(n));
        let heard = now(&(1..=10_000).map(line).collect::<Vec<_>>()).expect("read");
        assert_eq!(heard.len(), 10_000);
    }

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

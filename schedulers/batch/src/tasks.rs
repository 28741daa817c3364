//! The tasks of an array: how each of them ended, and what that makes of the whole.
//!
//! An array is one submission and one process, with an outcome for each task. The verdict is that of the worst task, so
//! an array succeeds if all its tasks do.

use crate::dialect::{Evidence, ExitFile};
use crate::{ArrayRange, End, Ending};
use procession::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How one task of an array ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Its index.
    pub index: u32,
    /// How.
    pub end: End,
    /// When its payload was started, by the host's clock, if there is evidence.
    pub started: Option<WallTime>,
    /// When it was over, by the host's clock, if there is evidence.
    pub over: Option<WallTime>,
}

/// How a scheduler says that a job ended. It is no evidence of success, but of a failure it may know the cause.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Said {
    /// Of a job, or of all tasks of an array that are not named below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Of tasks of an array, by index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<u32, End>,
}

/// What an attempt has left behind: the exit file, or those of all its tasks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// All that there can be.
    Whole(Ending),
    /// Not all. Of an array, the tasks that have left theirs.
    Part(Vec<Task>),
}

impl Said {
    /// So it ended.
    pub fn of(end: End) -> Said {
        Said { end: Some(end), tasks: BTreeMap::new() }
    }

    /// Of a task that left nothing: what is said of it, or of the whole.
    pub fn of_task(&self, index: u32) -> Option<&End> {
        self.tasks.get(&index).or(self.end.as_ref())
    }

    /// What was said later counts, where it says something.
    pub fn and(mut self, later: Said) -> Said {
        self.tasks.extend(later.tasks);
        Said { end: later.end.or(self.end), tasks: self.tasks }
    }

    /// Whether it was cancelled, and the scheduler may yet tell by whom.
    pub fn is_cancelled_by_nobody(&self) -> bool {
        let mut ends = self.end.iter().chain(self.tasks.values());
        ends.any(|end| matches!(end, End::CancelledElsewhere { by: None }))
    }
}

impl Proof {
    /// What the files of an attempt prove; `array` are its indices, if it is one.
    pub fn of(left: &Evidence, array: Option<ArrayRange>) -> Proof {
        let Some(range) = array else {
            return left.exit.as_ref().map_or(Proof::Part(Vec::new()), |exit| Proof::Whole(exit.into()));
        };
        let task = |index| Some(Task::of(index, left.tasks.get(&index)?));
        let tasks: Vec<Task> = range.indices().filter_map(task).collect();
        if tasks.len() == range.len() { Proof::Whole(whole(tasks)) } else { Proof::Part(tasks) }
    }
}

impl Task {
    fn of(index: u32, exit: &ExitFile) -> Task {
        Task { index, end: exit.end(), started: Some(exit.started), over: Some(exit.ended) }
    }
}

/// The ending of an array: the worst of its tasks, from the first start to the last end.
pub(crate) fn whole(tasks: Vec<Task>) -> Ending {
    let worst = tasks.iter().map(|task| &task.end).reduce(|a, b| if badness(b) > badness(a) { b } else { a });
    Ending {
        end: worst.cloned().unwrap_or(End::Vanished),
        started: tasks.iter().filter_map(|task| task.started).min(),
        over: tasks.iter().filter_map(|task| task.over).max(),
        tasks,
    }
}

/// The less is known and the less the job itself can do about it, the worse.
fn badness(end: &End) -> u8 {
    match end {
        End::Exited { code: 0 } => 0,
        End::Exited { code: _ } => 1,
        End::Signalled { signal: _ } => 2,
        End::CancelledElsewhere { by: _ } => 3,
        End::Walltime => 4,
        End::OutOfMemory => 5,
        End::NodeFailure => 6,
        // Its owner wanted it so, and no task ever ends by it alone.
        End::StoppedByMonitor { message: _, line: _ } => 7,
        End::Vanished => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::{Proof, Said, Task, whole};
    use crate::dialect::{Evidence, ExitCause, ExitFile};
    use crate::{ArrayRange, End};
    use procession::WallTime;

    fn exit(code: i32, started: i64) -> ExitFile {
        let (started, ended) = (WallTime(started), WallTime(started + 5));
        ExitFile { code, cause: ExitCause::Exited, started, ended, files: vec![] }
    }

    #[test]
    fn an_array_has_ended_when_every_task_has_and_its_verdict_is_the_worst() {
        let range: ArrayRange = "1-5:2".parse().expect("a range");
        let mut left = Evidence { id: None, started: false, exit: None, tasks: Default::default() };
        left.tasks.extend([(1, exit(0, 10)), (5, exit(139, 30)), (2, exit(9, 0))]);
        let Proof::Part(some) = Proof::of(&left, Some(range)) else { panic!("task 3 has not ended") };
        assert_eq!(some.iter().map(|task| task.index).collect::<Vec<_>>(), [1, 5]);
        left.tasks.insert(3, exit(4, 20));
        let Proof::Whole(all) = Proof::of(&left, Some(range)) else { panic!("all have ended") };
        assert_eq!(all.end, End::Signalled { signal: 11 });
        assert_eq!((all.started, all.over, all.tasks.len()), (Some(WallTime(10)), Some(WallTime(35)), 3));
        assert_eq!(Proof::of(&left, None), Proof::Part(vec![]));
    }

    #[test]
    fn an_array_without_a_word_about_any_task_has_vanished() {
        assert_eq!(whole(Vec::<Task>::new()).end, End::Vanished);
    }

    #[test]
    fn what_is_said_of_a_task_counts_before_what_is_said_of_all() {
        let mut said = Said::of(End::CancelledElsewhere { by: None });
        assert!(said.is_cancelled_by_nobody());
        said.tasks.insert(7, End::OutOfMemory);
        assert_eq!(said.of_task(7), Some(&End::OutOfMemory));
        let later = said.clone().and(Said::of(End::CancelledElsewhere { by: Some("root".into()) }));
        assert_eq!(later.of_task(8), Some(&End::CancelledElsewhere { by: Some("root".into()) }));
        assert_eq!(said.clone().and(Said::default()), said);
    }
}

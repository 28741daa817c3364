//! What the exit files and the word of the scheduler come to, taken together.

use crate::tasks::whole;
use crate::{ArrayRange, End, Ending, Said, Task};
use procession::transport::TransportError;

/// With all exit files in hand. They alone prove success; of a failure the scheduler may know the cause.
pub(super) fn proven(ending: Ending, said: &Said) -> Ending {
    if ending.tasks.is_empty() {
        return Ending { end: explained(ending.end, said.end.as_ref()), ..ending };
    }
    // What is said of the whole is about the tasks that are not there any more, not about one that left its file.
    let explain = |task: Task| Task { end: explained(task.end, said.tasks.get(&task.index)), ..task };
    whole(ending.tasks.into_iter().map(explain).collect())
}

/// Without all exit files; these tasks of an array have left theirs. Whatever the scheduler says of the others, it is not
/// success.
pub(super) fn unproven(left: Vec<Task>, said: &Said, array: Option<ArrayRange>) -> Ending {
    let Some(range) = array else {
        return Ending { end: doubtful(said.end.as_ref()), started: None, over: None, tasks: Vec::new() };
    };
    let mut left = left.into_iter().peekable();
    let task = |index| match left.next_if(|task| task.index == index) {
        Some(task) => Task { end: explained(task.end, said.tasks.get(&index)), ..task },
        None => Task { index, end: doubtful(said.of_task(index)), started: None, over: None },
    };
    whole(range.indices().map(task).collect())
}

/// Whether a job that was never started and ended like this was lost, so that another attempt may do what it did not. A code
/// or a signal is not its payload's: there was none.
pub(super) fn is_loss(end: &End) -> bool {
    match end {
        End::Exited { code: _ } | End::Signalled { signal: _ } | End::NodeFailure | End::Vanished => true,
        // Somebody wanted it so, or it asked for what it cannot have.
        End::CancelledElsewhere { by: _ }
        | End::StoppedByMonitor { message: _, line: _ }
        | End::OutOfMemory
        | End::Walltime => false,
    }
}

/// Whether what kept files from being sent may be gone a moment later, by itself: somebody else was at work in the sandbox, or
/// the file system was in one of its moods. The other reasons need somebody's hand, or are about the host and do not come here.
pub(super) fn may_pass(why: &TransportError) -> bool {
    matches!(
        why,
        TransportError::NotFound(_)
            | TransportError::Exists(_)
            | TransportError::Io { .. }
            | TransportError::Refused(_)
    )
}

fn explained(end: End, said: Option<&End>) -> End {
    match (&end, said) {
        (End::Exited { code: 0 }, _) => end,
        (
            _,
            Some(
                cause @ (End::OutOfMemory
                | End::Walltime
                | End::NodeFailure
                | End::CancelledElsewhere { by: _ }),
            ),
        ) => cause.clone(),
        // What a monitor saw no scheduler knows.
        (
            _,
            Some(End::Exited { .. } | End::Signalled { .. } | End::StoppedByMonitor { .. } | End::Vanished)
            | None,
        ) => end,
    }
}

fn doubtful(said: Option<&End>) -> End {
    match said {
        None | Some(End::Exited { code: 0 }) => End::Vanished,
        Some(said) => said.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::{proven, unproven};
    use crate::{End, Ending, Said, Task};

    fn task(index: u32, end: End) -> Task {
        Task { index, end, started: None, over: None }
    }

    #[test]
    fn each_task_without_evidence_has_the_end_that_the_scheduler_names_and_never_success() {
        let range = "0-3:1".parse().expect("a range");
        let mut said = Said::default();
        said.tasks.extend([(1, End::OutOfMemory), (2, End::Exited { code: 0 }), (3, End::Walltime)]);
        let left = vec![task(0, End::Exited { code: 0 }), task(3, End::Signalled { signal: 15 })];
        let ending = unproven(left, &said, Some(range));
        let ends: Vec<_> = ending.tasks.iter().map(|task| task.end.clone()).collect();
        assert_eq!(ends, [End::Exited { code: 0 }, End::OutOfMemory, End::Vanished, End::Walltime]);
        assert_eq!(ending.end, End::Vanished);
    }

    #[test]
    fn a_success_is_not_talked_away_and_a_failure_is_explained() {
        let all = [task(0, End::Exited { code: 0 }), task(1, End::Signalled { signal: 9 })].to_vec();
        let ending = Ending { end: End::Signalled { signal: 9 }, started: None, over: None, tasks: all };
        let mut said = Said::of(End::CancelledElsewhere { by: None });
        said.tasks.insert(1, End::OutOfMemory);
        let ending = proven(ending, &said);
        assert_eq!((&ending.tasks[0].end, &ending.end), (&End::Exited { code: 0 }, &End::OutOfMemory));
    }
}

//! The states of a job in Slurm, and what they mean for us.
//!
//! From squeue(1) and sacct(1), "JOB STATE CODES", of 22.05 to 24.11.

use crate::End;

/// What a state means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// It waits.
    Waits,
    /// It runs.
    Runs,
    /// It has ended, and is tidied up after: it is not over yet.
    Closes,
    /// It is over; the end, if the state alone says how.
    Over(Option<End>),
    /// A state that came after this was written. The job is there, whatever it does.
    New,
}

/// What the word for a state means. sacct adds who cancelled a job: `CANCELLED by root`.
pub(super) fn meaning(word: &str) -> Meaning {
    let by = |who: &str| Meaning::Over(Some(End::CancelledElsewhere { by: Some(who.to_string()) }));
    if let Some(who) = word.strip_prefix("CANCELLED by ") {
        return by(who);
    }
    match word {
        "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD" | "RESV_DEL_HOLD"
        | "SPECIAL_EXIT" | "POWER_UP_NODE" => Meaning::Waits,
        "RUNNING" | "RESIZING" | "SIGNALING" | "STOPPED" | "SUSPENDED" => Meaning::Runs,
        "COMPLETING" | "STAGE_OUT" => Meaning::Closes,
        "COMPLETED" | "FAILED" => Meaning::Over(None),
        "CANCELLED" => Meaning::Over(Some(End::CancelledElsewhere { by: None })),
        "DEADLINE" => by("its deadline"),
        "PREEMPTED" => by("a job of higher priority"),
        "REVOKED" => by("the federation, which ran it on another cluster"),
        "TIMEOUT" => Meaning::Over(Some(End::Walltime)),
        "OUT_OF_MEMORY" => Meaning::Over(Some(End::OutOfMemory)),
        "NODE_FAIL" | "BOOT_FAIL" | "LAUNCH_FAILED" | "RECONFIG_FAIL" => {
            Meaning::Over(Some(End::NodeFailure))
        }
        _new => Meaning::New,
    }
}

/// How a job ended that has `FAILED`, by the `CODE:SIGNAL` of accounting. Slurm says signal 125 where the kernel ended it
/// for its memory.
pub(super) fn failed(code: &str) -> Option<End> {
    let (code, signal) = code.split_once(':')?;
    match (code.parse().ok()?, signal.parse().ok()?) {
        (0, 0) => None,
        (_, 125) => Some(End::OutOfMemory),
        (code, 0) => Some(End::Exited { code }),
        (_, signal) => Some(End::Signalled { signal }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Meaning, failed, meaning};
    use crate::End;

    #[test]
    fn every_state_that_squeue_lists_has_a_meaning() {
        // As `squeue -t NOSUCH` of 22.05.8 names them.
        let all = "PENDING,RUNNING,SUSPENDED,COMPLETED,CANCELLED,FAILED,TIMEOUT,NODE_FAIL,PREEMPTED,BOOT_FAIL,DEADLINE,\
            OUT_OF_MEMORY,COMPLETING,CONFIGURING,RESIZING,RESV_DEL_HOLD,REQUEUED,REQUEUE_FED,REQUEUE_HOLD,REVOKED,\
            SIGNALING,SPECIAL_EXIT,STAGE_OUT,STOPPED";
        for word in all.split(',') {
            assert_ne!(meaning(word), Meaning::New, "{word}");
        }
        assert_eq!(meaning("DREAMING"), Meaning::New);
    }

    #[test]
    fn the_codes_of_accounting_are_a_code_and_a_signal() {
        assert_eq!(failed("3:0"), Some(End::Exited { code: 3 }));
        assert_eq!(failed("0:11"), Some(End::Signalled { signal: 11 }));
        assert_eq!(failed("0:125"), Some(End::OutOfMemory));
        assert_eq!((failed("0:0"), failed("x")), (None, None));
    }
}

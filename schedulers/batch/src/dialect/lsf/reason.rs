//! Why LSF ended a job: the reasons that `bjobs`, `bhist` and `bacct` give, as types. The table is that of the page
//! "Termination reasons displayed by bacct, bhist, and bjobs" of IBM Spectrum LSF 10.1.

use crate::End;

/// How a job ended that has left the state in which it ran; none if nothing tells.
///
/// `reason` begins with a word like `TERM_OWNER`, or is empty. `code` is as a shell has it: 128 and more is a signal (LSF job
/// exit codes, 10.1).
pub fn end_of(reason: &str, code: Option<i32>) -> Option<End> {
    let by = |who: &str| Some(End::CancelledElsewhere { by: Some(who.to_string()) });
    let word = reason.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).next().unwrap_or_default();
    match word {
        "TERM_OWNER" | "TERM_FORCE_OWNER" | "TERM_BUCKET_KILL" => by("its owner"),
        "TERM_ADMIN" | "TERM_FORCE_ADMIN" => by("an administrator"),
        "TERM_RUNLIMIT" | "TERM_CPULIMIT" | "TERM_DEADLINE" => Some(End::Walltime),
        "TERM_MEMLIMIT" | "TERM_SWAP" | "TERM_SWAPLIMIT" => Some(End::OutOfMemory),
        "TERM_ZOMBIE" | "TERM_RMS" | "TERM_SLURM" | "TERM_REMOVE_HUNG_JOB" | "TERM_RC" => {
            Some(End::NodeFailure)
        }
        "TERM_PREEMPT" => by("preemption"),
        "TERM_LOAD" => by("the load of its node"),
        "TERM_WINDOW" => by("the window of its queue, which closed"),
        "TERM_PROCESSLIMIT" | "TERM_THREADLIMIT" => by("the limit of its processes"),
        "TERM_ORPHAN_SYSTEM" => by("LSF, because a job before it failed"),
        "TERM_CWD_NOTEXIST" | "TERM_PRE_EXEC_FAIL" | "TERM_DATA" | "TERM_CSM_ALLOC" | "TERM_KUBE" => {
            by("LSF, which could not start it")
        }
        // It is to be run again, so this is not its end.
        "TERM_REQUEUE_OWNER" | "TERM_REQUEUE_ADMIN" | "TERM_MC_RECALL" | "TERM_CHKPNT" => None,
        // By somebody past LSF, for no reason that it knows, or for one that we do not know.
        _ => code.map(exited),
    }
}

fn exited(code: i32) -> End {
    if (129..=192).contains(&code) { End::Signalled { signal: code - 128 } } else { End::Exited { code } }
}

#[cfg(test)]
mod tests {
    use super::end_of;
    use crate::End;

    #[test]
    fn every_reason_says_who_or_what_ended_the_job() {
        let by = |who: &str| Some(End::CancelledElsewhere { by: Some(who.into()) });
        let cases = [
            ("TERM_RUNLIMIT: job killed after reaching LSF run time limit", Some(140), Some(End::Walltime)),
            (
                "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit",
                Some(130),
                Some(End::OutOfMemory),
            ),
            ("TERM_OWNER: job killed by owner", Some(130), by("its owner")),
            ("TERM_ADMIN: job killed by root or LSF administrator", None, by("an administrator")),
            ("TERM_ZOMBIE: job exited while LSF is not available", None, Some(End::NodeFailure)),
            ("TERM_REQUEUE_OWNER: job killed and requeued by owner", Some(130), None),
            (
                "TERM_EXTERNAL_SIGNAL: job killed by a signal external to LSF",
                Some(139),
                Some(End::Signalled { signal: 11 }),
            ),
            ("TERM_OF_NEXT_YEAR: nobody knows", Some(3), Some(End::Exited { code: 3 })),
            ("", Some(0), Some(End::Exited { code: 0 })),
            ("", None, None),
        ];
        for (reason, code, end) in cases {
            assert_eq!(end_of(reason, code), end, "{reason:?}");
        }
    }
}

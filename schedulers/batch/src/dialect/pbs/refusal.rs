//! Why `qsub` of PBS declined a job, by what it said. The sentences are those of the table of server errors in the reference
//! guide of PBS Professional 2024.1 (chapter 14), and of Torque's `pbs_error_db.h`, which has most of them too.

use crate::dialect::Refusal;
use crate::dialect::queue::{Declined, words};

/// What PBS meant.
pub(super) fn declined(said: &str) -> Declined {
    let small = said.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|part| small.contains(part));
    let why = words(said);
    if has(&[
        "cannot connect",
        "connection refused",
        "communication failure",
        "timed out",
        "pbs_iff",
        "end of file",
        "no server",
    ]) {
        Declined::Unsure
    } else if has(&[
        "unknown queue",
        "queue is not enabled",
        "queue type",
        "access to queue",
        "destination",
        "no default queue",
    ]) {
        Declined::Refused(Refusal::Queue(why))
    } else if has(&["invalid account", "account", "project", "allocation"]) {
        Declined::Refused(Refusal::Account(why))
    } else if has(&["would exceed", "maximum number of jobs", "job limit", "too many jobs"]) {
        Declined::Refused(Refusal::TooMany(why))
    } else if has(&[
        "illegal attribute",
        "unknown resource",
        "exceeds queue",
        "resource limits",
        "resource_list",
        "cannot be satisfied",
        "job violates",
        "invalid",
        "illegal",
        "usage:",
    ]) {
        Declined::Refused(Refusal::Request(why))
    } else {
        Declined::Refused(Refusal::Scheduler(why))
    }
}

#[cfg(test)]
mod tests {
    use super::declined;
    use crate::dialect::Refusal;
    use crate::dialect::queue::Declined;

    #[test]
    fn each_refusal_of_the_manuals_has_its_type() {
        let cases = [
            ("qsub: Unknown queue", "queue"),
            ("qsub: Queue is not enabled", "queue"),
            ("qsub: Unauthorized Request  MSG=User me is not allowed access to queue big", "queue"),
            ("qsub: Invalid account MSG=nosuch", "account"),
            ("qsub: Job violates queue and/or server resource limits", "request"),
            (
                "qsub: Job exceeds queue resource limits MSG=cannot satisfy queue max walltime requirement",
                "request",
            ),
            ("qsub: Unknown resource type  Resource_List.nosuch", "request"),
            ("qsub: Illegal attribute or resource value Resource_List.walltime", "request"),
            ("qsub: would exceed limit on resource ncpus in queue workq", "too-many"),
            ("qsub: Maximum number of jobs already in queue", "too-many"),
            ("qsub: cannot connect to server pbs01 (errno=111)", "unsure"),
            ("Connection refused\nqsub: cannot connect to server (null) (errno=15033)", "unsure"),
            ("qsub: Bad UID for job execution", "scheduler"),
        ];
        for (said, kind) in cases {
            let found = match declined(said) {
                Declined::Unsure => "unsure",
                Declined::Refused(Refusal::Queue(_)) => "queue",
                Declined::Refused(Refusal::Account(_)) => "account",
                Declined::Refused(Refusal::Request(_)) => "request",
                Declined::Refused(Refusal::TooMany(_)) => "too-many",
                Declined::Refused(_) => "scheduler",
            };
            assert_eq!(found, kind, "{said}");
        }
    }
}

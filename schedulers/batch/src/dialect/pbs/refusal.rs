//! Why `qsub` of PBS declined a job, by what it said. The sentences are those of the table of server errors in the reference
//! guide of PBS Professional 2024.1 (chapter 14), and of Torque's `pbs_error_db.h`, which has most of them too.

use crate::dialect::queue::{Declined, Sayings};

const SAYINGS: Sayings = Sayings {
    unsure: &[
        "cannot connect",
        "connection refused",
        "communication failure",
        "timed out",
        "pbs_iff",
        "end of file",
        "no server",
    ],
    queue: &[
        "unknown queue",
        "queue is not enabled",
        "queue type",
        "access to queue",
        "destination",
        "no default queue",
    ],
    account: &["invalid account", "account", "project", "allocation"],
    too_many: &["would exceed", "maximum number of jobs", "job limit", "too many jobs"],
    request: &[
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
    ],
};

/// What PBS meant.
pub(super) fn declined(said: &str) -> Declined {
    SAYINGS.declined(&said.to_lowercase(), said)
}

#[cfg(test)]
mod tests {
    use super::declined;

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
            assert_eq!(declined(said).word(), kind, "{said}");
        }
    }
}

//! Why `qsub` declined a job, by what it said. The sentences are those of 8.1.9, seen on the real thing.

use crate::dialect::queue::{Declined, Sayings};

const SAYINGS: Sayings = Sayings {
    unsure: &[
        "unable to send message to qmaster",
        "commlib error",
        "unable to contact qmaster",
        "got no response",
        "timeout",
    ],
    queue: &["unknown queue", "queue \""],
    account: &["requested project", "has no access to project", "no default project", "project \""],
    too_many: &["jobs are allowed per user", "jobs are allowed per cluster"],
    request: &[
        "unknown resource",
        "parallel environment",
        "no suitable queues",
        "is not a time value",
        "is not a memory value",
        "invalid option argument",
        "not a valid object name",
        "ERROR!",
        "tasks",
    ],
};

/// What Grid Engine meant.
pub(super) fn declined(said: &str) -> Declined {
    SAYINGS.declined(said, said)
}

#[cfg(test)]
mod tests {
    use super::declined;

    #[test]
    fn each_refusal_that_was_seen_has_its_type() {
        let cases = [
            (
                "Unable to run job: Job was rejected because job requests unknown queue \"nosuch.q\"\nExiting.",
                "queue",
            ),
            ("Unable to run job: unknown resource \"nosuch\"\nExiting.", "request"),
            (
                "Unable to run job: job rejected: the requested parallel environment \"nope\" does not exist",
                "request",
            ),
            ("qsub: invalid option argument \"-badopt\"", "request"),
            ("Unable to run job: error: no suitable queues\nExiting.", "request"),
            ("Unable to run job: attribute \"h_rt\" is not a time value", "request"),
            ("Unable to run job: job rejected: the requested project \"noproj\" does not exist", "account"),
            (
                "Unable to run job: job rejected: only 5 jobs are allowed per user (current job count: 5)",
                "too-many",
            ),
            ("Unable to run job: something of next year", "scheduler"),
            (
                "error: commlib error: got select error (Connection refused)\nUnable to run job: unable to send message",
                "unsure",
            ),
        ];
        for (said, kind) in cases {
            assert_eq!(declined(said).word(), kind, "{said}");
        }
    }
}

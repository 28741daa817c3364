//! Why `bsub` declined a job, by what it said: a sentence, and then `Job not submitted.` The sentences are those of the LSF
//! library (`lsb_sysmsg`), as the message reference of IBM Spectrum LSF 10.1 has them.

use crate::dialect::queue::{Declined, Sayings};

const SAYINGS: Sayings = Sayings {
    unsure: &[
        "please wait",
        "lsf is down",
        "cannot connect",
        "communication time out",
        "connection refused",
        "library call",
    ],
    queue: &[
        "no such queue",
        "bad queue",
        "queue does not accept",
        "cannot use the queue",
        "queue is closed",
        "cannot use queue",
    ],
    account: &["project", "user group", "not a member", "license project", "service class"],
    too_many: &["job slot limit", "pending job threshold", "job limit", "number of pending"],
    request: &[
        "resource requirement",
        "bad argument",
        "exceeds the",
        "limit",
        "processor",
        "illegal",
        "bad ",
        "unable to satisfy",
    ],
};

/// What LSF meant.
pub(super) fn declined(said: &str) -> Declined {
    SAYINGS.declined(&said.to_lowercase(), said)
}

#[cfg(test)]
mod tests {
    use super::declined;

    #[test]
    fn each_refusal_of_the_manual_has_its_type() {
        let cases = [
            ("nosuch: No such queue. Job not submitted.", "queue"),
            ("User cannot use the queue. Job not submitted.", "queue"),
            ("Bad resource requirement syntax. Job not submitted.", "request"),
            ("RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted.", "request"),
            ("Too many processors requested. Job not submitted.", "request"),
            ("User group <x>: Not a member of the specified user group. Job not submitted.", "account"),
            ("Pending job threshold reached. Retrying in 60 seconds...", "too-many"),
            ("LSF is down. Please wait ...", "unsure"),
            ("Failed in an LSF library call: Communication time out. Job not submitted.", "unsure"),
            ("Request aborted by esub. Job not submitted.", "scheduler"),
        ];
        for (said, kind) in cases {
            assert_eq!(declined(said).word(), kind, "{said}");
        }
    }
}

//! Why `bsub` declined a job, by what it said: a sentence, and then `Job not submitted.` The sentences are those of the LSF
//! library (`lsb_sysmsg`), as the message reference of IBM Spectrum LSF 10.1 has them.

use crate::dialect::Refusal;
use crate::dialect::queue::{Declined, words};

/// What LSF meant.
pub(super) fn declined(said: &str) -> Declined {
    let small = said.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|part| small.contains(part));
    let why = words(said);
    if has(&[
        "please wait",
        "lsf is down",
        "cannot connect",
        "communication time out",
        "connection refused",
        "library call",
    ]) {
        Declined::Unsure
    } else if has(&[
        "no such queue",
        "bad queue",
        "queue does not accept",
        "cannot use the queue",
        "queue is closed",
        "cannot use queue",
    ]) {
        Declined::Refused(Refusal::Queue(why))
    } else if has(&["project", "user group", "not a member", "license project", "service class"]) {
        Declined::Refused(Refusal::Account(why))
    } else if has(&["job slot limit", "pending job threshold", "job limit", "number of pending"]) {
        Declined::Refused(Refusal::TooMany(why))
    } else if has(&[
        "resource requirement",
        "bad argument",
        "exceeds the",
        "limit",
        "processor",
        "illegal",
        "bad ",
        "unable to satisfy",
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

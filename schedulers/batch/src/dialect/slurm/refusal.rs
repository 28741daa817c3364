//! What it means that sbatch failed. Its texts are the same in all versions since 17.11; they are not translated.
//!
//! The sentences after `Batch job submission failed:` are those of `slurm_errno.c` or of strerror(3). Some of them are what a
//! controller has decided, and some are what became of the connection to it; only the former are believed, and what we do not
//! know is taken for the latter. A job that is looked for, fenced and submitted again for nothing costs its owner a minute or
//! two; one that is taken for refused, and was not, is lost.

use crate::dialect::{Refusal, Submitted};

/// The controller did not answer, or the answer did not come: the job may be there all the same. These may also come without a
/// line that says that a submission has failed; they count more than whatever else was said.
const UNSURE: [&str; 25] = [
    "Unable to contact slurm controller",
    "Socket timed out",
    "Zero Bytes were transmitted or received",
    "Insufficient data sent or received",
    "Unexpected message received",
    "Unexpected missing socket",
    "Slurm backup controller in standby mode",
    "Slurm controller is not responding",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Broken pipe",
    "Transport endpoint is not connected",
    "No route to host",
    "Communication connection failure",
    "Communication shutdown failure",
    "Message receive failure",
    "Message send failure",
    "Could not establish a configuration source",
    "Authentication",
    "authentication",
    "Munge",
    // This machine had no room for sbatch itself.
    "Cannot allocate memory",
    "memory allocation failure",
    "Too many open files",
];
/// There is no such account, or no right to use it.
const ACCOUNT: [&str; 3] = ["Invalid account", "Access/permission denied", "Invalid user id"];
/// There is no such partition, or it takes no jobs from this user.
const QUEUE: [&str; 4] = [
    "partition specified",
    "Required partition not available",
    "not permitted to use this partition",
    "Invalid partition",
];
/// There are as many jobs as there may be.
const TOO_MANY: [&str; 4] =
    ["job submit limit", "Resource temporarily unavailable", "temporarily unable to accept job", "MaxSubmit"];
/// The request cannot be met, or not be read. Parts of many sentences, for as long as none of them is one about a connection.
const REQUEST: [&str; 13] = [
    "Requested ",
    "requested",
    "specification",
    "Invalid ",
    "dependency",
    "Batch script",
    "batch script",
    "Job script not specified",
    "Environment is missing in job",
    "Pathname of a file",
    "Memory required by task is not available",
    "Burst Buffer",
    "Duplicate generic resource",
];
/// Other things that a controller decides. `Unspecified error` is what a plugin of the site says that has refused a job, beside
/// words of its own.
const SCHEDULER: [&str; 11] = [
    "Unspecified error",
    "System submissions disabled",
    "Job submission disabled",
    "presently disabled",
    "not supported",
    "Only batch jobs are accepted",
    "Duplicate job id",
    "Incompatible versions of client and server",
    "No eligible clusters",
    "not a valid federated",
    "Container",
];

/// What came of a submission for which sbatch ended with `code` and said `text`.
pub(super) fn declined(code: i32, text: &str) -> Submitted {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let text_of = || text.replace("sbatch: error: ", "").replace("sbatch: ", "").trim().replace('\n', "; ");
    // A signal, as the shell has it: nobody knows how far it came.
    if says(&UNSURE) || text.trim().is_empty() || code > 128 && code < 255 {
        return Submitted::Unsure;
    }
    Submitted::Refused(if says(&TOO_MANY) {
        Refusal::TooMany(text_of())
    } else if says(&ACCOUNT) {
        Refusal::Account(text_of())
    } else if says(&QUEUE) {
        Refusal::Queue(text_of())
    } else if says(&REQUEST) || !text.contains("Batch job submission failed") {
        // What never came as far as a submission was not understood.
        Refusal::Request(text_of())
    } else if says(&SCHEDULER) {
        Refusal::Scheduler(text_of())
    } else {
        return Submitted::Unsure;
    })
}

#[cfg(test)]
mod tests {
    use super::declined;
    use crate::dialect::{Refusal, Submitted};

    fn word(submitted: &Submitted) -> &'static str {
        match submitted {
            Submitted::Unsure => "unsure",
            Submitted::Refused(Refusal::Account(_)) => "account",
            Submitted::Refused(Refusal::Queue(_)) => "queue",
            Submitted::Refused(Refusal::Request(_)) => "request",
            Submitted::Refused(Refusal::TooMany(_)) => "too-many",
            Submitted::Refused(Refusal::Scheduler(_)) => "scheduler",
            Submitted::Refused(
                Refusal::NoSandbox | Refusal::NoSpace | Refusal::NoProgram(_) | Refusal::NoSlots,
            )
            | Submitted::Accepted(_) => "not by sbatch",
        }
    }

    #[test]
    fn each_text_of_sbatch_has_its_meaning_and_a_controller_that_is_away_decides_nothing() {
        let mut cases: Vec<(&str, i32, String)> = Vec::new();
        for line in include_str!("fixtures/sbatch.txt").lines().skip(1) {
            match (line.strip_prefix("| "), cases.last_mut()) {
                (Some(said), Some((_, _, text))) => *text += &format!("{said}\n"),
                (Some(_), None) => panic!("{line}"),
                (None, _) => {
                    let (word, code) = line.split_once(' ').expect("a meaning and a code");
                    cases.push((word, code.parse().expect("a code"), String::new()));
                }
            }
        }
        assert!(cases.len() > 15);
        for (meaning, code, text) in &cases {
            assert_eq!(word(&declined(*code, text)), *meaning, "{text}");
        }
    }

    #[test]
    fn a_sentence_that_nobody_knows_decides_nothing() {
        for why in ["Something new", "Stale file handle", "Unable to create job record, try again"] {
            let text = format!("sbatch: error: Batch job submission failed: {why}\n");
            assert_eq!(declined(1, &text), Submitted::Unsure, "{why}");
        }
    }

    #[test]
    fn a_refusal_says_what_sbatch_said_on_one_line() {
        let text = "sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: Invalid partition name specified\n";
        let said =
            "invalid partition specified: x; Batch job submission failed: Invalid partition name specified";
        assert_eq!(declined(1, text), Submitted::Refused(Refusal::Queue(said.into())));
    }
}

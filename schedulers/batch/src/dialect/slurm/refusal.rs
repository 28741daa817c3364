//! What it means that sbatch failed. Its texts are the same in all versions since 17.11; they are not translated.

use crate::dialect::{Refusal, Submitted};

/// The controller did not answer, or the answer did not come: the job may be there all the same.
const UNSURE: [&str; 18] = [
    "Unable to contact slurm controller",
    "Socket timed out",
    "Zero Bytes were transmitted or received",
    "Insufficient data sent or received",
    "Unexpected message received",
    "Slurm backup controller in standby mode",
    "Slurm controller is not responding",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "No route to host",
    "Communication connection failure",
    "Communication shutdown failure",
    "Message receive failure",
    "Message send failure",
    "Could not establish a configuration source",
    "authentication error",
    "Munge",
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
/// The request cannot be met, or not be read.
const REQUEST: [&str; 20] = [
    "Requested node configuration is not available",
    "More processors requested than permitted",
    "Requested time limit is invalid",
    "Memory specification",
    "memory specification",
    "Invalid feature specification",
    "Invalid generic resource",
    "Invalid Trackable RESource",
    "Invalid qos specification",
    "Invalid job array specification",
    "Invalid node name",
    "Invalid reservation",
    "Requested reservation",
    "Invalid license",
    "Node count specification invalid",
    "Requested partition configuration not available",
    "Requested topology",
    "dependency",
    "This does not look like a batch script",
    "Batch script",
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
    } else {
        Refusal::Scheduler(text_of())
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
    fn a_refusal_says_what_sbatch_said_on_one_line() {
        let text = "sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: Invalid partition name specified\n";
        let said =
            "invalid partition specified: x; Batch job submission failed: Invalid partition name specified";
        assert_eq!(declined(1, text), Submitted::Refused(Refusal::Queue(said.into())));
    }
}

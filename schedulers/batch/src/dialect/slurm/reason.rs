//! Why a job waits, in Slurm's word and in ours.

/// Reasons that do not pass by themselves, and what they mean. From squeue(1), "JOB REASON CODES", of 22.05 and 24.11.
const STUCK: [(&str, &str); 22] = [
    ("PartitionTimeLimit", "it asks for more time than its partition allows"),
    ("PartitionNodeLimit", "it asks for more nodes than its partition allows, or has"),
    ("PartitionConfig", "its partition cannot give what it asks for"),
    ("PartitionInactive", "its partition takes no jobs"),
    ("PartitionDown", "its partition is down"),
    ("BadConstraints", "no node has what it asks for"),
    ("AccountNotAllowed", "its account may not use the partition"),
    ("AccountingPolicy", "a rule of accounting forbids it"),
    ("InvalidAccount", "its account is not valid"),
    ("InvalidQOS", "its quality of service is not valid"),
    ("QOSNotAllowed", "its quality of service may not be used with this account or partition"),
    ("QOSTimeLimit", "it asks for more time than its quality of service allows"),
    ("QOSJobLimit", "its quality of service has as many jobs as it may"),
    ("QOSResourceLimit", "its quality of service has as much as it may"),
    ("QOSUsageThreshold", "its quality of service is used up"),
    ("AssociationTimeLimit", "it asks for more time than its account allows"),
    ("AssociationJobLimit", "its account has as many jobs as it may"),
    ("AssociationResourceLimit", "its account has as much as it may"),
    ("DependencyNeverSatisfied", "what it depends on has failed"),
    ("JobHeldUser", "somebody holds it; `scontrol release` lets it go"),
    ("JobHeldAdmin", "an administrator holds it"),
    ("launch_failed_requeued_held", "its start failed, and it is held; `scontrol release` lets it go"),
];

/// The limits of accounting for one job, in three families: `QOSMax…PerJobLimit`, `AssocMax…PerJobLimit`. A job that is over
/// such a limit by itself stays over it.
fn is_over_a_limit_of_its_own(reason: &str) -> bool {
    (reason.starts_with("QOSMax") || reason.starts_with("AssocMax"))
        && (reason.contains("PerJob") || reason.contains("WallDuration"))
}

/// The reason for people: Slurm's word, and where it will not pass by itself, what it means.
pub(super) fn explained(reason: &str) -> String {
    let known = STUCK.iter().find(|(word, _)| *word == reason).map(|(_, meaning)| *meaning);
    let over = || is_over_a_limit_of_its_own(reason).then_some("it asks for more than one job may have");
    match known.or_else(over) {
        Some(meaning) => format!("{reason}: {meaning}; it will not start as it is"),
        None => reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::explained;

    #[test]
    fn a_reason_that_does_not_pass_is_told_from_one_that_does() {
        for reason in [
            "PartitionTimeLimit",
            "BadConstraints",
            "AssocMaxCpuPerJobLimit",
            "QOSMaxWallDurationPerJobLimit",
        ] {
            assert!(explained(reason).ends_with("it will not start as it is"), "{reason}");
        }
        for reason in
            ["Priority", "Resources", "QOSMaxJobsPerUserLimit", "AssocGrpCpuLimit", "None", "BeginTime"]
        {
            assert_eq!(explained(reason), reason);
        }
    }
}

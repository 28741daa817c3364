//! Commands as processes: limits, evidence, and the death of the program that started them.
#![expect(clippy::disallowed_methods, reason = "some loops wait for a file, which no descriptor tells of")]

mod here;
mod outlive;
mod run;

use std::time::Instant;

// One test, because without `multi-runtime` a program has one runtime at a time, in one thread.
#[test]
fn commands_are_processes() {
    let facts = [
        ("a_plain_command_needs_nothing", run::a_plain_command_needs_nothing as fn()),
        ("folder_files_and_environment_are_given", run::folder_files_and_environment_are_given),
        ("a_file_that_cannot_be_opened_is_no_exit_code", run::a_file_that_cannot_be_opened_is_no_exit_code),
        (
            "the_ledger_has_the_group_before_it_begins_and_its_end_after",
            run::the_ledger_has_the_group_before_it_begins_and_its_end_after,
        ),
        ("limits_are_kept", run::limits_are_kept),
        ("limits_are_kept_behind_a_witness", run::limits_are_kept_behind_a_witness),
        (
            "a_command_survives_the_program_and_is_found_again",
            outlive::a_command_survives_the_program_and_is_found_again,
        ),
        ("a_death_at_any_turn_leads_to_one_run", outlive::a_death_at_any_turn_leads_to_one_run),
        (
            "a_crash_at_any_boundary_of_the_journal_leads_to_one_run",
            outlive::a_crash_at_any_boundary_of_the_journal_leads_to_one_run,
        ),
        ("a_kill_leaves_nothing", outlive::a_kill_leaves_nothing),
        ("a_command_may_end_nicely_when_it_is_killed", outlive::a_command_may_end_nicely_when_it_is_killed),
        ("a_paused_process_lets_its_command_run_on", outlive::a_paused_process_lets_its_command_run_on),
        (
            "a_command_without_evidence_has_vanished_with_all_its_children",
            outlive::a_command_without_evidence_has_vanished_with_all_its_children,
        ),
        (
            "a_command_that_is_no_child_of_this_program_is_watched_and_killed",
            outlive::a_command_that_is_no_child_of_this_program_is_watched_and_killed,
        ),
        (
            "at_most_so_many_run_at_once_in_the_order_they_came",
            outlive::at_most_so_many_run_at_once_in_the_order_they_came,
        ),
        ("what_is_in_no_journal_ends_with_the_runtime", outlive::what_is_in_no_journal_ends_with_the_runtime),
        ("descriptors_do_not_leak", outlive::descriptors_do_not_leak),
    ];
    for (name, fact) in facts {
        let before = Instant::now();
        fact();
        println!("fact: {name} ({:?})", before.elapsed());
    }
}

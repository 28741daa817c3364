//! Every promise, with its limit.

mod children;
mod crossing;
pub mod journal;
mod lives;
mod slurm;
mod ssh;

use crate::report::Row;
use std::cell::RefCell;
use tempfile::TempDir;

/// How to measure.
pub struct Plan {
    /// Rounds of every race.
    pub rounds: usize,
    /// Whether valgrind is there to count instructions.
    pub counts: bool,
    /// Folders that are removed when all is measured, because their removal would disturb what is measured after it.
    pub later: RefCell<Vec<TempDir>>,
}

/// A name and what measures it.
pub type Metric = (&'static str, fn(&Plan) -> Row);

/// The core, in the order of the report.
pub const CORE: [Metric; 14] = [
    ("process_step", lives::process_step),
    ("process_step_time", lives::process_step_time),
    ("spawn_to_complete", lives::spawn_to_complete),
    ("spawn_to_complete_time", lives::spawn_to_complete_time),
    ("watch_overhead", lives::watch_overhead),
    ("resume_to_complete", lives::resume_to_complete),
    ("paused_process_bytes", lives::paused_process_bytes),
    ("idle_turn", crossing::idle_turn),
    ("cross_thread_round_trip", crossing::cross_thread_round_trip),
    ("journal_transitions", journal::journal_transitions),
    ("transition_latency", journal::transition_latency),
    ("restore_100k", journal::restore_100k),
    ("waiting_100k_rss", journal::waiting_100k_rss),
    ("local_exec_rate", children::local_exec_rate),
];

/// Hosts behind ssh.
pub const SSH: [Metric; 5] = [
    ("exec_8", ssh::exec_8),
    ("upload_256M", ssh::upload_256m),
    ("download_256M", ssh::download_256m),
    ("small_files_2000", ssh::small_files_2000),
    ("small_files_2000_10ms", ssh::small_files_2000_10ms),
];

/// Batch jobs under Slurm.
pub const SLURM: [Metric; 3] = [
    ("submit_rate", slurm::submit_rate),
    ("jobs_1000_end_to_end", slurm::jobs_1000_end_to_end),
    ("poll_10k", slurm::poll_10k),
];

//! Every promise, with its limit.

mod children;
mod crossing;
pub mod journal;
mod lives;

use crate::report::Row;

/// How to measure.
pub struct Plan {
    /// Rounds of every race.
    pub rounds: usize,
    /// Whether valgrind is there to count instructions.
    pub counts: bool,
}

/// A name and what measures it.
pub type Metric = (&'static str, fn(&Plan) -> Row);

/// All of them, in the order of the report.
pub const METRICS: [Metric; 14] = [
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

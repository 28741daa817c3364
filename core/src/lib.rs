//! Processes that run, pause, die and survive a crash, from one thread that never blocks.

mod ids;
pub mod journal;
pub mod transport;

pub use ids::{JournalUid, ProcessId, WallTime};

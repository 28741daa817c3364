//! Processes that run, pause, die and survive a crash, from one thread that never blocks.
//!
//! This crate is the process model, the runtime, the journal, and the contract of the transports. It knows no ssh, no
//! scheduler and no cluster, opens no connection, installs no signal handler, and never calls user code from another thread.
//!
//! Begin with [`Process`], which shows a whole one; then [`Runtime`], which runs them; then [`journal`], which lets them
//! survive; then [`transport`], through which they reach hosts.
#![forbid(unsafe_code)]

mod ids;
pub mod journal;
#[cfg(not(feature = "planted-bugs"))]
mod planted;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod pool;
mod process;
mod runtime;
pub mod transport;

pub use ids::{JournalUid, ProcessId, WallTime};
pub use process::{
    Backoff, Child, DriveMode, Edge, Fault, Handle, Life, OnFailure, Outcome, OutcomeOf, Phase, PhaseOf,
    Process, Refused, Spawn, State, Step, Unreadable, Watch,
};
pub use runtime::{
    Builder, Parked, Recovered, RemoteHandle, Runtime, RuntimeClosed, RuntimeError, RuntimeHandle,
    SpawnError, Turn,
};
/// The JSON values that [`State::upgrade`] reads.
pub use serde_json as json;

//! A command on this machine as a durable process: it survives the death of this program, and is found again.
//!
//! ```text
//!            started, at the gate          gone, with evidence
//!  Queued ------------------------> Running -----------------> Finished(Ran)
//!    ^                               |   |
//!    |  gone, and never began        |   | a limit
//!    +-------------------------------+   v
//!                                     Stopping --------------> Finished(Ran)
//! ```
//!
//! **Once.** The command is started behind a gate, by a small shell script, its witness. The gate opens when `Running`,
//! with the number of the witness, is in the journal: so there is never a command that the journal does not know. If this
//! program dies before, the gate closes and nothing has happened. After the gate comes a fence, `mkdir started`.
//!
//! **Evidence.** The witness writes an exit file in the end. A command that is gone without one has [`End::Vanished`],
//! never a success.
//!
//! **Pause.** A paused process lets its command run on, unwatched: the limits that we keep are not kept meanwhile. How it
//! ended is learned when the process goes on. **Kill** is SIGTERM to the group, five seconds later SIGKILL, and `Killed`
//! when the last of the group has gone.
//!
//! A process that is in no journal, and whose command has no folder, no files and no limits, needs no witness: the command
//! is started as it is, and is killed when this program ends.

mod command;
mod commands;
mod evidence;
mod identity;
mod launch;
mod local;
mod machine;
mod running;

pub use command::{Command, End, Limit, Limits, Ran};
pub use commands::Commands;
pub use identity::OsProcess;
pub use local::LocalProcess;
pub use machine::Machine;

use procession::{WallTime, states};
use serde::{Deserialize, Serialize};

/// How far a command has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LocalState {
    /// It waits for its turn. Nothing has happened yet.
    Queued {
        /// What is to run.
        command: Command,
    },
    /// It runs, or has ended.
    Running {
        /// What runs.
        command: Command,
        /// As which process: the witness, or the command itself where there is none.
        os: OsProcess,
        /// Since when.
        since: WallTime,
    },
    /// It came to a limit, and is being stopped.
    Stopping {
        /// What runs.
        command: Command,
        /// As which process.
        os: OsProcess,
        /// Since when.
        since: WallTime,
        /// Which limit.
        limit: Limit,
    },
}

states! {
    LocalState {
        Queued => [Running, end],
        Running => [Queued, Stopping, end],
        Stopping => [end],
    }
}

impl LocalState {
    /// The state of a command that is to run.
    pub fn new(command: Command) -> LocalState {
        LocalState::Queued { command }
    }
}

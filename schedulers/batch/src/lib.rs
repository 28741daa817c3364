//! Batch jobs: exactly one submission, and finished means evidence.
//!
//! A [`JobSpec`] says what to run. A [`Dialect`] knows how one scheduler is spoken to: it writes scripts and command lines
//! and reads answers, and never runs anything. The [`machine`] decides what a job does next; it knows no clock, no socket
//! and no actor. [`SchedulerProcess`] carries that out through the transports of its [`Hosts`], with one
//! [`Poller`](poller::Poller) for all jobs of a host. Nothing in here opens a connection or starts a process by itself.
//!
//! What can be relied upon: however often Procession dies and whatever answers are lost, an attempt at a job is started at
//! most once; success needs the exit file of that attempt; `Killed` means that nothing of the job runs and its sandbox is
//! gone; and everything on a host has a row in the ledger before it is made.

#![forbid(unsafe_code)]

mod collect;
pub mod courier;
pub mod dialect;
mod dry_run;
mod end;
mod hosts;
mod input;
mod job;
pub mod machine;
pub mod monitor;
mod name;
mod outcome;
#[cfg(not(feature = "planted-bugs"))]
mod planted;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod poller;
mod process;
mod resources;
mod spec;
mod staging;
mod state;
mod tasks;
mod validate;
mod verbs;
mod why;

pub use collect::LOG_LIMIT;
pub use dialect::Dialect;
pub use dry_run::{DryCommand, DryRun, DryRunError, check, dry_run};
pub use end::{End, EndKind};
pub use hosts::{Host, Hosts};
pub use input::{Answer, Backoff, Input, Tidied};
pub use job::{Job, Plan};
pub use machine::{Ledger, Next, Rules, Thing, Verb, next};
pub use name::{JobName, Place};
pub use outcome::{Fetched, Outcome, Uncollected, Verdict};
pub use process::SchedulerProcess;
pub use resources::{ArrayRange, Memory, QuantityError, Resources, Span};
pub use spec::{Array, JobSpec, Output, Remote, Retries, Signal, Upload, Work};
pub use staging::{Errand, errands};
pub use state::{Attempt, Ending, Last, State, Then, Unrun, Wish};
pub use tasks::{Proof, Said, Task};
pub use validate::{SpecError, SpecErrors};
pub use why::{Why, why};

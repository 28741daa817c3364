//! Batch jobs: exactly one submission, and finished means evidence.

#![forbid(unsafe_code)]

mod collect;
pub mod dialect;
mod end;
mod hosts;
mod input;
mod job;
pub mod machine;
mod name;
mod outcome;
pub mod poller;
mod process;
mod resources;
mod spec;
mod staging;
mod state;
mod validate;
mod verbs;

pub use collect::LOG_LIMIT;
pub use dialect::Dialect;
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
pub use validate::{SpecError, SpecErrors};

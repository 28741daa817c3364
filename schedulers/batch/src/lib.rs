//! Batch jobs: exactly one submission, and finished means evidence.

#![forbid(unsafe_code)]

pub mod dialect;
mod end;
mod input;
pub mod machine;
mod name;
mod outcome;
mod resources;
mod spec;
mod state;
mod validate;

pub use dialect::Dialect;
pub use end::{End, EndKind};
pub use input::{Answer, Backoff, Input, Tidied};
pub use machine::{Ledger, Next, Rules, Thing, Verb, next};
pub use name::{JobName, Place};
pub use outcome::{Fetched, Outcome, Uncollected, Verdict};
pub use resources::{ArrayRange, Memory, QuantityError, Resources, Span};
pub use spec::{Array, JobSpec, Output, Remote, Retries, Signal, Upload, Work};
pub use state::{Attempt, Ending, Last, State, Then, Unrun, Wish};
pub use validate::{SpecError, SpecErrors};

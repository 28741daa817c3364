//! Batch jobs: exactly one submission, and finished means evidence.

#![forbid(unsafe_code)]

pub mod dialect;
mod end;
mod name;
mod resources;
mod spec;
mod validate;

pub use dialect::Dialect;
pub use end::{End, EndKind};
pub use name::{JobName, Place};
pub use resources::{ArrayRange, Memory, QuantityError, Resources, Span};
pub use spec::{Array, Input, JobSpec, Output, Remote, Retries, Signal, Work};
pub use validate::{SpecError, SpecErrors};

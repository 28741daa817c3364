//! The simulated world and the stories of Procession.
#![forbid(unsafe_code)]

pub mod contract;
pub mod fuzz;

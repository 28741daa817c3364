//! The simulated world: hosts, schedulers and journals in a box, under virtual time and one seed; the contracts that it
//! shares with the real one; and [`services`] of the real one, each in a folder of its own.
//!
//! Nothing in [`world`] opens a socket, reads a clock or touches a disk. The production code runs in it unchanged; the
//! stories that do so are in `tests/tests`. Properties are checked, not outputs, and the same seed tells the same story.
#![forbid(unsafe_code)]

pub mod contract;
pub mod fuzz;
pub mod services;
pub mod world;

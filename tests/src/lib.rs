//! The simulated world: hosts, schedulers and journals in a box, under virtual time and one seed.
//!
//! Nothing here opens a socket, reads a clock or touches a disk. The production code runs in this world unchanged; the
//! stories that do so are in `tests/tests`. Properties are checked, not outputs, and the same seed tells the same story.
#![forbid(unsafe_code)]

pub mod world;

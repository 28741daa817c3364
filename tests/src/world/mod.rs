//! A world in a box.
//!
//! Time is virtual: a [`Clock`] that stands still until somebody moves it. All that is drawn at random comes from one
//! seed. What the world holds besides the production code: [`host::SimHost`]s with a file system ([`fs::Fs`]) and
//! processes, connections to them that lose and delay, and [`faults::Faults`] that say how often.

pub mod boundary;
pub mod clock;
pub mod disk;
pub mod faults;
pub mod fs;
pub mod host;
pub mod trace;
pub mod witness;

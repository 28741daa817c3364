//! A world in a box.

pub mod fs;

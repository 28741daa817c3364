//! What is measured of ours: the same machines as the peers', as processes.

pub mod cross;
pub mod memory;

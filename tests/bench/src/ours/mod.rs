//! What is measured of ours: the same machines as the peers', as processes.

pub mod batch;
pub mod children;
pub mod cross;
pub mod durable;
pub mod memory;
pub mod remote;

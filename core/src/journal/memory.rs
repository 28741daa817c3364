//! A journal in memory, for tests and for simulation: it can crash at any boundary.
/// To be written.
pub struct Memory;
/// To be written.
pub struct MemoryStore;

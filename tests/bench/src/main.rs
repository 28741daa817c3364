//! Procession beside its peers.
fn main() {}

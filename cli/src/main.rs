//! The `procession` command.
fn main() {}

//! (to be written)
/// To be written: a pattern.
pub struct Glob;
/// To be written: why a pattern is wrong.
pub struct GlobError;
/// To be written: a pattern, required or optional, with a size cap.
pub struct Want;

//! (to be written)
/// To be written.
pub struct RemotePath;

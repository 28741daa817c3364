//! (to be written)
/// To be written.
pub struct Manifest;
/// To be written.
pub struct ManifestEntry;
/// To be written.
pub struct ManifestError;

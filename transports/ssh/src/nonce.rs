//! Names that nobody else chooses.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The name of something that is not finished yet: hidden, and known for ours by its beginning and its end.
///
/// Several programs, on several machines, may write into one folder; so the name is drawn, 64 bits wide. Nothing that is
/// decided depends on it.
pub(crate) fn part_name() -> String {
    format!(".procession-{:016x}.part", RandomState::new().build_hasher().finish())
}

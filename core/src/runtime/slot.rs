//! How the kernel refers to a process.

use crate::process::Place;

/// A desk and a place at it. The default is nobody's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Slot {
    /// The number of the desk of its kind, from 1.
    pub desk: u16,
    pub place: Place,
}

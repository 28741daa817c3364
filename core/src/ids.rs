//! The identities of the framework. Each is a type, never a bare integer, and each prints as a user may type it back.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::{NonZeroU64, ParseIntError};
use std::str::FromStr;

/// The number of a process. It is unique within one journal and is never given out again.
///
/// ```
/// use procession::ProcessId;
/// let id: ProcessId = "17".parse()?;
/// assert_eq!(id.to_string(), "17");
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(NonZeroU64);

impl ProcessId {
    /// The first id of a new journal.
    pub const FIRST: ProcessId = ProcessId(NonZeroU64::MIN);

    /// The id with this number; none for zero.
    pub const fn new(number: u64) -> Option<ProcessId> {
        match NonZeroU64::new(number) {
            Some(n) => Some(ProcessId(n)),
            None => None,
        }
    }

    /// The id as a number, for instance for a column of a table.
    pub const fn number(self) -> u64 {
        self.0.get()
    }

    /// The id that follows this one.
    pub const fn next(self) -> ProcessId {
        ProcessId(self.0.saturating_add(1))
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessId({})", self.0)
    }
}

impl FromStr for ProcessId {
    type Err = ParseIntError;
    fn from_str(s: &str) -> Result<ProcessId, ParseIntError> {
        s.parse().map(ProcessId)
    }
}

/// The identity of one journal: drawn once, when the journal is made. It is part of every remote name, so two journals
/// that use one host never meet there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JournalUid(pub u32);

impl fmt::Display for JournalUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for JournalUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalUid({self})")
    }
}

/// A moment of the calendar, in milliseconds since 1970-01-01 UTC. For people and for the journal; never to time things
/// with, because clocks of walls jump.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub i64);

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WallTime({} ms)", self.0)
    }
}

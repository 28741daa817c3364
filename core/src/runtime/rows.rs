//! The process table: who lives in this runtime, and who of them ended but is still referred to.

use crate::ProcessId;
use slotmap::SlotMap;

slotmap::new_key_type! {
    /// A place in the table, with a generation: a stale one is found out.
    pub(crate) struct Slot;
}

/// One row. Kept small: a paused process is little more than this and its state.
#[derive(Default)]
pub(super) struct Row {
    /// The number in the journal, of a process that is in one, in two halves: a row is aligned to four bytes, and a number
    /// in one piece would cost eight more.
    id: [u32; 2],
    /// How many handles there are, plus one if a parent may still ask for it.
    pub handles: u32,
    /// Where at its desk it lives.
    pub place: u32,
    /// The number of the desk of its kind; 0 for a moment only, while it is made.
    pub desk: u16,
    /// Nudges that were not used yet.
    pub nudges: u16,
}

impl Row {
    pub fn of(id: Option<ProcessId>) -> Row {
        let number = id.map_or(0, ProcessId::number);
        Row { id: [(number >> 32) as u32, number as u32], ..Row::default() }
    }

    pub fn id(&self) -> Option<ProcessId> {
        ProcessId::new(u64::from(self.id[0]) << 32 | u64::from(self.id[1]))
    }
}

pub(super) type Rows = SlotMap<Slot, Row>;

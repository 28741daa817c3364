//! The process table: who lives in this runtime, and who of them ended but is still referred to.

use crate::ProcessId;
use crate::process::Resident;
use slotmap::SlotMap;

slotmap::new_key_type! {
    /// A place in the table, with a generation: a stale one is found out.
    pub(crate) struct Slot;
}

/// One row. Kept small: a paused process is little more than this and its state.
#[derive(Default)]
pub(super) struct Row {
    /// The number in the journal, of a process that is in one.
    pub id: Option<ProcessId>,
    /// How many handles there are, plus one if a parent may still ask for it.
    pub handles: u32,
    /// Nudges that were not used yet.
    pub nudges: u32,
    /// The actor, or its outcome. None for a moment only, while it is made or taken out.
    pub resident: Option<Box<dyn Resident>>,
}

pub(super) type Rows = SlotMap<Slot, Row>;

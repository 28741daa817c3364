//! After a restart: what the journal knows, lives again.

use super::{Kernel, Runtime, RuntimeError};
use crate::ProcessId;
use crate::journal::{BrokenRow, Order, ProcessRow};
use stakker::Core;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// What [`Runtime::recover`] did.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// How many processes go on.
    pub restored: usize,
    /// Those that cannot, each with the reason. They stay in the journal as they are.
    pub parked: Vec<Parked>,
}

/// A process that stays in the journal, untouched, because this program cannot go on with it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Parked {
    /// No closure is registered for its kind.
    #[error("process {id} is of kind {kind}, which this program does not know; it stays in the journal")]
    UnknownKind {
        /// Which.
        id: ProcessId,
        /// Its kind.
        kind: String,
    },
    /// Its state or its outcome cannot be read.
    #[error("process {id} ({kind}) cannot be read: {why}; it stays in the journal")]
    Unreadable {
        /// Which.
        id: ProcessId,
        /// Its kind.
        kind: String,
        /// What does not fit.
        why: String,
    },
    /// Its row makes no sense at all.
    #[error(transparent)]
    Broken(#[from] BrokenRow),
}

/// How often a runtime looks for letters although nobody rang: the bell is a file, and somebody may have removed it.
const LOOK_FOR_LETTERS: Duration = Duration::from_secs(5);

fn look_again(core: &mut Core, kernel: Weak<Kernel>) {
    core.after(LOOK_FOR_LETTERS, move |s| {
        if let Some(alive) = kernel.upgrade() {
            alive.look_for_letters();
            look_again(s, kernel);
        }
    });
}

impl Runtime {
    /// Brings back to life what the journal has and has not ended, each in the state that it was in, and reads the wishes
    /// that were left meanwhile. Call it once, after all kinds are registered. Without a journal it does nothing.
    pub fn recover(&mut self) -> Result<Recovered, RuntimeError> {
        let Some(loaded) = self.loaded.take() else { return Ok(Recovered::default()) };
        let mut recovered = Recovered::default();
        loaded.keys.into_iter().for_each(|known| self.kernel.take_key(known.parent, known.key));
        for row in loaded.rows {
            match row.map_err(Parked::from).and_then(|row| self.restore(&row).map(|()| row)) {
                Ok(row) if row.stage.is_end() => {}
                Ok(_) => recovered.restored += 1,
                Err(parked) => {
                    log::warn!("{parked}");
                    recovered.parked.push(parked);
                }
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.send(Order::ReadLetters);
        }
        if self.io.is_some() {
            look_again(&mut self.stakker, Rc::downgrade(&self.kernel));
        }
        self.kernel.on_outside();
        Ok(recovered)
    }

    fn restore(&mut self, row: &ProcessRow) -> Result<(), Parked> {
        let restored = self.restore_now(row);
        if let Some(key) = row.key.as_ref().filter(|_| row.parent.is_none() || restored.is_err()) {
            self.kernel.take_key(row.parent, key.clone());
        }
        restored
    }

    fn restore_now(&mut self, row: &ProcessRow) -> Result<(), Parked> {
        let (id, kind_name) = (row.id, row.kind.clone().into_owned());
        let Some(kind) = self.kernel.kinds().get(&*row.kind).cloned() else {
            return Err(Parked::UnknownKind { id, kind: kind_name });
        };
        let parent = row.parent.and_then(|p| self.kernel.slot_of(p));
        let restored = kind.restore(&self.kernel, &mut self.stakker, row, parent);
        let slot = restored.map_err(|e| Parked::Unreadable { id, kind: kind_name, why: e.to_string() })?;
        if let Some(key) = &row.key {
            self.kernel.enter_child(parent, key.clone(), slot);
        }
        // Also one that was only created or paused: its desire may have changed since.
        self.kernel.poke(slot, crate::process::Poke::Drive);
        Ok(())
    }
}

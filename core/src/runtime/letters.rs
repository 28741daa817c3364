//! Wishes that others wrote into the journal.

use super::Kernel;
use super::spawn::adopted;
use crate::journal::{Ask, Desired, Entry, Letter};
use crate::process::Poke;
use stakker::Core;
use std::rc::Rc;

/// Acts upon letters, each once. A letter is taken in the same write as its consequence.
pub(super) fn on_letters(kernel: &Rc<Kernel>, core: &mut Core, letters: Vec<Letter>) {
    for Letter { number, ask } in letters {
        if !kernel.is_new_letter(number) {
            continue;
        }
        let taken = match ask {
            Ok(Ask::Desire { process, desired }) => {
                on_process(kernel, process, |slot| kernel.poke(slot, Poke::Desire(desired)))
            }
            Ok(Ask::Nudge { process }) => on_process(kernel, process, |slot| kernel.nudge(slot)),
            Ok(Ask::Adopt { kind, version, state, key }) => adopt(kernel, core, &kind, version, state, key),
            Err(why) => {
                log::warn!("letter {number} in the journal cannot be understood: {why}; it is dropped");
                true
            }
        };
        if taken {
            kernel.note(Entry::LetterTaken { number });
        }
    }
}

fn on_process(kernel: &Kernel, id: crate::ProcessId, act: impl FnOnce(super::Slot)) -> bool {
    match kernel.slot_of(id) {
        Some(slot) => act(slot),
        None => log::info!("a letter asks something of process {id}, which has ended or is parked; dropped"),
    }
    true
}

/// Takes over a process. One that this program cannot run stays in the journal, as the letter that it came by.
fn adopt(kernel: &Rc<Kernel>, core: &mut Core, kind: &str, version: u32, state: String, key: String) -> bool {
    let Some(known) = kernel.kinds().get(kind).cloned() else {
        log::warn!("a process of the unknown kind {kind} was handed over; it waits in the journal");
        return false;
    };
    if let Err(e) = known.check(version, &state) {
        log::warn!(
            "a process of kind {kind} was handed over whose state cannot be read: {e}; it waits in the journal"
        );
        return false;
    }
    if kernel.child_of(super::Slot::default(), &key).is_some() || kernel.is_key_taken(None, &key) {
        return true;
    }
    let row = adopted(kernel, kind, version, state, key.clone());
    let slot = match known.restore(kernel, core, &row, None) {
        Ok(slot) => slot,
        Err(e) => {
            log::error!("a process that was handed over could not be made: {e}");
            return false;
        }
    };
    kernel.enter_child(None, key.clone(), slot);
    debug_assert_eq!(row.desired, Desired::Run);
    kernel.take_key(None, key);
    kernel.note(Entry::Born(Box::new(row)));
    kernel.poke(slot, Poke::Drive);
    true
}

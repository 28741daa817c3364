//! What goes to the journal, and what comes from it.

use super::Kernel;
use crate::journal::Entry;
use crate::process::Poke;
use crate::runtime::outbox::Outbox;
use crate::runtime::slot::Slot;
use crate::{JournalUid, ProcessId};
use std::cell::RefMut;

impl Kernel {
    pub(in crate::runtime) fn outbox(&self) -> RefMut<'_, Outbox> {
        self.outbox.borrow_mut()
    }

    /// Writes an entry that nobody waits for.
    pub(crate) fn note(&self, entry: Entry) {
        self.outbox.borrow_mut().note(entry);
        self.on_outside();
    }

    /// Writes the entries of a transition; the process is told when they are durable.
    pub(crate) fn write(&self, slot: Slot, entries: impl Iterator<Item = Entry>) {
        self.outbox.borrow_mut().write(slot, entries);
    }

    pub(in crate::runtime) fn on_durable(&self, ticket: u64) {
        let landed = self.outbox.borrow_mut().landed(ticket);
        let mut agenda = self.agenda.borrow_mut();
        landed.into_iter().for_each(|slot| agenda.push(slot, Poke::Durable));
    }

    pub(in crate::runtime) fn open_journal(&self, uid: JournalUid, next_id: ProcessId) {
        self.uid.set(uid);
        self.next_id.set(next_id);
        self.durable.set(true);
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.durable.get()
    }

    pub(crate) fn new_id(&self) -> ProcessId {
        let id = self.next_id.get();
        self.next_id.set(id.next());
        id
    }

    /// Whether this letter is new. A letter is given again until its taking is durable.
    pub(in crate::runtime) fn is_new_letter(&self, number: i64) -> bool {
        number > self.last_letter.replace(number.max(self.last_letter.get()))
    }

    /// It is time to look for letters, whether or not somebody rang.
    pub(in crate::runtime) fn look_for_letters(&self) {
        self.letters_due.set(true);
    }

    pub(in crate::runtime) fn take_letters_due(&self) -> bool {
        self.letters_due.take()
    }
}

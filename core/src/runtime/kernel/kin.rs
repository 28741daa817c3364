//! Parents, children and keys.

use super::Kernel;
use crate::ProcessId;
use crate::journal::Desired;
use crate::process::Poke;
use crate::runtime::slot::Slot;
use std::cell::RefCell;

impl Kernel {
    pub(crate) fn child_of(&self, parent: Slot, key: &str) -> Option<Slot> {
        self.kin.get()?.borrow().get(&(parent, key.to_owned())).copied()
    }

    /// Enters a child under its key. Its outcome is kept until the parent ends.
    pub(crate) fn enter_child(&self, parent: Option<Slot>, key: String, child: Slot) {
        let kin = self.kin.get_or_init(RefCell::default);
        kin.borrow_mut().insert((parent.unwrap_or_default(), key), child);
        if parent.is_some() {
            self.count_handle(child, 1);
        }
    }

    /// Remembers that the journal has a process with this key.
    pub(in crate::runtime) fn take_key(&self, parent: Option<ProcessId>, key: String) {
        self.taken_keys.borrow_mut().insert((parent, key));
    }

    /// Whether the journal would refuse a process with this key, though none may live under it.
    pub(in crate::runtime) fn is_key_taken(&self, parent: Option<ProcessId>, key: &str) -> bool {
        self.taken_keys.borrow().contains(&(parent, key.to_owned()))
    }

    fn children(&self, parent: Slot) -> Vec<(String, Slot)> {
        let Some(kin) = self.kin.get() else { return Vec::new() };
        let kin = kin.borrow();
        let from_first = kin.range((parent, String::new())..);
        let own = from_first.take_while(|((p, _), _)| *p == parent);
        own.map(|((_, key), child)| (key.clone(), *child)).collect()
    }

    /// Whether anybody has a child or a key at all: a process without kin does not look for any.
    #[inline]
    pub(crate) fn has_kin(&self) -> bool {
        self.kin.get().is_some_and(|kin| !kin.borrow().is_empty())
    }

    pub(crate) fn desire_children(&self, parent: Slot, desired: Desired) {
        self.children(parent).into_iter().for_each(|(_, child)| self.poke(child, Poke::Desire(desired)));
    }

    pub(crate) fn has_live_children(&self, parent: Slot) -> bool {
        self.has_kin() && self.children(parent).into_iter().any(|(_, child)| self.is_live(child))
    }

    pub(crate) fn leave_children(&self, parent: Slot) {
        for (key, child) in self.children(parent) {
            if let Some(kin) = self.kin.get() {
                kin.borrow_mut().remove(&(parent, key));
            }
            self.count_handle(child, -1);
        }
    }

    pub(crate) fn note_child_fault(&self, parent: Slot, key: String, why: String) {
        self.child_faults.borrow_mut().insert(parent, (key, why));
    }

    pub(crate) fn take_child_fault(&self, parent: Slot) -> Option<(String, String)> {
        self.child_faults.borrow_mut().remove(&parent)
    }
}

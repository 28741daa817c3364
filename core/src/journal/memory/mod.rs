//! A journal in memory, for tests and for simulation: it can crash at any boundary, fail, and answer late.
//!
//! [`MemoryStore`] is the disk: it outlives the runtimes. [`Memory`] is one opening of it, and implements
//! [`Journal`]. There is no helper thread: a write is applied when it is sent, and its note waits for the next
//! [`take`](Journal::take), or until [`MemoryStore::release`] if notes are delayed.

mod records;
#[cfg(test)]
mod tests;

use super::{
    Ask, EffectEnd, EffectRow, Entry, Journal, JournalError, Letter, Loaded, Note, Order, ProcessRow,
};
use crate::{JournalUid, ProcessId};
use records::Records;
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// A moment at which the power goes. Writes are counted from 0 over the life of the store, over all its openings.
///
/// Each write has two such boundaries, so a test runs a story once, asks for the
/// [number of boundaries](MemoryStore::boundaries), and runs the story again with a crash at each of them:
///
/// ```
/// use procession::journal::{Crash, Entry, Journal, MemoryStore, Order};
///
/// /// A runtime's work: three writes, or fewer if the power goes.
/// fn story(store: &MemoryStore) {
///     let mut memory = store.open();
///     memory.load().expect("the opening before has crashed, or is gone");
///     for ticket in 1..=3 {
///         memory.send(Order::Write { ticket, entries: vec![Entry::LetterTaken { number: 1 }] });
///     }
/// }
/// let quiet = MemoryStore::new();
/// story(&quiet);
/// assert_eq!(quiet.boundaries(), 6);
/// for boundary in 0..quiet.boundaries() {
///     let store = MemoryStore::new();
///     store.crash_at(Crash::at(boundary));
///     story(&store);
///     assert!(store.boundaries() > boundary, "it was reached");
///     story(&store); // and what comes after the crash
///     assert!(!store.crashed());
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// Before this write is applied: it is lost.
    Before {
        /// Which write.
        write: u64,
    },
    /// After this write is applied, and before its note: it is durable, and nobody was told.
    After {
        /// Which write.
        write: u64,
    },
}

impl Crash {
    /// The crash at this boundary, counted as [`MemoryStore::boundaries`] does.
    ///
    /// ```
    /// use procession::journal::Crash;
    /// assert_eq!(Crash::at(4), Crash::Before { write: 2 });
    /// assert_eq!(Crash::at(5), Crash::After { write: 2 });
    /// ```
    pub const fn at(boundary: u64) -> Crash {
        match boundary % 2 {
            0 => Crash::Before { write: boundary / 2 },
            _ => Crash::After { write: boundary / 2 },
        }
    }
}

/// The disk under a [`Memory`]. A clone is the same disk.
///
/// ```
/// use procession::journal::{Ask, Desired, Journal, MemoryStore, Note, Order};
/// use procession::ProcessId;
///
/// let store = MemoryStore::new();
/// let mut memory = store.open();
/// memory.load()?;
/// let number = store.post(Ask::Desire { process: ProcessId::FIRST, desired: Desired::Kill });
/// assert!(matches!(memory.take(), Some(Note::Bell)));
/// memory.send(Order::ReadLetters);
/// assert!(matches!(memory.take(), Some(Note::Letters(letters)) if letters[0].number == number));
/// # Ok::<(), procession::journal::JournalError>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore(Rc<RefCell<Disk>>);

struct Disk {
    uid: JournalUid,
    records: Records,
    last_letter: i64,
    boundaries: u64,
    crash: Option<Crash>,
    failing: Option<JournalError>,
    delays_notes: bool,
    watcher: Option<Rc<dyn Fn(&Entry)>>,
    last_opening: u64,
    open: Option<Opening>,
}

/// The opening that holds the store.
struct Opening {
    number: u64,
    status: Status,
    notes: VecDeque<Note>,
    delayed: VecDeque<Note>,
    waker: Option<Waker>,
}

impl Opening {
    fn fall(&mut self) {
        self.status = Status::Crashed;
        self.notes.clear();
        self.delayed.clear();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Working,
    /// A write failed: no more writes.
    Failed,
    /// The power went: nothing works.
    Crashed,
}

type Waker = Arc<dyn Fn() + Send + Sync>;

impl MemoryStore {
    /// An empty store, whose journal has the uid 1.
    pub fn new() -> MemoryStore {
        MemoryStore::with_uid(JournalUid(1))
    }

    /// An empty store with this uid, for a world in which two journals share a host.
    pub fn with_uid(uid: JournalUid) -> MemoryStore {
        MemoryStore(Rc::new(RefCell::new(Disk {
            uid,
            records: Records::default(),
            last_letter: 0,
            boundaries: 0,
            crash: None,
            failing: None,
            delays_notes: false,
            watcher: None,
            last_opening: 0,
            open: None,
        })))
    }

    /// A new opening. It takes the store into possession when it is [loaded](Journal::load).
    pub fn open(&self) -> Memory {
        let mut disk = self.0.borrow_mut();
        disk.last_opening += 1;
        Memory { store: self.clone(), number: disk.last_opening, waker: None }
    }

    /// Leaves a letter, rings the bell of the opening that holds the store, and gives the letter's number.
    pub fn post(&self, ask: Ask) -> i64 {
        let number = {
            let mut disk = self.0.borrow_mut();
            disk.last_letter += 1;
            let number = disk.last_letter;
            disk.records.put_letter(Letter { number, ask: Ok(ask) });
            number
        };
        self.tell(|_, opening| opening.notes.push_back(Note::Bell));
        number
    }

    /// Lets the power go at this moment, once. The opening that is hit swallows all that is sent to it and gives no
    /// more notes; the next opening finds what was durable.
    pub fn crash_at(&self, crash: Crash) {
        self.0.borrow_mut().crash = Some(crash);
    }

    /// Lets the power go now. If nobody holds the store, nothing happens.
    pub fn crash_now(&self) {
        if let Some(opening) = &mut self.0.borrow_mut().open {
            opening.fall();
        }
    }

    /// Tells `watcher` of each entry that becomes durable, in order. It must not touch the store.
    pub fn watch(&self, watcher: impl Fn(&Entry) + 'static) {
        self.0.borrow_mut().watcher = Some(Rc::new(watcher));
    }

    /// How many boundaries were reached: two for each write.
    pub fn boundaries(&self) -> u64 {
        self.0.borrow().boundaries
    }

    /// Whether the opening that held the store last has crashed.
    pub fn crashed(&self) -> bool {
        self.0.borrow().open.as_ref().is_some_and(|o| o.status == Status::Crashed)
    }

    /// From now on each write fails, for this reason, until [`mend`](Self::mend).
    ///
    /// ```
    /// use procession::journal::{Journal, JournalError, MemoryStore, Note, Order};
    /// let store = MemoryStore::new();
    /// let mut memory = store.open();
    /// memory.load()?;
    /// store.fail_writes(JournalError::Io { path: "journal".into(), why: "no space is left".into() });
    /// memory.send(Order::Write { ticket: 1, entries: Vec::new() });
    /// assert!(matches!(memory.take(), Some(Note::Failed { ticket: 1, .. })));
    /// # Ok::<(), JournalError>(())
    /// ```
    pub fn fail_writes(&self, why: JournalError) {
        self.0.borrow_mut().failing = Some(why);
    }

    /// Ends what [`fail_writes`](Self::fail_writes) began. An opening that has failed stays so.
    pub fn mend(&self) {
        self.0.borrow_mut().failing = None;
    }

    /// Whether answers are held back until [`release`](Self::release), so that time can pass between a write and its
    /// note. Bells are not answers, and ring at once. `false` gives out nothing that was held back before.
    ///
    /// ```
    /// use procession::journal::{Journal, MemoryStore, Note, Order};
    /// let store = MemoryStore::new();
    /// let mut memory = store.open();
    /// memory.load()?;
    /// store.delay_notes(true);
    /// memory.send(Order::Write { ticket: 1, entries: Vec::new() });
    /// assert!(memory.take().is_none() && store.delayed());
    /// store.release();
    /// assert!(matches!(memory.take(), Some(Note::Durable { ticket: 1 })));
    /// # Ok::<(), procession::journal::JournalError>(())
    /// ```
    pub fn delay_notes(&self, delay: bool) {
        self.0.borrow_mut().delays_notes = delay;
    }

    /// Gives out all answers that were held back.
    pub fn release(&self) {
        self.tell(|_, opening| opening.notes.append(&mut opening.delayed));
    }

    /// Whether answers are held back at present.
    pub fn delayed(&self) -> bool {
        self.0.borrow().open.as_ref().is_some_and(|o| !o.delayed.is_empty())
    }

    /// Every process, in the order of the ids.
    pub fn rows(&self) -> Vec<ProcessRow> {
        self.0.borrow().records.rows().cloned().collect()
    }

    /// Every effect with its end, if it has one; by process, kind, host and name.
    pub fn effects(&self) -> Vec<(ProcessId, EffectRow, Option<EffectEnd>)> {
        self.0.borrow().records.effects().collect()
    }

    /// The letters that nobody has taken, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        self.0.borrow().records.letters()
    }

    /// Does this to the opening that works, and wakes its runtime if there is something to take.
    fn tell(&self, change: impl FnOnce(&mut Disk, &mut Opening)) {
        let mut disk = self.0.borrow_mut();
        let Some(mut opening) = disk.open.take() else { return };
        if opening.status != Status::Crashed {
            change(&mut disk, &mut opening);
        }
        let waker = if opening.notes.is_empty() { None } else { opening.waker.clone() };
        disk.open = Some(opening);
        drop(disk);
        if let Some(waker) = waker {
            waker();
        }
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

/// One opening of a [`MemoryStore`]: the journal of one runtime. Dropping it makes room for the next one.
///
/// ```
/// use procession::Runtime;
/// use procession::journal::MemoryStore;
/// let store = MemoryStore::new();
/// let runtime = Runtime::builder().journal(store.open()).build()?;
/// drop(runtime);
/// assert!(store.rows().is_empty());
/// # Ok::<(), procession::RuntimeError>(())
/// ```
pub struct Memory {
    store: MemoryStore,
    number: u64,
    /// Until it holds the store.
    waker: Option<Waker>,
}

impl Memory {
    /// Whether the power went while this opening held the store.
    pub fn crashed(&self) -> bool {
        self.holds() && self.store.crashed()
    }

    fn holds(&self) -> bool {
        self.store.0.borrow().open.as_ref().is_some_and(|o| o.number == self.number)
    }
}

impl Journal for Memory {
    fn load(&mut self) -> Result<Loaded, JournalError> {
        let mut disk = self.store.0.borrow_mut();
        if disk.open.as_ref().is_some_and(|o| o.status != Status::Crashed) {
            return Err(JournalError::Held { path: PathBuf::from(NAME), holder: std::process::id() });
        }
        let (notes, delayed) = (VecDeque::new(), VecDeque::new());
        let (status, waker) = (Status::Working, self.waker.take());
        disk.open = Some(Opening { number: self.number, status, notes, delayed, waker });
        let records = &disk.records;
        let rows: Vec<_> = records.rows().filter(|row| records.is_live(row)).collect();
        let live: BTreeSet<ProcessId> = rows.iter().map(|row| row.id).collect();
        let open = records.effects().filter(|(process, _, end)| end.is_none() && live.contains(process));
        let effects = open.map(|(process, effect, _)| (process, effect)).collect();
        let rows = rows.into_iter().cloned().map(Ok).collect();
        Ok(Loaded { uid: disk.uid, next_id: records.next_id(), keys: records.ended_keys(), rows, effects })
    }

    fn wake_with(&mut self, waker: Waker) {
        if self.holds() {
            self.store.tell(|_, opening| opening.waker = Some(waker));
        } else {
            self.waker = Some(waker);
        }
    }

    fn send(&mut self, order: Order) {
        if !self.holds() {
            return;
        }
        self.store.tell(|disk, opening| {
            let Some(note) = disk.carry_out(opening, order) else { return };
            let answers = if disk.delays_notes { &mut opening.delayed } else { &mut opening.notes };
            answers.push_back(note);
        });
    }

    fn take(&mut self) -> Option<Note> {
        let mut disk = self.store.0.borrow_mut();
        disk.open.as_mut().filter(|o| o.number == self.number)?.notes.pop_front()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.holds() && !self.crashed() {
            self.store.0.borrow_mut().open = None;
        }
    }
}

/// What errors say instead of a path.
const NAME: &str = "in memory";

impl Disk {
    fn carry_out(&mut self, opening: &mut Opening, order: Order) -> Option<Note> {
        let (ticket, entries) = match (opening.status, order) {
            (Status::Working, Order::Write { ticket, entries }) => (ticket, entries),
            // A failure was said once, for all that follow.
            (Status::Failed | Status::Crashed, Order::Write { .. }) => return None,
            (Status::Working | Status::Failed, Order::ReadLetters) => {
                return Some(Note::Letters(self.records.letters()));
            }
            (Status::Crashed, Order::ReadLetters) => return None,
        };
        let write = self.boundaries / 2;
        if self.power_goes(Crash::Before { write }, opening) {
            return None;
        }
        let applied = match &self.failing {
            Some(why) => Err(why.clone()),
            None => self.apply(entries),
        };
        if self.power_goes(Crash::After { write }, opening) {
            return None;
        }
        Some(match applied {
            Ok(()) => Note::Durable { ticket },
            Err(why) => {
                opening.status = Status::Failed;
                Note::Failed { ticket, why }
            }
        })
    }

    fn apply(&mut self, entries: Vec<Entry>) -> Result<(), JournalError> {
        let watched = self.watcher.clone().map(|watcher| (watcher, entries.clone()));
        self.records.apply(entries).map_err(|why| JournalError::Refused { path: NAME.into(), why })?;
        if let Some((watcher, entries)) = watched {
            entries.iter().for_each(|entry| watcher(entry));
        }
        Ok(())
    }

    fn power_goes(&mut self, here: Crash, opening: &mut Opening) -> bool {
        self.boundaries += 1;
        let goes = self.crash == Some(here);
        if goes {
            self.crash = None;
            // A write that was lost has used up its number: the next one begins at an even boundary.
            self.boundaries += self.boundaries % 2;
            opening.fall();
        }
        goes
    }
}

//! The durable record of states, desires and effects.
//!
//! This module says what a journal is; it knows no process, no clock and no actor. The runtime drives a [`Journal`]: it
//! [`load`](Journal::load)s once, [`send`](Journal::send)s orders without ever waiting, and
//! [`take`](Journal::take)s the notes that come back. Two journals exist: [`Memory`], which can be told to crash at any
//! boundary, and [`Sqlite`], whose one helper thread writes with group commit.
//!
//! What an order promises: the entries of one [`Order::Write`] become durable together or not at all, in the order of
//! the tickets. A transition and the effects it is about to have are written in one order, so the ledger never misses
//! an effect that a crash made possible. Entries that contradict what is there (a process that is born twice, a step of
//! one that has ended) are [refused](JournalError::Refused) with their whole order.

mod columns;
#[cfg(test)]
mod contract;
mod entry;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use columns::{Column, LedgerRow};
pub use entry::{Ask, Desired, EffectEnd, EffectRow, Entry, Letter, ProcessRow, Stage};
pub use memory::{Crash, Memory, MemoryStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{Filter, Postbox, Posted, Reader, Sqlite};

use crate::{JournalUid, ProcessId};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// A durable record. See the [module](self) for who drives it.
///
/// ```
/// use procession::journal::{Journal, MemoryStore, Note, Order};
/// let store = MemoryStore::new();
/// let mut journal = store.open();
/// let loaded = journal.load()?;
/// assert!(loaded.rows.is_empty());
/// journal.send(Order::ReadLetters);
/// assert!(matches!(journal.take(), Some(Note::Letters(letters)) if letters.is_empty()));
/// # Ok::<(), procession::journal::JournalError>(())
/// ```
pub trait Journal {
    /// Takes the journal into possession and reads what is unfinished. Called once, before anything else; may block.
    fn load(&mut self) -> Result<Loaded, JournalError>;

    /// Who to call, from any thread, when [`take`](Self::take) has something to give.
    fn wake_with(&mut self, waker: Arc<dyn Fn() + Send + Sync>);

    /// Begins to carry out an order. Never blocks; the answer is a [`Note`].
    fn send(&mut self, order: Order);

    /// The next note, if one has come back. Call it until it gives nothing, each time the waker was called or
    /// [`bell_fd`](Self::bell_fd) was readable; with a bell, the last of these calls costs a system call.
    fn take(&mut self) -> Option<Note>;

    /// A descriptor to poll for reading, if others can ring from outside this process; present once the journal is
    /// loaded, and the same until it is dropped. When it is readable, [`take`](Self::take) empties it, and gives one
    /// [`Note::Bell`] for all who have rung.
    fn bell_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// What the runtime asks of a journal.
#[derive(Debug)]
pub enum Order {
    /// Make these entries durable, all or none. Answered by [`Note::Durable`] or [`Note::Failed`].
    Write {
        /// Counts up by one with each write.
        ticket: u64,
        /// In the order in which they happened.
        entries: Vec<Entry>,
    },
    /// Read the letters that others have left. Answered by [`Note::Letters`].
    ReadLetters,
}

/// What a journal answers.
#[derive(Debug)]
pub enum Note {
    /// Every write up to and including this ticket is durable.
    Durable {
        /// The ticket of the last write that is durable.
        ticket: u64,
    },
    /// The write with this ticket, and all after it, did not become durable. The journal takes no more writes.
    Failed {
        /// The ticket of the first write that is lost.
        ticket: u64,
        /// Why.
        why: JournalError,
    },
    /// The letters that were there, oldest first; empty if there were none. A letter is gone once an
    /// [`Entry::LetterTaken`] that names it is durable, and is given again until then.
    Letters(Vec<Letter>),
    /// Somebody rang the bell: there may be letters.
    Bell,
}

/// What [`Journal::load`] found.
#[derive(Debug)]
pub struct Loaded {
    /// The identity of this journal.
    pub uid: JournalUid,
    /// The lowest number that no process of this journal has ever had.
    pub next_id: ProcessId,
    /// All processes that have not ended, and the ended children of parents that have not, in the order of their ids.
    /// A row whose contents cannot be understood is an `Err` that says which and why; it stays in the journal as it is.
    pub rows: Vec<Result<ProcessRow, BrokenRow>>,
    /// The keys that are taken, though no readable row in `rows` shows it: those of top-level processes that have ended,
    /// and those of broken rows. With the rows these are all the keys that an [`Entry::Born`] must not use again.
    pub keys: Vec<KnownKey>,
    /// The effects of those processes that have no end yet.
    pub effects: Vec<(ProcessId, EffectRow)>,
}

/// A key that a new process must not use again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownKey {
    /// The process for whose children it is taken; none for top-level processes.
    pub parent: Option<ProcessId>,
    /// The key.
    pub key: String,
    /// The number of the process that has it: an ended one, or that of a [`BrokenRow`].
    pub process: i64,
}

/// A row of the journal that makes no sense: cut off, edited by hand, or written by a later version.
#[derive(Clone, Debug, thiserror::Error)]
#[error("process {id} cannot be read from the journal: {why}")]
pub struct BrokenRow {
    /// The number in the row, which may itself be nonsense.
    pub id: i64,
    /// Which column, and what was wrong with it.
    pub why: String,
}

/// Why a journal could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// Another runtime has it open.
    #[error(
        "the journal {path} is held by another runtime (pid {holder}); stop that one, or hand your work to it"
    )]
    Held {
        /// The file.
        path: PathBuf,
        /// The process that holds it, as far as it said so; 0 if it did not.
        holder: u32,
    },
    /// The file is not a journal, or is damaged.
    #[error(
        "{path} is not a usable journal: {why}; restore it from a copy, or start a new one with another path"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// The file was written by a later version of Procession.
    #[error(
        "{path} has schema version {found}, and this program knows versions up to {known}: use a newer program"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The highest version that this program can read.
        known: u32,
    },
    /// An entry contradicts what the journal holds: a process is born under an id or a key that is taken, or takes a step
    /// though it has ended or is not there. Somebody has edited the file under the runtime, or the runtime is wrong.
    #[error(
        "the journal {path} refuses a write that contradicts it: {why}; was it edited while a runtime had it?"
    )]
    Refused {
        /// The file.
        path: PathBuf,
        /// What contradicts what.
        why: String,
    },
    /// The file system refused: no space, no permission, an error of the disk.
    #[error("the journal {path} cannot be written: {why}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The helper thread that writes is gone.
    #[error("the journal's writer has ended; no transition can be recorded any more")]
    Ended,
}

//! The journal in one SQLite file, which anybody may read at any time.
//!
//! [`Sqlite`] is the journal of the runtime that holds the file; one helper thread writes for it, with group commit.
//! [`Reader`] looks at the file, and [`Postbox`] leaves letters in it; both work from any program, whether a runtime
//! holds the file or not.
//!
//! Handing over a process exactly once: an [`Ask::Adopt`](super::Ask::Adopt) carries a key. The runtime knows every key
//! that is taken, from the rows and from [`Loaded::keys`], and answers a known one with `LetterTaken` alone; for a new
//! one, it writes `Born` and `LetterTaken` in one order. So a letter that is given twice, or posted twice, or met again
//! after a crash, makes one process. Should a runtime err, a unique index refuses the second birth.

mod apply;
mod bell;
mod connection;
mod load;
mod lock;
mod post;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

pub use post::{Postbox, Posted};
pub use read::{Filter, Reader};

use super::{Journal, JournalError, Loaded, Note, Order};
use apply::Apply;
use bell::Bell;
use connection::Trouble;
use lock::Lock;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use writer::Writer;

type Waker = Arc<dyn Fn() + Send + Sync>;

/// The durable journal of one runtime, in one SQLite file whose states and outcomes are readable JSON. Dropping it
/// writes what was sent, and gives the file back; that blocks for a commit.
///
/// Beside `FILE` lie `FILE.lock` (who holds it), `FILE.sock` (the bell), and while it is in use `FILE-wal` and
/// `FILE-shm` (SQLite's). The file system must be a local one:
/// [SQLite's log does not work over a network](https://sqlite.org/wal.html).
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("journal");
/// use procession::journal::{Entry, Journal, Note, Order, Sqlite, Stage};
/// use std::sync::{Arc, mpsc};
///
/// let mut journal = Sqlite::open(&path)?;
/// assert!(journal.load()?.rows.is_empty());
/// let (wake, woken) = mpsc::channel();
/// journal.wake_with(Arc::new(move || wake.send(()).unwrap_or(())));
/// journal.send(Order::Write { ticket: 1, entries: vec![Entry::LetterTaken { number: 1 }] });
/// woken.recv()?; // a runtime's poll wakes up instead
/// assert!(matches!(journal.take(), Some(Note::Durable { ticket: 1 })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sqlite {
    path: PathBuf,
    /// Until there is a writer that needs it.
    waker: Option<Waker>,
    held: Option<Held>,
}

/// What the holder of the file has. The order counts: the lock goes last, when nobody writes any more.
struct Held {
    writer: Writer,
    bell: Bell,
    _lock: Lock,
}

impl Sqlite {
    /// Opens the journal in this file; a file that is not there is made, readable for its owner only. It is not held
    /// before it is [loaded](Journal::load). Blocks.
    ///
    /// Errors: `Io` if the file cannot be made or read, `Damaged` if it is something else than a journal, `TooNew`.
    pub fn open(path: impl AsRef<Path>) -> Result<Sqlite, JournalError> {
        let path = path.as_ref();
        if let Ok(there) = real(path)
            && std::fs::metadata(&there).is_ok_and(|it| it.len() == 0)
            && lock::was_made(&there)
        {
            let why = "it is empty, and was not before (remove it, to begin anew all the same)".into();
            return Err(JournalError::Damaged { path: there, why });
        }
        make(path).map_err(|e| Trouble::new(path).io(e))?;
        let path = real(path)?;
        schema::create(&mut connection::for_writing(&path)?, &path)?;
        Ok(Sqlite { path, waker: None, held: None })
    }

    /// The file, by its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Journal for Sqlite {
    fn load(&mut self) -> Result<Loaded, JournalError> {
        let mut lock = Lock::take(&self.path)?;
        let mut file = connection::for_writing(&self.path)?;
        schema::migrate(&mut file, &self.path)?;
        lock.made().map_err(|e| Trouble::new(&self.path).io(e))?;
        let loaded = load::load(&file, Trouble::new(&self.path))?;
        // Tables and columns that are missing show now, and not at the first write.
        Apply::new(&file, Trouble::new(&self.path))?;
        let bell = Bell::hang(&self.path)?;
        let watch = lock.watch(&self.path).map_err(|e| Trouble::new(&self.path).io(e))?;
        let writer = Writer::start(file, &self.path, self.waker.take(), watch)?;
        self.held = Some(Held { writer, bell, _lock: lock });
        Ok(loaded)
    }

    fn wake_with(&mut self, waker: Waker) {
        match &self.held {
            Some(held) => held.writer.wake_with(waker),
            None => self.waker = Some(waker),
        }
    }

    fn send(&mut self, order: Order) {
        if let Some(held) = &self.held {
            held.writer.send(order);
        }
    }

    fn take(&mut self) -> Option<Note> {
        let held = self.held.as_ref()?;
        held.writer.take().or_else(|| held.bell.has_rung().then_some(Note::Bell))
    }

    fn bell_fd(&self) -> Option<BorrowedFd<'_>> {
        self.held.as_ref().map(|held| held.bell.fd())
    }
}

/// Makes the file if it is not there. One that is there must not be opened and closed by us: closing any descriptor of
/// a file drops all the locks that SQLite has on it within this process (`fcntl(2)`, advisory record locking).
fn make(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The one path of a file that is there: two names of one journal must lead to one lock.
fn real(path: &Path) -> Result<PathBuf, JournalError> {
    std::fs::canonicalize(path).map_err(|e| Trouble::new(path).io(e))
}

/// A file beside the journal: its path with something added.
fn beside(journal: &Path, suffix: &str) -> PathBuf {
    let mut path = journal.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

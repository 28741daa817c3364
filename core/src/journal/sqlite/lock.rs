//! Who holds the journal: an `flock` on the file beside it, which the kernel takes back when its owner dies.
//!
//! The lock belongs to the open file, not to the process, so two openings within one process exclude each other too
//! (`flock(2)`). The file stays when the lock goes: to remove it would let two holders lock two files of one name.

use super::connection::Trouble;
use crate::journal::JournalError;
use rustix::event::Timespec;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, test_kill_process};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The lock; given back when it is dropped.
pub(super) struct Lock {
    file: File,
    /// Whether the journal has been made, by this holder or by one before.
    made: bool,
}

/// Stands in the file from when the journal was first made. A journal that is empty later has lost what it had, which
/// happens when the power goes while a file system moves things.
const MADE: &str = "made";

/// How long we wait for a lock whose owner is dead: 2 s, in naps of 10 ms.
const MOST_NAPS: u32 = 200;
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

impl Lock {
    /// Takes the lock of this journal, or says who has it. Blocks.
    ///
    /// The lock can outlive its owner for some milliseconds. A child that has just been forked shares every open file until it
    /// becomes another program (`O_CLOEXEC`, open(2)), and does not die with its parent. So one whose owner is dead is waited
    /// for.
    pub(super) fn take(journal: &Path) -> Result<Lock, JournalError> {
        let trouble = Trouble::new(journal);
        let mut options = OpenOptions::new();
        // The standard library opens everything with O_CLOEXEC, so no other program inherits the lock.
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(super::beside(journal, ".lock")).map_err(|e| trouble.io(e))?;
        let mut naps = 0;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(error) => return Err(trouble.io(error)),
            }
            let holder = holder(&mut file);
            if naps == MOST_NAPS || is_alive(holder) {
                return Err(JournalError::Held { path: journal.to_owned(), holder });
            }
            naps += 1;
            let _ = rustix::event::poll(&mut [], Some(&NAP));
        }
        let was_made = words(&mut file).contains(MADE);
        let mut lock = Lock { file, made: was_made };
        let pid = std::process::id();
        let text = if was_made { format!("{pid}\n{MADE}\n") } else { format!("{pid}\n") };
        lock.write(&text).map_err(|e| trouble.io(e))?;
        Ok(lock)
    }

    /// Notes that the journal is made.
    pub(super) fn made(&mut self) -> std::io::Result<()> {
        if self.made {
            return Ok(());
        }
        self.made = true;
        self.write(&format!("{}\n{MADE}\n", std::process::id()))
    }

    /// A look at the lock from elsewhere.
    pub(super) fn watch(&self, journal: &Path) -> std::io::Result<Watch> {
        let held = self.file.metadata()?;
        let path = super::beside(journal, ".lock");
        Ok(Watch { journal: journal.to_owned(), path, file: (held.dev(), held.ino()) })
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

/// Tells whether the file that is locked still is the one that others would lock. Somebody who removes it lets a second
/// holder in, and the first has to give way: it is the one who can find out.
pub(super) struct Watch {
    journal: PathBuf,
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

impl Watch {
    /// An error that says so if the lock is worth nothing any more.
    pub(super) fn hold(&self) -> Result<(), JournalError> {
        match std::fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == self.file => Ok(()),
            Ok(_) | Err(_) => {
                let why = format!(
                    "{} was removed or replaced, so another runtime may have the journal; this one writes no more",
                    self.path.display()
                );
                Err(JournalError::Io { path: self.journal.clone(), why })
            }
        }
    }
}

/// Whether somebody who had the lock has made the journal. The lock need not be free.
pub(super) fn was_made(journal: &Path) -> bool {
    File::open(super::beside(journal, ".lock")).is_ok_and(|mut file| words(&mut file).contains(MADE))
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The pid is only for people who look: whether the lock is held says the kernel.
        let _ = self.write(if self.made { MADE } else { "" });
        // Not left to the closing of the file: a child that has just been forked may share it (`take`).
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// A pid has at most seven digits.
const LONGEST: u64 = 32;

/// The pid in the file; 0 if there is none, as its owner has the lock but did not sign it yet.
fn holder(file: &mut File) -> u32 {
    words(file).lines().next().and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}

/// Whether there is such a process. One that has not signed yet is.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_none_or(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn words(file: &mut File) -> String {
    let mut text = String::new();
    match file.rewind().and_then(|()| file.take(LONGEST).read_to_string(&mut text)) {
        Ok(_) => text,
        Err(_) => String::new(),
    }
}

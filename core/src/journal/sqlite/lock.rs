//! Who holds the journal: an `flock` on the file beside it, which the kernel takes back when its owner dies.
//!
//! The lock belongs to the open file, not to the process, so two openings within one process exclude each other too
//! (`flock(2)`). The file stays when the lock goes: to remove it would let two holders lock two files of one name.

use super::connection::Trouble;
use crate::journal::JournalError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The lock; given back when it is dropped.
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock of this journal, or says who has it.
    pub(super) fn take(journal: &Path) -> Result<Lock, JournalError> {
        let trouble = Trouble::new(journal);
        let mut options = OpenOptions::new();
        // The standard library opens everything with O_CLOEXEC, so no child inherits the lock.
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(super::beside(journal, ".lock")).map_err(|e| trouble.io(e))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(JournalError::Held { path: journal.to_owned(), holder: holder(&mut file) });
            }
            Err(error) => return Err(trouble.io(error)),
        }
        let sign = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        sign(&mut file).map_err(|e| trouble.io(e))?;
        Ok(Lock(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Only for people who look: whether the lock is held says the kernel.
        let _ = self.0.set_len(0);
    }
}

/// The longest pid has seven digits.
const PID_BYTES: u64 = 16;

/// The pid in the file; 0 if there is none, as its owner has the lock but did not sign it yet.
fn holder(file: &mut File) -> u32 {
    let mut text = String::new();
    match file.take(PID_BYTES).read_to_string(&mut text) {
        Ok(_) => text.trim().parse().unwrap_or(0),
        Err(_) => 0,
    }
}

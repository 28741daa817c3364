//! The only writes to a file of known hosts: one line at its end, when the user asked for `accept-new`.

use super::HostName;
use rustix::fs::{FlockOperation, flock};
use ssh_key::PublicKey;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// What came of [`learn`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learned {
    /// The key was added.
    Added,
    /// The same line was there already: somebody else was faster.
    Already,
}

/// Adds the key of a host to a file, which is made (mode 0600, its folder 0700) if it is not there.
///
/// The line is appended with one write under a lock (`flock`), so another Procession's line is neither cut nor doubled, and
/// nothing that is in the file is touched. It blocks while the file system does: call it on a helper thread.
pub fn learn(file: &Path, host: &HostName, key: &[u8]) -> Result<Learned> {
    let key = PublicKey::from_bytes(key).and_then(|key| key.to_openssh());
    let key = key.map_err(|e| Error::new(ErrorKind::InvalidData, e.to_string()))?;
    let line = format!("{} {}\n", host.written(), key.trim_end());
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut open = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    flock(&open, FlockOperation::LockExclusive)?;
    let text = text(&open, super::KnownHosts::LONGEST)?;
    if text.lines().any(|other| other == line.trim_end()) {
        return Ok(Learned::Already);
    }
    let cut_off = !text.is_empty() && !text.ends_with('\n');
    open.seek(SeekFrom::End(0))?;
    open.write_all(if cut_off { format!("\n{line}") } else { line }.as_bytes())?;
    open.sync_all()?;
    Ok(Learned::Added)
}

/// The text of a file, up to so many bytes. Bytes that are no UTF-8 spoil their lines only.
pub(super) fn read(file: &Path, longest: u64) -> Result<String> {
    // A pipe in the place of the file must not hold anybody up.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    text(&OpenOptions::new().read(true).custom_flags(flags).open(file)?, longest)
}

fn text(file: &File, longest: u64) -> Result<String> {
    let mut bytes = Vec::new();
    file.take(longest).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

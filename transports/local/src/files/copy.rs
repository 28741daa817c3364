//! One file, to its place: written under another name, read back, renamed.

use super::small::{Follow, open_regular};
use crate::worker::Beat;
use procession::transport::reason;
use procession::transport::{Content, Digest, Digester, Progress, TransportError};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

type Result<T> = std::result::Result<T, TransportError>;

/// After so many bytes, or files, progress is reported: often enough for a bar, rarely enough to cost nothing.
const REPORT_BYTES: u64 = 4 << 20;
const REPORT_FILES: u64 = 64;

/// A file without its final name. It is removed unless it becomes final.
pub(super) struct Temp {
    pub(super) file: File,
    path: PathBuf,
    last: bool,
}

/// The progress of one transfer, and the beat between its chunks.
pub(super) struct Pace<'a, 'b> {
    beat: &'a mut Beat<'b>,
    pub(super) progress: Progress,
    reported: Progress,
}

/// What a copied file is at its destination.
pub(super) struct Arrived {
    pub(super) content: Content,
    pub(super) mode: u32,
}

impl Temp {
    /// A new file in the folder of `path`, readable by its owner only.
    pub(super) fn beside(path: &Path) -> Result<Temp> {
        /// Two writers in one program differ by this, two programs by their process id.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = path.parent().unwrap_or(Path::new("/"));
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let temp = folder.join(format!(".procession-{}-{count}.part", std::process::id()));
            let opened = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&temp);
            match opened {
                Ok(file) => return Ok(Temp { file, path: temp, last: false }),
                // Left behind by a program that was killed and had our number.
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(reason::at(path, &e)),
            }
        }
    }

    /// Gives it its name, in place of what had it.
    pub(super) fn become_final(mut self, path: &Path) -> Result<()> {
        std::fs::rename(&self.path, path).map_err(|e| reason::at(path, &e))?;
        self.last = true;
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.last
            && let Err(e) = std::fs::remove_file(&self.path)
        {
            log::warn!("{} is left behind: {e}", self.path.display());
        }
    }
}

impl<'a, 'b> Pace<'a, 'b> {
    pub(super) fn new(beat: &'a mut Beat<'b>) -> Pace<'a, 'b> {
        Pace { beat, progress: Progress::default(), reported: Progress::default() }
    }

    /// Between two chunks or files: lets others have their turn, and ends the work if it is cancelled.
    pub(super) fn beat(&mut self) -> Result<()> {
        let due = self.progress.bytes - self.reported.bytes >= REPORT_BYTES
            || self.progress.files - self.reported.files >= REPORT_FILES;
        if due {
            self.reported = self.progress;
        }
        (self.beat)(due.then_some(self.progress))
    }

    /// The last word.
    pub(super) fn end(self) -> Result<()> {
        (self.beat)(Some(self.progress))
    }
}

/// Copies `from`, of which `size` bytes were seen, to `to`, and gives what is there now.
///
/// A file that grows meanwhile is cut at `size`. If `to` is a file with this size and this hash it is not written again.
pub(super) fn copy(from: &Path, size: u64, to: &Path, pace: &mut Pace<'_, '_>) -> Result<Arrived> {
    let (mut source, found) = open_regular(from, Follow::No)?;
    let mode = found.permissions().mode() & 0o777;
    let permissions = Permissions::from_mode(mode);
    let before = pace.progress.bytes;
    if let Ok((mut there, already)) = open_regular(to, Follow::No)
        && already.len() == size
        && found.len() == size
    {
        let theirs = digest(&mut source, from, size, pace)?;
        pace.progress.bytes = before;
        if digest(&mut there, to, size, pace)? == theirs {
            if already.permissions().mode() & 0o7777 != mode {
                there.set_permissions(permissions).map_err(|e| reason::at(to, &e))?;
            }
            return Ok(Arrived { content: Content::File { size, digest: theirs }, mode });
        }
        pace.progress.bytes = before;
        source.rewind().map_err(|e| reason::at(from, &e))?;
    }
    let mut temp = Temp::beside(to)?;
    let sent = pour(&mut source, from, size, pace, |chunk| {
        temp.file.write_all(chunk).map_err(|e| reason::at(to, &e))
    })?;
    temp.file.rewind().map_err(|e| reason::at(to, &e))?;
    let (arrived, bytes) = Digest::read(&mut temp.file).map_err(|e| reason::at(to, &e))?;
    if arrived != sent.digest() || bytes != sent.bytes() {
        return Err(TransportError::Corrupt(to.display().to_string()));
    }
    temp.file.set_permissions(permissions).map_err(|e| reason::at(to, &e))?;
    temp.become_final(to)?;
    Ok(Arrived { content: Content::File { size: bytes, digest: arrived }, mode })
}

fn digest(file: &mut File, path: &Path, size: u64, pace: &mut Pace<'_, '_>) -> Result<Digest> {
    Ok(pour(file, path, size, pace, |_| Ok(()))?.digest())
}

/// Reads up to `size` bytes chunk by chunk, with a beat after each.
fn pour(
    file: &mut File,
    path: &Path,
    size: u64,
    pace: &mut Pace<'_, '_>,
    mut chunk: impl FnMut(&[u8]) -> Result<()>,
) -> Result<Digester> {
    let mut digester = Digester::default();
    let mut bytes = vec![0; Digest::CHUNK];
    let mut rest = file.take(size);
    loop {
        match rest.read(&mut bytes) {
            Ok(0) => return Ok(digester),
            Ok(count) => {
                digester.update(&bytes[..count]);
                chunk(&bytes[..count])?;
                pace.progress.bytes += count as u64;
                pace.beat()?;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(reason::at(path, &e)),
        }
    }
}

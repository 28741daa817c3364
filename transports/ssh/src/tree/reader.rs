//! A large file of this machine, read once: in pieces for SFTP, with the hash of the whole and of its parts.

use super::MIB;
use super::digests::{Both, Sum, Summer, Tool};
use super::found::{Found, open};
use crate::disk::STEP;
use crate::sftp::Upload;
use procession::transport::reason;
use procession::transport::{Digest, TransportError};
use std::fs::File;
use std::io::{Read, Seek};
use std::ops::RangeInclusive;

/// How much of a file the host hashes at once, in bytes; at least, and at most. The last parts are small, so that little is left
/// to be hashed when all has arrived.
const PART: RangeInclusive<u64> = 4 << 20..=32 << 20;

/// Up to this size, in bytes, a host with `b3sum` hashes a file at once when all of it has come: it is still in its memory, all its
/// processors work on it, and its hash is that of the manifest, so that nothing is hashed twice here.
const AT_ONCE: u64 = 1 << 30;

/// How long the next part is, of so many bytes that are left.
fn part(left: u64) -> u64 {
    (left / 2 / MIB * MIB).clamp(*PART.start(), *PART.end())
}

/// A part that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) sum: Sum,
}

/// A file that is being read.
pub(super) struct Reader {
    found: Found,
    file: File,
    tool: Tool,
    /// Where the reading of pieces begins: what is before is there already.
    from: u64,
    at: u64,
    whole: Both,
    /// The hash of the part that is being read; none if the file is one part.
    part: Option<Summer>,
    start: u64,
    parts: Vec<Part>,
}

impl Reader {
    /// Opens it; what is before `from` is to be hashed with [`look_back`](Reader::look_back) first.
    pub(super) fn open(found: &Found, tool: Tool, from: u64) -> Result<Reader, TransportError> {
        let (file, _) = open(&found.place)?;
        let is_one = tool == Tool::Blake3 && found.size <= AT_ONCE;
        Ok(Reader {
            found: found.clone(),
            file,
            tool,
            from,
            at: 0,
            whole: Both::new(tool),
            part: (!is_one).then(|| Summer::new(tool)),
            start: from,
            parts: Vec::new(),
        })
    }

    /// Where the pieces begin.
    pub(super) fn offset(&self) -> u64 {
        self.from
    }

    /// Hashes more of what is there already.
    pub(super) fn look_back(&mut self) -> Result<(), TransportError> {
        let left = usize::try_from(self.from - self.at).unwrap_or(STEP).min(STEP);
        let mut bytes = vec![0; left];
        self.fill(&mut bytes)?;
        self.whole.update(&bytes);
        Ok(())
    }

    /// Whether all of it is hashed.
    pub(super) fn is_back(&self) -> bool {
        self.at == self.from
    }

    /// The hash of what is there already.
    pub(super) fn sum_back(&self) -> Sum {
        self.whole.sum()
    }

    /// What is there is something else: from the beginning.
    pub(super) fn restart(&mut self) -> Result<(), TransportError> {
        self.file.rewind().map_err(|e| reason::at(&self.found.place, &e))?;
        (self.from, self.at, self.start) = (0, 0, 0);
        self.whole = Both::new(self.tool);
        Ok(())
    }

    /// The next pieces, about a [`STEP`] of them.
    pub(super) fn step(&mut self) -> Result<Vec<Vec<u8>>, TransportError> {
        let mut pieces = Vec::new();
        let mut read = 0;
        while read < STEP && !self.is_over() {
            let left = usize::try_from(self.found.size - self.at).unwrap_or(Upload::PIECE).min(Upload::PIECE);
            let mut bytes = vec![0; left];
            self.fill(&mut bytes)?;
            self.whole.update_ours(&bytes);
            if let Some(part) = &mut self.part {
                part.update(&bytes);
            }
            read += left;
            pieces.push(bytes);
            self.close_part();
        }
        Ok(pieces)
    }

    /// Ends the part, if this is where it ends.
    fn close_part(&mut self) {
        let (start, end) = (self.start, self.at);
        match &mut self.part {
            Some(summer) if end - start == part(self.found.size - start) || end == self.found.size => {
                let sum = std::mem::replace(summer, Summer::new(self.tool)).sum();
                self.parts.push(Part { start, end, sum });
                self.start = end;
            }
            None if end == self.found.size => {
                self.parts.push(Part { start: 0, end, sum: self.whole.sum() });
            }
            Some(_) | None => {}
        }
    }

    /// The parts that became whole since the last time.
    pub(super) fn take_parts(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    /// Whether all is read.
    pub(super) fn is_over(&self) -> bool {
        self.at == self.found.size
    }

    /// The hash of the whole file.
    pub(super) fn digest(&self) -> Digest {
        self.whole.digest()
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), TransportError> {
        self.file.read_exact(bytes).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => TransportError::Io {
                path: self.found.place.display().to_string(),
                why: "it became shorter while it was sent".to_owned(),
            },
            _ => reason::at(&self.found.place, &e),
        })?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use procession::transport::{FileKind, RemotePath};

    /// Reads a file of so many bytes to its end, and gives back what the host is asked for.
    fn parts(tool: Tool, size: u64) -> (Vec<Part>, Digest) {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("file");
        std::fs::write(&place, vec![7; size as usize]).unwrap();
        let (path, target) = (RemotePath::here(), String::new());
        let found = Found { path, place, kind: FileKind::File, size, mode: 0o600, target };
        let mut reader = Reader::open(&found, tool, 0).unwrap();
        let mut parts = Vec::new();
        while !reader.is_over() {
            reader.step().unwrap();
            parts.extend(reader.take_parts());
        }
        (parts, reader.digest())
    }

    fn sum(tool: Tool, bytes: u64) -> Sum {
        let mut summer = Summer::new(tool);
        summer.update(&vec![7; bytes as usize]);
        summer.sum()
    }

    #[test]
    fn a_host_is_asked_for_the_hashes_of_parts_that_become_smaller_and_leave_nothing_out() {
        let size = (20 << 20) + 5;
        let (parts, _) = parts(Tool::Sha256, size);
        let mut at = 0;
        for part in &parts {
            assert_eq!((part.start, &part.sum), (at, &sum(Tool::Sha256, part.end - part.start)));
            at = part.end;
        }
        assert!(at == size && parts.len() > 2, "{parts:?}");
    }

    #[test]
    fn a_host_with_b3sum_is_asked_once_for_the_hash_of_the_manifest() {
        let size = (20 << 20) + 5;
        let (parts, digest) = parts(Tool::Blake3, size);
        assert_eq!(parts, [Part { start: 0, end: size, sum: digest.to_string() }]);
        assert_eq!(digest.to_string(), sum(Tool::Blake3, size));
    }
}

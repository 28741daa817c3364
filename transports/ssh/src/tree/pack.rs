//! The small files of a tree as one tar stream, read and hashed step by step.
//!
//! The stream holds what is sent below `t`, and notes for the host: `list0` and `list1` (the two halves of the files, in their
//! order, which it hashes at the same time), `modes` (pairs of a mode and a path, to be set at the end) and `sum` (the hashes of
//! the halves, the second one first). `sum` comes last: a stream that was cut has none.

use super::digests::{Tool, Total};
use super::found::{Found, open};
use super::plan::Plan;
use super::script::dotted;
use crate::disk::STEP;
use procession::transport::reason;
use procession::transport::{Digest, Digester, FileKind, Progress, RemotePath, TransportError};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use tar::{EntryType, Header};

/// The block of the tar format, in bytes (POSIX, pax).
pub(super) const BLOCK: usize = 512;

/// The longest name that a header holds itself.
const SHORT: usize = 100;

/// A stream that is being made.
pub(super) struct Packer {
    left: VecDeque<Found>,
    open: Option<Reading>,
    halves: [Half; 2],
    /// How many files are still to go into the first half.
    first: usize,
    modes: Vec<u8>,
    digests: BTreeMap<RemotePath, Digest>,
    ended: bool,
    /// How far the whole transfer is with what was read.
    pub(super) progress: Progress,
}

/// Files that the host hashes together.
struct Half {
    list: Vec<u8>,
    total: Total,
}

struct Reading {
    found: Found,
    half: usize,
    file: File,
    left: u64,
    digester: Digester,
}

impl Packer {
    /// The stream of what is planned.
    pub(super) fn new(tool: Tool, plan: Plan, progress: Progress) -> Packer {
        let Plan { send, modes } = plan;
        let mut pairs = Vec::new();
        for (mode, path) in &modes {
            pairs.extend(format!("{mode:04o}\0{}\0", dotted(path)).into_bytes());
        }
        let files = send.iter().filter(|found| found.kind == FileKind::File).count();
        Packer {
            left: send.into(),
            open: None,
            halves: [(); 2].map(|()| Half { list: Vec::new(), total: Total::new(tool) }),
            first: files.div_ceil(2),
            modes: pairs,
            digests: BTreeMap::new(),
            ended: false,
            progress,
        }
    }

    /// The hashes of the files that were sent, when all are.
    pub(super) fn into_digests(self) -> BTreeMap<RemotePath, Digest> {
        self.digests
    }

    /// Whether the stream has ended.
    pub(super) fn is_over(&self) -> bool {
        self.ended
    }

    /// The next piece of the stream: about a [`STEP`].
    pub(super) fn step(&mut self) -> Result<Vec<u8>, TransportError> {
        let mut out = Vec::with_capacity(STEP + 4 * BLOCK);
        while out.len() < STEP && !self.ended {
            if self.open.is_some() {
                self.read(&mut out)?;
            } else if let Some(found) = self.left.pop_front() {
                self.begin(found, &mut out)?;
            } else {
                self.finish(&mut out);
            }
        }
        Ok(out)
    }

    fn begin(&mut self, found: Found, out: &mut Vec<u8>) -> Result<(), TransportError> {
        let name = if found.path.as_str() == "." { "t".to_owned() } else { format!("t/{}", found.path) };
        match found.kind {
            FileKind::Dir => {
                // What is in it must be made and moved first; its own mode may come at the end.
                entry(out, EntryType::Directory, &format!("{name}/"), found.mode | 0o700, 0, "");
            }
            FileKind::Link => {
                entry(out, EntryType::Symlink, &name, 0o777, 0, &found.target);
                self.progress.files += 1;
            }
            FileKind::File => {
                let (file, meta) = open(&found.place)?;
                if meta.len() < found.size {
                    return Err(shrunk(&found));
                }
                entry(out, EntryType::Regular, &name, found.mode, found.size, "");
                let half = usize::from(self.first == 0);
                self.first = self.first.saturating_sub(1);
                self.halves[half].list.extend(format!("./{name}\0").into_bytes());
                let left = found.size;
                self.open = Some(Reading { found, half, file, left, digester: Digester::default() });
            }
            FileKind::Other => {
                return Err(TransportError::Refused(format!("{} cannot be copied", found.place.display())));
            }
        }
        Ok(())
    }

    /// Reads on, straight into the stream.
    fn read(&mut self, out: &mut Vec<u8>) -> Result<(), TransportError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let start = out.len();
        let piece = usize::try_from(open.left).unwrap_or(STEP).min(STEP);
        out.resize(start + piece, 0);
        let mut filled = start;
        while filled < out.len() {
            match open.file.read(&mut out[filled..]) {
                Ok(0) => return Err(shrunk(&open.found)),
                Ok(count) => filled += count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(reason::at(&open.found.place, &e)),
            }
        }
        open.digester.update(&out[start..]);
        let total = &mut self.halves[open.half].total;
        total.bytes(&out[start..]);
        open.left -= piece as u64;
        self.progress.bytes += piece as u64;
        if open.left == 0 {
            pad(out, open.found.size);
            let digest = open.digester.digest();
            total.whole(&digest);
            self.digests.insert(open.found.path.clone(), digest);
            self.progress.files += 1;
            self.open = None;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let [first, second] = &self.halves;
        let sum = format!("{}\n{}\n", first.total.sum(), second.total.sum());
        let notes = [
            ("list0", &first.list),
            ("list1", &second.list),
            ("modes", &self.modes),
            ("sum", &sum.into_bytes()),
        ];
        for (name, bytes) in notes {
            whole(out, EntryType::Regular, name, bytes);
        }
        out.resize(out.len() + 2 * BLOCK, 0);
        self.ended = true;
    }
}

fn shrunk(found: &Found) -> TransportError {
    TransportError::Io {
        path: found.place.display().to_string(),
        why: "it became shorter while it was sent".to_owned(),
    }
}

/// A header, with the entries of GNU tar for long names before it (its manual, "Extensions to the format").
pub(super) fn entry(out: &mut Vec<u8>, kind: EntryType, name: &str, mode: u32, size: u64, target: &str) {
    for (long, kind) in [(name, EntryType::GNULongName), (target, EntryType::GNULongLink)] {
        if long.len() > SHORT {
            let mut bytes = long.as_bytes().to_vec();
            bytes.push(0);
            whole(out, kind, "././@LongLink", &bytes);
        }
    }
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let old = header.as_old_mut();
    let short = |text: &str| text.len().min(SHORT);
    old.name[..short(name)].copy_from_slice(&name.as_bytes()[..short(name)]);
    old.linkname[..short(target)].copy_from_slice(&target.as_bytes()[..short(target)]);
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
}

/// An entry with its contents.
fn whole(out: &mut Vec<u8>, kind: EntryType, name: &str, bytes: &[u8]) {
    entry(out, kind, name, 0o600, bytes.len() as u64, "");
    out.extend_from_slice(bytes);
    pad(out, bytes.len() as u64);
}

fn pad(out: &mut Vec<u8>, size: u64) {
    let over = usize::try_from(size % BLOCK as u64).expect("it is less than a block");
    if over > 0 {
        out.resize(out.len() + BLOCK - over, 0);
    }
}

//! Which files need not be sent: those that are there with the same size and the same hash. Step by step, on the disk's
//! thread and on the host at the same time.

use super::digests::{Both, Sum, Tool, named_sum};
use super::found::open;
use super::scribe::{Expect, Scribe};
use super::script::list;
use crate::disk::STEP;
use procession::transport::{Digest, RemotePath};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Files of this machine that are being hashed with both hashes.
pub(super) struct Hashing {
    tool: Tool,
    left: VecDeque<(RemotePath, PathBuf)>,
    open: Option<(RemotePath, File, Both)>,
    buffer: Vec<u8>,
    pub(super) done: BTreeMap<RemotePath, (Digest, Sum)>,
}

impl Hashing {
    pub(super) fn new(tool: Tool, files: Vec<(RemotePath, PathBuf)>) -> Hashing {
        let buffer = vec![0; STEP];
        Hashing { tool, left: files.into(), open: None, buffer, done: BTreeMap::new() }
    }

    /// Whether all that can be read is hashed. What cannot be read has no hash: whoever sends it finds out why.
    pub(super) fn is_over(&self) -> bool {
        self.left.is_empty() && self.open.is_none()
    }

    /// Goes on for about a [`STEP`].
    pub(super) fn step(&mut self) {
        let mut read = 0;
        while read < STEP && !self.is_over() {
            let Some((path, file, both)) = &mut self.open else {
                let Some((path, place)) = self.left.pop_front() else { return };
                if let Ok((file, _)) = open(&place) {
                    self.open = Some((path, file, Both::new(self.tool)));
                }
                // To open costs as much as to read a little.
                read += STEP / 256;
                continue;
            };
            match file.read(&mut self.buffer) {
                Ok(0) => {
                    self.done.insert(path.clone(), (both.digest(), both.sum()));
                    self.open = None;
                }
                Ok(count) => {
                    both.update(&self.buffer[..count]);
                    read += count;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => self.open = None,
            }
        }
    }
}

/// What both sides say about files of the same size.
#[derive(Default)]
pub(super) struct Agreement {
    odd: Vec<RemotePath>,
    /// How many answers of the host are still to come.
    open: usize,
    ours: Option<BTreeMap<RemotePath, (Digest, Sum)>>,
    theirs: BTreeMap<String, Sum>,
}

const PLAIN: u8 = 0;
const ODD: u8 = 1;

impl Agreement {
    /// Asks the host for the hashes of these files.
    pub(super) fn ask(scribe: &Scribe, files: &[RemotePath]) -> Agreement {
        let (plain, odd): (Vec<_>, Vec<_>) = files.iter().cloned().partition(is_plain);
        let mut agreement = Agreement { odd, ..Agreement::default() };
        for (verb, whose, files) in [("hash", PLAIN, &plain), ("each", ODD, &agreement.odd)] {
            for some in lists(files) {
                let some = list(some);
                scribe.command(format!("{verb} {}", some.len()), &some, &[Expect::Words(whose)]);
                agreement.open += 1;
            }
        }
        // Their answers carry no names, so there is one.
        debug_assert!(agreement.odd.is_empty() || agreement.open > 0);
        agreement
    }

    /// Hears what the host says.
    pub(super) fn on_theirs(&mut self, whose: u8, words: &[Vec<u8>]) {
        self.open = self.open.saturating_sub(1);
        if whose == PLAIN {
            self.theirs.extend(plain_sums(words));
        } else {
            let asked: Vec<RemotePath> = self.odd.drain(..words.len().min(self.odd.len())).collect();
            self.theirs.extend(odd_sums(&asked, words));
        }
    }

    /// Hears what this side says.
    pub(super) fn on_ours(&mut self, ours: BTreeMap<RemotePath, (Digest, Sum)>) {
        self.ours = Some(ours);
    }

    /// When all is known: those that are the same.
    pub(super) fn same(&self) -> Option<BTreeMap<RemotePath, Digest>> {
        let ours = self.ours.as_ref().filter(|_| self.open == 0)?;
        let same = ours.iter().filter(|(path, (_, sum))| self.theirs.get(path.as_str()) == Some(sum));
        Some(same.map(|(path, (digest, _))| (path.clone(), *digest)).collect())
    }
}

/// How many bytes of names are given to a command at once.
const LIST: usize = 256 << 10;

/// Cuts paths into lists of at most [`LIST`] bytes.
pub(super) fn lists(mut paths: &[RemotePath]) -> impl Iterator<Item = &[RemotePath]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fit = paths.iter().take_while(|path| {
            bytes += path.as_str().len() + 3;
            bytes <= LIST
        });
        let (now, later) = paths.split_at(fit.count());
        paths = later;
        (!now.is_empty()).then_some(now)
    })
}

/// Whether a tool for hashes writes this name as it is.
fn is_plain(path: &RemotePath) -> bool {
    !path.as_str().contains(['\n', '\r', '\\'])
}

/// What a host says about plain names: `hash  ./name`, and nothing about what it could not read.
fn plain_sums(lines: &[Vec<u8>]) -> BTreeMap<String, Sum> {
    lines
        .iter()
        .filter_map(|line| named_sum(line))
        .map(|(sum, name)| (name.strip_prefix("./").unwrap_or(name).to_owned(), sum))
        .collect()
}

/// What a host says about other names, in the order in which they were asked.
fn odd_sums(asked: &[RemotePath], words: &[Vec<u8>]) -> BTreeMap<String, Sum> {
    let sums = words.iter().map(|word| word.strip_suffix(b"-").unwrap_or(word));
    asked
        .iter()
        .zip(sums)
        .filter_map(|(path, sum)| Some((path.as_str().to_owned(), super::digests::read_sum(sum).ok()?)))
        .collect()
}

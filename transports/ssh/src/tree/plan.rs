//! What of a tree is sent, and which modes are set at the end: a function of what is here and what is there.

use super::found::Found;
use super::listing::Listed;
use procession::transport::{Digest, FileKind, Progress, RemotePath};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the two sides have.
pub(super) struct Sides<'a> {
    /// What is here and small, a directory before what is in it.
    pub(super) small: &'a [Found],
    /// The mode of the root, if it is a directory.
    pub(super) root: Option<u32>,
    /// What is there.
    pub(super) here: &'a BTreeMap<RemotePath, Listed>,
    /// Whether the root is there, as a directory.
    pub(super) is_dir: bool,
    /// The files that hold the same on both sides.
    pub(super) same: &'a BTreeMap<RemotePath, Digest>,
    /// What the file is called there, if the root is one.
    pub(super) name: &'a RemotePath,
}

/// What is to be done.
pub(super) struct Plan {
    pub(super) send: Vec<Found>,
    /// In this order, when all has come.
    pub(super) modes: Vec<(u32, RemotePath)>,
}

impl Sides<'_> {
    /// Decides. What need not be sent is added to `progress`.
    pub(super) fn plan(&self, progress: &mut Progress) -> Plan {
        let (mut send, mut modes) = (Vec::new(), Vec::new());
        for found in self.small {
            let there = self.here.get(&found.path);
            let same_mode = there.is_some_and(|there| there.mode & 0o777 == found.mode);
            match found.kind {
                FileKind::Dir => {
                    if (self.is_dir && !same_mode) || is_closed(found.mode) {
                        modes.push((found.mode, found.path.clone()));
                    }
                    send.push(found.clone());
                }
                FileKind::File if self.same.contains_key(&found.path) => {
                    progress.bytes += found.size;
                    progress.files += 1;
                    if !same_mode {
                        modes.push((found.mode, self.on_host(&found.path).clone()));
                    }
                }
                FileKind::Link if there.is_some_and(|there| there.target.as_ref() == Some(&found.target)) => {
                    progress.files += 1;
                }
                FileKind::File | FileKind::Link | FileKind::Other => send.push(found.clone()),
            }
        }
        // From the inside out: nothing can be reached through a directory that is closed.
        modes.reverse();
        if let Some(mode) = self.root {
            send.insert(0, root(mode));
            if self.is_dir || is_closed(mode) {
                modes.push((mode, RemotePath::here()));
            }
        }
        Plan { send, modes }
    }

    /// What a path of the tree is called where commands for it begin: a file is called by its name there.
    pub(super) fn on_host<'a>(&'a self, path: &'a RemotePath) -> &'a RemotePath {
        if self.root.is_some() { path } else { self.name }
    }

    /// The files that are there with the same size, and so may be the same.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &Found> {
        let same_size = |found: &&Found| {
            let there = self.here.get(&found.path);
            found.kind == FileKind::File
                && there.is_some_and(|there| there.kind == FileKind::File && there.size == found.size)
        };
        self.small.iter().filter(same_size)
    }
}

/// Whether its owner cannot make anything in it.
fn is_closed(mode: u32) -> bool {
    mode & 0o700 != 0o700
}

fn root(mode: u32) -> Found {
    Found {
        path: RemotePath::here(),
        place: PathBuf::new(),
        kind: FileKind::Dir,
        size: 0,
        mode,
        target: String::new(),
    }
}

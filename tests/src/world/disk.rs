//! This machine's own disk, as a simulated host meets it: where trees are sent from, and where files are fetched to.
//!
//! In a story it is simulated too. The contract of the transports, which lays out real files, brings one of its own.

use super::fs::{Fs, FsError, Kind};
use procession::WallTime;
use procession::transport::{Content, Digest, Manifest, ManifestEntry, TransportError};
use std::cell::RefCell;
use std::rc::Rc;

/// A file, folder or link of a tree that is sent or fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TreeEntry {
    /// Relative to the root of the tree; `.` is the root itself.
    pub path: String,
    /// The permission bits.
    pub mode: u32,
    /// What it is.
    pub body: TreeBody,
}

/// What a [`TreeEntry`] is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TreeBody {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A folder.
    Dir,
    /// A link that holds this.
    Link(String),
}

/// A disk of this machine.
pub trait LocalDisk {
    /// The file or the tree at a path, a folder before its contents.
    fn read_tree(&self, from: &str) -> Result<Vec<TreeEntry>, TransportError>;

    /// Lays files below a folder, which is made if it is not there.
    fn lay(&self, to: &str, files: &[TreeEntry], now: WallTime) -> Result<(), TransportError>;
}

impl LocalDisk for Rc<RefCell<Fs>> {
    fn read_tree(&self, from: &str) -> Result<Vec<TreeEntry>, TransportError> {
        read_tree(&self.borrow(), from).map_err(|why| reason(from, why))
    }

    fn lay(&self, to: &str, files: &[TreeEntry], now: WallTime) -> Result<(), TransportError> {
        let mut fs = self.borrow_mut();
        let laid = fs.mkdir_all(to, now).and_then(|()| {
            files.iter().try_for_each(|file| {
                let path = under(to, &file.path);
                let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
                fs.mkdir_all(folder, now)?;
                lay(&mut fs, to, file, now)
            })
        });
        laid.map_err(|why| reason(to, why))
    }
}

/// The tree at `root`, which may be one file.
pub fn read_tree(fs: &Fs, root: &str) -> Result<Vec<TreeEntry>, FsError> {
    let mut tree = vec![read_entry(fs, root, ".")?];
    if fs.stat(root)?.kind == Kind::Dir {
        for (path, _) in fs.walk(root)? {
            tree.push(read_entry(fs, root, &path)?);
        }
    }
    Ok(tree)
}

/// What lies at `path` below `root`.
pub fn read_entry(fs: &Fs, root: &str, path: &str) -> Result<TreeEntry, FsError> {
    let lies = under(root, path);
    let meta = fs.stat(&lies)?;
    let body = match meta.kind {
        Kind::File => TreeBody::File(fs.read(&lies)?.to_vec()),
        Kind::Dir => TreeBody::Dir,
        Kind::Link => TreeBody::Link(fs.read_link(&lies)?.to_owned()),
    };
    Ok(TreeEntry { path: path.to_owned(), mode: meta.mode, body })
}

/// Lays one entry below `root`. What is there already and the same is left as it is.
pub fn lay(fs: &mut Fs, root: &str, entry: &TreeEntry, now: WallTime) -> Result<(), FsError> {
    let lies = under(root, &entry.path);
    if read_entry(fs, root, &entry.path).is_ok_and(|there| there == *entry) {
        return Ok(());
    }
    // A new file takes the place of the old one, as a rename does.
    if fs.stat(&lies).is_ok_and(|meta| meta.kind != Kind::Dir) {
        fs.remove(&lies, now)?;
    }
    match &entry.body {
        TreeBody::Dir => match fs.mkdir(&lies, entry.mode, now) {
            Err(FsError::Exists) => Ok(()),
            made => made,
        },
        TreeBody::File(bytes) => fs.write(&lies, bytes, entry.mode, now),
        TreeBody::Link(target) => fs.symlink(target, &lies, now),
    }
}

/// The manifest of a tree, without its root folder.
pub fn manifest(tree: &[TreeEntry]) -> Manifest {
    let mut manifest = Manifest::default();
    for entry in tree {
        let content = match &entry.body {
            TreeBody::File(bytes) => Content::File { size: bytes.len() as u64, digest: Digest::of(bytes) },
            TreeBody::Dir if entry.path == "." => continue,
            TreeBody::Dir => Content::Dir,
            TreeBody::Link(target) => Content::Link { target: target.clone() },
        };
        let path = entry.path.parse().expect("names of this file system are names of a path");
        let entry = ManifestEntry { path, mode: entry.mode, content };
        manifest.insert(entry).expect("a walk meets each path once");
    }
    manifest
}

/// `path` below `root`, which is itself for `.`.
pub fn under(root: &str, path: &str) -> String {
    if path == "." { root.to_owned() } else { format!("{root}/{path}") }
}

/// An error of a file system as an error of a transport.
pub fn reason(path: &str, why: FsError) -> TransportError {
    let path = path.to_owned();
    match why {
        FsError::NotFound | FsError::NotADirectory => TransportError::NotFound(path),
        FsError::Exists | FsError::NotEmpty => TransportError::Exists(path),
        FsError::Permission | FsError::ReadOnly => TransportError::Permission(path),
        FsError::NoSpace => TransportError::NoSpace(path),
        FsError::IsADirectory | FsError::Loop | FsError::Invalid => {
            TransportError::Io { path, why: why.to_string() }
        }
    }
}

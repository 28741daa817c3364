//! File work as plain data: what the actor asks of the helper thread, and what comes back.

mod copy;
mod small;
mod tree;

use crate::worker::Beat;
use procession::transport::{Manifest, Stat, TransportError, Want};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Something to do. All paths are absolute paths of this machine.
pub(crate) enum Work {
    Put { from: PathBuf, to: PathBuf },
    Get { from: PathBuf, want: Vec<Want>, to: PathBuf },
    RemoveTree { path: PathBuf },
    Remove { path: PathBuf },
    List { path: PathBuf },
    Stat { path: PathBuf },
    Mkdir { path: PathBuf, parents: bool },
    Rename { from: PathBuf, to: PathBuf },
    Symlink { target: String, link: PathBuf },
    Chmod { path: PathBuf, mode: u32 },
    Read { path: PathBuf, limit: u64 },
    Write { path: PathBuf, bytes: Vec<u8>, mode: u32 },
    Resolve { host: String, port: u16 },
}

/// What came of it, by type of answer.
pub(crate) enum Reply {
    Tree(Result<Manifest, TransportError>),
    Listed(Result<Vec<Stat>, TransportError>),
    Found(Result<Stat, TransportError>),
    Done(Result<(), TransportError>),
    Removed(Result<bool, TransportError>),
    Bytes(Result<Vec<u8>, TransportError>),
    Resolved(Result<Vec<SocketAddr>, TransportError>),
}

impl Work {
    /// Whether it may take long, and is done in chunks.
    pub(crate) fn is_bulk(&self) -> bool {
        match self {
            Work::Put { .. } | Work::Get { .. } | Work::RemoveTree { .. } => true,
            Work::Remove { .. }
            | Work::List { .. }
            | Work::Stat { .. }
            | Work::Mkdir { .. }
            | Work::Rename { .. }
            | Work::Symlink { .. }
            | Work::Chmod { .. }
            | Work::Read { .. }
            | Work::Write { .. }
            | Work::Resolve { .. } => false,
        }
    }

    /// The reply that says that it failed.
    pub(crate) fn failed(&self, e: TransportError) -> Reply {
        match self {
            Work::Put { .. } | Work::Get { .. } => Reply::Tree(Err(e)),
            Work::Remove { .. } | Work::RemoveTree { .. } => Reply::Removed(Err(e)),
            Work::List { .. } => Reply::Listed(Err(e)),
            Work::Stat { .. } => Reply::Found(Err(e)),
            Work::Mkdir { .. }
            | Work::Rename { .. }
            | Work::Symlink { .. }
            | Work::Chmod { .. }
            | Work::Write { .. } => Reply::Done(Err(e)),
            Work::Read { .. } => Reply::Bytes(Err(e)),
            Work::Resolve { .. } => Reply::Resolved(Err(e)),
        }
    }

    /// Does it. It blocks: this is for the helper thread.
    pub(crate) fn run(self, beat: &mut Beat<'_>) -> Reply {
        match self {
            Work::Put { from, to } => Reply::Tree(tree::put(&from, &to, beat)),
            Work::Get { from, want, to } => Reply::Tree(tree::get(&from, &want, &to, beat)),
            Work::RemoveTree { path } => Reply::Removed(small::remove(&path, small::Depth::Tree)),
            Work::Remove { path } => Reply::Removed(small::remove(&path, small::Depth::One)),
            Work::List { path } => Reply::Listed(small::list(&path)),
            Work::Stat { path } => Reply::Found(small::stat(&path)),
            Work::Mkdir { path, parents } => Reply::Done(small::mkdir(&path, parents)),
            Work::Rename { from, to } => Reply::Done(small::rename(&from, &to)),
            Work::Symlink { target, link } => Reply::Done(small::symlink(&target, &link)),
            Work::Chmod { path, mode } => Reply::Done(small::chmod(&path, mode)),
            Work::Read { path, limit } => Reply::Bytes(small::read(&path, limit)),
            Work::Write { path, bytes, mode } => Reply::Done(small::write(&path, &bytes, mode)),
            Work::Resolve { host, port } => Reply::Resolved(small::resolve(&host, port)),
        }
    }
}

//! What every transport can do: run a command, move files, open a byte stream.
//!
//! A transport is an actor that is reached through a [`Transport`], a cheap handle that takes [`Op`]s. Each `Op` carries
//! its `Ret`, and a `Fwd` where it streams; a `Ret` that comes back as `None` means that the transport died with the
//! operation in flight, so its effect is unknown. This module names no ssh and opens no file: `procession-local`,
//! `procession-ssh` and the simulated host carry the operations out, and all of them pass one contract suite.
//!
//! Dropping the [`Cancel`] guard of an operation cancels it: its process group is killed, its half-written file removed.

mod digest;
mod error;
mod exec;
mod glob;
mod manifest;
mod path;
pub mod reason;

pub use digest::{Digest, DigestError, Digester};
pub use error::TransportError;
pub use exec::{Chunk, Ended, Exec, Exit, Stream};
pub use glob::{Glob, GlobError, Want};
pub use manifest::{Content, Difference, Manifest, ManifestEntry, ManifestError};
pub use path::{PathError, RemotePath};

use stakker::{Fwd, Ret};
use std::path::PathBuf;

/// The answer to an operation.
pub type Answer<T> = Ret<Result<T, TransportError>>;

/// One operation on a host.
///
/// Paths on the host are [`RemotePath`]s: `/` separated, absolute or relative to the work folder of the transport.
pub enum Op {
    /// Run a command. No shell is put between: `argv[0]` is looked up in the host's `PATH`.
    Exec(Exec, Answer<Exit>),
    /// Send one file or one tree: the manifest of what arrived, as read back on the host. What is there already and has the
    /// same size and hash is not sent again; what is there and is not in the tree stays.
    Put(Put, Answer<Manifest>),
    /// Fetch the files and links below a directory that match globs: the manifest of what arrived, as read back here.
    Get(Get, Answer<Manifest>),
    /// The names and the kinds in a directory, sorted by name.
    List(RemotePath, Answer<Vec<Stat>>),
    /// What is there. `NotFound` if nothing is.
    Stat(RemotePath, Answer<Stat>),
    /// Make a directory, with its parents if asked to.
    Mkdir {
        /// Which.
        path: RemotePath,
        /// With `parents`, a directory that exists already is no error.
        parents: bool,
        /// Answered when it is there. `Exists` if it was there before.
        ret: Answer<()>,
    },
    /// Move, and replace what was there. Atomic on every host.
    Rename {
        /// From.
        from: RemotePath,
        /// To.
        to: RemotePath,
        /// Answered when it is done.
        ret: Answer<()>,
    },
    /// Remove a file, a link, or a whole tree. What is not there is no error: the answer says whether it was.
    Remove {
        /// Which.
        path: RemotePath,
        /// Whether a directory may be removed with all that is in it. Without, a full one is `Exists`.
        tree: bool,
        /// `true` if there was something.
        ret: Answer<bool>,
    },
    /// Make a symbolic link.
    Symlink {
        /// What it points to, as it will be written into the link.
        target: String,
        /// Where it lies.
        link: RemotePath,
        /// Answered when it is there.
        ret: Answer<()>,
    },
    /// Set the permission bits.
    Chmod {
        /// Of what.
        path: RemotePath,
        /// The lower twelve bits of a mode.
        mode: u32,
        /// Answered when it is done.
        ret: Answer<()>,
    },
    /// Read a small file whole. `TooLarge` if it is larger than `limit` bytes.
    Read {
        /// Which.
        path: RemotePath,
        /// At most this many bytes.
        limit: u64,
        /// The contents.
        ret: Answer<Vec<u8>>,
    },
    /// Write a small file whole and atomically: readers see the old one or the new one. What replaces nothing may be lost or not
    /// whole after a power cut of the host, as all that is put there: who cannot bear that looks at what is in it.
    Write {
        /// Which.
        path: RemotePath,
        /// The contents.
        bytes: Vec<u8>,
        /// The permission bits of a file that is new.
        mode: u32,
        /// Answered when it is there, and on the disk.
        ret: Answer<()>,
    },
    /// Wait until the host can be asked: answered at once if it can be, or if nobody knows; while it is down, when it is up
    /// again. It costs nothing but memory, and opens no connection of its own.
    WhenUp(Answer<()>),
    /// Open a byte stream from the host to an address.
    Connect {
        /// The name or address, as the host sees it.
        host: String,
        /// The port.
        port: u16,
        /// A connected, non-blocking socket of this machine that carries the bytes.
        ret: Answer<std::os::fd::OwnedFd>,
    },
}

impl Op {
    /// Answers it with this error, undone.
    pub fn refuse(self, why: TransportError) {
        match self {
            Op::Exec(_, ret) => ret.ret(Err(why)),
            Op::Put(_, ret) | Op::Get(_, ret) => ret.ret(Err(why)),
            Op::List(_, ret) => ret.ret(Err(why)),
            Op::Stat(_, ret) => ret.ret(Err(why)),
            Op::Mkdir { ret, .. }
            | Op::Rename { ret, .. }
            | Op::Symlink { ret, .. }
            | Op::Chmod { ret, .. }
            | Op::Write { ret, .. }
            | Op::WhenUp(ret) => ret.ret(Err(why)),
            Op::Remove { ret, .. } => ret.ret(Err(why)),
            Op::Read { ret, .. } => ret.ret(Err(why)),
            Op::Connect { ret, .. } => ret.ret(Err(why)),
        }
    }
}

/// Files to send.
///
/// Of the modes the lower nine bits are sent. A link below `from` is sent as a link if what it holds stays below `from`,
/// and is `Refused` if not; so is a socket, a pipe or a device.
pub struct Put {
    /// A file or a directory of this machine.
    pub from: PathBuf,
    /// Where it will lie on the host: the path of the file or of the directory itself, not of its parent. Directories that
    /// are missing above it are made.
    pub to: RemotePath,
    /// Bytes moved so far, now and then.
    pub progress: Option<Fwd<Progress>>,
    /// Dropping the other side cancels the transfer.
    pub cancel: Option<CancelToken>,
}

impl Put {
    /// This file or directory of this machine, to that path of the host.
    pub fn new(from: impl Into<PathBuf>, to: RemotePath) -> Put {
        Put { from: from.into(), to, progress: None, cancel: None }
    }
}

/// Files to fetch.
///
/// A link among them is fetched as a link if what it holds stays below `from`, and is `Refused` if not.
pub struct Get {
    /// A directory of the host.
    pub from: RemotePath,
    /// Which of the files below it, and whether they must be there.
    pub want: Vec<Want>,
    /// A directory of this machine; made if it is not there.
    pub to: PathBuf,
    /// Bytes moved so far, now and then.
    pub progress: Option<Fwd<Progress>>,
    /// Dropping the other side cancels the transfer.
    pub cancel: Option<CancelToken>,
}

impl Get {
    /// What is wanted of a directory of the host, to that directory of this machine.
    pub fn new(from: RemotePath, want: Vec<Want>, to: impl Into<PathBuf>) -> Get {
        Get { from, want, to: to.into(), progress: None, cancel: None }
    }
}

/// How far a transfer has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Bytes moved or found to be there already.
    pub bytes: u64,
    /// Bytes in all, as far as it is known.
    pub total: u64,
    /// Files done.
    pub files: u64,
}

/// What lies at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stat {
    /// The last part of the path.
    pub name: String,
    /// File, directory, link or something else.
    pub kind: FileKind,
    /// In bytes.
    pub size: u64,
    /// The lower twelve bits of the mode.
    pub mode: u32,
    /// When its contents last changed, by the host's clock.
    pub modified: crate::WallTime,
}

/// What kind of thing lies at a path. Links are not followed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A socket, a pipe, a device.
    Other,
}

/// A host, as its users hold it: cheap to clone, owns nothing.
#[derive(Clone)]
pub struct Transport {
    name: std::rc::Rc<str>,
    ops: Fwd<Op>,
}

impl Transport {
    /// A transport that is called `name` in messages and in the ledger, and hands its operations to `ops`.
    pub fn new(name: &str, ops: Fwd<Op>) -> Transport {
        Transport { name: name.into(), ops }
    }

    /// The name of the host.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins an operation. Those that are in flight together are carried out in any order: whoever needs one after the
    /// other waits for the first answer.
    pub fn op(&self, op: Op) {
        self.ops.fwd(op);
    }
}

/// A guard: while it lives the operation goes on. Hold it with `life.hold`, and leaving the state cancels.
#[must_use = "dropping it cancels the operation"]
pub struct Cancel {
    told: std::rc::Rc<std::cell::RefCell<Option<Ret<()>>>>,
}

/// The other side of a [`Cancel`], given along with an operation.
pub struct CancelToken {
    told: std::rc::Rc<std::cell::RefCell<Option<Ret<()>>>>,
}

impl Cancel {
    /// A guard and its token.
    pub fn pair() -> (Cancel, CancelToken) {
        let told = std::rc::Rc::new(std::cell::RefCell::new(None));
        (Cancel { told: told.clone() }, CancelToken { told })
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        let ret = self.told.borrow_mut().take();
        if let Some(ret) = ret {
            ret.ret(());
        }
    }
}

impl CancelToken {
    /// Calls `ret` when the guard is dropped: at once if it has been.
    ///
    /// The transport drops the token when the operation is over; `ret` is dropped with it, so a later drop of the guard
    /// tells nobody.
    pub fn on_cancel(&self, ret: Ret<()>) {
        if std::rc::Rc::strong_count(&self.told) == 1 {
            ret.ret(());
        } else {
            *self.told.borrow_mut() = Some(ret);
        }
    }
}

impl Drop for CancelToken {
    fn drop(&mut self) {
        let ret = self.told.borrow_mut().take();
        drop(ret);
    }
}

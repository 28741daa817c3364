//! What a refusal means. Version 3 has one word, `Failure`, for a full disk, a name that is taken and a read-only file
//! system alike; so whoever was refused looks at the place afterwards.

use super::Asks;
use super::wire::{Attrs, Reply, Request, Room, Status, read_room};
use procession::transport::{RemotePath, TransportError};

/// The tags of an inquest; errands have their own below these.
const FOUND: u32 = 1000;
const ROOM: u32 = 1001;

/// What was tried, as far as it matters for what a failure means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tried {
    /// To look, or to read.
    Look,
    /// To make something where nothing may be.
    Make,
    /// To make something below a directory.
    MakeBelow,
    /// To put something in the place of a file.
    Replace,
    /// To remove something.
    Remove,
    /// To add bytes.
    Fill,
}

/// A look at the place where something failed.
#[derive(Debug)]
pub(super) struct Inquest {
    tried: Tried,
    path: String,
    status: Status,
    found: Option<Attrs>,
    room: Option<Room>,
}

/// The reason, where the status says it by itself.
pub(super) fn plain(status: Status, path: &str) -> Option<TransportError> {
    match status {
        Status::NoSuchFile => Some(TransportError::NotFound(path.to_owned())),
        Status::Permission => Some(TransportError::Permission(path.to_owned())),
        Status::Unsupported => {
            Some(TransportError::Refused(format!("{path}: the SFTP server cannot do this")))
        }
        Status::Ok | Status::End | Status::Failure | Status::Other(_) => None,
    }
}

/// A reply of the wrong kind.
pub(super) fn odd(reply: &Reply) -> TransportError {
    let kind = match reply {
        Reply::Status(status) => return TransportError::Protocol(format!("the SFTP server said {status:?}")),
        Reply::Handle(_) => "a handle",
        Reply::Bytes(_) => "bytes",
        Reply::Names(_) => "names",
        Reply::Attrs(_) => "attributes",
        Reply::Extended(_) => "an extended reply",
    };
    TransportError::Protocol(format!("the SFTP server answered with {kind}, which was not asked for"))
}

impl Inquest {
    /// Asks what is at `path`, and whether there is room.
    pub(super) fn open(tried: Tried, path: &str, status: Status, to: &mut Asks) -> Inquest {
        to.ask(FOUND, Request::Lstat(path.to_owned()));
        if to.knows.room {
            let above = path.parse::<RemotePath>().ok().and_then(|path| path.parent());
            let above = above.unwrap_or_else(RemotePath::here);
            to.ask(ROOM, Request::Room(above.as_str().to_owned()));
        }
        Inquest { tried, path: path.to_owned(), status, found: None, room: None }
    }

    pub(super) fn on_reply(&mut self, tag: u32, reply: Reply) {
        match reply {
            Reply::Attrs(attrs) if tag == FOUND => self.found = Some(attrs),
            Reply::Extended(bytes) if tag == ROOM => self.room = read_room(&bytes).ok(),
            // It could not be found out: less is known then.
            Reply::Attrs(_)
            | Reply::Extended(_)
            | Reply::Status(_)
            | Reply::Handle(_)
            | Reply::Bytes(_)
            | Reply::Names(_) => {}
        }
    }

    /// What it must have been.
    pub(super) fn verdict(&self) -> TransportError {
        let path = || self.path.clone();
        let is_dir = self.found.is_some_and(|found| found.is_dir());
        let taken = match self.tried {
            Tried::Look | Tried::Fill | Tried::MakeBelow => false,
            Tried::Make => self.found.is_some(),
            Tried::Replace | Tried::Remove => is_dir,
        };
        if let Some(plain) = plain(self.status, &self.path) {
            plain
        } else if self.tried == Tried::MakeBelow && self.found.is_some_and(|found| found.is_file()) {
            // A file has nothing below it.
            TransportError::NotFound(path())
        } else if taken {
            TransportError::Exists(path())
        } else if self.tried != Tried::Look && self.room.is_some_and(|room| room.read_only) {
            TransportError::Permission(path())
        // A write to an open file fails for want of room, of quota (which statvfs does not show), or of a working disk.
        } else if self.tried == Tried::Fill || self.room.is_some_and(|room| room.full) {
            TransportError::NoSpace(path())
        } else {
            TransportError::Io { path: path(), why: format!("the SFTP server said {:?}", self.status) }
        }
    }
}

impl Attrs {
    /// The type in `st_mode`.
    fn format(&self) -> u32 {
        self.mode.unwrap_or(0) & 0o170000
    }

    pub(super) fn is_dir(&self) -> bool {
        self.format() == 0o040000
    }

    pub(super) fn is_file(&self) -> bool {
        self.format() == 0o100000
    }

    pub(super) fn is_link(&self) -> bool {
        self.format() == 0o120000
    }
}

//! Errands for the contents of small files: read one whole, write one whole.

use super::look::{Failed, done, outcome};
use super::reason::{Inquest, Tried, odd};
use super::wire::{How, Reply, Request, Status};
use super::{Asks, Errand};
use crate::nonce::part_name;
use procession::transport::{Answer, RemotePath, TransportError};
use std::collections::BTreeMap;

/// How much is read or written at once, in bytes: every server must take 32 KiB (draft, section 3).
pub(super) const PIECE: u32 = 32 << 10;

/// How many pieces of one file are asked for at once, so that many small operations share the channel.
const AHEAD: usize = 16;

const LOOK: u32 = 0;
const OPEN: u32 = 1;
const CLOSE: u32 = 2;
const FILL: u32 = 3;
const PERMIT: u32 = 4;
const RENAME: u32 = 5;
const TIDY: u32 = 6;
/// Reads are numbered from here on.
const PIECES: u32 = 10_000;

/// A file, read whole.
pub(super) struct Read {
    path: String,
    limit: u64,
    ret: Answer<Vec<u8>>,
    size: u64,
    handle: Option<Vec<u8>>,
    next: u64,
    tag: u32,
    asked: BTreeMap<u32, (u64, u32)>,
    pieces: BTreeMap<u64, Vec<u8>>,
    ended: bool,
    failed: Option<TransportError>,
    inquest: Option<Inquest>,
}

impl Read {
    pub(super) fn new(path: String, limit: u64, ret: Answer<Vec<u8>>) -> Read {
        Read {
            path,
            limit,
            ret,
            size: 0,
            handle: None,
            next: 0,
            tag: PIECES,
            asked: BTreeMap::new(),
            pieces: BTreeMap::new(),
            ended: false,
            failed: None,
            inquest: None,
        }
    }

    fn piece(&mut self, offset: u64, length: u32, to: &mut Asks) {
        let Some(handle) = self.handle.clone() else { return };
        self.asked.insert(self.tag, (offset, length));
        to.ask(self.tag, Request::Read { handle, offset, length });
        self.tag = self.tag.checked_add(1).unwrap_or(PIECES);
    }

    fn next(&mut self, to: &mut Asks) {
        // One piece may begin where the file should end: it tells that it does.
        while !self.ended && self.asked.len() < AHEAD && self.next <= self.size {
            let at = self.next;
            self.next += u64::from(PIECE);
            self.piece(at, PIECE, to);
        }
        if self.asked.is_empty()
            && let Some(handle) = self.handle.take()
        {
            to.ask(CLOSE, Request::Close(handle));
        }
    }

    fn on_piece(&mut self, tag: u32, reply: Reply, to: &mut Asks) {
        let Some((offset, length)) = self.asked.remove(&tag) else { return };
        match reply {
            Reply::Bytes(bytes) if bytes.is_empty() || bytes.len() > length as usize => {
                self.fail(TransportError::Protocol(format!(
                    "{} bytes where {length} were asked",
                    bytes.len()
                )));
            }
            Reply::Bytes(bytes) => {
                let got = bytes.len() as u32;
                let end = offset + u64::from(got);
                self.pieces.insert(offset, bytes);
                // It grows while it is read.
                self.size = self.size.max(end);
                if end > self.limit {
                    self.fail(TransportError::TooLarge { path: self.path.clone(), limit: self.limit });
                } else if got < length && end < self.size {
                    self.piece(end, length - got, to);
                }
            }
            Reply::Status(Status::End) => {}
            other => self.fail(odd(&other)),
        }
    }

    fn fail(&mut self, why: TransportError) {
        self.failed.get_or_insert(why);
        self.ended = true;
    }

    /// All that was read, as far as it hangs together: a file that was cut meanwhile ends at the first gap.
    fn whole(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (offset, piece) in std::mem::take(&mut self.pieces) {
            if offset != bytes.len() as u64 {
                break;
            }
            bytes.extend(piece);
        }
        bytes
    }
}

impl Errand for Read {
    fn begin(&mut self, to: &mut Asks) {
        to.ask(LOOK, Request::Stat(self.path.clone()));
    }

    fn on_reply(&mut self, tag: u32, reply: Reply, to: &mut Asks) {
        match (tag, reply) {
            // To open a pipe would hold up the server.
            (LOOK, Reply::Attrs(attrs)) if attrs.mode.is_some() && !attrs.is_file() => {
                self.fail(TransportError::Refused(format!("{} is not a regular file", self.path)));
            }
            (LOOK, Reply::Attrs(attrs)) => {
                self.size = attrs.size.unwrap_or(0);
                if self.size > self.limit {
                    self.fail(TransportError::TooLarge { path: self.path.clone(), limit: self.limit });
                } else {
                    let path = self.path.clone();
                    to.ask(OPEN, Request::Open { path, how: How::Read, mode: 0 });
                }
            }
            (LOOK | OPEN, Reply::Status(status)) => {
                self.inquest = Some(Inquest::open(Tried::Look, &self.path, status, to));
            }
            (OPEN, Reply::Handle(handle)) => {
                self.handle = Some(handle);
                self.next(to);
            }
            (LOOK | OPEN, other) => self.fail(odd(&other)),
            (CLOSE, _) => {}
            (tag, reply) if tag >= PIECES => {
                self.on_piece(tag, reply, to);
                self.next(to);
            }
            (tag, reply) => self.inquest.iter_mut().for_each(|inquest| inquest.on_reply(tag, reply.clone())),
        }
    }

    fn end(mut self: Box<Self>, cut: Option<TransportError>) {
        let result = match (self.failed.take(), &self.inquest) {
            (Some(why), _) => Some(Err(why)),
            (None, Some(_)) => None,
            (None, None) => Some(Ok(self.whole())),
        };
        self.ret.ret(outcome(cut, result, self.inquest));
    }
}

/// A file, written whole under another name, and renamed. Only where that replaces another one it is waited until it is on the
/// disk, so that a power cut leaves one of the two. What is new may be lost or not whole after one, as with every other transfer.
pub(super) struct Write {
    path: String,
    temp: String,
    bytes: Vec<u8>,
    mode: u32,
    ret: Answer<()>,
    handle: Option<Vec<u8>>,
    /// Requests of the present step that are not answered.
    open: usize,
    made: bool,
    /// A file is there already.
    replaces: bool,
    renaming: bool,
    failed: Option<(Tried, Failed)>,
    result: Option<Result<(), TransportError>>,
    inquest: Option<Inquest>,
}

impl Write {
    pub(super) fn new(path: &RemotePath, bytes: Vec<u8>, mode: u32, ret: Answer<()>) -> Write {
        let above = path.parent().unwrap_or_else(RemotePath::here);
        let temp = above.child(&part_name()).map_or_else(|_| part_name(), |temp| temp.as_str().to_owned());
        Write {
            path: path.as_str().to_owned(),
            temp,
            bytes,
            mode,
            ret,
            handle: None,
            open: 0,
            made: false,
            replaces: false,
            renaming: false,
            failed: None,
            result: None,
            inquest: None,
        }
    }

    fn ask(&mut self, tag: u32, request: Request, to: &mut Asks) {
        self.open += 1;
        to.ask(tag, request);
    }

    /// All that is left to do for the contents, in one go.
    fn fill(&mut self, to: &mut Asks) {
        let Some(handle) = self.handle.take() else { return };
        let bytes = std::mem::take(&mut self.bytes);
        for (at, piece) in bytes.chunks(PIECE as usize).enumerate() {
            let offset = at as u64 * u64::from(PIECE);
            self.ask(FILL, Request::Write { handle: handle.clone(), offset, bytes: piece.to_vec() }, to);
        }
        self.ask(PERMIT, Request::ChmodOpen { handle: handle.clone(), mode: self.mode }, to);
        if self.replaces && to.knows.sync {
            self.ask(FILL, Request::Sync(handle.clone()), to);
        }
        self.ask(FILL, Request::Close(handle), to);
    }

    /// After the last reply of a step: the next one.
    fn next(&mut self, to: &mut Asks) {
        if let Some((tried, failed)) = self.failed.take() {
            match failed {
                Failed::Because(why) => self.result = Some(Err(why)),
                Failed::Somehow(status) => self.inquest = Some(Inquest::open(tried, &self.path, status, to)),
            }
            if self.made {
                to.ask(TIDY, Request::Remove(self.temp.clone()));
            }
        } else if self.handle.is_some() {
            self.fill(to);
        } else if !self.renaming {
            self.renaming = true;
            self.ask(RENAME, Request::Rename { from: self.temp.clone(), to: self.path.clone() }, to);
        } else {
            self.result = Some(Ok(()));
        }
    }
}

impl Errand for Write {
    fn begin(&mut self, to: &mut Asks) {
        self.ask(LOOK, Request::Lstat(self.path.clone()), to);
        self.ask(OPEN, Request::Open { path: self.temp.clone(), how: How::New, mode: 0o600 }, to);
    }

    fn on_reply(&mut self, tag: u32, reply: Reply, to: &mut Asks) {
        let failed = match (tag, reply) {
            (LOOK, Reply::Attrs(there)) => {
                self.replaces = true;
                if let Some(mode) = there.mode.filter(|_| there.is_file()) {
                    self.mode = mode;
                }
                None
            }
            (LOOK, _) => None,
            (OPEN, Reply::Handle(handle)) => {
                self.handle = Some(handle);
                self.made = true;
                None
            }
            (OPEN | RENAME, reply) => done(&reply, &self.path).err().map(|e| (Tried::Replace, e)),
            (FILL | PERMIT, reply) => done(&reply, &self.path).err().map(|e| (Tried::Fill, e)),
            (TIDY, _) => return,
            (tag, reply) => {
                self.inquest.iter_mut().for_each(|inquest| inquest.on_reply(tag, reply.clone()));
                return;
            }
        };
        if self.failed.is_none() {
            self.failed = failed;
        }
        self.open -= 1;
        if self.open == 0 {
            self.next(to);
        }
    }

    fn end(self: Box<Self>, cut: Option<TransportError>) {
        self.ret.ret(outcome(cut, self.result, self.inquest));
    }
}

#[cfg(test)]
mod tests;

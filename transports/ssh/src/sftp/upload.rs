//! The contents of one large file, piece by piece as a disk gives them, to a file that is there only for that.

use super::contents::PIECE;
use super::look::{Failed, done};
use super::reason::{Inquest, Tried};
use super::wire::{How, Reply, Request, read_most_written};
use super::{Asks, Errand};
use procession::transport::TransportError;
use stakker::Fwd;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

const OPEN: u32 = 0;
const PERMIT: u32 = 1;
const CLOSE: u32 = 2;
const TIDY: u32 = 3;
const LIMITS: u32 = 4;
/// Writes are tagged with their length on top of this.
const PIECES: u32 = 10_000;

/// What is told while a file is uploaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Uploaded {
    /// So many more bytes are at the host.
    Bytes(u64),
    /// It is over. Unless it was discarded, or lost with its channel, the file is there with its mode.
    Over(Result<(), TransportError>),
}

/// What is still to be written, as both sides hold it.
#[derive(Clone, Default)]
pub(crate) struct Upload(Rc<RefCell<Flow>>);

#[derive(Default)]
struct Flow {
    pieces: VecDeque<Vec<u8>>,
    end: Option<Verdict>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Keep { mode: u32 },
    Discard,
}

impl Upload {
    /// The errand that writes to `part`, from `offset` on; from 0 on, what was there is cut away.
    pub(crate) fn errand(&self, part: String, offset: u64, news: Fwd<Uploaded>) -> Box<dyn Errand> {
        Box::new(Uploading {
            flow: self.clone(),
            part,
            offset,
            news,
            handle: None,
            most: PIECE as usize,
            open: 0,
            ending: false,
            over: false,
            result: Ok(()),
            inquest: None,
        })
    }

    /// Adds contents at the end; at most [`Upload::PIECE`] bytes. Poke the client afterwards.
    pub(crate) fn push(&self, piece: Vec<u8>) {
        debug_assert!(piece.len() <= Upload::PIECE);
        self.0.borrow_mut().pieces.push_back(piece);
    }

    /// The largest piece, in bytes: what OpenSSH takes in one request is twice as much, and what costs is the request.
    pub(crate) const PIECE: usize = 128 << 10;

    /// No piece comes any more: the file gets its mode. It is not waited until it is on the disk: as with every other transfer,
    /// its hash says whether it is whole, and a crash of the host is told by that.
    pub(crate) fn keep(&self, mode: u32) {
        self.0.borrow_mut().end.get_or_insert(Verdict::Keep { mode });
    }

    /// The file is to be removed.
    pub(crate) fn discard(&self) {
        let mut flow = self.0.borrow_mut();
        flow.pieces.clear();
        flow.end = Some(Verdict::Discard);
    }
}

struct Uploading {
    flow: Upload,
    part: String,
    offset: u64,
    news: Fwd<Uploaded>,
    handle: Option<Vec<u8>>,
    /// How many bytes are written at once.
    most: usize,
    /// Writes that are not answered.
    open: usize,
    ending: bool,
    over: bool,
    result: Result<(), TransportError>,
    inquest: Option<Inquest>,
}

/// How many writes one file has in flight; see the client.
const AHEAD: usize = super::client::IN_FLIGHT;

impl Uploading {
    fn fail(&mut self, failed: Failed, to: &mut Asks) {
        if self.result.is_ok() && self.inquest.is_none() {
            match failed {
                Failed::Because(why) => self.result = Err(why),
                Failed::Somehow(status) => {
                    self.inquest = Some(Inquest::open(Tried::Fill, &self.part, status, to));
                }
            }
        }
        if self.ending {
            to.ask(TIDY, Request::Remove(self.part.clone()));
        }
        self.flow.discard();
    }

    fn next(&mut self, to: &mut Asks) {
        let Some(handle) = &self.handle else { return };
        let mut flow = self.flow.0.borrow_mut();
        while self.open < AHEAD
            && let Some(mut bytes) = flow.pieces.pop_front()
        {
            if bytes.len() > self.most {
                let rest = bytes.split_off(self.most);
                flow.pieces.push_front(rest);
            }
            let tag = PIECES + bytes.len() as u32;
            let offset = self.offset;
            self.offset += bytes.len() as u64;
            self.open += 1;
            to.ask(tag, Request::Write { handle: handle.clone(), offset, bytes });
        }
        if self.open == 0
            && flow.pieces.is_empty()
            && !self.ending
            && let Some(end) = flow.end
        {
            self.ending = true;
            match end {
                Verdict::Keep { mode } => {
                    to.ask(PERMIT, Request::ChmodOpen { handle: handle.clone(), mode });
                    to.ask(CLOSE, Request::Close(handle.clone()));
                }
                Verdict::Discard => {
                    to.ask(CLOSE, Request::Close(handle.clone()));
                    to.ask(TIDY, Request::Remove(self.part.clone()));
                }
            }
        }
    }
}

impl Errand for Uploading {
    fn begin(&mut self, to: &mut Asks) {
        if to.knows.limits {
            to.ask(LIMITS, Request::Limits);
        }
        let how = if self.offset == 0 { How::Afresh } else { How::Continue };
        to.ask(OPEN, Request::Open { path: self.part.clone(), how, mode: 0o600 });
    }

    fn resume(&mut self, to: &mut Asks) {
        self.next(to);
    }

    fn on_reply(&mut self, tag: u32, reply: Reply, to: &mut Asks) {
        match (tag, reply) {
            (LIMITS, Reply::Extended(limits)) => {
                let most = read_most_written(&limits).ok().and_then(|most| usize::try_from(most).ok());
                self.most = most.unwrap_or_default().max(PIECE as usize);
            }
            (LIMITS, _) => {}
            (OPEN, Reply::Handle(handle)) => self.handle = Some(handle),
            (OPEN, reply) => {
                self.over = true;
                if let Err(Failed::Because(why)) = done(&reply, &self.part) {
                    self.result = Err(why);
                } else if let Reply::Status(status) = reply {
                    self.inquest = Some(Inquest::open(Tried::Replace, &self.part, status, to));
                }
            }
            (PERMIT, reply) => {
                if let Err(failed) = done(&reply, &self.part) {
                    self.fail(failed, to);
                }
            }
            (CLOSE, reply) => {
                self.over = true;
                // Network file systems tell of a full disk as late as this.
                if let Err(failed) = done(&reply, &self.part) {
                    self.fail(failed, to);
                }
            }
            (TIDY, _) => {}
            (tag, reply) if tag >= PIECES => {
                self.open -= 1;
                match done(&reply, &self.part) {
                    Ok(()) => self.news.fwd(Uploaded::Bytes(u64::from(tag - PIECES))),
                    Err(failed) => self.fail(failed, to),
                }
            }
            (tag, reply) => self.inquest.iter_mut().for_each(|inquest| inquest.on_reply(tag, reply.clone())),
        }
        self.next(to);
    }

    fn is_waiting(&self) -> bool {
        !self.over
    }

    fn end(self: Box<Self>, cut: Option<TransportError>) {
        let result = match (cut, self.inquest) {
            (Some(cut), _) => Err(cut),
            (None, Some(inquest)) => Err(inquest.verdict()),
            (None, None) => self.result,
        };
        self.news.fwd(Uploaded::Over(result));
    }
}

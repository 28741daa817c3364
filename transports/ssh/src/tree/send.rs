//! Sends one large file: over SFTP, from where the last attempt was cut, and hashed on the host while it grows.
//!
//! Its bytes go to a hidden file beside, whose name follows from what is sent, so that the next attempt finds it. Each part
//! (see `reader.rs`) is hashed by the host as soon as it lies there, and compared with what was read here; only then the file
//! gets its name.

use super::compare::Hashing;
use super::digests::{Sum, Tool};
use super::found::Found;
use super::reader::{Part, Reader};
use super::scribe::{Expect, Heard, Scribe};
use super::script::sum_of;
use super::{MIB, Place};
use crate::disk::lost;
use crate::sftp::{Sftp, Upload, Uploaded};
use crate::talk::Window;
use procession::transport::{Answer, Content, Digest, FileKind, Op, RemotePath, Stat, TransportError};
use stakker::{CX, Fwd, fwd_to, ret_to, stop};
use std::collections::VecDeque;

/// How many bytes are read and not at the host yet.
const AHEAD: u64 = 4 << 20;

/// What is told while a file is sent.
pub(super) enum Sent {
    /// So many more bytes are there.
    Bytes(u64),
    /// It is over: with its path in the tree, its mode and what it holds.
    Over(Result<(RemotePath, u32, Content), TransportError>),
}

/// One large file on its way.
pub(super) struct Sending {
    place: Place,
    found: Found,
    to: RemotePath,
    part: RemotePath,
    news: Option<Fwd<Sent>>,
    sftp: Sftp,
    scribe: Scribe,
    tool: Option<Tool>,
    /// What lies at its place, and beside.
    there: Option<Result<Stat, TransportError>>,
    begun: Option<Result<Stat, TransportError>>,
    state: State,
    verdict: Option<TransportError>,
}

enum State {
    /// Looking at what is there.
    Looking,
    /// Something of the right size is there: hashed on both sides.
    Comparing { ours: Option<(Digest, Sum)>, theirs: Option<Sum> },
    /// The beginning is there: hashed on both sides.
    Resuming { reader: Option<Box<Reader>>, theirs: Option<Sum> },
    /// Bytes are under way.
    Moving(Moving),
    /// It is all there and hashed; it gets its name.
    Naming { digest: Digest },
}

struct Moving {
    upload: Upload,
    /// Home, or on the disk's thread.
    reader: Option<Box<Reader>>,
    read: u64,
    acked: u64,
    /// Parts that were read, and those of them that the host is hashing.
    parts: VecDeque<Part>,
    asked: VecDeque<Part>,
    digest: Option<Digest>,
    closed: bool,
}

impl Sending {
    /// Begins to send `found` to `to`.
    pub(super) fn init(
        cx: CX![],
        place: Place,
        found: Found,
        to: RemotePath,
        news: Fwd<Sent>,
    ) -> Option<Sending> {
        let (sftp, sftp_talk) = Sftp::new(&place.host, Window::Bulk);
        let (scribe, talk) = Scribe::new(to.as_str(), fwd_to!([cx], on_heard() as (Heard)));
        let here = RemotePath::here();
        let above = to.parent().unwrap_or_else(RemotePath::here);
        // The same file has the same name at the next attempt, and another one has another.
        let name = Digest::of(format!("{to}\0{}", found.size).as_bytes()).to_string();
        let part = above.child(&format!(".procession-{}.part", &name[..16])).unwrap_or_else(|_| to.clone());
        let at = |path: &RemotePath, ret: Answer<Stat>| Op::Stat(path.clone(), ret);
        let ops = [
            Op::Mkdir {
                path: above,
                parents: true,
                ret: ret_to!([cx], on_made() as (Result<(), TransportError>)),
            },
            at(&to, ret_to!([cx], on_there() as (Result<Stat, TransportError>))),
            at(&part, ret_to!([cx], on_begun() as (Result<Stat, TransportError>))),
        ];
        for op in ops {
            let given = sftp.small(&here, op);
            debug_assert!(given.is_ok(), "these are small");
        }
        place.open.fwd(Box::new(sftp_talk));
        place.open.fwd(talk);
        Some(Sending {
            place,
            found,
            to,
            part,
            news: Some(news),
            sftp,
            scribe,
            tool: None,
            there: None,
            begun: None,
            state: State::Looking,
            verdict: None,
        })
    }

    fn on_made(&mut self, cx: CX![], made: Option<Result<(), TransportError>>) {
        if let Err(why) = made.unwrap_or_else(|| Err(lost())) {
            self.fail(cx, why);
        }
    }

    fn on_there(&mut self, cx: CX![], there: Option<Result<Stat, TransportError>>) {
        self.there = Some(there.unwrap_or_else(|| Err(lost())));
        self.looked(cx);
    }

    fn on_begun(&mut self, cx: CX![], begun: Option<Result<Stat, TransportError>>) {
        self.begun = Some(begun.unwrap_or_else(|| Err(lost())));
        self.looked(cx);
    }

    /// When all is known of what is there.
    fn looked(&mut self, cx: CX![]) {
        let (Some(tool), Some(there), Some(_)) = (self.tool, &self.there, &self.begun) else { return };
        match there {
            Ok(there) if there.kind == FileKind::Dir => {
                self.fail(cx, TransportError::Exists(self.to.to_string()))
            }
            Ok(there) if there.kind == FileKind::File && there.size == self.found.size => {
                self.part_of(&self.to, 0, self.found.size.div_ceil(MIB));
                self.state = State::Comparing { ours: None, theirs: None };
                let files = vec![(self.found.path.clone(), self.found.place.clone())];
                self.hash(cx, Box::new(Hashing::new(tool, files)));
            }
            Ok(_) | Err(TransportError::NotFound(_)) => self.resume(cx),
            Err(why) => {
                let why = why.clone();
                self.fail(cx, why);
            }
        }
    }

    /// Asks the host for the hash of some whole MiB of a file.
    fn part_of(&self, path: &RemotePath, skip: u64, count: u64) {
        self.scribe.command(sum_of(path, self.found.size, skip, count), &[], &[Expect::Word]);
    }

    fn hash(&mut self, cx: CX![], mut hashing: Box<Hashing>) {
        let step = move || {
            hashing.step();
            hashing
        };
        self.place.disk.step(step, ret_to!([cx], on_hashed() as (Box<Hashing>)));
    }

    fn on_hashed(&mut self, cx: CX![], hashing: Option<Box<Hashing>>) {
        let Some(hashing) = hashing else { return self.fail(cx, lost()) };
        if self.verdict.is_some() {
            return;
        }
        if !hashing.is_over() {
            return self.hash(cx, hashing);
        }
        if let State::Comparing { ours, theirs: _ } = &mut self.state {
            *ours = hashing.done.into_values().next();
            if ours.is_none() {
                // It could not be read: the reader finds out why.
                return self.resume(cx);
            }
        }
        self.compared(cx);
    }

    fn compared(&mut self, cx: CX![]) {
        let State::Comparing { ours: Some((digest, ours)), theirs: Some(theirs) } = &self.state else {
            return;
        };
        if ours != theirs {
            return self.resume(cx);
        }
        let digest = *digest;
        self.state = State::Naming { digest };
        self.tell(Sent::Bytes(self.found.size));
        let ret = ret_to!([cx], on_named() as (Result<(), TransportError>));
        let op = Op::Chmod { path: self.to.clone(), mode: self.found.mode, ret };
        let given = self.sftp.small(&RemotePath::here(), op);
        debug_assert!(given.is_ok(), "it is small");
    }

    /// Goes on where a part of it is there, or begins.
    fn resume(&mut self, cx: CX![]) {
        let Some(tool) = self.tool else { return };
        let begun = match &self.begun {
            Some(Ok(begun)) if begun.kind == FileKind::File && begun.size <= self.found.size => {
                begun.size / MIB
            }
            Some(Ok(_) | Err(_)) | None => 0,
        };
        let found = self.found.clone();
        let open = move || Reader::open(&found, tool, begun * MIB).map(Box::new);
        type Opened = Result<Box<Reader>, TransportError>;
        self.place.disk.step(open, ret_to!([cx], on_opened() as (Opened)));
    }

    fn on_opened(&mut self, cx: CX![], opened: Option<Result<Box<Reader>, TransportError>>) {
        match opened.unwrap_or_else(|| Err(lost())) {
            Err(why) => self.fail(cx, why),
            Ok(reader) if reader.offset() == 0 => self.move_on(cx, reader),
            Ok(reader) => {
                self.part_of(&self.part, 0, reader.offset() / MIB);
                self.state = State::Resuming { reader: None, theirs: None };
                self.look_back(cx, reader);
            }
        }
    }

    /// Reads and hashes what is there already.
    fn look_back(&mut self, cx: CX![], mut reader: Box<Reader>) {
        let step = move || reader.look_back().map(|()| reader);
        type Back = Result<Box<Reader>, TransportError>;
        self.place.disk.step(step, ret_to!([cx], on_looked_back() as (Back)));
    }

    fn on_looked_back(&mut self, cx: CX![], back: Option<Result<Box<Reader>, TransportError>>) {
        if self.verdict.is_some() {
            return;
        }
        match back.unwrap_or_else(|| Err(lost())) {
            Err(why) => self.fail(cx, why),
            Ok(reader) if !reader.is_back() => self.look_back(cx, reader),
            Ok(back) => {
                if let State::Resuming { reader, theirs: _ } = &mut self.state {
                    *reader = Some(back);
                }
                self.resumed(cx);
            }
        }
    }

    fn resumed(&mut self, cx: CX![]) {
        let State::Resuming { reader, theirs: Some(theirs) } = &mut self.state else { return };
        let Some(mut reader) = reader.take() else { return };
        if reader.sum_back() != *theirs
            && let Err(why) = reader.restart()
        {
            return self.fail(cx, why);
        }
        self.move_on(cx, reader);
    }

    fn move_on(&mut self, cx: CX![], reader: Box<Reader>) {
        let upload = Upload::default();
        let offset = reader.offset();
        let news = fwd_to!([cx], on_uploaded() as (Uploaded));
        self.sftp.run(upload.errand(self.part.as_str().to_owned(), offset, news));
        self.tell(Sent::Bytes(offset));
        self.state = State::Moving(Moving {
            upload,
            reader: Some(reader),
            read: offset,
            acked: offset,
            parts: VecDeque::new(),
            asked: VecDeque::new(),
            digest: None,
            closed: false,
        });
        self.read(cx);
    }

    fn read(&mut self, cx: CX![]) {
        let State::Moving(moving) = &mut self.state else { return };
        if moving.read - moving.acked >= AHEAD {
            return;
        }
        let Some(mut reader) = moving.reader.take() else { return };
        let step = move || reader.step().map(|pieces| (reader, pieces));
        type Read = Result<(Box<Reader>, Vec<Vec<u8>>), TransportError>;
        self.place.disk.step(step, ret_to!([cx], on_read() as (Read)));
    }

    fn on_read(&mut self, cx: CX![], read: Option<Result<(Box<Reader>, Vec<Vec<u8>>), TransportError>>) {
        if self.verdict.is_some() {
            return;
        }
        let (mut reader, pieces) = match read.unwrap_or_else(|| Err(lost())) {
            Ok(read) => read,
            Err(why) => return self.fail(cx, why),
        };
        let State::Moving(moving) = &mut self.state else { return };
        moving.parts.extend(reader.take_parts());
        for piece in pieces {
            moving.read += piece.len() as u64;
            moving.upload.push(piece);
        }
        if reader.is_over() {
            moving.digest = Some(reader.digest());
            moving.upload.keep(self.found.mode);
        } else {
            moving.reader = Some(reader);
        }
        self.sftp.poke();
        self.read(cx);
    }

    fn on_uploaded(&mut self, cx: CX![], uploaded: Uploaded) {
        match uploaded {
            Uploaded::Over(Err(why)) => {
                let why = self.verdict.take().unwrap_or(why);
                self.end(cx, Err(why));
            }
            Uploaded::Over(Ok(())) => {
                if let Some(why) = self.verdict.take() {
                    return self.end(cx, Err(why));
                }
                if let State::Moving(moving) = &mut self.state {
                    moving.closed = true;
                }
                self.moved(cx);
            }
            Uploaded::Bytes(_) if self.verdict.is_some() => {}
            Uploaded::Bytes(bytes) => {
                if let State::Moving(moving) = &mut self.state {
                    moving.acked += bytes;
                }
                self.tell(Sent::Bytes(bytes));
                self.moved(cx);
                self.read(cx);
            }
        }
    }

    /// More of it is there: the host hashes what is whole, and the end is named when all is hashed.
    fn moved(&mut self, cx: CX![]) {
        let State::Moving(moving) = &mut self.state else { return };
        let mut ready = Vec::new();
        while let Some(part) = moving.parts.pop_front_if(|part| part.end <= moving.acked) {
            ready.push((part.start / MIB, (part.end - part.start).div_ceil(MIB)));
            moving.asked.push_back(part);
        }
        let whole = moving.closed && moving.parts.is_empty() && moving.asked.is_empty();
        let digest = moving.digest.filter(|_| whole);
        for (skip, count) in ready {
            self.part_of(&self.part, skip, count);
        }
        if let Some(digest) = digest {
            self.state = State::Naming { digest };
            let ret = ret_to!([cx], on_named() as (Result<(), TransportError>));
            let op = Op::Rename { from: self.part.clone(), to: self.to.clone(), ret };
            let given = self.sftp.small(&RemotePath::here(), op);
            debug_assert!(given.is_ok(), "it is small");
        }
    }

    fn on_named(&mut self, cx: CX![], named: Option<Result<(), TransportError>>) {
        let State::Naming { digest } = self.state else { return };
        let content = Content::File { size: self.found.size, digest };
        let done = named.unwrap_or_else(|| Err(lost())).map(|()| (self.found.mode, content));
        self.end(cx, done);
    }

    fn on_heard(&mut self, cx: CX![], heard: Heard) {
        match heard {
            Heard::Hello(tool) => {
                self.tool = Some(tool);
                self.looked(cx);
            }
            Heard::Word(word) => self.on_sum(cx, word),
            Heard::Over(how) => {
                let early = || TransportError::Protocol("the host hashes no more".to_owned());
                let why = how.err().unwrap_or_else(early);
                self.fail(cx, why);
            }
            Heard::List(_) | Heard::Words(..) | Heard::Bytes(_) | Heard::Sum(_) | Heard::Room => {}
        }
    }

    fn on_sum(&mut self, cx: CX![], sum: Sum) {
        match &mut self.state {
            State::Comparing { ours: _, theirs } => {
                *theirs = Some(sum);
                self.compared(cx);
            }
            State::Resuming { reader: _, theirs } => {
                *theirs = Some(sum);
                self.resumed(cx);
            }
            State::Moving(moving) => match moving.asked.pop_front() {
                Some(part) if part.sum == sum => self.moved(cx),
                Some(_) | None => self.fail(cx, TransportError::Corrupt(self.to.to_string())),
            },
            State::Looking | State::Naming { digest: _ } => {}
        }
    }

    /// Its owner wants it no more.
    pub(super) fn on_cancel(&mut self, cx: CX![]) {
        self.fail(cx, TransportError::Cancelled);
    }

    /// Ends it. What is half there is removed first, unless nobody can: then the next attempt goes on from it.
    fn fail(&mut self, cx: CX![], why: TransportError) {
        if self.verdict.is_some() {
            return;
        }
        match &self.state {
            State::Moving(moving) if !moving.closed => {
                moving.upload.discard();
                self.verdict = Some(why);
                self.scribe.give_up();
                // It removes what is there, and is not waited for for ever.
                self.sftp.close();
            }
            State::Moving(_) => {
                let op = Op::Remove { path: self.part.clone(), tree: false, ret: stakker::Ret::new(|_| {}) };
                let given = self.sftp.small(&RemotePath::here(), op);
                debug_assert!(given.is_ok(), "it is small");
                self.end(cx, Err(why));
            }
            // Too late: it has its name, or is about to have it.
            State::Naming { digest: _ } => {}
            State::Looking | State::Comparing { .. } | State::Resuming { .. } => self.end(cx, Err(why)),
        }
    }

    fn tell(&self, sent: Sent) {
        self.news.iter().for_each(|news| {
            if let Sent::Bytes(bytes) = sent {
                news.fwd(Sent::Bytes(bytes));
            }
        });
    }

    fn end(&mut self, cx: CX![], how: Result<(u32, Content), TransportError>) {
        let Some(news) = self.news.take() else { return };
        self.scribe.give_up();
        self.sftp.close();
        let path = self.found.path.clone();
        news.fwd(Sent::Over(how.map(|(mode, content)| (path, mode, content))));
        stop!(cx);
    }
}

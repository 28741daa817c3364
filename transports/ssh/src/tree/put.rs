//! Sends a file or a tree: one conversation for all that is small, and then the large files one by one.
//!
//! ```text
//! walk here ─────────┐
//! open, what is there ┴> hashes of both sides -> tar there -> moved, and read back -> large files -> answer
//!                      \__ nothing of the same size ___/
//! ```

use super::compare::{Agreement, Hashing};
use super::digests::Tool;
use super::found::{Found, Walked, is_dir, walk};
use super::listing::{Entry, Listed};
use super::pack::Packer;
use super::plan::Sides;
use super::scribe::{Expect, Heard, Scribe};
use super::script::place;
use super::send::{Sending, Sent};
use super::unpack::add;
use super::{LARGE, Place};
use crate::disk::lost;
use crate::nonce::part_name;
use procession::transport::{
    Answer, CancelToken, Content, Digest, FileKind, Manifest, Progress, Put, RemotePath, TransportError,
};
use stakker::{ActorOwn, CX, Fwd, actor, call, fwd_to, ret_nop, ret_some_to, ret_to, stop};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

/// One transfer to a host.
pub(crate) struct Putting {
    place: Place,
    from: PathBuf,
    to: RemotePath,
    /// The last part of `to`.
    name: RemotePath,
    answer: Option<Answer<Manifest>>,
    report: Option<Fwd<Progress>>,
    progress: Progress,
    _cancel: Option<CancelToken>,
    scribe: Option<Scribe>,
    tool: Tool,
    /// The mode of the root, if it is a directory.
    root: Option<u32>,
    /// What is sent in one stream, once it is known, and what is sent by itself.
    small: Option<Vec<Found>>,
    large: VecDeque<Found>,
    /// What was there before, once it is known.
    here: Option<BTreeMap<RemotePath, Listed>>,
    /// All that is small was read back.
    is_read_back: bool,
    is_dir: bool,
    agreement: Agreement,
    /// Home, or on the disk's thread.
    packer: Option<Box<Packer>>,
    digests: BTreeMap<RemotePath, Digest>,
    manifest: Manifest,
    sending: Option<ActorOwn<Sending>>,
    verdict: Option<TransportError>,
}

impl Putting {
    /// Begins; `to` is as seen from where commands begin.
    pub(crate) fn init(
        cx: CX![],
        place: Place,
        put: Put,
        to: RemotePath,
        answer: Answer<Manifest>,
    ) -> Option<Putting> {
        if let Some(cancel) = &put.cancel {
            cancel.on_cancel(ret_some_to!([cx], on_cancel() as ()));
        }
        let from = put.from.clone();
        place.disk.step(move || is_dir(&from), ret_to!([cx], on_looked() as (Result<bool, TransportError>)));
        Some(Putting {
            place,
            from: put.from,
            name: to.name().and_then(|name| name.parse().ok()).unwrap_or_else(|| to.clone()),
            to,
            answer: Some(answer),
            report: put.progress,
            progress: Progress::default(),
            _cancel: put.cancel,
            scribe: None,
            tool: Tool::Sha256,
            root: None,
            small: None,
            large: VecDeque::new(),
            here: None,
            is_read_back: false,
            is_dir: false,
            agreement: Agreement::default(),
            packer: None,
            digests: BTreeMap::new(),
            manifest: Manifest::default(),
            sending: None,
            verdict: None,
        })
    }

    /// A folder needs a conversation whatever is in it: the host gets ready while we walk.
    fn on_looked(&mut self, cx: CX![], looked: Option<Result<bool, TransportError>>) {
        match looked.unwrap_or_else(|| Err(lost())) {
            Ok(true) => self.talk(cx, "tree"),
            Ok(false) => {}
            Err(why) => return self.end(cx, Err(why)),
        }
        let (from, walked) =
            (self.from.clone(), ret_to!([cx], on_walked() as (Result<Walked, TransportError>)));
        self.place.disk.step(move || walk(&from), walked);
    }

    fn talk(&mut self, cx: CX![], kind: &str) {
        let (scribe, talk) = Scribe::new(self.to.as_str(), fwd_to!([cx], on_heard() as (Heard)));
        let command = format!("put {kind} {} {}", part_name(), place(&self.to));
        scribe.command(command, &[], &[Expect::Word, Expect::List]);
        self.scribe = Some(scribe);
        self.place.open.fwd(talk);
    }

    fn on_walked(&mut self, cx: CX![], walked: Option<Result<Walked, TransportError>>) {
        let walked = match walked.unwrap_or_else(|| Err(lost())) {
            _ if self.verdict.is_some() => return,
            Ok(walked) => walked,
            Err(why) => return self.stop(cx, why),
        };
        self.root = walked.root;
        let is_large = |found: &Found| found.kind == FileKind::File && found.size >= LARGE;
        let (large, small) = walked.found.into_iter().partition::<Vec<_>, _>(is_large);
        self.progress.total = large.iter().chain(&small).map(|found| found.size).sum();
        let nothing = self.root.is_none() && small.is_empty();
        (self.small, self.large) = (Some(small), large.into());
        match (&self.scribe, self.root) {
            (None, _) if nothing => self.next_large(cx),
            (None, None) => self.talk(cx, "file"),
            (Some(_), Some(_)) => self.look_closer(cx),
            // A file has become a folder, or the other way round, between two looks.
            (None, Some(_)) | (Some(_), None) => {
                let why = "it changed while it was looked at".to_owned();
                self.stop(cx, TransportError::Io { path: self.from.display().to_string(), why });
            }
        }
    }

    fn on_heard(&mut self, cx: CX![], heard: Heard) {
        match heard {
            Heard::Over(how) => self.on_over(cx, how),
            // It ends soon.
            _ if self.verdict.is_some() => {}
            Heard::Hello(tool) => self.tool = tool,
            Heard::Word(word) => self.is_dir |= word == "dir",
            Heard::List(entries) if self.here.is_none() => {
                self.here = Some(named(entries));
                self.look_closer(cx);
            }
            Heard::List(entries) => self.on_read_back(entries),
            Heard::Words(whose, words) => {
                self.agreement.on_theirs(whose, &words);
                self.compare(cx);
            }
            Heard::Room => self.pack(cx),
            Heard::Bytes(_) | Heard::Sum(_) => {}
        }
    }

    /// When it is known what is here and what is there: files of the same size are compared first.
    fn look_closer(&mut self, cx: CX![]) {
        let (Some(sides), Some(scribe)) = (self.sides(), &self.scribe) else { return };
        let files = sides.candidates().map(|found| (sides.on_host(&found.path).clone(), found.place.clone()));
        let files: Vec<_> = files.collect();
        let asked: Vec<RemotePath> = files.iter().map(|(name, _)| name.clone()).collect();
        self.agreement = Agreement::ask(scribe, &asked);
        self.hash(cx, Box::new(Hashing::new(self.tool, files)));
    }

    /// What both sides have, once that is known.
    fn sides(&self) -> Option<Sides<'_>> {
        Some(Sides {
            small: self.small.as_ref()?,
            root: self.root,
            here: self.here.as_ref()?,
            is_dir: self.is_dir,
            same: &self.digests,
            name: &self.name,
        })
    }

    fn hash(&mut self, cx: CX![], mut hashing: Box<Hashing>) {
        if hashing.is_over() {
            return self.on_hashed(cx, Some(hashing));
        }
        let step = move || {
            hashing.step();
            hashing
        };
        self.place.disk.step(step, ret_to!([cx], on_hashed() as (Box<Hashing>)));
    }

    fn on_hashed(&mut self, cx: CX![], hashing: Option<Box<Hashing>>) {
        match hashing {
            None => self.fail(lost()),
            Some(_) if self.verdict.is_some() => {}
            Some(hashing) if hashing.is_over() => {
                self.agreement.on_ours(hashing.done);
                self.compare(cx);
            }
            Some(hashing) => self.hash(cx, hashing),
        }
    }

    /// When both sides have hashed: sends what is not there.
    fn compare(&mut self, cx: CX![]) {
        let Some(same) = self.agreement.same() else { return };
        for (path, digest) in same {
            let path = if self.root.is_some() { path } else { RemotePath::here() };
            self.digests.insert(path, digest);
        }
        let mut progress = self.progress;
        let (Some(sides), Some(scribe)) = (self.sides(), &self.scribe) else { return };
        let plan = sides.plan(&mut progress);
        scribe.command("fill".to_owned(), &[], &[Expect::Word, Expect::List]);
        self.packer = Some(Box::new(Packer::new(self.tool, plan, progress)));
        self.progress = progress;
        self.pack(cx);
    }

    fn pack(&mut self, cx: CX![]) {
        let Some(mut packer) = self.packer.take() else { return };
        let step = move || {
            let bytes = packer.step();
            (packer, bytes)
        };
        type Packed = (Box<Packer>, Result<Vec<u8>, TransportError>);
        self.place.disk.step(step, ret_to!([cx], on_packed() as (Packed)));
    }

    fn on_packed(&mut self, cx: CX![], packed: Option<(Box<Packer>, Result<Vec<u8>, TransportError>)>) {
        let Some(scribe) = self.scribe.clone().filter(|_| self.verdict.is_none()) else { return };
        match packed {
            None => self.fail(lost()),
            Some((_, Err(why))) => self.fail(why),
            Some((packer, Ok(bytes))) => {
                let room = scribe.push(bytes);
                self.progress = packer.progress;
                self.report();
                if packer.is_over() {
                    self.digests.extend(packer.into_digests());
                    scribe.end();
                } else {
                    self.packer = Some(packer);
                    if room {
                        self.pack(cx);
                    }
                }
            }
        }
    }

    /// What is there now.
    fn on_read_back(&mut self, entries: Vec<Entry>) {
        let there = named(entries);
        for found in self.small.take().unwrap_or_default() {
            if let Err(why) = self.read_back(&found, &there) {
                return self.fail(why);
            }
        }
        self.is_read_back = true;
    }

    fn read_back(
        &mut self,
        found: &Found,
        there: &BTreeMap<RemotePath, Listed>,
    ) -> Result<(), TransportError> {
        let wrong = || TransportError::Corrupt(self.to.join(&found.path).to_string());
        let there = there.get(&found.path).ok_or_else(wrong)?;
        let content = match found.kind {
            FileKind::Dir => Content::Dir,
            FileKind::Link => Content::Link { target: found.target.clone() },
            FileKind::File | FileKind::Other => {
                let digest = *self.digests.get(&found.path).ok_or_else(wrong)?;
                Content::File { size: found.size, digest }
            }
        };
        let same_target = there.target.as_ref().is_none_or(|target| *target == found.target);
        if there.kind != found.kind
            || (found.kind == FileKind::File && there.size != found.size)
            || !same_target
        {
            return Err(wrong());
        }
        let mode = if found.kind == FileKind::Link { 0o777 } else { there.mode & 0o777 };
        add(&mut self.manifest, found.path.clone(), mode, content)
    }

    fn on_over(&mut self, cx: CX![], how: Result<i32, TransportError>) {
        self.scribe = None;
        match (self.verdict.take(), how) {
            (Some(why), _) | (None, Err(why)) => self.end(cx, Err(why)),
            (None, Ok(0)) if self.is_read_back => self.next_large(cx),
            (None, Ok(code)) => {
                let why = format!("the host ended the transfer to {} with {code}", self.to);
                self.end(cx, Err(TransportError::Protocol(why)));
            }
        }
    }

    fn next_large(&mut self, cx: CX![]) {
        self.sending = None;
        let Some(found) = self.large.pop_front() else {
            self.report();
            let manifest = std::mem::take(&mut self.manifest);
            return self.end(cx, Ok(manifest));
        };
        let to = self.to.join(&found.path);
        let sent = fwd_to!([cx], on_sent() as (Sent));
        let place = self.place.clone();
        self.sending = Some(actor!(cx, Sending::init(place, found, to, sent), ret_nop!()));
    }

    fn on_sent(&mut self, cx: CX![], sent: Sent) {
        match sent {
            Sent::Bytes(bytes) => {
                self.progress.bytes += bytes;
                self.report();
            }
            Sent::Over(Ok((path, mode, content))) => {
                self.progress.files += 1;
                match add(&mut self.manifest, path, mode, content) {
                    Ok(()) => self.next_large(cx),
                    Err(why) => self.end(cx, Err(why)),
                }
            }
            Sent::Over(Err(why)) => self.end(cx, Err(why)),
        }
    }

    fn on_cancel(&mut self, cx: CX![]) {
        match &self.sending {
            Some(sending) => call!([sending], on_cancel()),
            None => self.stop(cx, TransportError::Cancelled),
        }
    }

    /// Gives up before any large file is under way.
    fn stop(&mut self, cx: CX![], why: TransportError) {
        if self.scribe.as_ref().is_some_and(Scribe::is_placed) {
            return self.fail(why);
        }
        // Nothing has happened on the host, and nothing will.
        self.scribe.iter().for_each(Scribe::give_up);
        self.end(cx, Err(why));
    }

    /// Ends the conversation; the answer comes when the host has tidied up.
    fn fail(&mut self, why: TransportError) {
        self.verdict.get_or_insert(why);
        self.scribe.iter().for_each(Scribe::give_up);
    }

    fn report(&self) {
        self.report.iter().for_each(|report| report.fwd(self.progress));
    }

    fn end(&mut self, cx: CX![], how: Result<Manifest, TransportError>) {
        if let Some(answer) = self.answer.take() {
            answer.ret(how);
            stop!(cx);
        }
    }
}

/// Entries by their paths. Names that are no text are nobody's: nothing that is sent has one.
fn named(entries: Vec<Entry>) -> BTreeMap<RemotePath, Listed> {
    let listed = entries.into_iter().filter_map(|entry| match entry {
        Entry::Listed(listed) => Some((listed.path.clone(), listed)),
        Entry::Unnameable(_) => None,
    });
    listed.collect()
}

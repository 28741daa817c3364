//! Fetches files: one conversation, in which the host lists, hashes and sends.
//!
//! ```text
//! what is there -> chosen -> hashes of both sides -> large files, one by one -> sums -> tar here -> put into place -> answer
//! ```

mod large;
mod small;

use super::compare::{Agreement, Hashing};
use super::digests::{Tool, read_sum};
use super::fetch::Fetch;
use super::listing::{Entry, Listed};
use super::scribe::{Expect, Heard, Scribe};
use super::script::place;
use super::unpack::{Unpacker, add, outside, permit, present};
use super::{LARGE, Place};
use crate::disk::lost;
use large::Fetching;
use procession::transport::{
    Answer, CancelToken, Content, FileKind, Get, Manifest, Progress, RemotePath, TransportError, Want,
};
use small::Unpacking;
use stakker::{CX, Fwd, Ret, call, fwd_to, ret_some_to, ret_to, stop};
use std::collections::VecDeque;
use std::path::PathBuf;

/// One transfer from a host.
pub(crate) struct Getting {
    place: Place,
    from: RemotePath,
    want: Vec<Want>,
    to: PathBuf,
    answer: Option<Answer<Manifest>>,
    report: Option<Fwd<Progress>>,
    progress: Progress,
    _cancel: Option<CancelToken>,
    scribe: Scribe,
    tool: Tool,
    chosen: Vec<Listed>,
    agreement: Agreement,
    large: VecDeque<Listed>,
    small: Vec<Listed>,
    state: State,
    /// Bytes that came while the disk was busy.
    waiting: VecDeque<Vec<u8>>,
    manifest: Manifest,
    /// How many steps are on the disk's thread.
    busy: usize,
    /// Whether the conversation is over.
    over: bool,
    verdict: Option<TransportError>,
}

enum State {
    /// Until it is known what is to come.
    Asking,
    /// A large file.
    Fetching(Fetching),
    /// The sums of the small ones, and then these.
    Unpacking(Unpacking),
    /// Everything has come, and the disk has the last of it.
    Ending,
}

impl Getting {
    /// Begins; `from` is as seen from where commands begin.
    pub(crate) fn init(
        cx: CX![],
        place_: Place,
        get: Get,
        from: RemotePath,
        answer: Answer<Manifest>,
    ) -> Option<Getting> {
        if let Some(cancel) = &get.cancel {
            cancel.on_cancel(ret_some_to!([cx], on_cancel() as ()));
        }
        let (scribe, talk) = Scribe::new(from.as_str(), fwd_to!([cx], on_heard() as (Heard)));
        scribe.command(format!("get {}", place(&from)), &[], &[Expect::Word, Expect::List]);
        place_.open.fwd(talk);
        Some(Getting {
            place: place_,
            from,
            want: get.want,
            to: get.to,
            answer: Some(answer),
            report: get.progress,
            progress: Progress::default(),
            _cancel: get.cancel,
            scribe,
            tool: Tool::Sha256,
            chosen: Vec::new(),
            agreement: Agreement::default(),
            large: VecDeque::new(),
            small: Vec::new(),
            state: State::Asking,
            waiting: VecDeque::new(),
            manifest: Manifest::default(),
            busy: 0,
            over: false,
            verdict: None,
        })
    }

    fn on_heard(&mut self, cx: CX![], heard: Heard) {
        match heard {
            Heard::Over(how) => self.on_over(cx, how),
            // It ends soon.
            Heard::Bytes(bytes) if self.verdict.is_some() => self.scribe.taken(bytes.len()),
            _ if self.verdict.is_some() => {}
            Heard::Hello(tool) => self.tool = tool,
            Heard::List(entries) => match self.choose(entries) {
                Ok(()) => self.look_here(cx),
                Err(why) => self.fail(cx, why),
            },
            Heard::Words(whose, words) => {
                self.agreement.on_theirs(whose, &words);
                self.compare(cx);
            }
            Heard::Word(word) => self.on_word(cx, &word),
            Heard::Sum(sum) => {
                if let State::Fetching(fetching) = &mut self.state {
                    fetching.sum = Some(sum);
                    self.fetched(cx);
                }
            }
            Heard::Bytes(bytes) => {
                self.waiting.push_back(bytes);
                self.take_in(cx);
            }
            Heard::Room => {}
        }
    }

    /// Which of what is there is wanted.
    fn choose(&mut self, entries: Vec<Entry>) -> Result<(), TransportError> {
        let mut all = Vec::new();
        for entry in entries {
            match entry {
                Entry::Listed(listed) => match listed.kind {
                    FileKind::File | FileKind::Link => all.push(listed),
                    FileKind::Dir | FileKind::Other => {}
                },
                Entry::Unnameable(name) => {
                    let lossy = name.parse();
                    if self
                        .want
                        .iter()
                        .any(|want| lossy.as_ref().map_or(true, |name| want.pattern.matches(name)))
                    {
                        let why = format!(
                            "the name {name:?} is not UTF-8, or too long: rename it or pack it into an archive"
                        );
                        return Err(TransportError::Io { path: self.from.to_string(), why });
                    }
                }
            }
        }
        let size = |listed: &Listed| if listed.kind == FileKind::File { listed.size } else { 0 };
        let found: Vec<(RemotePath, u64)> =
            all.iter().map(|listed| (listed.path.clone(), size(listed))).collect();
        let wanted = Want::choose(&self.want, &found)?;
        all.retain(|listed| wanted.contains(&listed.path));
        all.sort_by(|a, b| a.path.cmp(&b.path));
        for listed in &all {
            if let Some(target) = &listed.target
                && !listed.path.permits_link_to(target)
            {
                return Err(outside(&listed.path, target));
            }
        }
        self.progress.total = all.iter().map(size).sum();
        self.chosen = all;
        Ok(())
    }

    /// What of it is here already.
    fn look_here(&mut self, cx: CX![]) {
        let (to, chosen) = (self.to.clone(), self.chosen.clone());
        let look = move || present(&to, &chosen);
        type Here = Result<Vec<(RemotePath, PathBuf)>, TransportError>;
        self.step(look, ret_to!([cx], on_here() as (Here)));
    }

    fn on_here(&mut self, cx: CX![], here: Option<Result<Vec<(RemotePath, PathBuf)>, TransportError>>) {
        self.home(cx);
        if self.verdict.is_some() {
            return;
        }
        let here = match here.unwrap_or_else(|| Err(lost())) {
            Ok(here) => here,
            Err(why) => return self.fail(cx, why),
        };
        let asked: Vec<RemotePath> = here.iter().map(|(path, _)| path.clone()).collect();
        self.agreement = Agreement::ask(&self.scribe, &asked);
        self.hash(cx, Box::new(Hashing::new(self.tool, here)));
    }

    fn hash(&mut self, cx: CX![], mut hashing: Box<Hashing>) {
        let step = move || {
            hashing.step();
            hashing
        };
        self.step(step, ret_to!([cx], on_hashed() as (Box<Hashing>)));
    }

    fn on_hashed(&mut self, cx: CX![], hashing: Option<Box<Hashing>>) {
        self.home(cx);
        match hashing {
            None => self.fail(cx, lost()),
            Some(_) if self.verdict.is_some() => {}
            Some(hashing) if hashing.is_over() => {
                self.agreement.on_ours(hashing.done);
                self.compare(cx);
            }
            Some(hashing) => self.hash(cx, hashing),
        }
    }

    /// When both sides have hashed: fetches what is not here.
    fn compare(&mut self, cx: CX![]) {
        let Some(same) = self.agreement.same() else { return };
        let mut modes = Vec::new();
        for listed in std::mem::take(&mut self.chosen) {
            match same.get(&listed.path) {
                Some(digest) => {
                    self.progress.bytes += listed.size;
                    self.progress.files += 1;
                    modes.push((listed, *digest));
                }
                None if listed.kind == FileKind::File && listed.size >= LARGE => self.large.push_back(listed),
                None => self.small.push(listed),
            }
        }
        let to = self.to.clone();
        let set = move || permit(&to, modes);
        type Set = Result<Vec<(RemotePath, u32, Content)>, TransportError>;
        self.step(set, ret_to!([cx], on_permitted() as (Set)));
    }

    fn on_permitted(
        &mut self,
        cx: CX![],
        set: Option<Result<Vec<(RemotePath, u32, Content)>, TransportError>>,
    ) {
        self.home(cx);
        let added = set.unwrap_or_else(|| Err(lost())).and_then(|set| {
            set.into_iter().try_for_each(|(path, mode, content)| add(&mut self.manifest, path, mode, content))
        });
        match added {
            Ok(()) if self.verdict.is_none() => self.next(cx),
            Ok(()) => {}
            Err(why) => self.fail(cx, why),
        }
    }

    /// The next large file, or all the small ones.
    fn next(&mut self, cx: CX![]) {
        self.report();
        match self.large.front().cloned() {
            Some(listed) => self.fetch(cx, listed),
            None => self.unpack(cx),
        }
    }

    fn on_word(&mut self, cx: CX![], word: &str) {
        match &mut self.state {
            State::Fetching(fetching) => {
                fetching.back = Some(word.to_owned());
                self.fetch_on(cx);
            }
            State::Unpacking(unpacking) => match read_sum(word.as_bytes()) {
                Ok(sum) => unpacking.sums.push(sum),
                Err(why) => self.fail(cx, why),
            },
            State::Asking | State::Ending => {}
        }
    }

    /// Gives what came to the disk, if that is not busy with what came before.
    fn take_in(&mut self, cx: CX![]) {
        if self.waiting.is_empty() {
            return;
        }
        match &mut self.state {
            State::Fetching(fetching) if fetching.moving => {
                let Some(mut fetch) = fetching.fetch.take() else { return };
                let bytes: Vec<Vec<u8>> = self.waiting.drain(..).collect();
                let count: usize = bytes.iter().map(Vec::len).sum();
                let step = move || bytes.iter().try_for_each(|bytes| fetch.write(bytes)).map(|()| fetch);
                type Home = Result<Box<Fetch>, TransportError>;
                self.step(step, ret_to!([cx], on_written(count) as (Home)));
            }
            State::Unpacking(unpacking) => {
                let Some(mut unpacker) = unpacking.unpacker.take() else { return };
                let bytes: Vec<Vec<u8>> = self.waiting.drain(..).collect();
                let count: usize = bytes.iter().map(Vec::len).sum();
                let step = move || bytes.iter().try_for_each(|bytes| unpacker.feed(bytes)).map(|()| unpacker);
                type Home = Result<Box<Unpacker>, TransportError>;
                self.step(step, ret_to!([cx], on_fed(count) as (Home)));
            }
            State::Asking | State::Fetching(_) | State::Ending => {}
        }
    }

    fn on_over(&mut self, cx: CX![], how: Result<i32, TransportError>) {
        self.over = true;
        let ended = matches!(self.state, State::Unpacking(_) | State::Ending);
        match how {
            _ if self.verdict.is_some() => {}
            Ok(0) if ended => self.unpacked(cx),
            // What there is of a large file stays for the next attempt.
            Err(why) => self.fail(cx, why),
            Ok(code) => {
                let why = format!("the host ended the transfer from {} with {code}", self.from);
                self.fail(cx, TransportError::Protocol(why));
            }
        }
        self.settle(cx);
    }

    fn on_cancel(&mut self, cx: CX![]) {
        match &mut self.state {
            // Too late: it is being put into place.
            State::Ending => {}
            State::Fetching(fetching) => {
                if let Some(fetch) = fetching.fetch.take() {
                    let discard = move || fetch.discard();
                    self.step(discard, ret_to!([cx], on_discarded() as (())));
                }
                self.fail(cx, TransportError::Cancelled);
            }
            State::Asking | State::Unpacking(_) => self.fail(cx, TransportError::Cancelled),
        }
    }

    fn on_discarded(&mut self, cx: CX![], _: Option<()>) {
        self.home(cx);
    }

    /// A step on the disk's thread.
    fn step<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static, ret: Ret<T>) {
        self.busy += 1;
        self.place.disk.step(work, ret);
    }

    /// A step is home.
    fn home(&mut self, cx: CX![]) {
        self.busy -= 1;
        call!([cx], settle());
    }

    /// After a failure: the answer comes when nobody works on it any more.
    fn settle(&mut self, cx: CX![]) {
        if self.over
            && self.busy == 0
            && let Some(why) = self.verdict.take()
        {
            self.end(cx, Err(why));
        }
    }

    /// Ends the conversation; the answer comes with its end.
    fn fail(&mut self, cx: CX![], why: TransportError) {
        self.drop_unpacker(cx);
        self.verdict.get_or_insert(why);
        self.waiting.clear();
        self.over |= !self.scribe.is_placed();
        self.scribe.give_up();
        self.settle(cx);
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

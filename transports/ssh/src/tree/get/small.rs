//! All that is small, in one stream, and put into place when all hashes agree.

use super::{Getting, State};
use crate::disk::lost;
use crate::tree::compare::lists;
use crate::tree::digests::Sum;
use crate::tree::scribe::Expect;
use crate::tree::script::list;
use crate::tree::unpack::{Unpacker, add};
use procession::transport::{FileKind, Manifest, Progress, RemotePath, TransportError};
use stakker::{CX, ret_to};

/// Small files that are being fetched.
pub(super) struct Unpacking {
    pub(super) unpacker: Option<Box<Unpacker>>,
    pub(super) chunks: usize,
    pub(super) sums: Vec<Sum>,
}

impl Getting {
    /// Asks for all of them, and for their hashes.
    pub(super) fn unpack(&mut self, cx: CX![]) {
        let small = std::mem::take(&mut self.small);
        let files: Vec<RemotePath> = small
            .iter()
            .filter(|listed| listed.kind == FileKind::File)
            .map(|listed| listed.path.clone())
            .collect();
        let all: Vec<RemotePath> = small.iter().map(|listed| listed.path.clone()).collect();
        let mut chunks = Vec::new();
        for some in lists(&files) {
            chunks.push(some.len() as u64);
            let some = list(some);
            self.scribe.command(format!("sum {}", some.len()), &some, &[Expect::Word]);
        }
        for (at, some) in lists(&all).enumerate() {
            let some = list(some);
            let rest = [Expect::Rest];
            self.scribe.command(format!("send {}", some.len()), &some, if at == 0 { &rest } else { &[] });
        }
        self.scribe.command("quit".to_owned(), &[], &[]);
        self.scribe.end();
        self.state = State::Unpacking(Unpacking { unpacker: None, chunks: chunks.len(), sums: Vec::new() });
        let (to, tool) = (self.to.clone(), self.tool);
        let open = move || Unpacker::new(&to, &small, &chunks, tool).map(Box::new);
        type Opened = Result<Box<Unpacker>, TransportError>;
        self.step(open, ret_to!([cx], on_unpacked() as (Opened)));
    }

    pub(super) fn on_fed(
        &mut self,
        cx: CX![],
        count: usize,
        unpacker: Option<Result<Box<Unpacker>, TransportError>>,
    ) {
        self.scribe.taken(count);
        self.on_unpacked(cx, unpacker);
    }

    pub(super) fn on_unpacked(&mut self, cx: CX![], unpacker: Option<Result<Box<Unpacker>, TransportError>>) {
        self.home(cx);
        let home = match unpacker.unwrap_or_else(|| Err(lost())) {
            Ok(home) => home,
            Err(why) => return self.fail(cx, why),
        };
        if self.verdict.is_some() {
            // Dropping it removes what is there, which is work for the disk.
            return self.step(move || drop(home), ret_to!([cx], on_discarded() as (())));
        }
        let State::Unpacking(unpacking) = &mut self.state else { return };
        let (bytes, files) = home.progress();
        let now = Progress {
            bytes: self.progress.bytes + bytes,
            files: self.progress.files + files,
            ..self.progress
        };
        self.report.iter().for_each(|report| report.fwd(now));
        unpacking.unpacker = Some(home);
        self.take_in(cx);
        self.unpacked(cx);
    }

    /// When everything has come and is on the disk.
    pub(super) fn unpacked(&mut self, cx: CX![]) {
        let State::Unpacking(unpacking) = &mut self.state else { return };
        if !self.over || !self.waiting.is_empty() {
            return;
        }
        let Some(unpacker) = unpacking.unpacker.take() else { return };
        if unpacking.sums.len() != unpacking.chunks {
            unpacking.unpacker = Some(unpacker);
            let why = "the host did not hash what it sent".to_owned();
            return self.fail(cx, TransportError::Protocol(why));
        }
        let (to, sums) = (self.to.clone(), std::mem::take(&mut unpacking.sums));
        self.state = State::Ending;
        let ended = ret_to!([cx], on_ended() as (Result<Manifest, TransportError>));
        self.step(move || unpacker.end(&to, &sums), ended);
    }

    pub(super) fn on_ended(&mut self, cx: CX![], ended: Option<Result<Manifest, TransportError>>) {
        self.home(cx);
        let mut all = std::mem::take(&mut self.manifest);
        let whole = ended.unwrap_or_else(|| Err(lost())).and_then(|arrived| {
            for entry in arrived.entries() {
                add(&mut all, entry.path.clone(), entry.mode, entry.content.clone())?;
            }
            Ok(all)
        });
        match whole {
            Ok(_) => self.end(cx, whole),
            Err(why) => self.fail(cx, why),
        }
    }

    pub(super) fn drop_unpacker(&mut self, cx: CX![]) {
        if let State::Unpacking(unpacking) = &mut self.state
            && let Some(unpacker) = unpacking.unpacker.take()
        {
            self.step(move || drop(unpacker), ret_to!([cx], on_discarded() as (())));
        }
    }
}

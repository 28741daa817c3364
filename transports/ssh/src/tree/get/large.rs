//! One large file after the other: gone on with where the last attempt was cut, and put into place when both hashes agree.

use super::{Getting, State};
use crate::disk::lost;
use crate::tree::MIB;
use crate::tree::digests::Sum;
use crate::tree::fetch::Fetch;
use crate::tree::listing::Listed;
use crate::tree::scribe::Expect;
use crate::tree::script::place;
use crate::tree::unpack::add;
use procession::transport::{Content, TransportError};
use stakker::{CX, ret_to};

/// A large file that is being fetched.
pub(super) struct Fetching {
    /// Home, or on the disk's thread.
    pub(super) fetch: Option<Box<Fetch>>,
    /// What the host says of what is here already.
    pub(super) back: Option<Sum>,
    pub(super) asked: bool,
    pub(super) moving: bool,
    pub(super) sum: Option<Sum>,
}

impl Getting {
    /// Begins with the next of them.
    pub(super) fn fetch(&mut self, cx: CX![], listed: Listed) {
        self.state =
            State::Fetching(Fetching { fetch: None, back: None, asked: false, moving: false, sum: None });
        let (to, tool) = (self.to.clone(), self.tool);
        let open = move || Fetch::open(&to, &listed, tool).map(Box::new);
        type Opened = Result<Box<Fetch>, TransportError>;
        self.step(open, ret_to!([cx], on_fetch() as (Opened)));
    }

    /// The file is home again: from the disk's thread.
    pub(super) fn on_fetch(&mut self, cx: CX![], fetch: Option<Result<Box<Fetch>, TransportError>>) {
        self.home(cx);
        let home = match fetch.unwrap_or_else(|| Err(lost())) {
            Ok(home) => home,
            Err(why) => return self.fail(cx, why),
        };
        let State::Fetching(fetching) = &mut self.state else { return };
        match &self.verdict {
            None => {}
            Some(TransportError::Unreachable { .. }) => return,
            Some(_) => {
                let discard = move || home.discard();
                return self.step(discard, ret_to!([cx], on_discarded() as (())));
            }
        }
        fetching.fetch = Some(home);
        if fetching.moving {
            self.take_in(cx);
            self.fetched(cx);
        } else {
            self.fetch_on(cx);
        }
    }

    /// Looks back on what is here already, and asks for the rest.
    pub(super) fn fetch_on(&mut self, cx: CX![]) {
        let State::Fetching(fetching) = &mut self.state else { return };
        let Some(mut fetch) = fetching.fetch.take() else { return };
        let Some(listed) = self.large.front() else { return };
        type Home = Result<Box<Fetch>, TransportError>;
        if !fetch.is_back() {
            let home = ret_to!([cx], on_fetch() as (Home));
            return self.step(move || fetch.look_back().map(|()| fetch), home);
        }
        let mine = fetch.at();
        match &fetching.back {
            None if mine > 0 => {
                if !fetching.asked {
                    fetching.asked = true;
                    let command = format!("part {} 0 {}", place(&listed.path), mine / MIB);
                    self.scribe.command(command, &[], &[Expect::Word]);
                }
                fetching.fetch = Some(fetch);
                return;
            }
            Some(back) if mine > 0 && *back != fetch.sum() => {
                let home = ret_to!([cx], on_fetch() as (Home));
                return self.step(move || fetch.restart().map(|()| fetch), home);
            }
            Some(_) | None => {}
        }
        let (skip, left) = (mine / MIB, listed.size - mine);
        let command = format!("raw {} {skip} {} {}", place(&listed.path), left / MIB, left % MIB);
        // With nothing left, only the hash comes.
        let bytes = [Expect::Bytes(left)];
        self.scribe.command(command, &[], if left > 0 { &bytes } else { &[] });
        fetching.moving = true;
        fetching.fetch = Some(fetch);
        self.progress.bytes += mine;
        self.fetched(cx);
    }

    /// When the last byte and the hash are here.
    pub(super) fn fetched(&mut self, cx: CX![]) {
        let State::Fetching(fetching) = &mut self.state else { return };
        let whole = fetching.moving && fetching.fetch.as_ref().is_some_and(|fetch| fetch.is_whole());
        if !whole || fetching.sum.is_none() {
            return;
        }
        let (Some(fetch), Some(sum)) = (fetching.fetch.take(), fetching.sum.take()) else { return };
        type Ended = Result<(u32, Content), TransportError>;
        self.step(move || fetch.end(&sum), ret_to!([cx], on_fetched() as (Ended)));
    }

    pub(super) fn on_fetched(&mut self, cx: CX![], ended: Option<Result<(u32, Content), TransportError>>) {
        self.home(cx);
        let Some(listed) = self.large.pop_front() else { return };
        self.state = State::Asking;
        let added = ended
            .unwrap_or_else(|| Err(lost()))
            .and_then(|(mode, content)| add(&mut self.manifest, listed.path, mode, content));
        self.progress.files += 1;
        match added {
            Ok(()) if self.verdict.is_none() => self.next(cx),
            Ok(()) => {}
            Err(why) => self.fail(cx, why),
        }
    }

    pub(super) fn on_written(
        &mut self,
        cx: CX![],
        count: usize,
        fetch: Option<Result<Box<Fetch>, TransportError>>,
    ) {
        self.scribe.taken(count);
        self.progress.bytes += count as u64;
        self.report();
        self.on_fetch(cx, fetch);
    }
}

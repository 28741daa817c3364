//! Errands that only look: one path, or a directory.

use super::reason::{Inquest, Tried, odd, plain};
use super::wire::{Attrs, Reply, Request, Status};
use super::{Asks, Errand};
use procession::WallTime;
use procession::transport::{Answer, FileKind, Manifest, Stat, TransportError};

const LOOK: u32 = 0;
const OPEN: u32 = 1;
const NEXT: u32 = 2;
const CLOSE: u32 = 3;

/// How many requests for names are in flight for one directory: each brings some hundred.
const AHEAD: usize = 4;

/// What lies at a path.
pub(super) struct Look {
    path: String,
    ret: Answer<Stat>,
    result: Option<Result<Stat, TransportError>>,
    inquest: Option<Inquest>,
}

impl Look {
    pub(super) fn new(path: String, ret: Answer<Stat>) -> Look {
        Look { path, ret, result: None, inquest: None }
    }
}

impl Errand for Look {
    fn begin(&mut self, to: &mut Asks) {
        to.ask(LOOK, Request::Lstat(self.path.clone()));
    }

    fn on_reply(&mut self, tag: u32, reply: Reply, to: &mut Asks) {
        match reply {
            reply if tag != LOOK => {
                self.inquest.iter_mut().for_each(|inquest| inquest.on_reply(tag, reply.clone()))
            }
            Reply::Attrs(attrs) => {
                let name = self.path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("/");
                self.result = Some(Ok(described(name.to_owned(), &attrs)));
            }
            Reply::Status(status) => self.inquest = Some(Inquest::open(Tried::Look, &self.path, status, to)),
            other => self.result = Some(Err(odd(&other))),
        }
    }

    fn end(self: Box<Self>, cut: Option<TransportError>) {
        self.ret.ret(outcome(cut, self.result, self.inquest));
    }
}

/// What is in a directory.
pub(super) struct List {
    path: String,
    ret: Answer<Vec<Stat>>,
    handle: Option<Vec<u8>>,
    ended: bool,
    open: usize,
    stats: Vec<Stat>,
    failed: Option<TransportError>,
    inquest: Option<Inquest>,
}

impl List {
    pub(super) fn new(path: String, ret: Answer<Vec<Stat>>) -> List {
        List {
            path,
            ret,
            handle: None,
            ended: false,
            open: 0,
            stats: Vec::new(),
            failed: None,
            inquest: None,
        }
    }

    fn next(&mut self, to: &mut Asks) {
        let Some(handle) = &self.handle else { return };
        while !self.ended && self.open < AHEAD {
            self.open += 1;
            to.ask(NEXT, Request::ReadDir(handle.clone()));
        }
        if self.ended && self.open == 0 {
            to.ask(CLOSE, Request::Close(handle.clone()));
            self.handle = None;
        }
    }

    fn names(&mut self, names: Vec<(Vec<u8>, Attrs)>) -> Result<(), TransportError> {
        for (name, attrs) in names {
            if name == b"." || name == b".." {
                continue;
            }
            let wrong = |why: &str| TransportError::Io {
                path: self.path.clone(),
                why: format!("the name {:?} {why}", String::from_utf8_lossy(&name)),
            };
            let text = std::str::from_utf8(&name).map_err(|_| wrong("is not UTF-8"))?;
            if text.is_empty() || text.contains(['/', '\0']) {
                return Err(TransportError::Protocol(wrong("is none").to_string()));
            }
            if self.stats.len() >= Manifest::MOST {
                return Err(TransportError::Refused(format!("{} holds too many names", self.path)));
            }
            self.stats.push(described(text.to_owned(), &attrs));
        }
        Ok(())
    }
}

impl Errand for List {
    fn begin(&mut self, to: &mut Asks) {
        to.ask(OPEN, Request::OpenDir(self.path.clone()));
    }

    fn on_reply(&mut self, tag: u32, reply: Reply, to: &mut Asks) {
        match (tag, reply) {
            (OPEN, Reply::Handle(handle)) => self.handle = Some(handle),
            (OPEN, Reply::Status(status)) => {
                self.inquest = Some(Inquest::open(Tried::Look, &self.path, status, to));
            }
            (NEXT, reply) => {
                self.open -= 1;
                let failed = match reply {
                    Reply::Names(names) => self.names(names).err(),
                    Reply::Status(Status::End) => {
                        self.ended = true;
                        None
                    }
                    other => Some(odd(&other)),
                };
                if let Some(failed) = failed {
                    self.failed.get_or_insert(failed);
                    self.ended = true;
                }
            }
            (CLOSE, _) => {}
            (tag, reply) => {
                if let Some(inquest) = &mut self.inquest {
                    inquest.on_reply(tag, reply);
                } else {
                    self.failed.get_or_insert(odd(&reply));
                }
            }
        }
        self.next(to);
    }

    fn end(mut self: Box<Self>, cut: Option<TransportError>) {
        self.stats.sort_by(|a, b| a.name.cmp(&b.name));
        let is_dir = self.inquest.is_none();
        let result = match self.failed {
            Some(e) => Some(Err(e)),
            None => is_dir.then_some(Ok(self.stats)),
        };
        self.ret.ret(outcome(cut, result, self.inquest));
    }
}

/// The answer: what broke the channel, or the result, or what the inquest found.
pub(super) fn outcome<T>(
    cut: Option<TransportError>,
    result: Option<Result<T, TransportError>>,
    inquest: Option<Inquest>,
) -> Result<T, TransportError> {
    match (cut, result, inquest) {
        (Some(cut), _, _) => Err(cut),
        (None, Some(result), _) => result,
        (None, None, Some(inquest)) => Err(inquest.verdict()),
        (None, None, None) => Err(TransportError::Protocol("an operation ended without a result".to_owned())),
    }
}

/// The result of a request that is answered by a status only.
pub(super) fn done(reply: &Reply, path: &str) -> Result<(), Failed> {
    match reply {
        Reply::Status(Status::Ok) => Ok(()),
        Reply::Status(status) => Err(match plain(*status, path) {
            Some(why) => Failed::Because(why),
            None => Failed::Somehow(*status),
        }),
        other => Err(Failed::Because(odd(other))),
    }
}

/// Why a request failed: it is known, or it must be found out.
pub(super) enum Failed {
    Because(TransportError),
    Somehow(Status),
}

fn described(name: String, attrs: &Attrs) -> Stat {
    let kind = if attrs.is_file() {
        FileKind::File
    } else if attrs.is_dir() {
        FileKind::Dir
    } else if attrs.is_link() {
        FileKind::Link
    } else {
        FileKind::Other
    };
    Stat {
        name,
        kind,
        size: attrs.size.unwrap_or(0),
        mode: attrs.mode.unwrap_or(0) & 0o7777,
        modified: WallTime(i64::from(attrs.modified.unwrap_or(0)) * 1000),
    }
}

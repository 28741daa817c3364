//! Errands that change names: make, move, link, permit, remove.

use super::look::{Failed, done, outcome};
use super::reason::{Inquest, Tried, odd};
use super::wire::{Reply, Request, Status};
use super::{Asks, Errand};
use procession::transport::{Answer, RemotePath, TransportError};

const LOOK: u32 = 0;
const DO: u32 = 1;

/// One request that succeeds or fails.
pub(super) struct Change {
    request: Request,
    tried: Tried,
    /// What is not found if something is not.
    missing: String,
    /// Where to look if it fails.
    place: String,
    ret: Answer<()>,
    result: Option<Result<(), TransportError>>,
    inquest: Option<Inquest>,
}

impl Change {
    fn new(request: Request, tried: Tried, place: String, ret: Answer<()>) -> Change {
        Change { request, tried, missing: place.clone(), place, ret, result: None, inquest: None }
    }

    pub(super) fn mkdir(path: String, ret: Answer<()>) -> Change {
        Change::new(Request::Mkdir(path.clone()), Tried::Make, path, ret)
    }

    pub(super) fn rename(from: String, to: String, ret: Answer<()>) -> Change {
        let request = Request::Rename { from: from.clone(), to: to.clone() };
        Change { missing: from, ..Change::new(request, Tried::Replace, to, ret) }
    }

    pub(super) fn symlink(target: String, link: String, ret: Answer<()>) -> Change {
        Change::new(Request::Symlink { target, link: link.clone() }, Tried::Make, link, ret)
    }

    pub(super) fn chmod(path: String, mode: u32, ret: Answer<()>) -> Change {
        Change::new(Request::Chmod { path: path.clone(), mode }, Tried::Replace, path, ret)
    }
}

impl Errand for Change {
    fn begin(&mut self, to: &mut Asks) {
        to.ask(DO, self.request.clone());
    }

    fn on_reply(&mut self, tag: u32, reply: Reply, to: &mut Asks) {
        if tag == DO {
            match done(&reply, &self.missing) {
                Ok(()) => self.result = Some(Ok(())),
                Err(Failed::Because(why)) => self.result = Some(Err(why)),
                Err(Failed::Somehow(status)) => {
                    self.inquest = Some(Inquest::open(self.tried, &self.place, status, to));
                }
            }
        } else if let Some(inquest) = &mut self.inquest {
            inquest.on_reply(tag, reply);
        }
    }

    fn end(self: Box<Self>, cut: Option<TransportError>) {
        self.ret.ret(outcome(cut, self.result, self.inquest));
    }
}

/// A directory with all that are missing above it, in one round trip.
pub(super) struct MakeAll {
    /// From the outermost to the directory itself.
    paths: Vec<String>,
    ret: Answer<()>,
    /// What the server said to each; those that are there already fail.
    said: Vec<Status>,
    result: Option<Result<(), TransportError>>,
    inquest: Option<Inquest>,
}

impl MakeAll {
    pub(super) fn new(path: &RemotePath, ret: Answer<()>) -> MakeAll {
        let mut paths = vec![path.as_str().to_owned()];
        let mut at = path.clone();
        while let Some(above) = at.parent().filter(|above| above.name().is_some()) {
            paths.push(above.as_str().to_owned());
            at = above;
        }
        paths.reverse();
        MakeAll { paths, ret, said: Vec::new(), result: None, inquest: None }
    }
}

impl Errand for MakeAll {
    fn begin(&mut self, to: &mut Asks) {
        // A server carries requests out in their order (draft, section 6.1: as if they were processed so).
        for path in &self.paths {
            to.ask(DO, Request::Mkdir(path.clone()));
        }
        to.ask(LOOK, Request::Stat(self.paths[self.paths.len() - 1].clone()));
    }

    fn on_reply(&mut self, tag: u32, reply: Reply, to: &mut Asks) {
        let path = &self.paths[self.paths.len() - 1];
        match (tag, reply) {
            (DO, Reply::Status(status)) => self.said.push(status),
            (LOOK, Reply::Attrs(attrs)) if attrs.is_dir() => self.result = Some(Ok(())),
            (LOOK, Reply::Attrs(_)) => self.result = Some(Err(TransportError::Exists(path.clone()))),
            (LOOK, Reply::Status(_)) => {
                // The outermost refusal that does not follow from another one; those that are there say `Failure`.
                let denied = self.said.iter().find(|said| **said == Status::Permission);
                let at =
                    self.said.iter().position(|said| *said == Status::NoSuchFile).unwrap_or(self.paths.len());
                let status = denied.copied().unwrap_or(Status::Failure);
                let place = &self.paths[at.saturating_sub(1)];
                self.inquest = Some(Inquest::open(Tried::MakeBelow, place, status, to));
            }
            (DO | LOOK, other) => self.result = Some(Err(odd(&other))),
            (tag, reply) => self.inquest.iter_mut().for_each(|inquest| inquest.on_reply(tag, reply.clone())),
        }
    }

    fn end(self: Box<Self>, cut: Option<TransportError>) {
        self.ret.ret(outcome(cut, self.result, self.inquest));
    }
}

/// A file, a link or an empty directory.
pub(super) struct Remove {
    path: String,
    ret: Answer<bool>,
    result: Option<Result<bool, TransportError>>,
    inquest: Option<Inquest>,
}

impl Remove {
    pub(super) fn new(path: String, ret: Answer<bool>) -> Remove {
        Remove { path, ret, result: None, inquest: None }
    }
}

impl Errand for Remove {
    fn begin(&mut self, to: &mut Asks) {
        to.ask(LOOK, Request::Lstat(self.path.clone()));
    }

    fn on_reply(&mut self, tag: u32, reply: Reply, to: &mut Asks) {
        match (tag, reply) {
            (LOOK, Reply::Attrs(attrs)) if attrs.is_dir() => to.ask(DO, Request::Rmdir(self.path.clone())),
            (LOOK, Reply::Attrs(_)) => to.ask(DO, Request::Remove(self.path.clone())),
            (DO, Reply::Status(Status::Ok)) => self.result = Some(Ok(true)),
            (LOOK | DO, Reply::Status(Status::NoSuchFile)) => self.result = Some(Ok(false)),
            (LOOK, Reply::Status(status)) => {
                self.inquest = Some(Inquest::open(Tried::Look, &self.path, status, to));
            }
            (DO, Reply::Status(status)) => {
                self.inquest = Some(Inquest::open(Tried::Remove, &self.path, status, to));
            }
            (LOOK | DO, other) => self.result = Some(Err(odd(&other))),
            (tag, reply) => self.inquest.iter_mut().for_each(|inquest| inquest.on_reply(tag, reply.clone())),
        }
    }

    fn end(self: Box<Self>, cut: Option<TransportError>) {
        self.ret.ret(outcome(cut, self.result, self.inquest));
    }
}

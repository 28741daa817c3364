//! The conversation with an SFTP server: many errands at once on one channel.

use super::change::{Change, MakeAll, Remove};
use super::client::Client;
use super::contents::{Read, Write};
use super::look::{List, Look};
use super::{Asks, Errand, Knows};
use crate::talk::{Closed, Line, Opens, Outbox, Talk, Window};
use procession::transport::{Op, RemotePath, Stream, TransportError};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How much an SFTP server may write to its stderr before the rest is thrown away.
const COMPLAINT: usize = 1024;

/// How long the last errands may take when nobody has another one: longer than any file system that works.
const GRACE: Duration = Duration::from_secs(60);

/// An SFTP server, as those hold it who have errands for it: cheap to clone. When its channel is gone, errands fail.
#[derive(Clone)]
pub(crate) struct Sftp(Rc<RefCell<Desk>>);

/// The other side of [`Sftp`]: what the session drives.
pub(crate) struct SftpTalk(Rc<RefCell<Desk>>);

struct Desk {
    host: String,
    line: Option<Line>,
    window: Window,
    client: Client<Ticket>,
    next: u64,
    running: BTreeMap<u64, Running>,
    /// Those that came before the server had said hello.
    early: Vec<Box<dyn Errand>>,
    complaint: Vec<u8>,
    broken: Option<TransportError>,
    /// No errand comes any more; the channel is closed after the last.
    closing: bool,
    /// Until when the last errands may go on then.
    late: Option<Instant>,
    done: bool,
}

#[derive(Clone, Copy)]
struct Ticket {
    errand: u64,
    tag: u32,
}

struct Running {
    errand: Box<dyn Errand>,
    open: usize,
}

impl Sftp {
    /// A client of the server of `host`, and its conversation, which is not placed on a channel yet.
    pub(crate) fn new(host: &str, window: Window) -> (Sftp, SftpTalk) {
        let desk = Rc::new(RefCell::new(Desk {
            host: host.to_owned(),
            line: None,
            window,
            client: Client::default(),
            next: 0,
            running: BTreeMap::new(),
            early: Vec::new(),
            complaint: Vec::new(),
            broken: None,
            closing: false,
            late: None,
            done: false,
        }));
        (Sftp(desk.clone()), SftpTalk(desk))
    }

    /// Begins a small operation, with paths as seen from `work`. Others are given back.
    pub(crate) fn small(&self, work: &RemotePath, op: Op) -> Result<(), Box<Op>> {
        let at = |path: RemotePath| work.join(&path).as_str().to_owned();
        let errand: Box<dyn Errand> = match op {
            Op::List(path, ret) => Box::new(List::new(at(path), ret)),
            Op::Stat(path, ret) => Box::new(Look::new(at(path), ret)),
            Op::Mkdir { path, parents: false, ret } => Box::new(Change::mkdir(at(path), ret)),
            Op::Mkdir { path, parents: true, ret } => Box::new(MakeAll::new(&work.join(&path), ret)),
            Op::Rename { from, to, ret } => Box::new(Change::rename(at(from), at(to), ret)),
            Op::Remove { path, tree: false, ret } => Box::new(Remove::new(at(path), ret)),
            Op::Symlink { target, link, ret } => Box::new(Change::symlink(target, at(link), ret)),
            Op::Chmod { path, mode, ret } => Box::new(Change::chmod(at(path), mode, ret)),
            Op::Read { path, limit, ret } => Box::new(Read::new(at(path), limit, ret)),
            Op::Write { path, bytes, mode, ret } => Box::new(Write::new(&work.join(&path), bytes, mode, ret)),
            other @ (Op::Exec(..)
            | Op::Put(..)
            | Op::Get(..)
            | Op::Remove { path: _, tree: true, ret: _ }
            | Op::WhenUp(_)
            | Op::Connect { .. }) => return Err(Box::new(other)),
        };
        self.run(errand);
        Ok(())
    }

    /// Begins an errand.
    pub(crate) fn run(&self, errand: Box<dyn Errand>) {
        let mut desk = self.0.borrow_mut();
        if let Some(why) = desk.broken.clone() {
            drop(desk);
            return errand.end(Some(why));
        }
        if desk.client.is_full() {
            drop(desk);
            let full = "too many file operations wait already".to_owned();
            return errand.end(Some(TransportError::Refused(full)));
        }
        desk.early.push(errand);
        drop(desk);
        self.poke();
    }

    /// Whether it takes no errands any more: its channel is gone, or it is being closed.
    pub(crate) fn is_over(&self) -> bool {
        let desk = self.0.borrow();
        desk.broken.is_some() || desk.closing
    }

    /// Asks the running errands whether they have more to say.
    pub(crate) fn poke(&self) {
        let line = self.0.borrow().line.clone();
        line.iter().for_each(Line::poke);
    }

    /// Lets the channel close when the last errand is over.
    pub(crate) fn close(&self) {
        self.0.borrow_mut().closing = true;
        self.poke();
    }
}

impl Desk {
    fn begin(&mut self) -> Vec<Box<dyn Errand>> {
        if !self.client.is_ready() {
            return Vec::new();
        }
        let mut done = Vec::new();
        for errand in std::mem::take(&mut self.early) {
            let number = self.next;
            self.next += 1;
            self.running.insert(number, Running { errand, open: 0 });
            done.extend(self.with(number, |errand, asks| errand.begin(asks)));
        }
        done
    }

    /// Lets an errand do something, and takes what it asks. Gives it back when it is over.
    fn with(&mut self, number: u64, act: impl FnOnce(&mut dyn Errand, &mut Asks)) -> Option<Box<dyn Errand>> {
        let knows = Knows {
            sync: self.client.knows("fsync@openssh.com"),
            room: self.client.knows("statvfs@openssh.com"),
            limits: self.client.knows("limits@openssh.com"),
        };
        let mut asks = Asks { knows, requests: Vec::new() };
        let running = self.running.get_mut(&number)?;
        act(running.errand.as_mut(), &mut asks);
        running.open += asks.requests.len();
        let over = running.open == 0 && !running.errand.is_waiting();
        for (tag, request) in asks.requests {
            self.client.ask(Ticket { errand: number, tag }, request);
        }
        over.then(|| self.running.remove(&number).expect("it has just been there").errand)
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Box<dyn Errand>> {
        let mut replies = Vec::new();
        let heard = self.client.hear(bytes, &mut replies);
        let mut done = self.begin();
        for (ticket, reply) in replies {
            if let Some(running) = self.running.get_mut(&ticket.errand) {
                running.open -= 1;
            }
            done.extend(self.with(ticket.errand, |errand, asks| errand.on_reply(ticket.tag, reply, asks)));
        }
        if let Err(e) = heard {
            self.broken.get_or_insert(e);
        }
        done
    }
}

// Errands are ended outside of the borrow: an answer may run code that has the next errand.
impl Talk for SftpTalk {
    fn opens(&self) -> Opens {
        Opens::Subsystem("sftp")
    }

    fn window(&self) -> Window {
        self.0.borrow().window
    }

    fn placed(&mut self, line: Line) {
        self.0.borrow_mut().line = Some(line);
    }

    fn say(&mut self, out: &mut Outbox) {
        let mut desk = self.0.borrow_mut();
        let mut done = desk.begin();
        let numbers: Vec<u64> = desk.running.keys().copied().collect();
        for number in numbers {
            done.extend(desk.with(number, |errand, asks| errand.resume(asks)));
        }
        desk.client.say(out);
        drop(desk);
        done.into_iter().for_each(|errand| errand.end(None));
    }

    fn hear(&mut self, from: Stream, bytes: &[u8]) {
        let mut desk = self.0.borrow_mut();
        let done = match from {
            Stream::Stdout => desk.hear(bytes),
            Stream::Stderr => {
                let room = COMPLAINT.saturating_sub(desk.complaint.len());
                desk.complaint.extend_from_slice(&bytes[..bytes.len().min(room)]);
                Vec::new()
            }
        };
        drop(desk);
        done.into_iter().for_each(|errand| errand.end(None));
    }

    fn on_time(&mut self, now: Instant) -> Option<Instant> {
        let mut desk = self.0.borrow_mut();
        if !desk.closing {
            return None;
        }
        let late = *desk.late.get_or_insert(now + GRACE);
        desk.done = now >= late;
        (!desk.done).then_some(late)
    }

    fn is_done(&self) -> bool {
        let desk = self.0.borrow();
        desk.done
            || desk.broken.is_some()
            || (desk.closing && desk.running.is_empty() && desk.early.is_empty())
    }

    fn over(self: Box<Self>, how: Result<Closed, TransportError>) {
        let mut desk = self.0.borrow_mut();
        let why = match (desk.broken.take(), how) {
            (Some(why), _) => why,
            (None, Err(why)) => why,
            (None, Ok(closed)) => {
                let complaint = String::from_utf8_lossy(&desk.complaint).trim().to_owned();
                let why = match (closed.code, complaint.as_str()) {
                    (127, _) => "it has no SFTP server".to_owned(),
                    (_, "") => "its SFTP server ended".to_owned(),
                    (_, complaint) => format!("its SFTP server ended: {complaint}"),
                };
                TransportError::Unreachable { host: desk.host.clone(), why }
            }
        };
        desk.broken = Some(why.clone());
        let early = std::mem::take(&mut desk.early);
        let running = std::mem::take(&mut desk.running);
        drop(desk);
        for errand in running.into_values().map(|running| running.errand).chain(early) {
            errand.end(Some(why.clone()));
        }
    }
}
